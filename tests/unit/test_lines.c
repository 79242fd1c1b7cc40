/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lines.h"

#include "tests/unit/language_data.h"

static struct source_text *text_of(const char *text)
{
    return source_text_new("Dockerfile", text, strlen(text));
}

/* "first-last:text|..." */
static int join(const char *text, struct strbuf *joined, struct error **err)
{
    AUTO(source_text_free) struct source_text *source = text_of(text);
    AUTO(directives_release) struct directives directives = { 0 };
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    struct lines lines;
    lines_init(&lines, source);
    if (lines_read_directives(&lines, &directives, err) < 0)
        return -1;
    while (lines_next(&lines, &line))
        strbuf_addf(joined, "%s%zu-%zu:%s", joined->size ? "|" : "", line.range.first,
                    line.range.last, line.text.data);
    return 0;
}

struct join_case {
    const char *text, *joined;
};

static void check_joins(const struct join_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO(strbuf_release) struct strbuf joined = STRBUF_INIT;
        struct error *err = NULL;
        assert_ok(join(cases[i].text, &joined, &err), err);
        if (strcmp(joined.data, cases[i].joined) != 0)
            fail_msg("case %zu: %s, expected %s", i, joined.data, cases[i].joined);
    }
}

static void physical_lines_join_to_logical_ones(void **state UNUSED)
{
    static const struct join_case cases[] = {
        { "", "" },
        { "\n\n# x\n", "" },
        { "FROM a", "1-1:FROM a" },
        { "\xef\xbb\xbf"
          "FROM a\r\nRUN x\r\n",
          "1-1:FROM a|2-2:RUN x" },
        { "  FROM a\n\t# c\n\tRUN x", "1-1:FROM a|3-3:RUN x" },
        { "RUN a \\  \t\n b", "1-2:RUN a  b" },
        { "RUN a \\\r\n b\r\n", "1-2:RUN a  b" },
        { "RUN a \\", "1-1:RUN a " },
        { "\\\nRUN a", "1-2:RUN a" },
        { "RUN a\n\\", "1-1:RUN a" },
        { "# escape=`\nRUN a `\nb \\\nRUN c", "2-3:RUN a b \\|4-4:RUN c" },
        { "# unknown=x\n# escape=`\nRUN a \\\nb", "3-4:RUN a b" },
    };
    check_joins(cases, ARRAY_SIZE(cases));
}

static void blanks_at_the_start_of_a_continuation_line_are_kept(void **state UNUSED)
{
    static const struct join_case cases[] = {
        { "RUN a \\\n  b\\\nc", "1-3:RUN a   bc" },
        { "RUN a\\\n\t\tb", "1-2:RUN a\t\tb" },
        { "  \tRUN a \\\n    b", "1-2:RUN a     b" }, /* unlike those of the first line */
    };
    check_joins(cases, ARRAY_SIZE(cases));
}

static void comments_within_a_continued_instruction_are_removed(void **state UNUSED)
{
    static const struct join_case cases[] = {
        { "RUN a \\\n# c \\\n  # d\nb\nRUN e", "1-4:RUN a b|5-5:RUN e" },
        { "RUN a \\\n # last", "1-2:RUN a " },
        { "RUN a \\\nb # data \\\n# gone\nc", "1-4:RUN a b # data c" },
        { "RUN a # b\nRUN c", "1-1:RUN a # b|2-2:RUN c" },
    };
    check_joins(cases, ARRAY_SIZE(cases));
}

static void an_escaped_escape_character_does_not_continue(void **state UNUSED)
{
    static const struct join_case cases[] = {
        { "RUN a\\\\\nRUN b", "1-1:RUN a\\\\|2-2:RUN b" },
        { "RUN a\\\\ \t\nRUN b", "1-1:RUN a\\\\ \t|2-2:RUN b" },
        { "RUN a\\\\\\\nRUN b", "1-1:RUN a\\\\\\|2-2:RUN b" }, /* nor do three */
        { "RUN a\\ \\\nRUN b", "1-2:RUN a\\ RUN b" },
        { "# escape=`\nRUN a``\nRUN b", "2-2:RUN a``|3-3:RUN b" },
    };
    check_joins(cases, ARRAY_SIZE(cases));
}

