/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/cgroup.h"

#include "tests/unit/test.h"

static const struct {
    const char *text;
    bool killed;
} cases[] = {
    { "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n", true },
    { "low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 0\n", false },
    { "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", true },
    { "oom_kill_disable 1\nunder_oom 0\noom_kill 0\n", false },
    { "oom_kill_disable 1\nunder_oom 0\n", false },
    { "", false },
};

static void oom_kills_are_read_in_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(cgroup_parse_oom(cases[i].text), cases[i].killed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oom_kills_are_read_in_both_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
