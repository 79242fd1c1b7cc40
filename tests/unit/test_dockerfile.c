/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile.h"

#include "tests/unit/language_data.h"

#include <dirent.h>
#include <fnmatch.h>
#include <time.h>

static int parse(const char *text, struct dockerfile **ret, struct error **err)
{
    return dockerfile_parse("Dockerfile", text, strlen(text), ret, err);
}

static void assert_heredocs(const struct instruction *instruction, const json_t *expected)
{
    const struct heredoc_list *list = &instruction->heredocs;
    if (list->n_items != json_array_size(expected))
        fail_msg("line %zu: %zu heredocs", instruction->range.first, list->n_items);
    for (size_t i = 0; i < list->n_items; i++) {
        const json_t *item = json_array_get(expected, i);
        assert_string_equal(list->items[i].name, string_of(item, "name"));
        assert_string_equal(list->items[i].content, string_of(item, "content"));
        assert_int_equal(list->items[i].expand, json_is_true(json_object_get(item, "expand")));
        assert_int_equal(list->items[i].chomp, json_is_true(json_object_get(item, "chomp")));
        assert_int_equal(list->items[i].fd, json_integer_value(json_object_get(item, "fd")));
    }
}

static void heredocs_agree_with_conformance(void **state UNUSED)
{
    json_t *table = conformance_load("parser/heredoc.json");
    const json_t *lists = json_object_get(table, "heredocs_per_instruction");
    /* its "USER <<INVALID" is followed by a line that is no instruction: only a tree parser takes
     * that */
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, string_of(table, "dockerfile"));
    char *invalid = strstr(text.data, "\nINVALID\n");
    assert_non_null(invalid);
    invalid[1] = '#'; /* a comment, then */
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    struct error *err = NULL;
    assert_ok(parse(text.data, &dockerfile, &err), err);
    assert_int_equal(dockerfile->n_instructions, json_array_size(lists));
    for (size_t i = 0; i < dockerfile->n_instructions; i++)
        assert_heredocs(&dockerfile->instructions[i], json_array_get(lists, i));
    json_decref(table);
}

/* Calls check with the name and path of each folder's Dockerfile. */
static void each_dockerfile(const char *folder, void (*check)(const char *name, const char *text,
                                                              size_t size, bool is_ok))
{
    AUTO(free) char *root = conformance_path(folder);
    DIR *dir = opendir(root);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf expect = STRBUF_INIT;
        if (entry->d_name[0] == '.')
            continue;
        AUTO(free) char *path = xasprintf("%s/%s/Dockerfile", root, entry->d_name);
        AUTO(free) char *expect_path = xasprintf("%s/%s/expect", root, entry->d_name);
        conformance_read(path, &text);
        if (access(expect_path, R_OK) == 0)
            conformance_read(expect_path, &expect);
        check(entry->d_name, text.data, text.size, strncmp(expect.data, "ok", 2) == 0);
    }
    (void)closedir(dir);
}

static void check_refused(const char *name, const char *text, size_t size, bool is_ok UNUSED)
{
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    AUTO(error_free) struct error *err = NULL;
    if (dockerfile_parse(name, text, size, &dockerfile, &err) == 0)
        fail_msg("%s parses", name);
    assert_true(error_is(err, ERR_SYNTAX));
}

static void malformed_files_are_refused(void **state UNUSED)
{
    each_dockerfile("parser/negative", check_refused);
}

/* Build cases that fail for another reason than their text. */
static bool fails_later(const char *name)
{
    static const char *const patterns[] = { "add-*",
                                            "copy-[!u]*",
                                            "env-required-fail",
                                            "expose-*",
                                            "ignore-*",
                                            "mount-secret*",
                                            "mount-no-target*",
                                            "onbuild-trigger*",
                                            "parse-bad-quote-fail",
                                            "run-*",
                                            "target-*",
                                            "user-unknown*",
                                            "workdir-*",
                                            "parse-target-missing-fail" };
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    }
    return false;
}

static void check_case(const char *name, const char *text, size_t size, bool is_ok)
{
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    AUTO(error_free) struct error *err = NULL;
    int result = dockerfile_parse(name, text, size, &dockerfile, &err);
    if (is_ok && result < 0)
        fail_msg("%s", error_message(err));
    if (!is_ok && !fails_later(name) && result == 0)
        fail_msg("%s parses", name);
    if (result < 0)
        return;
    for (size_t i = 0; i < dockerfile->n_instructions; i++) {
        const struct instruction *instruction = &dockerfile->instructions[i];
        assert_true(instruction->range.first &&
                    instruction->range.first <= instruction->range.last);
    }
}

static void build_cases_parse_as_expected(void **state UNUSED)
{
    each_dockerfile("cases", check_case);
}

