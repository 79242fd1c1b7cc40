/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/precheck.h"

#include "tests/unit/test.h"

static int precheck(const char *text, const char *build_arg, struct error **err)
{
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    if (build_arg)
        strvec_push(&args, build_arg);
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &dockerfile, err), *err);
    AUTO(globals_free) struct globals *globals = globals_new(dockerfile, &args, NULL, NULL, err);
    assert_ok_ptr(globals, *err);
    AUTO(stage_graph_free)
    struct stage_graph *graph = stage_graph_new(dockerfile, globals, NULL, NULL, err);
    assert_ok_ptr(graph, *err);
    return precheck_words(graph, false, err) < 0 ? -1 : precheck_layers(graph, err);
}

static void words_that_can_never_be_expanded_are_refused(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "FROM a\nENV X=${\n", "Dockerfile:2" },
        { "FROM a\nENV X=${}\n", "bad substitution" },
        { "FROM a\nENV X=${y\n", "Dockerfile:2" },
        { "FROM a\nLABEL X='y\n", "unterminated single quote" },
        { "FROM a\nRUN true\nCOPY ${x:#y} /\n", "Dockerfile:3" },
        { "FROM a\nCOPY a /${x/y}\n", "Dockerfile:2" },
        { "FROM a\nADD --chown=${x a /\n", "Dockerfile:2" },
        { "FROM a\nEXPOSE ${x\n", "Dockerfile:2" },
        { "FROM a\nVOLUME /${x\n", "Dockerfile:2" },
        { "FROM a\nUSER \"x\n", "Dockerfile:2" },
        { "FROM a\nWORKDIR /${x\n", "Dockerfile:2" },
        { "FROM a\nSTOPSIGNAL ${x\n", "Dockerfile:2" },
        { "FROM a\nARG X=${y\n", "Dockerfile:2" },
        { "FROM a\nRUN --mount=type=cache,target=/${x echo\n", "Dockerfile:2" },
        { "FROM a\nCOPY <<E /x\nfine\n${bad\nE\n", "Dockerfile:2" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        int result = precheck(cases[i].text, NULL, &err);
        if (result == 0)
            fail_msg("accepted: %s", cases[i].text);
        assert_fails(result, err, ERR_SYNTAX, cases[i].error);
    }
}

static void add_lines(struct strbuf *text, const char *line, int n)
{
    for (int i = 0; i < n; i++)
        strbuf_adds(text, line);
}

static void more_layers_than_a_mount_takes_are_refused(void **state UNUSED)
{
    static const struct {
        int base, other,
            own;           /* lines of a stage, of one that nobody needs, of one FROM the first */
        const char *error; /* NULL: accepted */
    } cases[] = {
        { 0, 0, 500, NULL },
        { 0, 0, 501, "Dockerfile:505: layer 501 of stage stage-2: more than 500" },
        { 300, 600, 200, NULL },
        { 300, 0, 201, "Dockerfile:505: layer 501 of stage stage-2: more than 500" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        struct error *err = NULL;
        strbuf_adds(&text, "FROM a AS base\n");
        add_lines(&text, "RUN true\n", cases[i].base);
        strbuf_adds(&text, "FROM a\n");
        add_lines(&text, "COPY a /\n", cases[i].other);
        strbuf_adds(&text, "FROM base\nWORKDIR /w\n");
        add_lines(&text, "RUN true\n", cases[i].own);
        int result = precheck(text.data, NULL, &err);
        if (cases[i].error)
            assert_fails(result, err, ERR_LIMIT, cases[i].error);
        else
            assert_ok(result, err);
    }
}

static void the_place_and_the_word_are_shown(void **state UNUSED)
{
    struct error *err = NULL;
    assert_int_equal(precheck("FROM a\nENV A=1 X=${y:\n", NULL, &err), -1);
    assert_non_null(
        strstr(error_detail_text(err), ">>> ENV A=1 X=${y:\n     |               ^~~~"));
    error_free(err);
}

static void what_depends_on_values_is_left_to_the_executor(void **state UNUSED)
{
    static const struct {
        const char *text, *build_arg;
    } cases[] = {
        { "FROM a\nENV X=\"${y:?must be set}\"\n", NULL },
        { "FROM a\nENV X=${y?}\n", NULL },
        { "FROM a\nARG X=${y\n", "X=1" },                          /* the default doesn't count */
        { "FROM a AS other\nENV X=${y\nFROM a\nENV X=1\n", NULL }, /* isn't executed */
        { "FROM a\nRUN echo ${x\n", NULL },                        /* the shell's */
        { "FROM a\nCMD echo '\n", NULL },
        { "FROM a\nCOPY <<'E' /x\n${bad\nE\n", NULL },
        { "FROM a\nCOPY <<E /x\ndon't \"\nE\n", NULL }, /* quotes are ordinary there */
        { "FROM a\nEXPOSE $PORT\nSTOPSIGNAL $S\nUSER $U\n", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_ok(precheck(cases[i].text, cases[i].build_arg, &err), err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_can_never_be_expanded_are_refused),
        cmocka_unit_test(more_layers_than_a_mount_takes_are_refused),
        cmocka_unit_test(the_place_and_the_word_are_shown),
        cmocka_unit_test(what_depends_on_values_is_left_to_the_executor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
