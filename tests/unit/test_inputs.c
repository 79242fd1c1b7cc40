/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/inputs.h"

#include "base/strbuf.h"
#include "tests/unit/test.h"

static struct digest digest_of_items(const char *const (*items)[3], size_t n)
{
    AUTO(inputs_release) struct inputs inputs = { 0 };
    for (size_t i = 0; i < n; i++)
        inputs_add(&inputs, items[i][0], items[i][1], items[i][2]);
    return inputs_digest(&inputs);
}

static void fields_do_not_run_into_each_other(void **state UNUSED)
{
    static const char *const a[][3] = { { "file", "ab", "c" } };
    static const char *const b[][3] = { { "file", "a", "bc" } };
    static const char *const c[][3] = { { "file", "ab", "c" }, { "", "", "" } };
    static const char *const d[][3] = { { "arg", "x", "1" }, { "arg", "y", "2" } };
    static const char *const e[][3] = { { "arg", "y", "2" }, { "arg", "x", "1" } };
    struct digest digests[] = { digest_of_items(a, 1), digest_of_items(b, 1), digest_of_items(c, 2),
                                digest_of_items(d, 2), digest_of_items(e, 2) };
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
        for (size_t k = 0; k < i; k++)
            assert_false(digest_equal(&digests[i], &digests[k]));
}

/* Keys are kept between builds: this value changes only with the version of cache records. */
static void the_digest_is_a_pure_function(void **state UNUSED)
{
    static const char *const items[][3] = { { "file", "src/main.c", "f 0644 0:0 sha256:00" } };
    struct digest digest = digest_of_items(items, 1);
    char text[DIGEST_TEXT_SIZE];
    digest_format(&digest, text);
    assert_string_equal(text,
                        "sha256:560e3adaf27507a4c504c19f78dd8b391fb6377e2ea595ef969659518a81c547");
}

static void each_of_three(const void *data, inputs_visit visit, void *visit_data)
{
    static const struct input items[] = { { "file", "a", "1" },
                                          { "file", "b", "2" },
                                          { "file", "c", "3" } };
    for (size_t i = 0; i < *(const size_t *)data; i++)
        visit(visit_data, &items[i]);
}

static void write_down(void *data, const struct input *item)
{
    strbuf_addf(data, "%s %s %s\n", item->kind, item->name, item->value);
}

static void items_that_are_made_anew_are_as_if_they_were_kept(void **state UNUSED)
{
    static const char *const all[][3] = { { "arg", "x", "0" },
                                          { "file", "a", "1" },
                                          { "file", "b", "2" },
                                          { "file", "c", "3" },
                                          { "user", "", "me" } };
    const size_t three = 3;
    AUTO(inputs_release) struct inputs inputs = { 0 };
    inputs_add(&inputs, "arg", "x", "0");
    inputs_add_more(&inputs, each_of_three, &three, three);
    inputs_add(&inputs, "user", "", "me");
    struct digest expected = digest_of_items(all, ARRAY_SIZE(all));
    for (int kept = 0; kept < 2; kept++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        struct digest digest = inputs_digest(&inputs);
        assert_true(digest_equal(&digest, &expected));
        assert_int_equal(inputs_count(&inputs), ARRAY_SIZE(all));
        assert_int_equal(inputs.n_items, kept ? ARRAY_SIZE(all) : 2);
        inputs_each(&inputs, write_down, &text);
        assert_string_equal(text.data, "arg x 0\nfile a 1\nfile b 2\nfile c 3\nuser  me\n");
        inputs_keep(&inputs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_do_not_run_into_each_other),
        cmocka_unit_test(the_digest_is_a_pure_function),
        cmocka_unit_test(items_that_are_made_anew_are_as_if_they_were_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
