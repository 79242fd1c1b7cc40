# cbuild: `make help` lists the targets.
# CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR mean what packagers expect.

MODE ?= release
BUILD ?= build
PREFIX ?= /usr/local
VERSION := 0.1.0
O := $(BUILD)/$(MODE)
V ?= 0
JOBS ?= $(shell nproc)
# Tests wait for half of their time: two for each processor.
TEST_JOBS ?= $(shell echo $$((2 * $(JOBS))))
SLOW ?= 0# of the programs and tests that take longest: how many `make check` names

FOLDERS := base oci layers registry runner builder cli
PACKAGES := libcurl openssl jansson libarchive zlib libzstd libseccomp libcap libdeflate libisal

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
    -Wwrite-strings -Wcast-qual -Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough=5 \
    -Wnull-dereference -Wduplicated-cond -Wlogical-op -Wno-missing-field-initializers
ifeq ($(CI),true)
WARNINGS += -Werror
endif
CFLAGS_release := -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong
CFLAGS_debug := -O0
# Not PIE: a program of ours would relocate 150,000 addresses of UBSan's descriptions each time it starts.
CFLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-pie
CFLAGS_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS_release := -Wl,-z,relro,-z,now
LDFLAGS_asan := -fsanitize=address,undefined -no-pie
LDFLAGS_tsan := -fsanitize=thread

# In CI reports have to name lines; the rest of -g is a fifth of compiling.
CFLAGS ?= $(if $(filter true,$(CI)),-g1,-g)
all_cflags = -std=gnu17 $(WARNINGS) -fno-common -fPIE -pthread $(CFLAGS_$(MODE)) $(CFLAGS)
all_cppflags = -D_GNU_SOURCE -I. -DCBUILD_VERSION='"$(VERSION)"' -include base/banned.h \
    $(PACKAGE_CFLAGS) $(CPPFLAGS)
all_ldflags = -pie -pthread -Wl,--as-needed $(LDFLAGS_$(MODE)) $(LDFLAGS)

# Looked up once, and only by goals that compile.
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null))$(PACKAGE_CFLAGS)
PACKAGE_LIBS = $(eval PACKAGE_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null))$(PACKAGE_LIBS)

ifeq ($(V),0)
quiet = @printf '  %-4s %s\n' $(1) $@;
endif

