/* SPDX-License-Identifier: Apache-2.0 */
/* registry/push.c and uploads.c against a server that plays faults; RELIABILITY.md 1 to 7 */
#include "registry/push.h"

#include "base/array.h"
#include "base/fs.h"
#include "oci/index.h"
#include "registry/pull.h"
#include "registry/sources.h"
#include "tests/unit/registry_fixture.h"

#define LARGE 1000000
#define HUGE_SIZE (9u << 20)

static int push(struct fixture *fixture, const struct descriptor *image, struct push_result *result,
                struct error **err)
{
    struct push_request request = { .reference = &fixture->reference, .image = image };
    return registry_push(fixture->session, fixture->store, &request, result, err);
}

static const size_t usual[] = { LARGE, 3000, 0 };
static const size_t chunked[] = { HUGE_SIZE, 3000, 0 };

/* Pushes that end well in spite of the fault: afterwards the registry serves the image. */
static void pushes_survive(void **state UNUSED)
{
    static const struct {
        const char *fault;
        const size_t *sizes;
        const char *method; /* requests of it to upload sessions... */
        unsigned least, most;
    } cases[] = {
        { "push-plain", usual, "PUT", 3, 3 },
        { "push-plain", usual, "PATCH", 0, 0 },
        { "push-no-put", usual, "PATCH", 3, 3 },
        { "push-small-bodies", chunked, "PATCH", 4, 7 },
        { "push-chunks-stuck", chunked, "PATCH", 4, 7 },
        { "push-chunk-cut", chunked, "PATCH", 4, 7 },
        /* curl itself sends again where a kept connection turns out dead */
        { "push-cut", usual, "POST", 3, 4 },
        { "push-answer-lost", usual, "POST", 3, 4 },
        { "push-session-lost", usual, "PUT", 6, 6 },
        { "push-head-405", usual, "PUT", 3, 3 },
        { "push-busy", usual, "POST", 3, 8 },
        { "push-token-expires", usual, "PUT", 3, 6 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor image = { 0 }, back = { 0 };
        struct fixture *one = fixture_new();
        make_image(one->store, cases[i].sizes, &image);
        fixture_use(one, faults.http, cases[i].fault);
        struct push_result result = { 0 };
        if (push(one, &image, &result, &err) < 0)
            fail_msg("%s: %s", cases[i].fault, error_message(err));
        unsigned n = faults_count(cases[i].method, one->path, "/blobs/uploads/", NULL);
        if (n < cases[i].least || n > cases[i].most)
            fail_msg("%s: %u times %s", cases[i].fault, n, cases[i].method);
        if (strcmp(cases[i].fault, "push-answer-lost") != 0)
            assert_int_equal(result.n_uploaded, 3);
        AUTO(free) char *tag = xasprintf("/v2/%s/manifests/1", one->path);
        assert_int_equal(faults_count("PUT", tag, "-> 201", NULL), 1);
        /* what arrived is what was sent */
        struct fixture *reader = fixture_new();
        struct pull_request request = { .reference = &one->reference };
        assert_ok(registry_pull(reader->session, reader->store, &request, &back, NULL, &err), err);
        assert_true(digest_equal(&back.digest, &image.digest));
        fixture_free(reader);
        fixture_free(one);
    }
}

static void pushes_fail_in_order(void **state)
{
    static const struct {
        const char *fault;
        enum error_code code;
        const char *text;
    } cases[] = {
        { "push-denied", ERR_UNAUTHORIZED, "403 denied: requested access" },
        { "push-wrong-digest", ERR_DIGEST, "digest invalid" },
    };
    struct fixture *fixture = *state;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, usual, &image);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        fixture_use(fixture, faults.http, cases[i].fault);
        assert_fails(push(fixture, &image, NULL, &err), err, cases[i].code, cases[i].text);
        assert_int_equal(faults_count("PUT", fixture->path, "/manifests/", NULL), 0);
    }
}

/*
 * RELIABILITY 5. Where the image went before, the tag alone is asked for; what is unclear, and a
 * store that knows nothing of it, asks for the blobs too, and nothing is sent.
 */
