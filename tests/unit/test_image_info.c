/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_info.h"

#include "base/clock.h"
#include "oci/manifest.h"
#include "tests/unit/layers_fixture.h"

static void sizes_have_three_digits(void **state UNUSED)
{
    static const struct {
        uint64_t size;
        const char *text;
    } cases[] = {
        { 0, "0B" },
        { 999, "999B" },
        { 1000, "1kB" },
        { 1234, "1.23kB" },
        { 12345, "12.3kB" },
        { 123456, "123kB" },
        { 999499, "999kB" },
        { 999999, "1MB" },
        { 1982419, "1.98MB" },
        { 5000000000, "5GB" },
        { 7200000000000, "7.2TB" },
        { UINT64_MAX, "18.4EB" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[32];
        format_size(cases[i].size, text);
        if (strcmp(text, cases[i].text) != 0)
            fail_msg("%llu: %s, expected %s", (unsigned long long)cases[i].size, text,
                     cases[i].text);
    }
}

#define HOUR ((int64_t)3600)
#define DAY (24 * HOUR)

static void ages_are_dockers(void **state UNUSED)
{
    static const struct {
        int64_t age;
        const char *text;
    } cases[] = {
        { 30, "30 seconds ago" },      { 90, "About a minute ago" }, { 150, "2 minutes ago" },
        { 3700, "About an hour ago" }, { 3 * HOUR, "3 hours ago" },  { 47 * HOUR, "47 hours ago" },
        { 3 * DAY, "3 days ago" },     { 15 * DAY, "2 weeks ago" },  { 61 * DAY, "2 months ago" },
        { 800 * DAY, "2 years ago" },
    };
    char text[64];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char created[CLOCK_TEXT_SIZE];
        clock_format(clock_now() - cases[i].age - 5, created);
        format_age(created, text);
        if (cases[i].age == 30) /* the clock may have gone on */
            assert_non_null(strstr(text, " seconds ago"));
        else if (strcmp(text, cases[i].text) != 0)
            fail_msg("%lld: %s, expected %s", (long long)cases[i].age, text, cases[i].text);
    }
    static const char *const none[] = { NULL, "", "yesterday" };
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        format_age(none[i], text);
        assert_string_equal(text, "N/A");
    }
    format_age("2999-01-01T00:00:00Z", text); /* a clock that is wrong */
    assert_string_equal(text, "Less than a second ago");
}

static void layers_count_what_their_files_hold(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(layer_unref)
    struct layer *layer =
        layer_of_words(fixture->store, "d d; f d/a=12345; f b=678; l c->b; h e->b; w f");
    AUTO(manifest_release) struct manifest manifest = { 0 };
    struct descriptor *blob = ARRAY_PUSH(&manifest, layers);
    assert_ok(layer_wait(layer, blob, NULL, &err), err);
    uint64_t size = 1;
    for (int i = 0; i < 2; i++) { /* scanned first, read from the entry list then */
        assert_ok(layer_unpacked_size(fixture->store, blob, &size, &err), err);
        assert_int_equal(size, 8);
    }
    struct digest absent = digest_of("absent", 6);
    descriptor_set(ARRAY_PUSH(&manifest, layers), MEDIA_TYPE_OCI_LAYER, &absent, 100);
    assert_ok(image_unpacked_size(fixture->store, &manifest, &size, &err), err);
    assert_int_equal(size, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_three_digits),
        cmocka_unit_test(ages_are_dockers),
        fixture_test(layers_count_what_their_files_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
