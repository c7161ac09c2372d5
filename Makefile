# Cajal. `make help` lists the targets; README.md has the tour.
#
# One non-recursive build: each folder becomes an archive, build/ mirrors the
# source tree, and a sanitizer is the same build in another place
# (B=build/asan SAN=address,undefined).
B ?= build
CC = gcc
PREFIX ?= /usr/local
OPT ?= -O2 -g
VERSION := 0.1.0
# V=1 shows the commands whole.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1) $(2)")

# Bits must not depend on how the compiler fuses: -ffp-contract=off.
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
    -Wmissing-prototypes -Wold-style-definition -Wvla -Wwrite-strings \
    -Wswitch-enum -Wformat=2 -Wundef -Wconversion -fno-common -Werror
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer \
    -fno-sanitize-recover=all)
CFLAGS_ALL = -std=c11 -ffp-contract=off $(OPT) $(SANFLAGS) -pthread \
    -D_POSIX_C_SOURCE=200809L -DCAJAL_VERSION='"$(VERSION)"' -MMD -MP \
    -I. -isystem $(B)/gen $(CFLAGS)
LDFLAGS_ALL = $(SANFLAGS) -pthread -Wl,--as-needed $(LDFLAGS)
LDLIBS := -lzmq -lsodium -lprotobuf-c -llmdb -lzstd -lopenblas -lyaml -lz \
    -lgrpc -lgpr -lcjson -lcrypto -lm

# The folders, each with the folders that it may be linked with: the include
# table of tests/tidy, seen by the linker.
FOLDERS := base proto storage worker/model worker/data worker/core \
    worker/shell coordinator/core coordinator/shell client
USES_base := base
USES_proto := proto base
USES_storage := storage proto base
USES_worker/model := worker/model proto base
USES_worker/data := worker/data proto base
USES_worker/core := worker/core proto base
USES_worker/shell := worker/shell worker/core worker/model worker/data \
    proto base
USES_coordinator/core := coordinator/core proto base
USES_coordinator/shell := coordinator/shell coordinator/core storage proto base
USES_client := client proto base
# Rooms of a folder: files of its archive, with tests of their own.
ROOMS_client := verbs
ROOMS_coordinator/shell := records persistence service links gc requests \
    queries
rooms = $(foreach r,$(ROOMS_$(1)),$(1)/$(r))
$(foreach r,$(call rooms,coordinator/shell),\
    $(eval USES_$(r) := $(USES_coordinator/shell)))