static void unchanged_push_sends_nothing(void **state UNUSED)
{
    static const struct {
        const char *fault;
        bool moved, force, forgotten; /* the tag; --force; the repository by the store */
        unsigned n_heads, n_requests;
    } cases[] = {
        { "push-plain", false, false, false, 1, 1 },
        { "push-plain", false, false, true, 4, 4 },
        { "push-plain", true, false, false, 4, 5 },
        { "push-plain", false, true, false, 3, 4 },
        { "push-no-digest", false, false, false, 4, 5 },
        { "push-head-404", false, false, false, 4, 5 },
        { "push-immutable", false, false, false, 1, 1 },
        { "push-immutable", false, true, false, 4, 5 },
    };
    static const size_t other[] = { 500, 100, 0 };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct push_result result = { 0 };
        AUTO(descriptor_release) struct descriptor image = { 0 }, another = { 0 };
        struct fixture *one = fixture_new();
        make_image(one->store, usual, &image);
        make_image(one->store, other, &another);
        fixture_use(one, faults.http, cases[i].fault);
        assert_ok(push(one, &image, NULL, &err), err);
        if (cases[i].moved)
            assert_ok(push(one, &another, NULL, &err), err);
        if (cases[i].forgotten)
            assert_int_equal(fs_remove_tree(store_dir_fd(one->store, STORE_ROOT), "sources", &err),
                             0);
        unsigned before = faults_count(one->path, NULL);
        unsigned heads_before = faults_count(one->path, "HEAD", NULL);
        fixture_new_session(one);
        const struct push_request request = { .reference = &one->reference,
                                              .image = &image,
                                              .force = cases[i].force };
        assert_ok(registry_push(one->session, one->store, &request, &result, &err), err);
        assert_int_equal(result.n_present, 3);
        assert_int_equal(result.n_uploaded + result.n_mounted, 0);
        unsigned n = faults_count(one->path, NULL) - before;
        unsigned n_heads = faults_count(one->path, "HEAD", NULL) - heads_before;
        if (n != cases[i].n_requests || n_heads != cases[i].n_heads)
            fail_msg("%zu, %s: %u requests, %u HEADs", i, cases[i].fault, n, n_heads);
        fixture_free(one);
    }
}

/* Whatever comes first: a small blob doesn't take the way that a large one was refused out of. */
static void small_blobs_go_whole_where_large_ones_cannot(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    AUTO(descriptor_release)
    struct descriptor layer = { .media_type = xstrdup(MEDIA_TYPE_OCI_LAYER) };
    make_image(fixture->store, chunked, &image);
    put_noise(fixture->store, HUGE_SIZE, HUGE_SIZE, &layer);
    fixture_use(fixture, faults.http, "push-location-moves");
    assert_ok(
        registry_push_blob(fixture->session, fixture->store, &fixture->reference, &layer, 0, &err),
        err);
    assert_int_equal(faults_count(fixture->path, " PATCH ", NULL), 4);
    assert_ok(push(fixture, &image, NULL, &err), err);
    assert_int_equal(faults_count(fixture->path, " PATCH ", NULL), 4);
}

static void layer_listed_three_times_is_sent_once(void **state)
{
    static const size_t sizes[] = { LARGE, 3000, LARGE, LARGE, 0 };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct push_result result = { 0 };
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, sizes, &image);
    fixture_use(fixture, faults.http, "push-plain");
    assert_ok(push(fixture, &image, &result, &err), err);
    assert_int_equal(result.n_uploaded, 3);
    assert_int_equal(faults_count("PUT", fixture->path, "body=1000000", NULL), 1);
}