static void stages_and_globals_are_told_apart(void **state UNUSED)
{
    static const char text[] = "ARG A=1\nARG B\n\nFROM x AS One\nARG A\nRUN a\nFROM one\n\n"
                               "FROM y as two\nRUN <<E\nb\nE\n";
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    struct error *err = NULL;
    assert_ok(parse(text, &dockerfile, &err), err);
    assert_int_equal(dockerfile->n_stages, 3);
    assert_int_equal(dockerfile->stages[0].from, 2);
    assert_int_equal(dockerfile->stages[0].end, 5);
    assert_int_equal(dockerfile->stages[1].end, 6);
    assert_int_equal(dockerfile->stages[2].end, 8);
    assert_string_equal(dockerfile->instructions[2].from.name, "one");
    assert_string_equal(dockerfile->instructions[2].from.name_written, "One");
    assert_string_equal(dockerfile->instructions[6].from.as_written, "as");
    assert_int_equal(dockerfile->instructions[7].range.first, 10);
    assert_int_equal(dockerfile->instructions[7].range.last, 12);
}

static void errors_name_line_and_show_it(void **state UNUSED)
{
    static const struct {
        const char *text, *error, *hint, *excerpt;
    } cases[] = {
        { "", "Dockerfile: no instructions", NULL, NULL },
        { "# only\n\n", "Dockerfile: no instructions", NULL, NULL },
        { "ARG A", "Dockerfile: no FROM: there is no stage to build", NULL, NULL },
        { "RUN x\nFROM a", "Dockerfile:1: RUN before the first FROM", NULL, "   1 | >>> RUN x\n" },
        { "FROM a\n\nCOYP a b\nRUN x", "Dockerfile:3: unknown instruction \"COYP\"",
          "did you mean COPY?",
          "   1 |     FROM a\n   2 |\n   3 | >>> COYP a b\n     |     ^~~~\n   4 |     RUN x\n" },
        { "FROM a\nRUN b \\\n c\nCOPY --form=x a b", "Dockerfile:4: COPY: unknown flag --form",
          "did you mean --from?", "   4 | >>> COPY --form=x a b\n     |          ^~~~~~\n" },
        { "FROM a\nRUN --mount=type=cache,taget=/c x", "Dockerfile:2: RUN: --mount=type=cache",
          "did you mean target?",
          "   2 | >>> RUN --mount=type=cache,taget=/c x\n"
          "     |                            ^~~~~\n" },
        { "FROM a b", "Dockerfile:1: FROM: expected an image, or image AS name", NULL, NULL },
        { "FROM", "there is nothing", NULL, NULL },
        { "FROM a AS 1b", "stage name \"1b\"", NULL, "     |               ^~\n" },
        { "FROM a\nRUN <<E\nx", "Dockerfile:2: unterminated heredoc: no line is \"E\"", NULL,
          NULL },
        { "# escape=x\nFROM a", "Dockerfile:1: escape directive", NULL, NULL },
        { "FROM a\n# syntax=x\n# check=y\nRUN [1]", "Dockerfile:4: RUN: element 1 of the JSON",
          NULL, NULL },
        { "# check=nope=1\nFROM a", "Dockerfile:1: check directive: unknown option \"nope\"", NULL,
          NULL },
        { "FROM a\nONBUILD COPY a", "Dockerfile:2: ONBUILD: COPY: at least one source", NULL,
          NULL },
        { "FROM a\nSHELL /bin/sh", "Dockerfile:2: SHELL: expected a JSON array",
          "write it like SHELL [\"/bin/bash\", \"-c\"]", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dockerfile *dockerfile = NULL;
        struct error *err = NULL;
        int result = parse(cases[i].text, &dockerfile, &err);
        if (cases[i].hint && err)
            assert_string_equal(error_hint_text(err), cases[i].hint);
        if (cases[i].excerpt && err && !strstr(error_detail_text(err), cases[i].excerpt))
            fail_msg("excerpt:\n%s", error_detail_text(err));
        assert_fails(result, err, ERR_SYNTAX, cases[i].error);
    }
}

static void nul_bytes_are_refused_with_their_line(void **state UNUSED)
{
    struct dockerfile *dockerfile = NULL;
    struct error *err = NULL;
    assert_fails(dockerfile_parse("Dockerfile", "FROM a\nRUN\0x", 12, &dockerfile, &err), err,
                 ERR_SYNTAX, "Dockerfile:2: a NUL byte");
}

static void other_frontends_are_unsupported(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool is_builtin;
    } cases[] = {
        { "# syntax=docker/dockerfile:1\nFROM a", true },
        { "# syntax=docker.io/docker/dockerfile:1.7-labs\nFROM a", true },
        { "# syntax=docker/dockerfile-upstream:master@sha256:00 args\nFROM a", true },
        { "# syntax=docker/dockerfile\nFROM a", true },
        { "#!/bin/x\n# syntax=docker/dockerfile\nFROM a", true },
        { "# syntax=docker/dockerfilex\nFROM a", false },
        { "# syntax=other/frontend\nFROM a", false },
        { "// syntax=other/frontend\n", false },
        { "{ \"syntax\": \"other/frontend\" }", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
        struct error *err = NULL;
        int result = parse(cases[i].text, &dockerfile, &err);
        if (cases[i].is_builtin)
            assert_ok(result, err);
        else
            assert_fails(result, err, ERR_UNSUPPORTED, "cbuild speaks docker/dockerfile only");
    }
}

static void checks_are_chosen_by_directive_and_comment(void **state UNUSED)
{
    static const char text[] = "# check=skip=A, B;error=true\nFROM a\n# check=skip=C\nRUN x\n"
                               "# check=skip=all\n# more\nRUN y\nRUN z\n";
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    struct error *err = NULL;
    assert_ok(parse(text, &dockerfile, &err), err);
    assert_true(dockerfile->check.error);
    assert_int_equal(dockerfile->check.line, 1);
    assert_int_equal(dockerfile->check.skip.n, 2);
    assert_string_equal(dockerfile->check.skip.items[1], "B");
    assert_string_equal(dockerfile->instructions[1].skipped_checks.items[0], "C");
    assert_string_equal(dockerfile->instructions[2].skipped_checks.items[0], "all");
    assert_int_equal(dockerfile->instructions[3].skipped_checks.n, 0);
}

static void suspicious_text_is_noted(void **state UNUSED)
{
    static const char text[] = "FROM a\nRUN b \\\n\n c\nCMD ['x', 'y']\nRUN [ \"$a\" = b ]\n"
                               "RUN [ -f x ]\nENTRYPOINT [\"a\",]\nONBUILD VOLUME ['a']\n";
    static const struct {
        const char *rule;
        size_t line;
    } expected[] = { { "NoEmptyContinuation", 3 },
                     { "JSONArgsInvalid", 5 },
                     { "JSONArgsInvalid", 8 },
                     { "JSONArgsInvalid", 9 } };
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    struct error *err = NULL;
    assert_ok(parse(text, &dockerfile, &err), err);
    assert_int_equal(dockerfile->n_warnings, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_string_equal(dockerfile->warnings[i].rule, expected[i].rule);
        assert_int_equal(dockerfile->warnings[i].range.first, expected[i].line);
    }
}

static void descriptions_come_from_the_comment_above(void **state UNUSED)
{
    static const char text[] = "# other\n# VERSION of it\nARG VERSION=1\n# base the base\n"
                               "FROM a AS base\n\n# base not here\n\nFROM b AS base\n";
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    struct error *err = NULL;
    assert_ok(parse(text, &dockerfile, &err), err);
    const struct instruction *instructions = dockerfile->instructions;
    assert_string_equal(instruction_description(&instructions[0], "VERSION"), "of it");
    assert_string_equal(instruction_description(&instructions[1], "base"), "the base");
    assert_null(instruction_description(&instructions[2], "base"));
}

static void long_files_take_linear_time(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "FROM a\n");
    for (int i = 0; i < 20000; i++)
        strbuf_addf(&text, "RUN echo %d \\\n && true\nENV A%d=\"b c\" D=$A\n# comment\n\n", i, i);
    for (int i = 0; i < 20000; i++)
        strbuf_adds(&text, "RUN a \\\n");
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    struct error *err = NULL;
    clock_t start = clock();
    assert_ok(dockerfile_parse("Dockerfile", text.data, text.size, &dockerfile, &err), err);
    assert_true(clock() - start < 5 * CLOCKS_PER_SEC); /* quadratic time would take minutes */
    assert_int_equal(dockerfile->source->n_lines, 120001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heredocs_agree_with_conformance),
        cmocka_unit_test(malformed_files_are_refused),
        cmocka_unit_test(build_cases_parse_as_expected),
        cmocka_unit_test(stages_and_globals_are_told_apart),
        cmocka_unit_test(errors_name_line_and_show_it),
        cmocka_unit_test(nul_bytes_are_refused_with_their_line),
        cmocka_unit_test(other_frontends_are_unsupported),
        cmocka_unit_test(checks_are_chosen_by_directive_and_comment),
        cmocka_unit_test(suspicious_text_is_noted),
        cmocka_unit_test(descriptions_come_from_the_comment_above),
        cmocka_unit_test(long_files_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
