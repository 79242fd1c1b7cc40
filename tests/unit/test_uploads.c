/* SPDX-License-Identifier: Apache-2.0 */
/* registry/uploads.c against what real registries do (tests/e2e/fault_quirks.py); REGISTRY.md 5 */
#include "registry/uploads.h"

#include "registry/pull.h"
#include "registry/push.h"
#include "tests/unit/registry_fixture.h"

#define LARGE 1000000
#define HUGE_SIZE (9u << 20)

static const size_t usual[] = { LARGE, 3000, 0 };
static const size_t chunked[] = { HUGE_SIZE, 3000, 0 };

static int push(struct fixture *fixture, const struct descriptor *image, struct push_result *result,
                struct error **err)
{
    struct push_request request = { .reference = &fixture->reference, .image = image };
    return registry_push(fixture->session, fixture->store, &request, result, err);
}

/* What arrived is what was sent. */
static void check_arrived(struct fixture *fixture, const struct descriptor *image)
{
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor back = { 0 };
    struct fixture *reader = fixture_new();
    struct pull_request request = { .reference = &fixture->reference };
    reader->options.credentials = "user:secret";
    fixture_new_session(reader);
    assert_ok(registry_pull(reader->session, reader->store, &request, &back, NULL, &err), err);
    assert_true(digest_equal(&back.digest, &image->digest));
    fixture_free(reader);
}

static void expect(const struct fixture *fixture, const char *fault, const char *what, unsigned n)
{
    unsigned found = faults_count(fixture->path, "/blobs/uploads/", what, NULL);
    if (found != n)
        fail_msg("%s: %u times %s", fault, found, what);
}

