# Targets for who works on cbuild: checks, fuzzing, coverage, installing. Included by the Makefile.

TOOLS := 14# of clang-format and clang-tidy: another version formats otherwise
SOURCES = $(foreach f,$(FOLDERS),$(call sources,$(f)))
HEADERS = $(foreach f,$(FOLDERS),$(wildcard $(f)/*.h))
TEST_SOURCES = $(wildcard tests/unit/*.[ch] tests/e2e/*.[ch] tests/fault/*.[ch] tests/fuzz/*.[ch] bench/micro/*.[ch])
SCRIPTS = $(shell grep -lsE '^\#!.*[/ ](ba)?sh$$' .ci/* tests/* tests/*/* bench/* bench/lib/*)
PROSE = $(wildcard README.md docs/*.md .ci/* bench/* bench/lib/* tests/run $(filter-out %/bad_dockerfiles.txt,$(wildcard tests/e2e/*)) tests/fault/* tests/fuzz/*.c) Makefile

.PHONY: help
help:
	@printf '%s\n' \
	'all            build/release/cbuild (the default)' \
	'deps           install what building and testing need (apt-get)' \
	'deps-peers     other tools that tests compare with; deps-lint: what lint needs' \
	'check          all quick checks and tests; check-run: without deps' \
	'check-builds   images of release, debug and sanitizer builds are the same' \
	'check-settings the tests of builds as root, as users with and without ids, in a container' \
	'check-real     builds of real software over package mirrors' \
	'demo           build, push to a registry of its own, pull, compare' \
	'fmt            lay out all C files (clang-format-$(TOOLS))' \
	'lint           what a machine sees: layout, tidy, walls, arrows, headers, shell, spelling' \
	'tidy           clang-tidy-$(TOOLS) alone; FILES=... for some files' \
	'check-arrows   who may include whom' \
	'check-walls    lengths of files and functions' \
	'check-promises tests that tests/promises names exist' \
	'check-fault    the fault shim, and base under it' \
	'fuzz           each fuzz target for FUZZ_SECONDS=60' \
	'fuzz-corpus    each fuzz target once over its stored inputs' \
	'fuzz-cover     what these inputs cover of the parser files' \
	'unit-FOLDER    unit tests of a folder; run-test_NAME: of one file' \
	'cover          line coverage of the unit tests' \
	'bench          measure speed beside peers and floors; bench-micro: the hot loops' \
	'install        to DESTDIR PREFIX/bin and SYSCONFDIR/apparmor.d; uninstall: from there' \
	'dist           build/cbuild-$(VERSION).tar.gz of what is committed' \
	'clean          remove build/' \
	'compile_commands.json   for editors' \
	'' \
	'MODE=release|debug|asan|tsan   BUILD=build   V=1 shows commands   CC CFLAGS CPPFLAGS LDFLAGS'

# --- checks

.PHONY: fmt check-format check-arrows check-walls check-promises check-headers check-shell check-spelling tidy lint lint-quick
fmt:
	clang-format-$(TOOLS) -i $(SOURCES) $(HEADERS) $(TEST_SOURCES)

check-format:
	@clang-format-$(TOOLS) --dry-run -Werror $(SOURCES) $(HEADERS) $(TEST_SOURCES)

check-arrows:
	@.ci/check-arrows

check-walls:
	@.ci/check-walls

check-promises:
	@.ci/check-promises

# A header compiles alone.
check-headers:
	@printf '%s\n' $(HEADERS) | xargs -P $(JOBS) -n 1 \
	    $(CC) $(all_cppflags) $(all_cflags) -w -fsyntax-only -x c

check-shell:
	@printf '%s\n' $(SCRIPTS) | xargs -P $(JOBS) -n 8 shellcheck -x --severity=warning

check-spelling:
	@codespell --ignore-words=.ci/codespell-ignore $(SOURCES) $(HEADERS) $(PROSE)

FILES = $(SOURCES) $(wildcard tests/unit/*.c tests/e2e/*.c tests/fault/*.c tests/fuzz/*.c)
# one file at a time: of several the analyzer says that va_copy() left nothing behind
tidy:
	@mkdir -p $(O)
	@printf '%s\n' $(FILES) | xargs -P $(JOBS) -n 1 sh -c \
	    'clang-tidy-$(TOOLS) --quiet "$$@" -- -std=gnu17 -w $(subst ','"'"',$(all_cppflags)) 2>&1 | \
	    { grep -v -e "^Suppressed " -e "^Use -header-filter" -e "warnings generated" || true; } >"$(O)/tidy.$$$$"; \
	    test ! -s "$(O)/tidy.$$$$" || { cat "$(O)/tidy.$$$$"; rm "$(O)/tidy.$$$$"; exit 1; }; \
	    rm "$(O)/tidy.$$$$"' sh

lint-quick: check-format check-arrows check-walls check-promises check-headers check-shell check-spelling
lint: lint-quick tidy

# --- the fault shim

.PHONY: check-fault
$(O)/tests/fault.so: tests/fault/fault.c
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) -D_GNU_SOURCE -std=gnu17 $(WARNINGS) -O1 -g -fPIC -shared \
	    $(if $(filter asan tsan,$(MODE)),-DFAULT_NO_MALLOC) -o $@ $<

$(O)/tests/fault-probe: $(O)/tests/fault/probe.o $(call archive,base)
	$(call quiet,LD)$(CC) $(all_cflags) $(all_ldflags) -o $@ $^ $(PACKAGE_LIBS)

# Runs in images that hold nothing else.
$(O)/tests/escape-probe: $(wildcard tests/e2e/probe*.[ch])
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(all_cppflags) -std=gnu17 $(WARNINGS) -O1 -g -static -o $@ $(filter %.c,$^)

check-fault: $(O)/tests/fault.so $(O)/tests/fault-probe
	@FAULT_SO=$(O)/tests/fault.so FAULT_PROBE=$(O)/tests/fault-probe \
	    FAULT_NO_MALLOC=$(filter asan tsan,$(MODE)) tests/run tests/fault/test_fault.sh

# --- fuzzing: tests/fuzz/fuzz_words.c stands for builder/words.c as unit tests do. Stored inputs
# (seeds, and what once crashed) are in testdata/fuzz/words, finds of a run in tests/fuzz/corpus-words.

FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang-$(TOOLS)
CFLAGS_fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=undefined
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
fuzz_folder = $(call unit_folder,$(patsubst fuzz_%,test_%,$(1)))
fuzz_main := $(if $(filter fuzz,$(MODE)),,$(O)/tests/fuzz/replay_main.o)
# base comes last, and once: $^ keeps the first of equal names
fuzz_archives = $(if $(fuzz_folder),$(call archives_for,$(fuzz_folder)),$(call archive,base))

define fuzz_rules
$(O)/fuzz/$(1): $(O)/tests/fuzz/$(1).o $$(fuzz_main) $(call fuzz_archives,$(1))
	@mkdir -p $$(@D)
	$$(call quiet,LD)$$(CC) $$(all_cflags) $$(all_ldflags) $$(test_ldflags) -o $$@ $$^ $$(PACKAGE_LIBS) -lm
.PHONY: fuzz-run-$(1)
fuzz-run-$(1): $(O)/fuzz/$(1)
	@mkdir -p tests/fuzz/corpus-$(1:fuzz_%=%) $(O)/fuzz/found
	$$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 \
	    -artifact_prefix=$(O)/fuzz/found/$(1:fuzz_%=%)- $(addprefix -dict=,$(wildcard tests/fuzz/$(1:fuzz_%=%).dict)) \
	    tests/fuzz/corpus-$(1:fuzz_%=%) $(wildcard testdata/fuzz/$(1:fuzz_%=%))
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz_rules,$(f))))
-include $(patsubst %.c,$(O)/%.d,$(wildcard tests/fuzz/*.c tests/fault/*.c))

.PHONY: fuzz fuzz-all fuzz-corpus
fuzz:
	@$(MAKE) --no-print-directory MODE=fuzz CC=$(FUZZ_CC) WARNINGS=-w fuzz-all
fuzz-all: $(addprefix fuzz-run-,$(FUZZ))
fuzz-corpus: $(addprefix $(O)/fuzz/,$(FUZZ))
	@$(if $(FUZZ),tests/run $^,:)

# line coverage of the parser files by the stored inputs: .ci/fuzz-parsers says which
.PHONY: fuzz-cover fuzz-cover-run
fuzz-cover:
	@$(MAKE) --no-print-directory MODE=cover fuzz-cover-run
fuzz-cover-run: $(addprefix $(O)/fuzz/fuzz_,$(shell sed -n 's/^\([a-z_]*\):.*/\1/p' .ci/fuzz-parsers | uniq))
	@.ci/fuzz-cover $(O)

# --- coverage

CFLAGS_cover := -O0 --coverage -fprofile-update=atomic
LDFLAGS_cover := --coverage
.PHONY: cover cover-run
cover:
	@$(MAKE) --no-print-directory MODE=cover cover-run
cover-run: unit-tests
	@find $(O) -name '*.gcda' -delete
	@tests/run --jobs $(JOBS) $(addprefix $(O)/unit/,$(UNIT))
	@.ci/cover $(O)

# Under Debian's kernel in a virtual machine: cgroups of version 2, AppArmor, SELinux, an older overlay.
.PHONY: check-vm
check-vm: $(O)/cbuild $(O)/tests/escape-probe
	@$(test_env) CBUILD_TEST_VM='$(or $(PARTS),all)' TEST_TIMEOUT=1800 tests/run --setting '$(SETTING)' tests/real/test_vm.sh

# --- installing

SYSCONFDIR ?= /etc
.PHONY: install uninstall dist
install: $(O)/cbuild
	install -D -m 0755 $(O)/cbuild $(DESTDIR)$(PREFIX)/bin/cbuild
	install -D -m 0644 runner/apparmor-profile $(DESTDIR)$(SYSCONFDIR)/apparmor.d/cbuild-default

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/cbuild $(DESTDIR)$(SYSCONFDIR)/apparmor.d/cbuild-default

dist:
	@mkdir -p $(BUILD)
	git archive --format=tar --prefix=cbuild-$(VERSION)/ HEAD | gzip -9n >$(BUILD)/cbuild-$(VERSION).tar.gz

.PHONY: compile_commands.json
compile_commands.json:
	@flags=$$(printf '%s' $(call shell_quote,$(all_cppflags) $(all_cflags)) | sed 's/[\\"]/\\&/g'); \
	separator='['; \
	for file in $(SOURCES) $(wildcard tests/*/*.c); do \
	    printf '%s\n{"directory": "%s", "file": "%s", "command": "%s %s -c %s"}' "$$separator" \
	        "$(CURDIR)" "$$file" "$(CC)" "$$flags" "$$file"; \
	    separator=,; \
	done >$@; printf '\n]\n' >>$@

shell_quote = '$(subst ','\'',$(1))'
