/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/whiteout.h"
#include "tests/unit/test.h"

static const struct {
    const char *path;
    enum whiteout_kind kind;
    const char *target, *error;
} names[] = {
    { "a", WHITEOUT_NONE, NULL, NULL },
    { "a/b.wh.c", WHITEOUT_NONE, NULL, NULL },
    { ".wh", WHITEOUT_NONE, NULL, NULL },
    { ".wh-not", WHITEOUT_NONE, NULL, NULL },
    { ".whx/a", WHITEOUT_NONE, NULL, NULL },
    { ".wh.a", WHITEOUT_NAME, "a", NULL },
    { "d/.wh.a", WHITEOUT_NAME, "d/a", NULL },
    { "d/.wh..a", WHITEOUT_NAME, "d/.a", NULL },
    { "d/.wh...b", WHITEOUT_NAME, "d/..b", NULL },
    { "d/.wh....", WHITEOUT_NAME, "d/...", NULL },
    { "d/.wh..wh", WHITEOUT_NAME, "d/.wh", NULL },
    { ".wh..wh..opq", WHITEOUT_OPAQUE, "", NULL },
    { "d/e/.wh..wh..opq", WHITEOUT_OPAQUE, "d/e", NULL },
    { "d/.wh..wh.plnk", WHITEOUT_META, NULL, NULL },
    { ".wh..wh.plnk/12.34", WHITEOUT_META, NULL, NULL },
    { ".wh..wh..opq/x", WHITEOUT_META, NULL, NULL },
    { "d/.wh..wh..opqx", WHITEOUT_META, NULL, NULL },
    { ".wh.", WHITEOUT_NONE, NULL, "whiteout of \"\"" },
    { "d/.wh..", WHITEOUT_NONE, NULL, "whiteout of \".\"" },
    { "d/.wh...", WHITEOUT_NONE, NULL, "whiteout of \"..\"" },
    { ".wh.a/b", WHITEOUT_NONE, NULL, "entry beneath a whiteout" },
    { "d/.wh./b", WHITEOUT_NONE, NULL, "entry beneath a whiteout" },
};

static void names_are_parsed(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        enum whiteout_kind kind = WHITEOUT_NONE;
        AUTO(free) char *target = NULL;
        struct error *err = NULL;
        int result = whiteout_parse(names[i].path, &kind, &target, &err);
        if (names[i].error) {
            assert_fails(result, err, ERR_INVALID, names[i].error);
            continue;
        }
        assert_ok(result, err);
        if (kind != names[i].kind)
            fail_msg("%s: kind %d", names[i].path, (int)kind);
        assert_true(!target == !names[i].target);
        if (target)
            assert_string_equal(target, names[i].target);
    }
}

static void formatted_names_are_parsed_back(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(free) char *path = NULL;
        if (names[i].kind == WHITEOUT_NAME)
            path = whiteout_format(names[i].target);
        else if (names[i].kind == WHITEOUT_OPAQUE)
            path = whiteout_format_opaque(names[i].target);
        else
            continue;
        assert_string_equal(path, names[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_parsed),
        cmocka_unit_test(formatted_names_are_parsed_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
