/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a folder of its own, and images in it. */
#ifndef CBUILD_TESTS_UNIT_STORE_FIXTURE_H
#define CBUILD_TESTS_UNIT_STORE_FIXTURE_H

#include "base/array.h"
#include "base/fs.h"
#include "base/mem.h"
#include "oci/image.h"
#include "oci/index.h"
#include "oci/store.h"
#include "oci/store_gc.h"
#include "oci/store_ingest.h"
#include "oci/store_tags.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct fixture {
    char *dir; /* holds the store, and what else a test makes */
    char *path;
    struct store *store;
};

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = NEW(struct fixture);
    struct error *err = NULL;
    const char *tmp = getenv("TMPDIR");
    fixture->dir = xasprintf("%s/cbuild-test-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(fixture->dir))
        return -1;
    fixture->path = xasprintf("%s/store", fixture->dir);
    fixture->store = store_open(fixture->path, &err);
    if (!fixture->store)
        print_error("%s\n", error_message(err));
    *state = fixture;
    return fixture->store ? 0 : -1;
}

static inline void fixture_reopen(struct fixture *fixture)
{
    struct error *err = NULL;
    store_close(fixture->store);
    fixture->store = store_open(fixture->path, &err);
    assert_ok_ptr(fixture->store, err);
}

/* A folder of the store with more files than who was sent a signal removes. */
static inline void fixture_put_much(const struct fixture *fixture, const char *folder)
{
    struct error *err = NULL;
    int root = store_dir_fd(fixture->store, STORE_ROOT);
    assert_ok(fs_mkdirs(root, folder, 0755, &err), err);
    for (size_t i = 0; i <= FS_DISCARD_MOST; i++) {
        AUTO(free) char *name = xasprintf("%s/%zu", folder, i);
        assert_int_equal(mknodat(root, name, S_IFREG | 0600, 0), 0);
    }
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    store_close(fixture->store);
    int removed = fs_remove_tree(AT_FDCWD, fixture->dir, &err);
    if (removed < 0)
        print_error("%s\n", error_message(err));
    error_free(err);
    free(fixture->dir);
    free(fixture->path);
    free(fixture);
    return removed;
}

#define fixture_test(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

static inline struct digest fixture_blob(struct store *store, const char *content)
{
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    assert_ok(store_put_blob(store, content, strlen(content), &desc, &err), err);
    return desc.digest;
}

/* A whole image with one "layer" of this content. */
static inline void fixture_image(struct store *store, const char *layer, const char *platform,
                                 struct descriptor *ret)
{
    struct error *err = NULL;
    AUTO(image_config_release) struct image_config config = { 0 };
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(platform_parse(platform ? platform : "local", &config.platform, &err), err);
    struct digest diff_id = fixture_blob(store, layer);
    image_config_add_diff_id(&config, &diff_id);
    image_config_add_history(&config, NULL, layer, NULL, false);
    image_config_format(&config, &text);

    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    descriptor_set(&manifest.config, MEDIA_TYPE_OCI_CONFIG, &diff_id, 0);
    assert_ok(store_put_blob(store, text.data, text.size, &manifest.config, &err), err);
    descriptor_set(ARRAY_PUSH(&manifest, layers), MEDIA_TYPE_OCI_LAYER, &diff_id, strlen(layer));
    strbuf_reset(&text);
    manifest_format(&manifest, &text);
    descriptor_set(ret, MEDIA_TYPE_OCI_MANIFEST, &diff_id, 0);
    assert_ok(store_put_blob(store, text.data, text.size, ret, &err), err);
}

static inline int fixture_tag(struct store *store, const char *name, const struct descriptor *desc,
                              struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(name, &reference, err) < 0)
        return -1;
    reference_default_tag(&reference);
    return store_tag_set(store, &reference, desc, err);
}

static inline int fixture_untag(struct store *store, const char *name, bool keep_image,
                                struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(name, &reference, err) < 0)
        return -1;
    reference_default_tag(&reference);
    return store_tag_remove(store, &reference, keep_image, err);
}

/* Text of a file in the store; free() it. */
static inline char *fixture_read(const struct fixture *fixture, const char *path)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(fs_read_file(store_dir_fd(fixture->store, STORE_ROOT), path, &text, 1 << 20, &err),
              err);
    return strbuf_detach(&text);
}

static inline size_t fixture_count(const struct fixture *fixture, const char *folder)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(store_dir_fd(fixture->store, STORE_ROOT), folder, &names, &err), err);
    return names.n;
}

/* Overwrites content without the store's knowledge. */
static inline void fixture_damage(const struct fixture *fixture, const struct digest *digest)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    AUTO(close)
    int fd = openat(store_dir_fd(fixture->store, STORE_BLOBS), hex, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xff", 1, 0), 1);
}

static inline void fixture_verify(const struct fixture *fixture)
{
    struct error *err = NULL;
    struct store_fsck_result result;
    assert_ok(store_fsck(fixture->store, false, NULL, NULL, &result, &err), err);
    assert_int_equal(result.n_bad, 0);
}

#endif
