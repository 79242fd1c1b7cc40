/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/download.h"

#include "tests/unit/registry_fixture.h"

static int download(struct fixture *fixture, const struct download_request *request,
                    struct strbuf *body, struct download_result *result, struct error **err)
{
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(body);
    return registry_download(fixture->session, request, sink, result, err);
}

static char *storage_url(const char *name)
{
    return xasprintf("http://127.0.0.1:%u/storage/%s", faults.http, name);
}

static void files_come_with_what_is_said_of_them(void **state)
{
    struct error *err = NULL;
    AUTO(free) char *url = storage_url("text");
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    AUTO(download_result_release) struct download_result result = { 0 };
    struct download_request request = { .url = url };
    assert_ok(download(*state, &request, &body, &result, &err), err);
    assert_string_equal(body.data, "text of a file\n");
    assert_string_equal(result.etag, "\"one\"");
    assert_string_equal(result.last_modified, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(result.size, body.size);
    assert_false(result.not_modified);

    strbuf_reset(&body);
    request.if_none_match = result.etag;
    AUTO(download_result_release) struct download_result again = { 0 };
    assert_ok(download(*state, &request, &body, &again, &err), err);
    assert_true(again.not_modified);
    assert_int_equal(body.size, 0);
}

static void failures_have_codes(void **state)
{
    static const struct {
        const char *url; /* %u: the port */
        uint64_t max_size;
        enum error_code code;
        const char *text;
    } cases[] = {
        { "http://127.0.0.1:%u/nothing", 0, ERR_NOT_FOUND, "404" },
        { "http://127.0.0.1:%u/storage/large", 1000, ERR_LIMIT, "more than 1000" },
        { "ftp://127.0.0.1:%u/x", 0, ERR_INVALID, "expected http:// or https://" },
        { "http://127.0.0.1:1/x?port=%u&secret=1", 0, ERR_NETWORK, "secret=...: connecting" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf format = STRBUF_INIT, body = STRBUF_INIT;
        AUTO(download_result_release) struct download_result result = { 0 };
        const char *place = strstr(cases[i].url, "%u");
        strbuf_addf(&format, "%.*s%u%s", (int)(place - cases[i].url), cases[i].url, faults.http,
                    place + 2);
        struct download_request request = { .url = format.data, .max_size = cases[i].max_size };
        assert_fails(download(*state, &request, &body, &result, &err), err, cases[i].code,
                     cases[i].text);
    }
}

/* A cut download goes on; nothing is written twice. */
static void cut_downloads_continue(void **state)
{
    static const char *const faults_by_name[] = { "cut-blob", "cut-blob-often", "reset-first" };
    struct fixture *fixture = *state;
    AUTO(strbuf_release) struct strbuf whole = STRBUF_INIT;
    struct error *err = NULL;
    AUTO(free) char *plain = storage_url("large");
    AUTO(download_result_release) struct download_result ignored = { 0 };
    struct download_request all = { .url = plain };
    assert_ok(download(fixture, &all, &whole, &ignored, &err), err);
    struct digest digest = digest_of(whole.data, whole.size);
    char name[DIGEST_TEXT_SIZE];
    digest_format(&digest, name);
    for (size_t i = 0; i < ARRAY_SIZE(faults_by_name); i++) {
        AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
        AUTO(download_result_release) struct download_result result = { 0 };
        fixture_use(fixture, faults.http, faults_by_name[i]);
        AUTO(free) char *url = xasprintf("http://%s/blobs/%s", fixture->repository, name);
        char *slash = strchr(url + 7, '/');
        AUTO(free) char *whole_url = xasprintf("%.*s/v2%s", (int)(slash - url), url, slash);
        struct download_request request = { .url = whole_url };
        int done = download(fixture, &request, &body, &result, &err);
        if (done < 0)
            fail_msg("%s: %s", faults_by_name[i], error_message(err));
        assert_int_equal(body.size, whole.size);
        assert_memory_equal(body.data, whole.data, whole.size);
    }
    fixture_use(fixture, faults.http, "cut-no-range");
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    AUTO(free)
    char *url = xasprintf("http://127.0.0.1:%u/v2/%s/blobs/%s", faults.http, fixture->path, name);
    struct download_request request = { .url = url };
    assert_fails(download(fixture, &request, &body, &ignored, &err), err, ERR_NETWORK,
                 "can't continue at byte");
}

/* The user's own user:password of a URL goes to its host alone; those of registries nowhere. */
static void credentials_of_a_url_stay_at_its_host(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    AUTO(download_result_release) struct download_result result = { 0 };
    fixture_login(fixture, faults.http, "{\"auth\":\"dXNlcjpzZWNyZXQ=\"}");
    fixture_use(fixture, faults.http, "basic");
    AUTO(free)
    char *bare = xasprintf("http://127.0.0.1:%u/v2/%s/manifests/1", faults.http, fixture->path);
    AUTO(free)
    char *url = xasprintf("http://us%%65r:p%%40ss@127.0.0.1:%u/v2/%s/manifests/1", faults.http,
                          fixture->path);
    struct download_request request = { .url = bare };
    assert_fails(download(fixture, &request, &body, &result, &err), err, ERR_UNAUTHORIZED, "401");
    assert_int_equal(faults_count(fixture->path, "auth=Basic", NULL), 0);
    request.url = url;
    assert_ok(download(fixture, &request, &body, &result, &err), err);
    assert_int_equal(faults_count(fixture->path, "auth=Basic", NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(files_come_with_what_is_said_of_them),
        FIXTURE_TEST(failures_have_codes),
        FIXTURE_TEST(cut_downloads_continue),
        FIXTURE_TEST(credentials_of_a_url_stay_at_its_host),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
