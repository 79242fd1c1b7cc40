/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/binfmt.h"

#include "base/mem.h"
#include "tests/unit/test.h"

#include <elf.h>

/* As binfmt_misc takes them: what Debian ships, without the bytes of padding. */
static const struct {
    const char *name, *rule;
} rules[] = {
    { "arm64",
      ":qemu-aarch64:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
      "\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x00\\x00"
      "\\x00\\x00\\x00\\x00\\xfe\\xff\\xff\\xff:/q:POCF" },
    { "arm", ":qemu-arm:M::\\x7f\\x45\\x4c\\x46\\x01\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
             "\\x00\\x00\\x02\\x00\\x28\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00"
             "\\x00\\x00\\x00\\x00\\x00\\x00\\xfe\\xff\\xff\\xff:/q:POCF" },
    { "s390x", ":qemu-s390x:M::\\x7f\\x45\\x4c\\x46\\x02\\x02\\x01\\x00\\x00\\x00\\x00\\x00\\x00"
               "\\x00\\x00\\x00\\x00\\x02\\x00\\x16:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00"
               "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xff\\xfe\\xff\\xff:/q:POCF" },
};

static void rules_are_what_the_kernel_takes(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        AUTO(strbuf_release) struct strbuf rule = STRBUF_INIT;
        binfmt_format_rule(binfmt_find(rules[i].name), "/q", &rule);
        assert_string_equal(rule.data, rules[i].rule);
    }
}

static void only_known_architectures_are_found(void **state UNUSED)
{
    assert_string_equal(binfmt_find("arm64")->qemu, "aarch64");
    assert_null(binfmt_find("aarch64"));
    assert_null(binfmt_find("vax"));
    size_t n = 0;
    while (binfmt_at(n))
        n++;
    assert_int_equal(n, 9);
}

#define MAGIC "7f454c460201010000000000000000000200b700"
#define MASK "ffffffffffffff00fffffffffffffffffeffffff"
#define REST "\noffset 0\nmagic " MAGIC "\nmask " MASK "\n"

/* As the kernel's files read. */
static const struct handler_case {
    const char *text, *interpreter;
    bool is_fixed;
} handlers[] = {
    { "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF" REST,
      "/usr/bin/qemu-aarch64-static", true },
    { "enabled\ninterpreter /a b/q\nflags: OC" REST, "/a b/q", false },
    { "enabled\ninterpreter /q\nflags: " REST, "/q", false },
    { "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic " MAGIC "\n", "/q", true },
    { "disabled\ninterpreter /q\nflags: F" REST, NULL, false },
    { "enabled\ninterpreter /q\nflags: F\noffset 4\nmagic " MAGIC "\nmask " MASK "\n", NULL,
      false },
    { "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f454c460201010000000000000000000200f300"
      "\nmask " MASK "\n",
      NULL, false },
    { "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f45xx\nmask ffffff\n", NULL, false },
    { "enabled\ninterpreter /q\nflags: F\nextension .py\n", NULL, false },
    { "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 2321\n", NULL, false },
    { "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic " MAGIC "\nmask ff\n", NULL, false },
    { "enabled\n", NULL, false },
    { "", NULL, false },
};

static void handlers_are_told_by_what_they_take(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
        bool is_fixed = false;
        AUTO(free)
        char *found = binfmt_handler_interpreter(handlers[i].text, binfmt_find("arm64"), &is_fixed);
        if ((found && !handlers[i].interpreter) || (!found && handlers[i].interpreter) ||
            (found && strcmp(found, handlers[i].interpreter) != 0) ||
            is_fixed != handlers[i].is_fixed)
            fail_msg("%s\ngives %s%s", handlers[i].text, found ? found : "nothing",
                     is_fixed ? ", fixed" : "");
        AUTO(free)
        char *other = binfmt_handler_interpreter(handlers[i].text, binfmt_find("arm"), &is_fixed);
        assert_null(other);
    }
}

static void programs_begin_as_the_rules_say(void **state UNUSED)
{
    for (size_t i = 0; binfmt_at(i); i++) {
        const struct binfmt_arch *arch = binfmt_at(i);
        AUTO(strbuf_release) struct strbuf program = STRBUF_INIT;
        binfmt_format_program(arch, &program);
        size_t headers = arch->bits == 64 ? sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)
                                          : sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
        assert_int_equal(program.size, headers + arch->code_size);
        const unsigned char *bytes = (const unsigned char *)program.data;
        assert_int_equal(bytes[EI_DATA], arch->is_big_endian ? ELFDATA2MSB : ELFDATA2LSB);
        assert_int_equal(arch->is_big_endian ? bytes[18] << 8 | bytes[19]
                                             : bytes[19] << 8 | bytes[18],
                         arch->machine);
        if (arch->bits == 64 && !arch->is_big_endian)
            assert_true(binfmt_is_static(program.data, program.size));
    }
}

static void what_needs_a_loader_is_not_static(void **state UNUSED)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segments[2];
    } program = { .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 },
                              .e_phoff = sizeof(Elf64_Ehdr),
                              .e_phentsize = sizeof(Elf64_Phdr),
                              .e_phnum = 2 },
                  .segments = { { .p_type = PT_LOAD }, { .p_type = PT_DYNAMIC } } };
    assert_true(binfmt_is_static(&program, sizeof(program)));
    assert_false(binfmt_is_static(&program, sizeof(program) - 1));
    assert_false(binfmt_is_static(&program, sizeof(Elf64_Ehdr) - 1));
    program.segments[1].p_type = PT_INTERP;
    assert_false(binfmt_is_static(&program, sizeof(program)));
    program.segments[1].p_type = PT_LOAD;
    program.header.e_phoff = UINT64_MAX;
    assert_false(binfmt_is_static(&program, sizeof(program)));
    program.header.e_ident[0] = '#';
    assert_false(binfmt_is_static(&program, sizeof(program)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_what_the_kernel_takes),
        cmocka_unit_test(only_known_architectures_are_found),
        cmocka_unit_test(handlers_are_told_by_what_they_take),
        cmocka_unit_test(programs_begin_as_the_rules_say),
        cmocka_unit_test(what_needs_a_loader_is_not_static),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
