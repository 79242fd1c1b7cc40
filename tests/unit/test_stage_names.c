/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stage_names.h"

#include "tests/unit/test.h"

static void the_nearest_namesake_is_found_from_either_side(void **state UNUSED)
{
    static const struct {
        const char *name;
        size_t place;
        ssize_t before, from; /* stages: 1 "a", 3 "B", 4 "A", 9 "a" */
    } cases[] = {
        { "a", 0, -1, 1 }, { "a", 1, -1, 1 },  { "a", 2, 1, 4 },   { "a", 4, 1, 4 },
        { "A", 5, 4, 9 },  { "a", 9, 4, 9 },   { "a", 10, 9, -1 }, { "b", 4, 3, -1 },
        { "b", 3, -1, 3 }, { "c", 9, -1, -1 }, { "", 9, -1, -1 },
    };
    AUTO(stage_names_release) struct stage_names names;
    stage_names_init(&names);
    stage_names_add(&names, "a", 1);
    stage_names_add(&names, "B", 3);
    stage_names_add(&names, "A", 4);
    stage_names_add(&names, "a", 9);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ssize_t before = stage_names_before(&names, cases[i].name, cases[i].place);
        ssize_t from = stage_names_from(&names, cases[i].name, cases[i].place);
        if (before != cases[i].before || from != cases[i].from)
            fail_msg("%s at %zu: %zd, %zd", cases[i].name, cases[i].place, before, from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_namesake_is_found_from_either_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