/* Pushing ahead while the build goes on: the push at the end doesn't ask again. */
static void blob_pushed_ahead_is_not_asked_again(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct push_result result = { 0 };
    AUTO(descriptor_release) struct descriptor image = { 0 };
    struct descriptor layer = { .media_type = xstrdup(MEDIA_TYPE_OCI_LAYER) };
    make_image(fixture->store, usual, &image);
    put_noise(fixture->store, LARGE, LARGE, &layer);
    fixture_use(fixture, faults.http, "push-plain");
    assert_ok(
        registry_push_blob(fixture->session, fixture->store, &fixture->reference, &layer, 0, &err),
        err);
    unsigned before = faults_count(fixture->path, NULL);
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&layer.digest, digest);
    assert_int_equal(faults_count("HEAD", fixture->path, digest, NULL), 1);
    assert_ok(push(fixture, &image, &result, &err), err);
    assert_int_equal(faults_count("HEAD", fixture->path, digest, NULL), 1);
    assert_int_equal(faults_count("PUT", fixture->path, "body=1000000", NULL), 1);
    assert_true(faults_count(fixture->path, NULL) > before);
    descriptor_release(&layer);
}

static void mounts(struct fixture *fixture, const char *fault, unsigned n_mounted,
                   unsigned n_uploaded)
{
    struct error *err = NULL;
    struct push_result result = { 0 };
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, usual, &image);
    fixture_use(fixture, faults.http, "push-plain");
    assert_ok(push(fixture, &image, &result, &err), err);
    fixture_new_session(fixture);
    fixture_use(fixture, faults.http, fault);
    if (push(fixture, &image, &result, &err) < 0)
        fail_msg("%s: %s", fault, error_message(err));
    assert_int_equal(result.n_mounted, n_mounted);
    assert_int_equal(result.n_uploaded, n_uploaded);
}

static void blobs_known_elsewhere_are_mounted(void **state)
{
    struct fixture *fixture = *state;
    mounts(fixture, "push-relative", 3, 0);
    assert_int_equal(faults_count("POST", fixture->path, "mount=sha256", "&from=push-plain", NULL),
                     3);
    assert_int_equal(faults_count("PUT", fixture->path, "/blobs/", NULL), 0);
}

/* The session that a refused mount opens is used: no second POST. */
static void refused_mount_opens_the_session_that_is_used(void **state)
{
    struct fixture *fixture = *state;
    mounts(fixture, "push-mount-refused", 0, 3);
    assert_int_equal(faults_count("POST", fixture->path, NULL), 3);
}

static void denied_mount_falls_back_to_uploading(void **state)
{
    struct fixture *fixture = *state;
    mounts(fixture, "push-mount-denied", 0, 3);
    assert_int_equal(faults_count("POST", fixture->path, "-> 202", NULL), 3);
}

static void uploads_to_another_host_carry_no_credentials(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, usual, &image);
    fixture_login(fixture, faults.http, PASSWORD_ENTRY);
    fixture_use(fixture, faults.http, "push-other-host");
    assert_ok(push(fixture, &image, NULL, &err), err);
    assert_int_equal(faults_count("other PUT", fixture->path, "auth=none", NULL), 3);
    assert_int_equal(faults_count("other PUT", fixture->path, "auth=Basic", NULL), 0);
}

static void location_with_http_is_asked_with_https(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, usual, &image);
    fixture_use(fixture, faults.https, "push-plain-location");
    assert_ok(push(fixture, &image, NULL, &err), err);
    assert_int_equal(faults_count("https PUT", fixture->path, "/blobs/uploads/", NULL), 3);
}

static void immutable_tag_of_the_same_image_is_a_success(void **state)
{
    static const size_t other[] = { 5000, 0 };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 }, another = { 0 };
    make_image(fixture->store, usual, &image);
    make_image(fixture->store, other, &another);
    fixture_use(fixture, faults.http, "push-immutable");
    assert_ok(push(fixture, &image, NULL, &err), err);
    assert_ok(push(fixture, &image, NULL, &err), err);
    assert_fails(push(fixture, &another, NULL, &err), err, ERR_REFUSED, "the tag is immutable");
}

/* HEAD said that the blobs are there; the manifest shows that they aren't. */
static void vanished_blobs_are_sent_after_all(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct push_result result = { 0 };
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, usual, &image);
    fixture_use(fixture, faults.http, "push-blob-vanishes");
    assert_ok(push(fixture, &image, &result, &err), err);
    assert_int_equal(result.n_uploaded, 3);
}

