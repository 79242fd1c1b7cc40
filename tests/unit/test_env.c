/* SPDX-License-Identifier: Apache-2.0 */
#include "base/env.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void the_first_setting_gives_the_place_and_the_last_the_value(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT;
    env_set(&env, "A", "1");
    env_set(&env, "AB", "2");
    env_set(&env, "A", "3=4");
    assert_int_equal(env.vars.n, 2);
    assert_string_equal(env.vars.items[0], "A=3=4");
    assert_string_equal(env_get(&env, "A"), "3=4");
    assert_string_equal(env_get(&env, "AB"), "2");
    assert_null(env_get(&env, "B"));
    assert_null(env_get(&env, ""));
}

static void of_a_name_given_twice_the_last_counts_and_is_replaced(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT;
    env_add(&env, "A=1");
    env_add(&env, "A=2");
    assert_string_equal(env_get(&env, "A"), "2");
    env_set(&env, "A", "3");
    assert_int_equal(env.vars.n, 2);
    assert_string_equal(env.vars.items[0], "A=1");
    assert_string_equal(env_get(&env, "A"), "3");
}

static void a_name_without_a_value_is_kept_and_not_found(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT;
    env_add(&env, "A");
    assert_null(env_get(&env, "A"));
    env_set(&env, "A", "");
    assert_string_equal(env_get(&env, "A"), "");
    assert_int_equal(env.vars.n, 2);
}

static void what_is_unset_is_gone_and_the_rest_is_found(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT;
    env_add(&env, "A=1");
    env_add(&env, "AB=2");
    env_add(&env, "A=3");
    env_unset(&env, "A");
    env_unset(&env, "B");
    assert_null(env_get(&env, "A"));
    assert_string_equal(env_get(&env, "AB"), "2");
    assert_int_equal(env.vars.n, 1);
    assert_int_equal(env.size, 5);
}

static void a_copy_stands_alone(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT, copy = ENV_INIT;
    env_set(&env, "A", "1");
    env_set(&copy, "B", "0");
    env_copy(&copy, &env);
    env_set(&env, "A", "2");
    assert_string_equal(env_get(&copy, "A"), "1");
    assert_null(env_get(&copy, "B"));
}

static void size_counts_what_stands_there(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT, copy = ENV_INIT;
    env_set(&env, "A", "123"); /* "A=123" and a NUL */
    assert_int_equal(env.size, 6);
    env_set(&env, "A", "");
    env_add(&env, "B=1");
    assert_int_equal(env.size, 7);
    env_copy(&copy, &env);
    assert_int_equal(copy.size, 7);
}

/* Looking through the list for each would take minutes. */
static void a_hundred_thousand_names_are_found(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100000; i++) {
            AUTO(free) char *name = xasprintf("A%d", i);
            env_set(&env, name, round ? "new" : "old");
        }
    }
    assert_int_equal(env.vars.n, 100000);
    assert_string_equal(env_get(&env, "A77777"), "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_setting_gives_the_place_and_the_last_the_value),
        cmocka_unit_test(of_a_name_given_twice_the_last_counts_and_is_replaced),
        cmocka_unit_test(a_name_without_a_value_is_kept_and_not_found),
        cmocka_unit_test(what_is_unset_is_gone_and_the_rest_is_found),
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(size_counts_what_stands_there),
        cmocka_unit_test(a_hundred_thousand_names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
