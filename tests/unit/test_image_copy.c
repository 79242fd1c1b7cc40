/* SPDX-License-Identifier: Apache-2.0 */
/* registry/image_copy.c between two registries that play faults: what streams is asked for anew. */
#include "registry/image_copy.h"

#include "registry/push.h"
#include "registry/transport_registry.h"
#include "tests/unit/registry_fixture.h"

#include "oci/transport_store.h"

#define LARGE 1000000
#define HUGE_SIZE (9u << 20)

static int copy(struct fixture *from, struct fixture *to, struct image_copy_result *result,
                struct error **err)
{
    AUTO(transport_free)
    struct transport *source = transport_registry_new(from->session, &from->reference);
    AUTO(transport_free)
    struct transport *target = transport_registry_new(to->session, &to->reference);
    const struct image_copy_request request = { .from = source, .to = target };
    return image_copy(&request, result, err);
}

/* The registry serves the image, and each of its blobs has its digest. */
static void check_arrived(struct fixture *to, const struct descriptor *image)
{
    struct error *err = NULL;
    struct fixture *reader = fixture_new();
    AUTO(transport_free)
    struct transport *source = transport_registry_new(reader->session, &to->reference);
    AUTO(transport_free)
    struct transport *target = transport_store_create(reader->store, &to->reference, NULL);
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    const struct image_copy_request request = { .from = source, .to = target };
    assert_ok(image_copy(&request, &result, &err), err);
    assert_true(digest_equal(&result.image.digest, &image->digest));
    assert_int_equal(result.n_sent, 3);
    fixture_check_store(reader, false);
    transport_free(TAKE(source));
    transport_free(TAKE(target));
    fixture_free(reader);
}

static void copies_survive_faults_of_the_destination(void **state)
{
    static const size_t usual[] = { LARGE, 3000, 0 }, chunked[] = { HUGE_SIZE, 3000, 0 };
    static const struct {
        const char *fault;
        const size_t *sizes;
        unsigned
            least_gets; /* of blobs at the source: more than three are content asked for anew */
    } cases[] = {
        { "push-plain", usual, 3 },          { "push-no-put", usual, 4 },
        { "push-small-bodies", chunked, 6 }, { "push-chunks-stuck", chunked, 6 },
        { "push-chunk-cut", chunked, 6 },    { "push-cut", usual, 4 },
        { "push-answer-lost", usual, 3 },    { "push-session-lost", usual, 6 },
        { "push-head-405", usual, 3 },       { "push-busy", usual, 3 },
        { "push-token-expires", usual, 3 },  { "push-blob-vanishes", usual, 3 },
    };
    struct fixture *from = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor image = { 0 };
        AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
        struct fixture *to = fixture_new();
        make_image(from->store, cases[i].sizes, &image);
        fixture_use(from, faults.other, "push-plain");
        fixture_new_session(from);
        const struct push_request push = { .reference = &from->reference, .image = &image };
        assert_ok(registry_push(from->session, from->store, &push, NULL, &err), err);
        fixture_use(to, faults.http, cases[i].fault);
        if (copy(from, to, &result, &err) < 0)
            fail_msg("%s: %s", cases[i].fault, error_message(err));
        unsigned n = faults_count("GET", from->path, "/blobs/", NULL);
        if (n < cases[i].least_gets)
            fail_msg("%s: %u times GET at the source", cases[i].fault, n);
        assert_true(digest_equal(&result.image.digest, &image.digest));
        check_arrived(to, &image);
        fixture_free(to);
    }
}

static void copies_survive_faults_of_the_source(void **state UNUSED)
{
    static const char *const names[] = {
        "none",    "cut-blob", "cut-blob-often", "cut-no-range", "cut-wrong-range",
        "cut-416", "stall",    "cut-manifest",   "reset-first",  "wrong-blob-once-cut",
        "busy",    "head-405", "no-digest",      "odd-type",     "redirect-relative",
        "token",   "head-403", "token-expires",
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct error *err = NULL;
        AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
        struct fixture *from = fixture_new(), *to = fixture_new();
        fixture_use(from, faults.other, names[i]);
        fixture_use(to, faults.http, "push-plain");
        if (copy(from, to, &result, &err) < 0)
            fail_msg("%s: %s", names[i], error_message(err));
        assert_int_equal(result.n_sent, 3);
        check_arrived(to, &result.image);
        fixture_free(from);
        fixture_free(to);
    }
}

/* Of wrong content the destination never gets all that it waits for, and no manifest. */
static void wrong_content_of_the_source_is_not_passed_on(void **state)
{
    struct fixture *from = *state;
    struct fixture *to = fixture_new();
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    struct error *err = NULL;
    fixture_use(from, faults.other, "wrong-blob");
    fixture_use(to, faults.http, "push-plain");
    assert_fails(copy(from, to, &result, &err), err, ERR_DIGEST, "its content has the digest");
    assert_int_equal(faults_count("PUT", to->path, "/manifests/", NULL), 0);
    assert_int_equal(faults_count("PUT", to->path, "body=1000000", NULL), 0);
    fixture_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(copies_survive_faults_of_the_destination),
        cmocka_unit_test(copies_survive_faults_of_the_source),
        FIXTURE_TEST(wrong_content_of_the_source_is_not_passed_on),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
