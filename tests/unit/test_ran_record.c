/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ran_record.h"

#include "builder/cache.h"
#include "tests/unit/store_fixture.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEAD "{\"boot\":\"b-1\",\"created\":\"2024-01-02T03:04:05Z\",\"form\":\"u-root/p-1-2-3\","
#define WHOLE                                                                                      \
    HEAD "\"inputs\":\"sha256:" HEX "\",\"state\":\"ran\",\"step\":\"RUN make\",\"version\":1}"

static const struct {
    const char *text, *from, *to; /* `text` with the first `from` replaced */
    const char *error;            /* part of its message; NULL: fine */
} cases[] = {
    { WHOLE, NULL, NULL, NULL },
    { WHOLE, "\"form\"", "\"below\":\"sha256:" HEX "\",\"form\"", NULL },
    { WHOLE, "b-1", "b-2", "another boot" },
    { WHOLE, "\"boot\":\"b-1\",", "", "boot" },
    { WHOLE, "\"ran\"", "\"done\"", "state ran" },
    { WHOLE, ":1}", ":2}", "version" },
    { WHOLE, ":1}", ":1,\"more\":1}", "members" },
    { WHOLE, "\"form\"", "\"below\":null,\"form\"", "members" },
    { WHOLE, "\"form\"", "\"upon\":\"u-root/p-1-2-3\",\"form\"", NULL },
    { WHOLE, "\"form\"", "\"upon\":\"u-root/c-1\",\"form\"", "/upon" },
    { WHOLE, "\"form\"", "\"below\":\"sha256:" HEX "\",\"upon\":\"u-root/p-1\",\"form\"", "/upon" },
    { WHOLE, "\"form\"", "\"below\":\"sha256:0\",\"form\"", "sha256" },
    { WHOLE, "2024-", "", "time" },
    { WHOLE, "\"step\":\"RUN make\",", "", "step" },
    { WHOLE, "\"RUN make\"", "7", "step" },
    { WHOLE, "u-root/", "", "private form" },
    { WHOLE, "u-root/p-1", "u-root/../p-1", "private form" },
    { WHOLE, "/p-1-2-3", "/c-" HEX, "private form" },
    { WHOLE, "p-1-2-3", "p-1/2", "private form" },
    { WHOLE, ",\"version\":1}", "", "" },
    { "", NULL, NULL, "" },
};

static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = from ? strstr(text, from) : NULL;
    return at ? xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from))
              : xstrdup(text);
}

static void only_what_is_written_is_read(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *text = replaced(cases[i].text, cases[i].from, cases[i].to);
        AUTO(ran_record_release) struct ran_record record = { .step = NULL };
        AUTO(error_free) struct error *err = NULL;
        int result = ran_record_parse(text, strlen(text), "b-1", &record, &err);
        if (!cases[i].error && result < 0)
            fail_msg("%s: %s", text, error_message(err));
        if (cases[i].error && result == 0)
            fail_msg("%s: is read", text);
        if (cases[i].error && !strstr(error_message(err), cases[i].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", text, error_message(err), cases[i].error);
        if (!cases[i].error)
            assert_string_equal(record.form, "u-root/p-1-2-3");
    }
}

static void put(struct store *store, const struct digest *recipe)
{
    struct error *err = NULL;
    struct ran_record record = { .step = (char[]){ "RUN make" },
                                 .created = (char[]){ "2024-01-02T03:04:05Z" },
                                 .form = (char[]){ "u-root/p-1-2-3" },
                                 .inputs = digest_of("inputs", 6),
                                 .below = digest_of("below", 5) };
    assert_ok(ran_record_put(store, recipe, &record, &err), err);
}

static int find(struct store *store, const struct digest *recipe, struct ran_record *ret)
{
    struct error *err = NULL;
    int found = ran_record_find(store, recipe, ret, &err);
    assert_ok(found, err);
    return found;
}

static void it_is_found_until_it_is_dropped_and_is_no_layer(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest recipe = digest_of("recipe", 6), below = digest_of("below", 5);
    AUTO(ran_record_release) struct ran_record record = { .step = NULL };
    AUTO(ran_record_release) struct ran_record none = { .step = NULL };
    AUTO(cache_record_release) struct cache_record layer = { 0 };
    const struct compression gzip = { .kind = COMPRESSION_GZIP };
    assert_int_equal(find(fixture->store, &recipe, &record), 0);
    put(fixture->store, &recipe);
    assert_int_equal(find(fixture->store, &recipe, &record), 1);
    assert_string_equal(record.step, "RUN make");
    assert_string_equal(record.created, "2024-01-02T03:04:05Z");
    assert_true(digest_equal(&record.below, &below));
    int found = cache_find(fixture->store, &recipe, &gzip, &layer, &err);
    assert_ok(found, err);
    assert_int_equal(found, 0);
    ran_record_drop(fixture->store, &recipe);
    assert_int_equal(find(fixture->store, &recipe, &none), 0);
    assert_int_equal(fixture_count(fixture, "cache/records"), 0);
}

static void what_an_earlier_boot_left_is_not_trusted(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest recipe = digest_of("recipe", 6);
    AUTO(ran_record_release) struct ran_record record = { .step = NULL };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    char name[DIGEST_HEX_SIZE];
    int records = store_dir_fd(fixture->store, STORE_CACHE_RECORDS);
    put(fixture->store, &recipe);
    digest_format_hex(&recipe, name);
    assert_ok(fs_read_file(records, name, &text, 4096, &err), err);
    AUTO(free) char *other = replaced(text.data, store_boot(fixture->store), "00000000-crashed");
    assert_ok(fs_write_file(records, name, other, strlen(other), 0600, &err), err);
    assert_int_equal(find(fixture->store, &recipe, &record), 0);
    assert_ok(fs_write_file(records, name, text.data, text.size, 0600, &err), err);
    assert_int_equal(find(fixture->store, &recipe, &record), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_written_is_read),
        fixture_test(it_is_found_until_it_is_dropped_and_is_no_layer),
        fixture_test(what_an_earlier_boot_left_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
