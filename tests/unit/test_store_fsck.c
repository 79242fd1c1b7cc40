/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_gc.h"

#include "base/cancel.h"
#include "tests/unit/store_fixture.h"

#include <signal.h>

static void note(void *data, const struct digest *digest, const char *why)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    strbuf_addf(data, "%s: %s\n", text, why);
}

static void damage_is_told_and_repaired(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store_fsck_result result;
    AUTO(strbuf_release) struct strbuf told = STRBUF_INIT;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_image(fixture->store, "layer", NULL, &image);
    assert_ok(fixture_tag(fixture->store, "x:1", &image, &err), err);
    struct digest layer = digest_of("layer", 5);
    char text[DIGEST_TEXT_SIZE];
    digest_format(&layer, text);
    fixture_damage(fixture, &layer);

    assert_ok(store_fsck(fixture->store, false, note, &told, &result, &err), err);
    assert_int_equal(result.n_checked, 3);
    assert_int_equal(result.n_bad, 1);
    assert_int_equal(result.n_repaired, 0);
    assert_non_null(strstr(told.data, text));
    assert_non_null(strstr(told.data, "its content has another digest"));

    strbuf_reset(&told);
    assert_ok(store_fsck(fixture->store, true, note, &told, &result, &err), err);
    assert_int_equal(result.n_repaired, 1);
    assert_false(store_has_blob(fixture->store, &layer, NULL));
    assert_non_null(strstr(told.data, "image docker.io/library/x:1: blob sha256:"));
    /* made again, all is well */
    fixture_blob(fixture->store, "layer");
    fixture_verify(fixture);
}

static void odd_files_are_no_blobs(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store_fsck_result result;
    struct digest a = digest_of("a", 1), b = digest_of("b", 1), c = digest_of("c", 1);
    char hex[DIGEST_HEX_SIZE];
    int fd = store_dir_fd(fixture->store, STORE_BLOBS);
    digest_format_hex(&a, hex);
    assert_int_equal(symlinkat("/etc/passwd", fd, hex), 0);
    digest_format_hex(&b, hex);
    assert_int_equal(mkfifoat(fd, hex, 0600), 0);
    digest_format_hex(&c, hex);
    assert_int_equal(mkdirat(fd, hex, 0700), 0);
    assert_ok(fs_write_file(fd, "README", "x", 1, 0600, &err), err);
    assert_false(store_has_blob(fixture->store, &a, NULL));
    assert_ok(store_fsck(fixture->store, true, NULL, NULL, &result, &err), err);
    assert_int_equal(result.n_bad, 3);
    assert_int_equal(result.n_repaired, 3);
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 1);
}

/* For good: the last test. */
static void an_interrupted_check_removes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store_fsck_result result;
    struct digest a = digest_of("a", 1);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&a, hex);
    assert_ok(fs_write_file(store_dir_fd(fixture->store, STORE_BLOBS), hex, "b", 1, 0600, &err),
              err);
    cancel_trigger(SIGINT);
    assert_fails(store_fsck(fixture->store, true, NULL, NULL, &result, &err), err, ERR_CANCELLED,
                 "interrupted");
    assert_true(store_has_blob(fixture->store, &a, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(damage_is_told_and_repaired),
        fixture_test(odd_files_are_no_blobs),
        fixture_test(an_interrupted_check_removes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