sources = $(wildcard $(1)/*.c)
objects = $(patsubst %.c,$(O)/%.o,$(call sources,$(1)))
archive = $(O)/lib$(1).a
# The folder's own archive and those it may use, highest first.
archives_for = $(call archive,$(1)) $(foreach f,$(shell sed -n 's/^$(1): *//p' .ci/arrows),$(call archive,$(f)))

UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
# tests/unit/test_digest.c stands for oci/digest.c and links what oci may see.
unit_folder = $(firstword $(foreach f,$(FOLDERS),$(if $(wildcard $(f)/$(patsubst test_%,%,$(1)).c),$(f))))

.PHONY: all
all: $(O)/cbuild

$(O)/cbuild: $(call objects,cli) $(call archives_for,builder)
	$(call quiet,LD)$(CC) $(all_cflags) $(all_ldflags) -o $@ $^ $(PACKAGE_LIBS)

define folder_rules
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	$$(call quiet,AR)rm -f $$@ && ar rcsD $$@ $$^
.PHONY: lib-$(1) unit-$(1)
lib-$(1): $(call archive,$(1))
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

$(O)/%.o: %.c | require-packages
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(all_cppflags) $(all_cflags) -MMD -MP -c -o $@ $<

# Two hundred programs, and gold links in a third of the time.
test_ldflags := $(if $(filter gcc cc,$(notdir $(lastword $(CC)))),$(if $(shell command -v ld.gold),-fuse-ld=gold))

define unit_rules
$(O)/unit/$(1): $(O)/tests/unit/$(1).o $$(call archives_for,$(call unit_folder,$(1)))
	@mkdir -p $$(@D)
	$$(call quiet,LD)$$(CC) $$(all_cflags) $$(all_ldflags) $$(test_ldflags) -o $$@ $$^ $$(PACKAGE_LIBS) -lcmocka -lm
unit-$(call unit_folder,$(1)): run-$(1)
.PHONY: run-$(1)
run-$(1): $(O)/unit/$(1)
	@tests/run --quiet $$<
endef
$(foreach t,$(UNIT),$(eval $(call unit_rules,$(t))))

.PHONY: unit-tests
unit-tests: $(addprefix $(O)/unit/,$(UNIT))

.PHONY: require-packages
require-packages:
	@pkg-config --exists $(PACKAGES) || { echo "missing development packages: run 'make deps'" >&2; exit 1; }

-include $(patsubst %.c,$(O)/%.d,$(foreach f,$(FOLDERS),$(call sources,$(f))) $(wildcard tests/unit/*.c bench/micro/*.c))

-include .ci/targets.mk

# --- set-up, tests, demonstration

.PHONY: deps deps-peers deps-lint
deps:
	@.ci/deps build test
deps-peers: deps
	@.ci/deps peers
deps-lint:
	@.ci/deps lint

# What takes long goes first: `make check SLOW=20` says what does.
LONG := $(patsubst %,tests/e2e/test_%.sh,keys image_copy cache registry contexts limits registry_faults registry_tools \
    errors mounts explain ladder scale rootless single_id platforms escape instructions)
LONG_UNIT := $(filter $(UNIT),$(addprefix test_,pull image_copy uploads push context_scan credentials apply_tree store))
E2E := $(LONG) $(filter-out $(LONG),$(wildcard tests/e2e/test_*.sh))
SETTING ?= $(if $(filter 0,$(shell id -u)),root,user)
# after those that work most, as these wait
TESTS = tests/conformance/run.py $(wordlist 1,3,$(E2E)) $(addprefix $(O)/unit/,$(LONG_UNIT)) $(wordlist 4,$(words $(E2E)),$(E2E)) \
    $(addprefix $(O)/unit/,$(filter-out $(LONG_UNIT),$(UNIT)))
test_env = CBUILD=$(abspath $(O)/cbuild) FAULT_SO=$(abspath $(O)/tests/fault.so) \
    FAULT_PROBE=$(abspath $(O)/tests/fault-probe) ESCAPE_PROBE=$(abspath $(O)/tests/escape-probe) FAULT_NO_MALLOC=$(filter asan tsan,$(MODE)) MODE=$(MODE) CBUILD_NETWORK=pasta,slirp4netns

# In a make of its own, since pkg-config finds what deps installs.
.PHONY: check check-run check-real check-real-run test-programs
check: deps
	@$(MAKE) --no-print-directory check-run
test-programs: $(O)/cbuild unit-tests $(O)/tests/fault.so $(O)/tests/fault-probe $(O)/tests/escape-probe $(addprefix $(O)/fuzz/,$(FUZZ))
check-run: check-arrows test-programs
	@$(test_env) tests/run --jobs $(TEST_JOBS) --slow $(SLOW) --setting '$(SETTING)' $(TESTS) \
	    tests/fault/test_fault.sh $(addprefix $(O)/fuzz/,$(FUZZ))

# Unit tests of what has threads, for MODE=tsan.
THREADED := $(addprefix test_,pool ring relay entries form_files arrival layer tree http http_body pull push image_copy schedule recorder context_scan)
.PHONY: check-threads
check-threads: $(addprefix $(O)/unit/,$(filter $(THREADED),$(UNIT)))
	@tests/run --jobs $(TEST_JOBS) --setting '$(SETTING)' $^

# The tests of builds as root, as users with and without subordinate ids, and in a container (tests/settings).
.PHONY: check-settings check-settings-run
check-settings: deps
	@$(MAKE) --no-print-directory check-settings-run
check-settings-run: $(O)/cbuild $(O)/unit/test_sandbox $(O)/unit/test_child_root
	@$(test_env) UNIT=$(abspath $(O)/unit) tests/settings --jobs $(TEST_JOBS) $(SETTINGS)

# Images of release, debug and sanitizer builds are the same.
.PHONY: check-builds
check-builds:
	@for mode in release debug asan; do $(MAKE) --no-print-directory MODE=$$mode all || exit 1; done
	@tests/run --setting '$(SETTING)' tests/test_builds.sh

# Real inputs: Debian and npm packages from their mirrors, kept in build/cache. Needs deps-peers.
LONG_REAL := $(patsubst %,tests/real/test_%.sh,node dockerfiles same_digest c_program)
check-real: deps-peers
	@$(MAKE) --no-print-directory check-real-run
check-real-run: $(O)/cbuild
	@$(test_env) tests/run --jobs $(TEST_JOBS) --slow $(SLOW) --setting '$(SETTING)' \
	    $(LONG_REAL) $(filter-out $(LONG_REAL),$(wildcard tests/real/test_*.sh))

.PHONY: demo demo-run
demo: deps
	@$(MAKE) --no-print-directory demo-run
demo-run: $(O)/cbuild
	@CBUILD=$(abspath $(O)/cbuild) tests/demo.sh

# bench/README.md
.PHONY: bench
bench: $(O)/cbuild
	@bench/run --cbuild $(abspath $(O)/cbuild)

# the hot loops alone; AGAINST=/other/build/release/bench: beside those of another build
MICRO := $(filter-out micro,$(patsubst bench/micro/%.c,%,$(wildcard bench/micro/*.c)))
.PHONY: bench-micro
bench-micro: $(addprefix $(O)/bench/,$(MICRO))
	@if [ -n '$(AGAINST)' ]; then bench/micro/compare '$(AGAINST)' $(O)/bench; else for each in $^; do $$each || exit 1; done; fi
$(O)/bench/%: $(O)/bench/micro/%.o $(O)/bench/micro/micro.o $(call archives_for,builder) $(call archive,builder)
	$(call quiet,LD)$(CC) $(all_cflags) $(all_ldflags) -o $@ $(filter %.o,$^) $(call archive,builder) $(filter-out $(call archive,builder),$(filter %.a,$^)) $(PACKAGE_LIBS)
.SECONDARY: $(patsubst %,$(O)/bench/micro/%.o,$(MICRO) micro)

.PHONY: clean
clean:
	rm -rf $(BUILD)
