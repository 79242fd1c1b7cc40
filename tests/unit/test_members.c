/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/members.h"
#include "tests/unit/test.h"

static void unknown_members_are_copied(void **state UNUSED)
{
    static const char *const known[] = { "a", "b" };
    json_t *object = json_pack("{s:i,s:{s:i},s:s}", "a", 1, "x", "y", 2, "z", "t");
    json_t *other = members_unknown(object, known, ARRAY_SIZE(known));
    assert_int_equal(json_object_size(other), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(other, "x"), "y")), 2);
    json_object_set_new(json_object_get(object, "x"), "y", json_integer(3));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(other, "x"), "y")), 2);
    json_decref(object);
    json_decref(other);
    json_t *all_known = json_pack("{s:i}", "a", 1);
    assert_null(members_unknown(all_known, known, ARRAY_SIZE(known)));
    json_decref(all_known);
}

static void maps_hold_strings_only(void **state UNUSED)
{
    struct error *err = NULL;
    json_t *map = NULL;
    json_t *object =
        json_pack("{s:{s:s},s:{s:i},s:n,s:{}}", "good", "k", "v", "bad", "k", 1, "null", "empty");
    assert_ok(members_get_map(object, "/x", "good", &map, &err), err);
    assert_string_equal(json_string_value(json_object_get(map, "k")), "v");
    json_decref(map);
    map = NULL;
    assert_ok(members_get_map(object, "/x", "null", &map, &err), err);
    assert_ok(members_get_map(object, "/x", "empty", &map, &err), err);
    assert_null(map);
    assert_fails(members_get_map(object, "/x", "bad", &map, &err), err, ERR_INVALID,
                 "/x/bad/k: expected a string");
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_members_are_copied),
        cmocka_unit_test(maps_hold_strings_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