/* Each pushes an image of three blobs with a password at hand, and counts requests to uploads. */
static void every_registry_gets_blobs_as_it_takes_them(void **state UNUSED)
{
    static const struct {
        const char *fault;
        const size_t *sizes;
        struct {
            const char *text;
            unsigned n;
        } log[4];
    } cases[] = {
        { "push-gar", chunked, { { " PUT ", 3 }, { " PATCH ", 0 } } },
        { "push-ghcr", chunked, { { " PUT ", 3 }, { " PATCH ", 0 } } },
        { "push-ghcr-no-put",
          chunked,
          { { "body=9437184 -> 416", 1 },
            { "body=4194304 -> 202", 2 },
            { "body=1048576 -> 202", 1 } } },
        /* "a-b", not "bytes a-b/c" */
        { "push-acr",
          chunked,
          { { "crange=0-4194303 ", 1 },
            { "crange=4194304-8388607 ", 1 },
            { "crange=8388608-9437183 ", 1 },
            { "crange=bytes", 0 } } },
        { "push-chunk-min",
          chunked,
          { { "crange=0-6291455 ", 1 }, { "crange=6291456-9437183 ", 1 }, { "SIZE_INVALID", 0 } } },
        /* nothing is lost with a place that is forgotten */
        { "push-location-moves", chunked, { { " PATCH ", 4 }, { "-> 404", 0 }, { "-> 201", 3 } } },
        { "push-types", usual, { { "-> 201", 3 } } },
        { "push-head-403", usual, { { "-> 201", 3 } } },
        { "push-length", usual, { { "-> 411", 0 }, { "-> 201", 3 } } },
        { "push-redirect",
          usual,
          { { "http PUT", 3 },
            { "other PUT", 3 },
            { "auth=none range= crange= body=1000000 -> 201", 1 } } },
        { "push-race", usual, { { "-> 409", 1 }, { "-> 201", 2 } } },
        { "push-inside-name", usual, { { "http PUT", 3 }, { "-> 201", 3 } } },
        { "push-quay", usual, { { " PUT ", 3 }, { "DELETE", 0 }, { "mount", 0 } } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor image = { 0 };
        struct fixture *one = fixture_new();
        make_image(one->store, cases[i].sizes, &image);
        fixture_login(one, faults.http, PASSWORD_ENTRY);
        fixture_use(one, faults.http, cases[i].fault);
        if (push(one, &image, NULL, &err) < 0)
            fail_msg("%s: %s", cases[i].fault, error_message(err));
        for (size_t k = 0; k < ARRAY_SIZE(cases[i].log) && cases[i].log[k].text; k++)
            expect(one, cases[i].fault, cases[i].log[k].text, cases[i].log[k].n);
        check_arrived(one, &image);
        fixture_free(one);
    }
}

static void refusals_say_what_the_registry_says_and_the_way_out(void **state UNUSED)
{
    static const struct {
        const char *fault;
        enum error_code code;
        const char *text, *hint;
    } cases[] = {
        { "push-no-repository", ERR_NOT_FOUND,
          "404 name unknown: The repository with name 'x' does not exist in the registry",
          "the repository may have to be created first" },
        { "push-no-project", ERR_UNAUTHORIZED,
          "401 unauthorized: project nowhere not found (as user \"user\" of /tmp/",
          "check the name, and the credentials: `cbuild login 127.0.0.1:" },
        { "push-read-only", ERR_REFUSED, "can not push artifact to a proxy project", NULL },
        { "push-quota", ERR_REFUSED,
          "412 precondition: will exceed the configured upper limit of 10.0 GiB", NULL },
        { "push-old-types", ERR_UNSUPPORTED,
          "415 manifest invalid: manifest schema version not supported", "--format v2s2" },
        { "push-nexus-index", ERR_REFUSED, "400 blob upload invalid", "--format v2s2" },
        { "push-tiny", ERR_REFUSED, "413 content too large", "limits the size of what is sent" },
        { "push-stores-other", ERR_DIGEST, "instead of what was sent", NULL },
        { "push-denied", ERR_UNAUTHORIZED, "403 denied: requested access to the resource", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor image = { 0 };
        struct fixture *one = fixture_new();
        make_image(one->store, usual, &image);
        fixture_login(one, faults.http, PASSWORD_ENTRY);
        fixture_use(one, faults.http, cases[i].fault);
        assert_int_equal(push(one, &image, NULL, &err), -1);
        const char *hint = error_hint_text(err);
        if ((cases[i].code != ERR_DIGEST && !strstr(error_message(err), "http://127.0.0.1:")) ||
            (cases[i].hint && (!hint || !strstr(hint, cases[i].hint))))
            fail_msg("%s: %s; hint: %s", cases[i].fault, error_message(err), hint ? hint : "none");
        assert_fails(-1, err, cases[i].code, cases[i].text);
        /* said once and for all: nothing is tried again */
        assert_in_range(faults_count("POST", one->path, "auth=Basic", NULL), 0, 9);
        assert_in_range(faults_count("PUT", one->path, "/manifests/", NULL), 0, 1);
        fixture_free(one);
    }
}

/* Where the blobs are known in another repository of the registry */
static void push_to_another(struct fixture *fixture, const char *fault, struct push_result *result)
{
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    make_image(fixture->store, usual, &image);
    fixture_use(fixture, faults.http, "push-plain");
    assert_ok(push(fixture, &image, NULL, &err), err);
    fixture_new_session(fixture);
    fixture_use(fixture, faults.http, fault);
    if (push(fixture, &image, result, &err) < 0)
        fail_msg("%s: %s", fault, error_message(err));
    check_arrived(fixture, &image);
}

static void mounts_name_where_from_and_sessions_are_used_not_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct push_result result = { 0 };
    push_to_another(fixture, "push-quay", &result);
    assert_int_equal(result.n_uploaded, 3);
    expect(fixture, "push-quay", "mount=sha256", 3);
    expect(fixture, "push-quay", "&from=push-plain", 3);
    expect(fixture, "push-quay", " POST ", 3);
    expect(fixture, "push-quay", "DELETE", 0);
}

/* A 201 for a mount is believed until the manifest shows that the blob isn't there. */
static void mounts_that_were_none_are_made_up_for(void **state)
{
    struct fixture *fixture = *state;
    struct push_result result = { 0 };
    push_to_another(fixture, "push-mount-lies", &result);
    assert_int_equal(result.n_uploaded, 3);
    assert_int_equal(faults_count("PUT", fixture->path, "/manifests/1", "-> 404", NULL), 1);
}

/* Harbor, and token servers that refuse scopes whole: without the other repository's name */
static void refused_mounts_drop_the_scope_of_the_other_repository(void **state)
{
    struct fixture *fixture = *state;
    struct push_result result = { 0 };
    push_to_another(fixture, "push-mount-scope", &result);
    assert_int_equal(result.n_uploaded, 3);
    AUTO(free) char *token = xasprintf("/token/%s/", fixture->path);
    assert_true(faults_count(token, "push-plain", "-> 403", NULL) > 0);
    assert_int_equal(faults_count("PUT", fixture->path, "/blobs/uploads/", "-> 201", NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(every_registry_gets_blobs_as_it_takes_them),
        FIXTURE_TEST(refusals_say_what_the_registry_says_and_the_way_out),
        FIXTURE_TEST(mounts_name_where_from_and_sessions_are_used_not_cancelled),
        FIXTURE_TEST(mounts_that_were_none_are_made_up_for),
        FIXTURE_TEST(refused_mounts_drop_the_scope_of_the_other_repository),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
