/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/flags.h"

#include "builder/instruction.h"
#include "tests/unit/test.h"

struct body {
    char *text;
    enum flag_state state;
    struct strvec list;
};

static const struct flag_spec specs[] = {
    { "text", FLAG_TYPE_TEXT, offsetof(struct body, text) },
    { "bool", FLAG_TYPE_BOOL, offsetof(struct body, state) },
    { "list", FLAG_TYPE_LIST, offsetof(struct body, list) },
};

static int parse(const char *const *words, struct body *body, struct error **err)
{
    AUTO(strvec_release) struct strvec flags = STRVEC_INIT;
    for (; *words; words++)
        strvec_push(&flags, *words);
    return flags_parse(&flags, specs, ARRAY_SIZE(specs), "X", body, err);
}

static void values_go_to_their_members(void **state UNUSED)
{
    static const char *const words[] = { "--list=a", "--bool", "--list=b=c", "--text=x y", NULL };
    struct body body = { 0 };
    struct error *err = NULL;
    assert_ok(parse(words, &body, &err), err);
    assert_string_equal(body.text, "x y");
    assert_int_equal(body.state, FLAG_ON);
    assert_int_equal(body.list.n, 2);
    assert_string_equal(body.list.items[1], "b=c");
    free(body.text);
    strvec_release(&body.list);
}

static void mistakes_are_named(void **state UNUSED)
{
    static const struct {
        const char *words[3], *error, *hint;
    } cases[] = {
        { { "--txt=a" }, "X: unknown flag --txt", "did you mean --text?" },
        { { "--else" }, "X: unknown flag --else", NULL },
        { { "--text" }, "X: flag --text needs a value", NULL },
        { { "--list" }, "X: flag --list needs a value", NULL },
        { { "--bool=1" }, "X: --bool=1: neither true nor false", NULL },
        { { "--bool=" }, "X: --bool=: neither true nor false", NULL },
        { { "--bool", "--bool=false" }, "X: flag --bool given twice", NULL },
        { { "--text=", "--text=" }, "X: flag --text given twice", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct body body = { 0 };
        struct error *err = NULL;
        int result = parse(cases[i].words, &body, &err);
        if (cases[i].hint && err)
            assert_string_equal(error_hint_text(err), cases[i].hint);
        assert_fails(result, err, ERR_SYNTAX, cases[i].error);
        free(body.text);
        strvec_release(&body.list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_to_their_members),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
