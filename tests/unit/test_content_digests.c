/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/content_digests.h"

#include "oci/store_gc.h"
#include "tests/unit/layers_fixture.h"

static void digest_text(const char *text, uint8_t out[SHA256_SIZE])
{
    sha256_of(text, strlen(text), out);
}

static struct digest put_two(struct fixture *fixture, struct content_digests *digests)
{
    struct error *err = NULL;
    struct digest blob = fixture_blob(fixture->store, "layer");
    uint8_t digest[SHA256_SIZE];
    content_digests_init(digests, 300, NULL);
    digest_text("first", digest);
    content_digests_put(digests, 0, digest);
    digest_text("last", digest);
    content_digests_put(digests, 299, digest);
    assert_true(digests->is_new);
    assert_ok(content_digests_write(digests, fixture->store, &blob, &err), err);
    assert_false(digests->is_new);
    return blob;
}

static void what_was_learnt_is_there_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO(content_digests_release) struct content_digests digests = { 0 }, again = { 0 };
    struct digest blob = put_two(fixture, &digests);
    uint8_t expected[SHA256_SIZE], got[SHA256_SIZE];
    content_digests_init(&again, 300, NULL);
    content_digests_read(&again, fixture->store, &blob);
    assert_false(again.is_new);
    digest_text("last", expected);
    assert_true(content_digests_get(&again, 299, got));
    assert_memory_equal(got, expected, SHA256_SIZE);
    assert_true(content_digests_get(&again, 0, got));
    assert_false(content_digests_get(&again, 1, got));
    assert_false(content_digests_get(&again, 300, got));
}

static void damaged_files_and_those_of_another_list_are_empty(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(content_digests_release) struct content_digests digests = { 0 };
    struct digest blob = put_two(fixture, &digests);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&blob, hex);
    AUTO(free) char *name = xasprintf("content-%s", hex);
    int entries = store_dir_fd(fixture->store, STORE_ENTRIES);
    AUTO(strbuf_release) struct strbuf file = STRBUF_INIT;
    assert_ok(fs_read_file(entries, name, &file, 1 << 20, &err), err);
    uint8_t got[SHA256_SIZE];
    {
        AUTO(content_digests_release) struct content_digests other = { 0 };
        content_digests_init(&other, 299, NULL);
        content_digests_read(&other, fixture->store, &blob);
        assert_false(content_digests_get(&other, 0, got));
    }
    for (size_t i = 0; i < file.size; i++) {
        AUTO(content_digests_release) struct content_digests other = { 0 };
        file.data[i] ^= 1;
        assert_ok(fs_write_file(entries, name, file.data, file.size, 0600, &err), err);
        file.data[i] ^= 1;
        content_digests_init(&other, 300, NULL);
        content_digests_read(&other, fixture->store, &blob);
        assert_false(content_digests_get(&other, 0, got));
        assert_ok(fs_write_file(entries, name, file.data, i, 0600, &err), err);
        content_digests_read(&other, fixture->store, &blob);
        assert_false(content_digests_get(&other, 0, got));
    }
}

static void they_lie_in_the_spills_memory(void **state UNUSED)
{
    struct spill spill = SPILL_INIT(-1, 0);
    struct content_digests digests;
    content_digests_init(&digests, 1000, &spill);
    assert_true(spill.in_memory >= (size_t)1000 * SHA256_SIZE);
    content_digests_release(&digests);
    assert_int_equal(spill.in_memory, 0);
}

static void collecting_removes_them_with_the_blob(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(content_digests_release) struct content_digests digests = { 0 }, again = { 0 };
    struct digest blob = put_two(fixture, &digests);
    uint8_t got[SHA256_SIZE];
    fixture_reopen(fixture);
    struct store_gc_result result = { 0 };
    assert_ok(store_gc(fixture->store, 0, &result, &err), err);
    content_digests_init(&again, 300, NULL);
    content_digests_read(&again, fixture->store, &blob);
    assert_false(content_digests_get(&again, 0, got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(what_was_learnt_is_there_again),
        fixture_test(damaged_files_and_those_of_another_list_are_empty),
        fixture_test(collecting_removes_them_with_the_blob),
        cmocka_unit_test(they_lie_in_the_spills_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
