/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/statement.h"

#include "builder/lines.h"
#include "tests/unit/language_data.h"

#include <dirent.h>

/* As Go's %q quotes what the conformance data holds. */
static void add_quoted(struct strbuf *buf, const char *text)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
    strbuf_addc(buf, '"');
    for (; *text; text++) {
        const char *at = strchr(plain, *text);
        if (at)
            strbuf_addf(buf, "\\%c", letters[at - plain]);
        else if (strncmp(text, "\xc0\x80", 2) == 0 && text++)
            strbuf_adds(buf, "\\x00");
        else
            strbuf_addc(buf, *text);
    }
    strbuf_addc(buf, '"');
}

static void dump(const struct statement *statement, struct strbuf *buf)
{
    strbuf_addc(buf, '(');
    for (const char *at = instruction_name(statement->kind); *at; at++)
        strbuf_addc(buf, (char)(*at - 'A' + 'a'));
    for (size_t i = 0; i < statement->flags.n; i++) {
        strbuf_adds(buf, i ? " " : " [");
        add_quoted(buf, statement->flags.items[i]);
        strbuf_adds(buf, i + 1 == statement->flags.n ? "]" : "");
    }
    bool is_pairs = statement->kind == INSTRUCTION_ENV || statement->kind == INSTRUCTION_LABEL;
    for (size_t i = 0; i < statement->args.n; i++) {
        strbuf_addc(buf, ' ');
        add_quoted(buf, statement->args.items[i]);
        if (is_pairs && i % 2)
            strbuf_adds(buf, statement->is_legacy ? " \"\"" : " \"=\"");
    }
    if (statement->sub) {
        strbuf_addc(buf, ' ');
        dump(statement->sub, buf);
    }
    strbuf_addc(buf, ')');
}

static int dump_all(const char *text, size_t size, struct strbuf *buf, struct error **err)
{
    AUTO(source_text_free) struct source_text *source = source_text_new("Dockerfile", text, size);
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    AUTO(directives_release) struct directives directives = { 0 };
    struct lines lines;
    lines_init(&lines, source);
    if (lines_read_directives(&lines, &directives, err) < 0)
        return -1;
    while (lines_next(&lines, &line)) {
        AUTO(statement_free) struct statement *statement = NULL;
        if (statement_parse(line.text.data, lines.escape, &statement, err) < 0)
            return -1;
        dump(statement, buf);
        strbuf_addc(buf, '\n');
    }
    return 0;
}

static void check_positive(const char *root, const char *name)
{
    AUTO(free) char *path = xasprintf("%s/%s/Dockerfile", root, name);
    AUTO(free) char *result_path = xasprintf("%s/%s/result", root, name);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf expected = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf actual = STRBUF_INIT;
    AUTO(error_free) struct error *err = NULL;
    conformance_read(path, &text);
    conformance_read(result_path, &expected);
    if (dump_all(text.data, text.size, &actual, &err) < 0)
        fail_msg("%s: %s", name, error_message(err));
    strbuf_rtrim(&expected);
    strbuf_rtrim(&actual);
    if (strcmp(actual.data, expected.data) != 0)
        fail_msg("%s:\n%s\nexpected:\n%s", name, actual.data, expected.data);
}

static void trees_agree_with_conformance(void **state UNUSED)
{
    AUTO(free) char *root = conformance_path("parser/positive");
    DIR *dir = opendir(root);
    assert_non_null(dir);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        check_positive(root, entry->d_name);
        n++;
    }
    (void)closedir(dir);
    assert_true(n > 0);
}

static void statements_are_split_by_their_grammar(void **state UNUSED)
{
    static const struct {
        const char *line, *tree, *error;
    } cases[] = {
        { "run echo hi", "(run \"echo hi\")", NULL },
        { "RUN", "(run)", NULL },
        { "RUN --mount=type=cache,target=/c --network=none x --y",
          "(run [\"--mount=type=cache,target=/c\" \"--network=none\"] \"x --y\")", NULL },
        { "RUN --x='a b'\\ c -- --y", "(run [\"--x=a b c\"] \"--y\")", NULL },
        { "COPY --link a\tb  c", "(copy [\"--link\"] \"a\" \"b\" \"c\")", NULL },
        { "COPY [\"a b\", \"c\"]", "(copy \"a b\" \"c\")", NULL },
        { "CMD [ \"a\", 'b' ]", "(cmd \"[ \\\"a\\\", 'b' ]\")", NULL },
        { "CMD [\"a\", 1]", NULL, "CMD: element 2 of the JSON array isn't a string" },
        { "VOLUME [\"/a\"]", "(volume \"/a\")", NULL },
        { "ENV k rest of = line", "(env \"k\" \"rest of = line\" \"\")", NULL },
        { "ENV ONE TWO= THREE=x", "(env \"ONE\" \"TWO= THREE=x\" \"\")", NULL },
        { "ENV a=1 'b c'=\"d e\" f=",
          "(env \"a\" \"1\" \"=\" \"'b c'\" \"\\\"d e\\\"\" \"=\" "
          "\"f\" \"\" \"=\")",
          NULL },
        { "ENV a=1 b", NULL, "\"b\" is not of the form name=value" },
        { "ENV a", NULL, "ENV a: a value is missing" },
        { "ENV", "(env)", NULL },
        { "HEALTHCHECK --interval=1s CMD  curl x",
          "(healthcheck [\"--interval=1s\"] \"CMD\" \"curl x\")", NULL },
        { "ONBUILD run --network=none x", "(onbuild (run [\"--network=none\"] \"x\"))", NULL },
        { "ONBUILD ONBUILD RUN x", NULL, "a trigger can't be another ONBUILD" },
        { "ONBUILD FROM x", NULL, "FROM can't be a trigger" },
        { "ONBUILD MAINTAINER x", NULL, "MAINTAINER can't be a trigger" },
        { "ONBUILD", NULL, "an instruction is missing" },
        { "FORM x", NULL, "unknown instruction \"FORM\"" },
        { "RUN<<EOF", NULL, "unknown instruction \"RUN<<EOF\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf tree = STRBUF_INIT;
        AUTO(statement_free) struct statement *statement = NULL;
        struct error *err = NULL;
        int result = statement_parse(cases[i].line, '\\', &statement, &err);
        if (cases[i].error) {
            assert_fails(result, err, ERR_SYNTAX, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        dump(statement, &tree);
        assert_string_equal(tree.data, cases[i].tree);
    }
}

static void unknown_instructions_get_a_suggestion(void **state UNUSED)
{
    struct statement *statement = NULL;
    AUTO(error_free) struct error *err = NULL;
    assert_int_equal(statement_parse("entrypiont x", '\\', &statement, &err), -1);
    assert_string_equal(error_hint_text(err), "did you mean ENTRYPOINT?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_agree_with_conformance),
        cmocka_unit_test(statements_are_split_by_their_grammar),
        cmocka_unit_test(unknown_instructions_get_a_suggestion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