static void empty_lines_within_a_continuation_are_skipped_and_noted(void **state UNUSED)
{
    static const struct {
        const char *text, *joined;
        size_t empty_line; /* 0: none */
    } cases[] = {
        { "RUN a \\\n\n\t\nb", "RUN a b", 2 },
        { "RUN a \\\n# c\n \nb \\\n\nc", "RUN a b c", 3 },
        { "RUN a \\\n# c\nb", "RUN a b", 0 },
        { "RUN a \\\n\n", "RUN a ", 2 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(source_text_free) struct source_text *source = text_of(cases[i].text);
        AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
        struct lines lines;
        lines_init(&lines, source);
        assert_true(lines_next(&lines, &line));
        assert_string_equal(line.text.data, cases[i].joined);
        assert_int_equal(line.empty_line, cases[i].empty_line);
        assert_false(lines_next(&lines, &line));
    }
}

static void lines_have_no_limit(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "RUN ");
    for (int i = 0; i < 200000; i++)
        strbuf_addc(&text, 'x');
    AUTO(source_text_free) struct source_text *source = text_of(text.data);
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    struct lines lines;
    lines_init(&lines, source);
    assert_true(lines_next(&lines, &line));
    assert_int_equal(line.text.size, 200004);
}

struct directive_case {
    const char *text, *syntax, *check;
    char escape;
    size_t next; /* line that follows them */
};

static void check_directives(const struct directive_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO(source_text_free) struct source_text *source = text_of(cases[i].text);
        AUTO(directives_release) struct directives directives = { 0 };
        struct lines lines;
        struct error *err = NULL;
        lines_init(&lines, source);
        assert_ok(lines_read_directives(&lines, &directives, &err), err);
        const char *syntax = directives.syntax ? directives.syntax : "";
        const char *check = directives.check ? directives.check : "";
        if (strcmp(syntax, cases[i].syntax ? cases[i].syntax : "") != 0 ||
            strcmp(check, cases[i].check ? cases[i].check : "") != 0 ||
            lines.escape != cases[i].escape || lines.next != cases[i].next)
            fail_msg("case %zu: syntax \"%s\", check \"%s\", escape %c, next %zu", i, syntax, check,
                     lines.escape, lines.next);
    }
}

static void directives_stand_at_the_top(void **state UNUSED)
{
    static const struct directive_case cases[] = {
        { "# syntax=docker/dockerfile:1\n#ESCAPE = `\n# check=skip=all\nFROM a",
          "docker/dockerfile:1", "skip=all", '`', 4 },
        { "#syntax = a b \nFROM a", "a b", NULL, '\\', 2 },
        { "\n# syntax=a\n", NULL, NULL, '\\', 1 },
        { "# comment\n# syntax=a\n", NULL, NULL, '\\', 1 },
        { "# escape=\\\nFROM a\n# syntax=a", NULL, NULL, '\\', 2 },
        { "# syntax=\nFROM a", NULL, NULL, '\\', 1 },
        { "", NULL, NULL, '\\', 1 },
        /* no continuation */
        { "# syntax=a \\\nb\n", "a \\", NULL, '\\', 2 },
    };
    check_directives(cases, ARRAY_SIZE(cases));
}

static void first_line_that_is_no_known_directive_ends_the_search(void **state UNUSED)
{
    static const struct directive_case cases[] = {
        { "# other=1\n# syntax=a\n", NULL, NULL, '\\', 1 },
        { "# check=skip=all\n# foo=bar\n# escape=`\n", NULL, "skip=all", '\\', 2 },
        { "# syntax=a\n# words\n# check=skip=all\n", "a", NULL, '\\', 2 },
        { "# syntax=a\n\n# check=skip=all\n", "a", NULL, '\\', 2 },
        { "# escape=`\n# syntax = \n# check=skip=all\n", NULL, NULL, '`', 2 },
    };
    check_directives(cases, ARRAY_SIZE(cases));
}

