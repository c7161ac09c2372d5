# The targets that prove things. Included by the Makefile.

SANENV := ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
    UBSAN_OPTIONS=print_stacktrace=1 \
    TSAN_OPTIONS=ignore_noninstrumented_modules=1 OPENBLAS_CORETYPE=Haswell
SECONDS_EACH ?= 5

unit-build: $(TEST_BINS)
unit: bins $(TEST_BINS)
	@OPENBLAS_CORETYPE=Haswell CAJAL_BIN=$(B)/bin tests/cmocka.sh $(TEST_BINS)
asan:
	@$(SANENV) $(MAKE) --no-print-directory B=$(B)/asan \
	    SAN=address,undefined OPT="-O1 -g" all unit
tsan:
	@$(SANENV) $(MAKE) --no-print-directory B=$(B)/tsan SAN=thread \
	    OPT="-O1 -g" unit-threads
unit-threads: $(addprefix $(B)/tests/unit/,base/test_jobs \
    storage/test_gate storage/test_threads storage/test_verify \
    storage/test_reads)
	@tests/cmocka.sh $^

# The two cores in one process: SEED=n replays a seed, STEPS=m events of it.
SEED ?= 1
STEPS ?= 5000000
SOAK_FIRST ?= 100000
SOAK_SEEDS ?= 20000
SIM := $(patsubst %.c,$(B)/obj/%.o,$(filter-out %/test_sim.c %/sim.c \
    %/test_crowd.c %/scale.c, $(wildcard tests/sim/*.c)))
SIM_BINS := $(addprefix $(B)/tests/sim/,sim scale test_sim test_crowd)
$(SIM_BINS): $(B)/tests/sim/%: $(B)/obj/tests/sim/%.o $(SIM) \
    $(call archives,coordinator/core worker/core proto base)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS_ALL) \
	    -Wl,--wrap=coord_step,--wrap=agent_step,--wrap=sched_step \
	    -lcmocka $(LDLIBS)
sim: $(B)/tests/sim/sim
	@$< $(SEED) $(STEPS)
soak: $(B)/tests/sim/sim
	@$< --soak $(SOAK_FIRST) $(SOAK_SEEDS)

# The coordinator's core alone, with so many workers and shards.
WORKERS ?= 1000
SHARDS ?= 10000
scale: $(B)/tests/sim/scale
	@$< $(WORKERS) $(SHARDS)

tidy: bins
	@tests/tidy/tidy.sh $(B)

# Fuzzers: the same folders built by clang with libFuzzer's instrumentation.
FUZZ_FLAGS := CC=clang B=$(B)/fuzz SAN=address,undefined \
    OPT="-O1 -g -fsanitize=fuzzer-no-link"
FUZZ_LIBS := $(patsubst %,$(B)/lib/%.a,client coordinator-shell \
    coordinator-core storage worker-model worker-data proto base)
fuzz:
	@$(MAKE) --no-print-directory $(FUZZ_FLAGS) fuzz-build
	@tests/fuzz/run.sh $(SECONDS_EACH) $(FUZZ_BINS:$(B)/%=$(B)/fuzz/%)
fuzz-build: $(FUZZ_BINS)
$(B)/tests/fuzz/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	clang -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) \
	    $(filter %.a,$^) -pthread $(LDLIBS)
# A whole coordinator, of the unit tests' making, that is asked.
$(B)/tests/fuzz/fuzz_request: LDLIBS += -lcmocka
$(B)/tests/fuzz/fuzz_request: $(patsubst %,\
    $(B)/obj/tests/unit/coordinator/shell/%.o,world caller fixture)

contract: all
	@CAJAL_BIN=$(abspath $(B))/bin tests/integration/run.sh

# Ratios, not times: see tests/bench/run.sh.
$(B)/tests/bench/sgemm: $(B)/obj/tests/bench/sgemm.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $^ -lopenblas
bench: all $(B)/tests/bench/sgemm
	@tests/bench/run.sh $(B)

# From a kill -9 to the next step; KILLS of a worker and as many of the
# coordinator, then ROUNDS of what it costs to be ready for that.
KILLS ?= 20
ROUNDS ?= 4
bench-kills: all
	@CAJAL_BIN=$(abspath $(B))/bin /usr/bin/python3 -B \
	    tests/bench/kills.py $(KILLS) $(ROUNDS)

# How much larger than its tensors a store is. VERSIONS of the small models,
# LARGE of one of 10 million parameters (40 MB each at the most).
VERSIONS ?= 1000
LARGE ?= 60
$(B)/tests/bench/storesize: $(B)/obj/tests/bench/storesize.o \
    $(call archives,storage proto base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LDLIBS)
bench-store: $(B)/tests/bench/storesize
	@$< $(VERSIONS) $(LARGE)

check: unit tidy fuzz contract

.PHONY: sim soak scale unit-build unit asan tsan unit-threads tidy fuzz \
    fuzz-build contract check bench bench-kills bench-store
