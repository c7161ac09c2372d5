# The targets that prove things. Included by the Makefile.

SANENV := ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
    UBSAN_OPTIONS=print_stacktrace=1 \
    TSAN_OPTIONS=ignore_noninstrumented_modules=1 OPENBLAS_CORETYPE=Haswell
SECONDS_EACH ?= 5

unit-build: $(TEST_BINS)
unit: $(TEST_BINS)
	@OPENBLAS_CORETYPE=Haswell tests/cmocka.sh $(TEST_BINS)
asan:
	@$(SANENV) $(MAKE) --no-print-directory B=$(B)/asan \
	    SAN=address,undefined OPT="-O1 -g" all unit
tsan:
	@$(SANENV) $(MAKE) --no-print-directory B=$(B)/tsan SAN=thread \
	    OPT="-O1 -g" unit-threads
unit-threads: $(addprefix $(B)/tests/unit/,base/test_jobs \
    storage/test_gate storage/test_threads storage/test_verify)
	@tests/cmocka.sh $^

tidy: bins
	@tests/tidy/tidy.sh $(B)

# Fuzzers are built by clang from the sources that they need, in one go.
CLANG ?= clang
FUZZ_SOURCES := $(foreach f,base proto storage worker/data,$(call sources,$(f)))
$(B)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_SOURCES) $(GEN)
	@mkdir -p $(@D)
	$(CLANG) -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -D_POSIX_C_SOURCE=200809L -I. \
	    -isystem $(B)/gen -o $@ $^ -lprotobuf-c -lsodium -lzmq -llmdb \
	    -lyaml -lz -lgrpc -lgpr -lm -pthread
fuzz: $(FUZZ_BINS)
	@tests/fuzz/run.sh $(SECONDS_EACH) $(FUZZ_BINS)

contract: all
	@tests/integration/contract.sh

check: unit tidy fuzz contract

.PHONY: unit-build unit asan tsan unit-threads tidy fuzz contract check
