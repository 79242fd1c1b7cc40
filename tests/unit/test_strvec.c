/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strvec.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void serves_as_argv(void **state UNUSED)
{
    AUTO(strvec_release) struct strvec vec = STRVEC_INIT;
    strvec_push(&vec, "b");
    strvec_pushn(&vec, "abc", 2);
    strvec_pushf(&vec, "%d", 7);
    strvec_take(&vec, xstrdup("c"));
    assert_int_equal(vec.n, 4);
    assert_null(vec.items[4]);
    strvec_remove(&vec, 0);
    assert_int_equal(vec.n, 3);
    assert_string_equal(vec.items[0], "ab");
    assert_null(vec.items[3]);
    strvec_sort(&vec);
    assert_string_equal(vec.items[0], "7");
    assert_true(strvec_has(&vec, "c"));
    assert_false(strvec_has(&vec, "b"));
}

static void copies_are_equal_and_apart(void **state UNUSED)
{
    AUTO(strvec_release) struct strvec a = STRVEC_INIT;
    AUTO(strvec_release) struct strvec b = STRVEC_INIT;
    assert_true(strvec_equal(&a, &b));
    for (int i = 0; i < 100; i++)
        strvec_pushf(&a, "%d", i);
    strvec_push(&b, "gone");
    strvec_copy(&b, &a);
    assert_true(strvec_equal(&a, &b));
    strvec_append(&b, &a);
    assert_int_equal(b.n, 200);
    assert_false(strvec_equal(&a, &b));
    assert_ptr_not_equal(a.items[0], b.items[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_as_argv),
        cmocka_unit_test(copies_are_equal_and_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
