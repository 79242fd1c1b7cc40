/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/shell_point.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static const char text[] = "FROM x AS a\n" /* 1 */
                           "RUN one\n"     /* 2 */
                           "\n"            /* 3 */
                           "# comment\n"   /* 4 */
                           "RUN two \\\n"  /* 5 */
                           "    three\n"   /* 6 */
                           "\n"            /* 7 */
                           "FROM a\n"      /* 8 */
                           "ENV A=b\n";    /* 9 */

static const struct {
    const char *at;
    size_t stage, before; /* line of the instruction; 0: the end of the stage */
    const char *error;
} cases[] = {
    { "a", 0, 0, NULL },
    { "A", 0, 0, NULL },
    { "2", 0, 2, NULL },
    { "3", 0, 5, NULL },
    { "6", 0, 5, NULL },
    { "7", 0, 0, NULL },
    { "9", 1, 9, NULL },
    { "1", 0, 0, "nothing is there before a FROM" },
    { "8", 0, 0, "nothing is there before a FROM" },
    { "0", 0, 0, "Dockerfile has 9 lines" },
    { "10", 0, 0, "Dockerfile has 9 lines" },
    { "99999999999999999999999", 0, 0, "Dockerfile has 9 lines" },
    { "b", 0, 0, "no stage of Dockerfile has that name" },
    { "", 0, 0, "no stage of Dockerfile has that name" },
};

static void a_line_or_a_stage_names_a_point(void **state UNUSED)
{
    AUTO(error_free) struct error *error = NULL;
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &dockerfile, &error), error);
    AUTO(globals_free) struct globals *globals = globals_new(dockerfile, NULL, NULL, NULL, &error);
    assert_ok_ptr(globals, error);
    AUTO(stage_graph_free)
    struct stage_graph *graph = stage_graph_new(dockerfile, globals, NULL, NULL, &error);
    assert_ok_ptr(graph, error);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct shell_point point = { 0 };
        AUTO(error_free) struct error *refused = NULL;
        int found = shell_point_find(graph, cases[i].at, &point, &refused);
        assert_string_equal(error_message(refused), cases[i].error ? cases[i].error : "");
        if (found < 0)
            continue;
        assert_int_equal(point.stage, cases[i].stage);
        assert_int_equal(point.before ? point.before->range.first : 0, cases[i].before);
    }
}

static void aiming_changes_what_is_needed(void **state UNUSED)
{
    AUTO(error_free) struct error *error = NULL;
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &dockerfile, &error), error);
    AUTO(globals_free) struct globals *globals = globals_new(dockerfile, NULL, NULL, NULL, &error);
    assert_ok_ptr(globals, error);
    AUTO(stage_graph_free)
    struct stage_graph *graph = stage_graph_new(dockerfile, globals, NULL, NULL, &error);
    assert_ok_ptr(graph, error);
    assert_true(graph->stages[1].is_needed);
    stage_graph_aim(graph, 0);
    assert_true(graph->stages[0].is_needed);
    assert_false(graph->stages[1].is_needed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_or_a_stage_names_a_point),
        cmocka_unit_test(aiming_changes_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
