/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own_ids.h"

#include "base/array.h"
#include "tests/unit/test.h"

static const struct {
    const char *map;
    bool is_single;
} cases[] = {
    { "         0       1003          1\n", true },
    { "0 0 1", true },
    { "      1000       1003          1\n", true },
    { "         0          0 4294967295\n", false },
    { "         0       1003          1\n         1     100000      65536\n", false },
    { "         0     100000      65536\n", false },
    { "", false },
    { "none\n", false },
};

static void a_map_of_one_id_is_single(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (own_ids_map_is_single(cases[i].map) != cases[i].is_single)
            fail_msg("\"%s\"", cases[i].map);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_map_of_one_id_is_single) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