static void other_forms_choose_a_syntax_as_well(void **state UNUSED)
{
    static const struct directive_case cases[] = {
        { "#!/usr/bin/x\n# syntax=a\nFROM b", "a", NULL, '\\', 1 },
        { "// syntax=a\n", "a", NULL, '\\', 1 },
        { "{\"syntax\": \"a\", \"x\": 1}", "a", NULL, '\\', 1 },
        { "{not json", NULL, NULL, '\\', 1 },
        { "//syntax\nFROM a", NULL, NULL, '\\', 1 },
    };
    check_directives(cases, ARRAY_SIZE(cases));
}

static void bad_directives_are_errors(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "# escape=x\n", "\"x\" is neither a backslash nor a backtick" },
        { "# escape=``\n", "neither a backslash nor a backtick" },
        { "# syntax=a\n# SYNTAX=b\n", "syntax directive given twice: first on line 1" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf joined = STRBUF_INIT;
        struct error *err = NULL;
        assert_fails(join(cases[i].text, &joined, &err), err, ERR_SYNTAX, cases[i].error);
    }
}

static void comments_just_above_are_remembered(void **state UNUSED)
{
    AUTO(source_text_free)
    struct source_text *source =
        text_of("# far\n\n# near \n#   nearer\nFROM a\nRUN b\n# c\n\nRUN d");
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    struct lines lines;
    lines_init(&lines, source);
    assert_true(lines_next(&lines, &line));
    assert_string_equal(line.comment.data, "near\nnearer");
    assert_true(lines_next(&lines, &line));
    assert_string_equal(line.comment.data, "");
    assert_true(lines_next(&lines, &line));
    assert_string_equal(line.comment.data, "");
    assert_false(lines_next(&lines, &line));
}

static void heredoc_bodies_are_read_as_they_stand(void **state UNUSED)
{
    AUTO(source_text_free)
    struct source_text *source = text_of("RUN <<A <<-B\n# no comment \\\n\nA\n\tb\n\tB\nRUN c");
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    AUTO(heredoc_list_release) struct heredoc_list list = { 0 };
    struct lines lines;
    struct error *err = NULL;
    lines_init(&lines, source);
    assert_true(lines_next(&lines, &line));
    assert_ok(heredoc_scan(line.text.data, &list, &err), err);
    assert_ok(lines_read_heredocs(&lines, &line, &list, &err), err);
    assert_string_equal(list.items[0].content, "# no comment \\\n\n");
    assert_string_equal(list.items[1].content, "\tb\n");
    assert_int_equal(list.items[1].range.first, 5);
    assert_int_equal(line.range.last, 6);
    assert_true(lines_next(&lines, &line));
    assert_int_equal(line.range.first, 7);
}

static void line_numbers_hold_over_the_conformance_file(void **state UNUSED)
{
    AUTO(free) char *path = conformance_path("parser/lines/Dockerfile");
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf joined = STRBUF_INIT;
    struct error *err = NULL;
    conformance_read(path, &text);
    AUTO(source_text_free)
    struct source_text *source = source_text_new("Dockerfile", text.data, text.size);
    AUTO(directives_release) struct directives directives = { 0 };
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    struct lines lines;
    lines_init(&lines, source);
    assert_ok(lines_read_directives(&lines, &directives, &err), err);
    while (lines_next(&lines, &line))
        strbuf_addf(&joined, "%zu-%zu ", line.range.first, line.range.last);
    assert_string_equal(joined.data, "5-5 11-12 17-31 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(physical_lines_join_to_logical_ones),
        cmocka_unit_test(blanks_at_the_start_of_a_continuation_line_are_kept),
        cmocka_unit_test(comments_within_a_continued_instruction_are_removed),
        cmocka_unit_test(an_escaped_escape_character_does_not_continue),
        cmocka_unit_test(empty_lines_within_a_continuation_are_skipped_and_noted),
        cmocka_unit_test(lines_have_no_limit),
        cmocka_unit_test(directives_stand_at_the_top),
        cmocka_unit_test(first_line_that_is_no_known_directive_ends_the_search),
        cmocka_unit_test(other_forms_choose_a_syntax_as_well),
        cmocka_unit_test(bad_directives_are_errors),
        cmocka_unit_test(comments_just_above_are_remembered),
        cmocka_unit_test(heredoc_bodies_are_read_as_they_stand),
        cmocka_unit_test(line_numbers_hold_over_the_conformance_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