static void refused_ways_of_sending_are_remembered(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, chunked, &image);
    fixture_use(fixture, faults.http, "push-small-bodies");
    assert_ok(push(fixture, &image, NULL, &err), err);
    fixture_use(fixture, faults.http, "push-small-bodies");
    registry_session_free(
        fixture->session); /* the second knows nothing of the first repository's blobs */
    fixture->session = NULL;
    fixture_new_session(fixture);
    assert_ok(push(fixture, &image, NULL, &err), err);
    unsigned refused = faults_count(fixture->path, "-> 413", NULL);
    assert_in_range(refused, 0, 2); /* PUT, PATCH: once, not per blob */
}

/* A layer that was never loaded: mounted where it can be, else fetched from where it is known. */
static void layers_that_the_store_lacks_come_from_their_source(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct push_result result = { 0 };
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, faults.http, "none");
    struct pull_request request = { .reference = &fixture->reference, .flags = PULL_NO_LAYERS };
    assert_ok(registry_pull(fixture->session, fixture->store, &request, &target, NULL, &err), err);
    assert_int_equal(faults_count("GET", fixture->path, "/blobs/", NULL), 1);
    fixture_use(fixture, faults.http, "push-plain");
    assert_ok(push(fixture, &target, &result, &err), err);
    assert_int_equal(result.n_mounted, 3);
    fixture_use(fixture, faults.http, "push-mount-denied");
    assert_ok(push(fixture, &target, &result, &err), err);
    assert_int_equal(result.n_uploaded, 3);
}

static void layers_that_nobody_has_are_named(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, usual, &image);
    struct descriptor layer = { .media_type = xstrdup(MEDIA_TYPE_OCI_LAYER) };
    put_noise(fixture->store, LARGE, LARGE, &layer);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&layer.digest, hex);
    assert_int_equal(unlinkat(store_dir_fd(fixture->store, STORE_BLOBS), hex, 0), 0);
    fixture_use(fixture, faults.http, "push-plain");
    assert_fails(push(fixture, &image, NULL, &err), err, ERR_NOT_FOUND, hex);
    descriptor_release(&layer);
}

static void indexes_go_after_their_images_and_tags_last(void **state)
{
    static const size_t other[] = { 5000, 0 };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(index_release) struct index index = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(descriptor_release) struct descriptor desc = { 0 }, back = { 0 };
    index.media_type = xstrdup(MEDIA_TYPE_OCI_INDEX);
    make_image(fixture->store, usual, ARRAY_PUSH(&index, manifests));
    make_image(fixture->store, other, ARRAY_PUSH(&index, manifests));
    platform_set(&index.manifests[0].platform, "linux", "amd64", NULL, NULL);
    platform_set(&index.manifests[1].platform, "linux", "s390x", NULL, NULL);
    index_format(&index, &text);
    descriptor_set(&desc, MEDIA_TYPE_OCI_INDEX, &index.manifests[0].digest, 0);
    assert_ok(store_put_blob(fixture->store, text.data, text.size, &desc, &err), err);
    fixture_use(fixture, faults.http, "push-plain");
    struct reference extra = { .domain = fixture->reference.domain,
                               .path = fixture->reference.path,
                               .tag = xstrdup("2") };
    struct push_request request = {
        .reference = &fixture->reference, .image = &desc, .extra = &extra, .n_extra = 1
    };
    assert_ok(registry_push(fixture->session, fixture->store, &request, NULL, &err), err);
    free(extra.tag);
    /* the two images, and the index with ?tag=, which this registry doesn't know */
    assert_int_equal(faults_count("PUT", fixture->path, "/manifests/sha256:", NULL), 3);
    assert_int_equal(faults_count("PUT", fixture->path, "/manifests/1 ", NULL), 1);
    assert_int_equal(faults_count("PUT", fixture->path, "/manifests/2 ", NULL), 1);

    struct fixture *reader = fixture_new();
    struct pull_request all = { .reference = &fixture->reference, .flags = PULL_ALL_PLATFORMS };
    assert_ok(registry_pull(reader->session, reader->store, &all, &back, NULL, &err), err);
    assert_true(digest_equal(&back.digest, &desc.digest));
    assert_true(store_has_blob(reader->store, &index.manifests[1].digest, NULL));
    fixture_free(reader);

    reader = fixture_new();
    AUTO(platform_release) struct platform platform = { 0 };
    platform_set(&platform, "linux", "s390x", NULL, NULL);
    struct pull_request chosen = { .reference = &fixture->reference, .platform = &platform };
    assert_ok(registry_pull(reader->session, reader->store, &chosen, &back, NULL, &err), err);
    assert_true(digest_equal(&back.digest, &index.manifests[1].digest));
    assert_false(store_has_blob(reader->store, &index.manifests[0].digest, NULL));
    fixture_free(reader);
}

