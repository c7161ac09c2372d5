# The targets that prove things. Included by the Makefile.

SANENV := ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
    UBSAN_OPTIONS=print_stacktrace=1 \
    TSAN_OPTIONS=ignore_noninstrumented_modules=1

unit: $(TEST_BINS)
	@tests/cmocka.sh $(TEST_BINS)
asan:
	@$(SANENV) $(MAKE) --no-print-directory B=$(B)/asan \
	    SAN=address,undefined OPT="-O1 -g" all unit
tsan:
	@$(SANENV) $(MAKE) --no-print-directory B=$(B)/tsan SAN=thread \
	    OPT="-O1 -g" unit-threads
unit-threads: $(B)/tests/unit/base/test_jobs
	@tests/cmocka.sh $^

.PHONY: unit asan tsan unit-threads
