/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hashmap.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void put_get_replace_remove(void **state UNUSED)
{
    AUTO(hashmap_release) struct hashmap map = HASHMAP_INIT(free);
    assert_null(hashmap_get(&map, "a"));
    assert_false(hashmap_has(&map, "a"));
    hashmap_put(&map, "a", xstrdup("1"));
    hashmap_put(&map, "a", xstrdup("2"));
    hashmap_put(&map, "", NULL);
    assert_string_equal(hashmap_get(&map, "a"), "2");
    assert_true(hashmap_has(&map, ""));
    assert_null(hashmap_get(&map, ""));
    assert_int_equal(map.n, 2);
    assert_true(hashmap_remove(&map, "a"));
    assert_false(hashmap_remove(&map, "a"));
    assert_null(hashmap_get(&map, "a"));
    assert_int_equal(map.n, 1);
}

static void keys_are_bytes(void **state UNUSED)
{
    AUTO(hashmap_release) struct hashmap map = HASHMAP_INIT(NULL);
    int a, b;
    hashmap_putn(&map, "x\0y", 3, &a);
    hashmap_putn(&map, "x\0z", 3, &b);
    assert_ptr_equal(hashmap_getn(&map, "x\0y", 3), &a);
    assert_ptr_equal(hashmap_getn(&map, "x\0z", 3), &b);
    assert_null(hashmap_get(&map, "x"));
}

static void order_is_of_insertion_through_growth_and_removal(void **state UNUSED)
{
    AUTO(hashmap_release) struct hashmap map = HASHMAP_INIT(free);
    for (int i = 0; i < 5000; i++) {
        AUTO(free) char *key = xasprintf("key-%d", i);
        hashmap_put(&map, key, xasprintf("%d", i));
        if (i % 3 == 0)
            assert_true(hashmap_remove(&map, key));
    }
    int expected = 1;
    size_t n = 0;
    for (const struct hashmap_entry *e = NULL; (e = hashmap_next(&map, e)); n++) {
        AUTO(free) char *value = xasprintf("%d", expected);
        assert_string_equal(e->value, value);
        expected += expected % 3 == 2 ? 2 : 1;
    }
    assert_int_equal(n, map.n);
    assert_int_equal(n, 3333);
    for (int i = 0; i < 5000; i++) {
        AUTO(free) char *key = xasprintf("key-%d", i);
        assert_int_equal(hashmap_has(&map, key), i % 3 != 0);
    }
}

/* Put and remove by turns must not fill the table with dead entries. */
static void churn_stays_small(void **state UNUSED)
{
    AUTO(hashmap_release) struct hashmap map = HASHMAP_INIT(NULL);
    int x;
    for (int i = 0; i < 100000; i++) {
        hashmap_put(&map, i % 2 ? "a" : "b", &x);
        assert_true(hashmap_remove(&map, i % 2 ? "a" : "b"));
    }
    assert_int_equal(map.n, 0);
    assert_true(map.n_slots <= 64);
    hashmap_release(&map);
    hashmap_put(&map, "again", &x); /* released maps can be used */
    assert_ptr_equal(hashmap_get(&map, "again"), &x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_replace_remove),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(order_is_of_insertion_through_growth_and_removal),
        cmocka_unit_test(churn_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