static void push_three_tags(struct fixture *fixture, const char *fault)
{
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 }, back = { 0 };
    make_image(fixture->store, usual, &desc);
    fixture_use(fixture, faults.http, fault);
    char tags[2][2] = { "2", "3" };
    const struct reference *own = &fixture->reference;
    struct reference extra[] = { { .domain = own->domain, .path = own->path, .tag = tags[0] },
                                 { .domain = own->domain, .path = own->path, .tag = tags[1] } };
    struct push_request request = {
        .reference = own, .image = &desc, .extra = extra, .n_extra = 2
    };
    assert_ok(registry_push(fixture->session, fixture->store, &request, NULL, &err), err);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(registry_resolve(fixture->session, &extra[i], &back, &err), err);
        assert_true(digest_equal(&back.digest, &desc.digest));
    }
}

/* distribution-spec main: ?tag= and OCI-Tag */
static void several_tags_go_in_one_call_where_it_is_known(void **state)
{
    struct fixture *fixture = *state;
    push_three_tags(fixture, "push-tags");
    assert_int_equal(faults_count("PUT", fixture->path, "/manifests/", NULL), 1);
    assert_int_equal(faults_count("PUT", fixture->path, "?tag=1&tag=2&tag=3 ", NULL), 1);
}

static void registries_that_set_no_tags_are_asked_for_each(void **state)
{
    struct fixture *fixture = *state;
    push_three_tags(fixture, "push-plain");
    assert_int_equal(faults_count("PUT", fixture->path, "/manifests/", NULL), 4);
    push_three_tags(fixture, "push-plain");
    assert_int_equal(faults_count("PUT", fixture->path, "/manifests/", NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(pushes_survive),
        FIXTURE_TEST(pushes_fail_in_order),
        cmocka_unit_test(unchanged_push_sends_nothing),
        FIXTURE_TEST(layer_listed_three_times_is_sent_once),
        FIXTURE_TEST(small_blobs_go_whole_where_large_ones_cannot),
        FIXTURE_TEST(blob_pushed_ahead_is_not_asked_again),
        FIXTURE_TEST(blobs_known_elsewhere_are_mounted),
        FIXTURE_TEST(refused_mount_opens_the_session_that_is_used),
        FIXTURE_TEST(denied_mount_falls_back_to_uploading),
        FIXTURE_TEST(uploads_to_another_host_carry_no_credentials),
        FIXTURE_TEST(location_with_http_is_asked_with_https),
        FIXTURE_TEST(immutable_tag_of_the_same_image_is_a_success),
        FIXTURE_TEST(vanished_blobs_are_sent_after_all),
        FIXTURE_TEST(refused_ways_of_sending_are_remembered),
        FIXTURE_TEST(layers_that_the_store_lacks_come_from_their_source),
        FIXTURE_TEST(layers_that_nobody_has_are_named),
        FIXTURE_TEST(indexes_go_after_their_images_and_tags_last),
        FIXTURE_TEST(several_tags_go_in_one_call_where_it_is_known),
        FIXTURE_TEST(registries_that_set_no_tags_are_asked_for_each),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
