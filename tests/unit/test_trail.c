/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/trail.h"

#include "base/mem.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/test.h"

static char amd[] = "linux/amd64", arm[] = "linux/arm64", base[] = "busybox";

static void add(struct trail *trail, char *platform, char *stage, size_t index, const char *text)
{
    AUTO(free) char *copy = xstrdup(text);
    struct trail_step step = {
        .platform = platform, .stage = stage, .text = copy, .base = base, .index = index
    };
    step.rest = digest_of(text, strlen(text));
    (void)trail_add(trail, &step);
}

static void fill(struct trail *trail)
{
    static char a[] = "a", b[] = "b";
    add(trail, amd, a, 0, "COPY x");
    add(trail, amd, a, 1, "RUN make");
    add(trail, amd, a, 2, "RUN make");
    add(trail, arm, a, 0, "COPY x");
    add(trail, amd, b, 0, "RUN b");
}

static void nearest_step_is_found(void **state UNUSED)
{
    static const struct {
        const char *platform, *stage, *text;
        size_t index;
        int expected; /* place in the trail */
    } cases[] = {
        { "linux/amd64", "a", "COPY x", 0, 0 },
        { "linux/amd64", "a", "COPY x", 5, 0 }, /* it moved */
        { "linux/amd64", "a", "RUN make", 1, 1 },
        { "linux/amd64", "a", "RUN make", 3, 2 },
        { "linux/amd64", "a", "RUN other", 1, 1 }, /* what stood there */
        { "linux/amd64", "a", "RUN other", 7, -1 },
        { "linux/amd64", "a", "COPY y", 1, -1 }, /* another kind stood there */
        { "linux/amd64", "a", "RUNNING y", 1, -1 },
        { "linux/arm64", "a", "COPY x", 0, 3 },
        { "linux/arm64", "a", "RUN make", 1, 1 }, /* another platform's, then */
        { "linux/amd64", "c", "COPY x", 0, -1 },
        { "linux/amd64", "b", "RUN b", 0, 4 },
    };
    AUTO(trail_release) struct trail trail = { 0 };
    fill(&trail);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *platform = xstrdup(cases[i].platform);
        AUTO(free) char *stage = xstrdup(cases[i].stage);
        AUTO(free) char *text = xstrdup(cases[i].text);
        struct trail_step like = {
            .platform = platform, .stage = stage, .text = text, .index = cases[i].index
        };
        const struct trail_step *found = trail_find(&trail, &like);
        int place = found ? (int)(found - trail.steps) : -1;
        if (place != cases[i].expected)
            fail_msg("case %zu: %d, expected %d", i, place, cases[i].expected);
    }
}

static void a_stage_takes_its_own_place(void **state UNUSED)
{
    static char a[] = "a";
    AUTO(trail_release) struct trail trail = { 0 };
    AUTO(trail_release) struct trail steps = { 0 };
    fill(&trail);
    add(&steps, amd, a, 0, "COPY y");
    struct trail_part part = { amd, a, &steps, true };
    trail_replace(&trail, &part, 1); /* failed behind its first step */
    assert_int_equal(trail.n_steps, 5);
    part.keep_rest = false;
    trail_replace(&trail, &part, 1);
    assert_int_equal(trail.n_steps, 3);
    assert_string_equal(trail.steps[0].platform, arm);
    assert_string_equal(trail.steps[2].text, "COPY y");
    struct trail none = { 0 };
    part = (struct trail_part){ amd, a, &none, true };
    trail_replace(&trail, &part, 1); /* failed before its first step */
    assert_int_equal(trail.n_steps, 3);
    const struct trail_step like = { .platform = amd, .stage = a, .text = steps.steps[0].text };
    assert_ptr_equal(trail_find(&trail, &like), &trail.steps[2]);
}

static void a_trail_is_kept_in_the_store(void **state)
{
    struct fixture *fixture = *state;
    AUTO(trail_release) struct trail trail = { 0 };
    AUTO(trail_release) struct trail copy = { 0 };
    AUTO(trail_release) struct trail none = { 0 };
    char name[DIGEST_HEX_SIZE + 6];
    struct error *err = NULL;
    fill(&trail);
    trail_name(".", "Dockerfile", name);
    assert_ok(trail_write(fixture->store, name, &trail, &err), err);
    trail_read(fixture->store, name, &copy);
    assert_int_equal(copy.n_steps, 5);
    assert_string_equal(copy.steps[4].text, "RUN b");
    assert_true(digest_equal(&copy.steps[4].rest, &trail.steps[4].rest));
    trail_name(".", "other", name);
    trail_read(fixture->store, name, &none);
    assert_int_equal(none.n_steps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_step_is_found),
        cmocka_unit_test(a_stage_takes_its_own_place),
        cmocka_unit_test_setup_teardown(a_trail_is_kept_in_the_store, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
