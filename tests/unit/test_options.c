/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

static const struct command_help help = { .usage = "cbuild test [OPTIONS] FILE\n       and more",
                                          .summary = "Tests." };

struct values {
    const char *file;
    struct strvec tags;
    bool quiet, human;
    unsigned jobs;
};

/* Words separated by blanks, as argv after the command's name. */
static int parse_operands(const char *text, struct values *values, struct strvec *operands,
                          size_t min, size_t max, struct error **err)
{
    const struct option options[] = {
        OPT_STRING('f', "file", "FILE", &values->file, "file"),
        OPT_LIST('t', "tag", "NAME", &values->tags, "tag"),
        OPT_FLAG('q', "quiet", &values->quiet, "quiet"),
        OPT_FLAG('H', "human", &values->human, NULL),
        OPT_UNSIGNED('j', "jobs", "N", &values->jobs, "jobs"),
        OPT_END(),
    };
    static char words[512]; /* strings point into it */
    (void)snprintf(words, sizeof(words), "test %s", text);
    char *argv[32] = { NULL };
    char *rest = words;
    for (size_t i = 0; rest && i < ARRAY_SIZE(argv) - 1;) {
        char *word = strsep(&rest, " ");
        if (*word)
            argv[i++] = word;
    }
    return options_parse_operands(options, &help, argv, operands, min, max, err);
}

static int parse(const char *text, struct values *values, struct strvec *operands,
                 struct error **err)
{
    return parse_operands(text, values, operands, 0, SIZE_MAX, err) == 1 ? 0 : -1;
}

static char *describe(const struct values *values, const struct strvec *operands)
{
    struct strbuf text = STRBUF_INIT;
    if (values->file)
        strbuf_addf(&text, "file=%s ", values->file);
    for (size_t i = 0; i < values->tags.n; i++)
        strbuf_addf(&text, "tag=%s ", values->tags.items[i]);
    strbuf_addf(&text, "%s%s", values->quiet ? "quiet " : "", values->human ? "human " : "");
    if (values->jobs)
        strbuf_addf(&text, "jobs=%u ", values->jobs);
    strbuf_addc(&text, '|');
    for (size_t i = 0; i < operands->n; i++)
        strbuf_addf(&text, " %s", operands->items[i]);
    return strbuf_detach(&text);
}

static void options_may_be_written_in_every_way(void **state UNUSED)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "|" },
        { "a b", "| a b" },
        { "--file=x", "file=x |" },
        { "--file x", "file=x |" },
        { "--file=", "file= |" },
        { "--file=a=b", "file=a=b |" },
        { "-f x", "file=x |" },
        { "-fx", "file=x |" },
        { "-f=x", "file=x |" },
        { "--file x --file y", "file=y |" },
        { "-t a --tag=b -tc", "tag=a tag=b tag=c |" },
        { "-q", "quiet |" },
        { "-qH", "quiet human |" },
        { "-qfx", "file=x quiet |" },
        { "--quiet=true", "quiet |" },
        { "-q --quiet=false", "|" },
        { "-H -H=false", "|" },
        { "-q=0", "|" },
        { "a -q b", "quiet | a b" },
        { "-q -- -q --file", "quiet | -q --file" },
        { "-", "| -" },
        { "--jobs 4", "jobs=4 |" },
        { "--tag --quiet", "tag=--quiet |" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct values values = { 0 };
        AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
        assert_ok(parse(cases[i].text, &values, &operands, &err), err);
        AUTO(free) char *text = describe(&values, &operands);
        strvec_release(&values.tags);
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("%s\nis       %s\nexpected %s", cases[i].text, text, cases[i].expected);
    }
}

static void mistakes_name_a_neighbour_or_the_usage(void **state UNUSED)
{
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        { "--flie x", "unknown option --flie", "did you mean --file?" },
        { "--nothing-like-it", "unknown option --nothing-like-it",
          "usage: cbuild test [OPTIONS] FILE" },
        { "--humann", "unknown option --humann", "usage: " }, /* aliases aren't suggested */
        { "-x", "unknown option -x", "usage: cbuild test" },
        { "-qx", "unknown option -x", NULL },
        { "--file", "--file needs a value: FILE", NULL },
        { "-t", "-t needs a value: NAME", NULL },
        { "--quiet=maybe", "--quiet=maybe: a flag is true or false", NULL },
        { "-q=maybe", "--quiet=maybe: a flag is true or false", NULL },
        { "--jobs=x", "--jobs=x: expected a number", NULL },
        { "--jobs=-1", "--jobs=-1: expected a number", NULL },
        { "--jobs=+1", "--jobs=+1: expected a number", NULL },
        { "--jobs=99999999999", "expected a number", NULL },
        { "--jobs=", "expected a number", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct values values = { 0 };
        AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
        int result = parse(cases[i].text, &values, &operands, &err);
        strvec_release(&values.tags);
        const char *hint = error_hint_text(err);
        if (cases[i].hint && (!hint || strncmp(hint, cases[i].hint, strlen(cases[i].hint)) != 0))
            fail_msg("%s: hint \"%s\"", cases[i].text, hint);
        assert_fails(result, err, ERR_USAGE, cases[i].message);
    }
}

static void operands_are_counted(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t min, max;
        const char *message; /* NULL: fine */
    } cases[] = {
        { "", 0, 0, NULL },
        { "a", 1, 1, NULL },
        { "a b", 1, SIZE_MAX, NULL },
        { "", 1, 1, "an argument is missing" },
        { "a b c", 1, 2, "unexpected argument \"c\"" },
        { "a", 0, 0, "unexpected argument \"a\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct values values = { 0 };
        AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
        int result =
            parse_operands(cases[i].text, &values, &operands, cases[i].min, cases[i].max, &err);
        if (!cases[i].message) {
            assert_null(err);
            assert_int_equal(result, 1);
            continue;
        }
        assert_string_equal(error_hint_text(err), "usage: cbuild test [OPTIONS] FILE");
        assert_fails(result, err, ERR_USAGE, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_be_written_in_every_way),
        cmocka_unit_test(mistakes_name_a_neighbour_or_the_usage),
        cmocka_unit_test(operands_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