archive = $(B)/lib/$(subst /,-,$(1)).a
archives = $(foreach f,$(1),$(call archive,$(f)))
sources = $(filter-out %/main.c,$(wildcard $(1)/*.c)) \
    $(foreach r,$(call rooms,$(1)),$(wildcard $(r)/*.c))

PROTOS := $(wildcard proto/cajal/v1/*.proto)
GEN := $(PROTOS:%.proto=$(B)/gen/%.pb-c.c)
GENH := $(GEN:.c=.h)
BINS := cajal cajal-coordinator cajal-worker
MAIN_cajal := client
MAIN_cajal-coordinator := coordinator
MAIN_cajal-worker := worker
ALLUSES_cajal := $(USES_client)
ALLUSES_cajal-coordinator := $(USES_coordinator/shell)
ALLUSES_cajal-worker := $(USES_worker/shell)

all: bins descriptors
bins: $(foreach b,$(BINS),$(if $(wildcard $(MAIN_$(b))/main.c),$(B)/bin/$(b)))
descriptors: $(B)/cajal.protoset

.SECONDEXPANSION:
.SECONDARY:

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h &: %.proto
	@mkdir -p $(B)/gen
	$(call say,PROTO,$<)
	$(Q)protoc-c --c_out=$(B)/gen --proto_path=. $<
$(B)/cajal.protoset: $(PROTOS)
	@mkdir -p $(@D)
	$(Q)protoc-c --proto_path=. --include_imports --descriptor_set_out=$@ $^

$(B)/gen/%.o: $(B)/gen/%.c $(GENH)
	$(Q)$(CC) -std=c11 $(OPT) $(SANFLAGS) -I$(B)/gen -c -o $@ $<
# Vector loops in the arithmetic. None of these flags changes a bit.
$(B)/obj/worker/model/%.o: OPT += -O3 -fno-math-errno -fno-trapping-math
$(B)/obj/%.o: %.c | $(GENH)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(WARN) $(CFLAGS_ALL) -c -o $@ $<

define folder_rules
$(call archive,$(1)): $(patsubst %.c,$(B)/obj/%.o,$(call sources,$(1))) \
    $(if $(filter proto,$(1)),$(GEN:.c=.o)) $(call archive,$(1)).list
	$(Q)rm -f $$@ && ar rcs $$@ $$(filter %.o,$$^)
# Written only where it changes: a file comes or goes whatever its time says.
$(call archive,$(1)).list: FORCE
	@mkdir -p $$(@D); echo $(call sources,$(1)) | cmp -s - $$@ || \
	    echo $(call sources,$(1)) >$$@
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

define bin_rules
$(B)/bin/$(1): $(B)/obj/$(MAIN_$(1))/main.o $(call archives,$(ALLUSES_$(1)))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$(Q)$$(CC) -o $$@ $$^ $(LDFLAGS_ALL) $(LDLIBS)
endef
$(foreach b,$(BINS),$(eval $(call bin_rules,$(b))))

# tests/unit/FOLDER/test_NOUN.c is linked with FOLDER and what that may use,
# and with the files beside and above it that are no tests; tests/integration
# likewise, with everything; tests/sim with the two cores (tests/tests.mk).
UNIT := $(wildcard $(foreach d,* */* */*/*,tests/unit/$(d)/test_*.c))
WHOLE := $(wildcard tests/integration/test_*.c)
UNIT_BINS := $(UNIT:%.c=$(B)/%)
WHOLE_BINS := $(WHOLE:%.c=$(B)/%)
TEST_BINS := $(UNIT_BINS) $(WHOLE_BINS) \
    $(addprefix $(B)/tests/sim/,test_sim test_crowd)
above = $(filter $(FOLDERS:%=unit/%/),$(dir $(1:%/=%)))
helpers = $(patsubst %.c,$(B)/obj/%.o,$(foreach d,$(1) $(call above,$(1)), \
    $(filter-out tests/$(d)test_%,$(wildcard tests/$(d)*.c))))
FUZZ_BINS := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))

uses_of = $(USES_$(patsubst %/,%,$(dir $(1))))
$(UNIT_BINS): $(B)/tests/unit/%: $(B)/obj/tests/unit/%.o \
    $$(call helpers,unit/$$(dir $$*)) $$(call archives,$$(call uses_of,$$*))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS_ALL) -lcmocka $(LDLIBS)
$(WHOLE_BINS): $(B)/tests/%: $(B)/obj/tests/%.o \
    $(call helpers,integration/) $(call archives,client \
    coordinator/shell coordinator/core storage worker/shell worker/core \
    worker/model worker/data proto base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS_ALL) -lcmocka $(LDLIBS)

include tests/tests.mk

run: ; @deploy/install-deps.sh && \
    $(MAKE) --no-print-directory -s -j$$(nproc) all && deploy/demo.sh
test: ; @deploy/install-deps.sh --tests && tests/run.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/cajal
	install -m 755 $(BINS:%=$(B)/bin/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(B)/cajal.protoset $(PROTOS) deploy/*.yaml \
	    $(DESTDIR)$(PREFIX)/share/cajal
uninstall:
	rm -f $(BINS:%=$(DESTDIR)$(PREFIX)/bin/%)
	rm -rf $(DESTDIR)$(PREFIX)/share/cajal
clean:
	rm -rf $(B)
help:
	@echo "targets: all run test check tidy asan tsan fuzz bench bench-kills"
	@echo "         bench-store sim soak scale install uninstall clean"

.PHONY: FORCE all bins descriptors run test install uninstall clean help
-include $(shell test -d $(B) && find $(B) -name '*.d')
