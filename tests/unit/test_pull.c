/* SPDX-License-Identifier: Apache-2.0 */
/* registry/pull.c against a server that plays faults; RELIABILITY.md 1 to 10 */
#include "registry/pull.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "oci/image.h"
#include "oci/store_tags.h"
#include "tests/unit/registry_fixture.h"

static int pull(struct fixture *fixture, struct descriptor *target, struct error **err)
{
    struct pull_request request = { .reference = &fixture->reference };
    return registry_pull(fixture->session, fixture->store, &request, target, NULL, err);
}

static unsigned count_blob_gets(const struct fixture *fixture)
{
    return faults_count("GET", fixture->path, "/blobs/", NULL);
}

/* Pulls that end well in spite of the fault. The whole image is there then. */
static void pulls_survive(void **state UNUSED)
{
    static const struct {
        const char *fault;
        unsigned least, most; /* requests for blobs; the image has 3 */
    } cases[] = {
        { "none", 3, 3 },
        { "cut-blob", 4, 4 },
        { "cut-blob-often", 14, 20 },
        { "cut-no-range", 4, 4 },
        { "cut-wrong-range", 5, 5 },
        { "cut-416", 5, 5 },
        { "cut-manifest", 3, 3 },
        { "reset-first", 6, 6 },
        { "stall", 4, 4 },
        { "busy", 9, 9 },
        { "unavailable", 12, 12 },
        { "wrong-blob-once-cut", 5, 5 },
        { "head-405", 3, 3 },
        { "no-digest", 3, 3 },
        { "odd-type", 3, 3 },
        { "redirect-relative", 3, 3 },
        { "layer-thrice", 3, 3 },
        { "foreign", 2, 2 },
        { "token", 3, 3 },
        { "token-unquoted", 3, 3 },
        { "token-expires", 3, 6 },
        { "token-insufficient", 3, 3 },
        { "token-other-realm", 3, 3 },
        { "token-no-life", 3, 3 },
        { "read-only-token", 3, 3 },
        { "type-parameters", 3, 3 },
        { "gzip-on-the-fly", 3, 3 },
        { "head-401", 3, 3 },
        { "accept-all", 3, 3 },
        { "four-megabytes", 3, 3 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor target = { 0 };
        struct fixture *one = fixture_new(); /* a store without the blobs of the case before */
        fixture_use(one, faults.http, cases[i].fault);
        int result = pull(one, &target, &err);
        if (result < 0)
            fail_msg("%s: %s", cases[i].fault, error_message(err));
        unsigned n = count_blob_gets(one);
        if (n < cases[i].least || n > cases[i].most)
            fail_msg("%s: %u requests for blobs", cases[i].fault, n);
        AUTO(image_release) struct image image = { 0 };
        assert_ok(image_read(one->store, &target, NULL, &image, &err), err);
        for (size_t k = 0; k < image.manifest.n_layers; k++)
            assert_true(store_has_blob(one->store, &image.manifest.layers[k].digest, NULL));
        fixture_check_store(one, false);
        fixture_free(one);
    }
}

/* Pulls that must fail, how, and with how many requests at most. The store stays clean. */
static void pulls_fail_in_order(void **state UNUSED)
{
    static const struct {
        const char *fault;
        enum error_code code;
        const char *text;
        unsigned most; /* requests to the repository */
    } cases[] = {
        { "wrong-blob", ERR_DIGEST, "its content has the digest sha256:", 5 },
        { "wrong-manifest", ERR_DIGEST, "as the registry says", 1 },
        { "long-blob", ERR_DIGEST, "1000001 bytes where 1000000 are expected", 5 },
        { "short-blob", ERR_DIGEST, "999999 bytes where 1000000 are expected", 5 },
        { "endless-blob", ERR_DIGEST, "more than the expected 1000000 bytes", 5 },
        { "endless-manifest", ERR_LIMIT, "more than 4194304 bytes", 1 },
        { "endless-error", ERR_UNAUTHORIZED, "403 ", 1 },
        { "busy-for-ever", ERR_NETWORK, "86400 seconds, longer than cbuild waits", 1 },
        { "busy-blobs", ERR_NETWORK, "86400 seconds, longer than cbuild waits", 4 },
        { "down", ERR_NETWORK, "5 attempts, the last: GET", 5 },
        { "html-error", ERR_NOT_FOUND, "404 not found", 1 },
        { "schema1", ERR_UNSUPPORTED, "schema 1", 1 },
        { "diff-ids", ERR_INVALID, "config", 4 },
        { "many-layers", ERR_LIMIT, "layers", 1 },
        { "two-sizes", ERR_INVALID, "layers 1 and 3: one digest, two sizes", 1 },
        { "redirect-loop", ERR_NETWORK, "more than 10 redirects", 14 },
        { "loop-elsewhere", ERR_NETWORK, "more than 10 redirects", 14 },
        { "page-for-json", ERR_INVALID, "GET http://127.0.0.1:", 1 },
        { "redirect-scheme", ERR_INVALID, "expected http:// or https://", 4 },
        { "token-never", ERR_UNAUTHORIZED, "401 unauthorized: authentication required (anonymous)",
          6 },
        { "huge-config", ERR_LIMIT, "config: 5242880 bytes, more than 4194304", 1 },
        { "token-huge", ERR_LIMIT, "more than 1048576 bytes", 2 },
        { "token-refused", ERR_UNAUTHORIZED, "401 incorrect username or password", 2 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor target = { 0 };
        struct fixture *one = fixture_new();
        fixture_use(one, faults.http, cases[i].fault);
        int result = pull(one, &target, &err);
        if (result == 0 || !error_is(err, cases[i].code) ||
            !strstr(error_message(err), cases[i].text))
            fail_msg("%s: code %d: %s", cases[i].fault, (int)error_code(err), error_message(err));
        error_clear(&err);
        unsigned n = faults_count(one->path, NULL);
        if (n > cases[i].most)
            fail_msg("%s: %u requests", cases[i].fault, n);
        /* documents that were refused aren't there under any name */
        assert_null(target.media_type);
        fixture_check_store(one, true);
        fixture_free(one);
    }
}

static void errors_are_cleaned_and_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, faults.http, "colourful-error");
    assert_int_equal(pull(fixture, &target, &err), -1);
    assert_null(strchr(error_message(err), '\x1b'));
    assert_null(strstr(error_message(err), "\xc2\x9b"));
    assert_in_range(strlen(error_message(err)), 500, 1500);
    error_clear(&err);
}

static void hints_name_the_way_out(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, faults.http, "token-never");
    assert_int_equal(pull(fixture, &target, &err), -1);
    assert_non_null(strstr(error_hint_text(err), "cbuild login 127.0.0.1:"));
    error_clear(&err);
    fixture_use(fixture, faults.http, "busy-for-ever");
    assert_int_equal(pull(fixture, &target, &err), -1);
    assert_non_null(strstr(error_hint_text(err), "you are anonymous"));
    error_clear(&err);
    fixture_use(fixture, faults.http, "warning");
    assert_ok(pull(fixture, &target, &err), err);
    /* it comes with each answer, and is said once */
    AUTO(descriptor_release) struct descriptor again = { 0 };
    assert_ok(registry_resolve(fixture->session, &fixture->reference, &again, &err), err);
    assert_int_equal(faults_count(fixture->path, "/manifests/", "-> 200", NULL), 2);
    const char *warning = strstr(fixture->warnings.data, "this tag goes away[31m");
    assert_non_null(warning);
    assert_null(strstr(warning + 1, "this tag goes away"));
}

static void unchanged_image_costs_one_request(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, faults.http, "none");
    assert_ok(pull(fixture, &target, &err), err);
    /* the ping (plain http is tried), a manifest, a config, two layers */
    assert_int_equal(faults_count(fixture->path, NULL), 4);
    assert_ok(store_tag_set(fixture->store, &fixture->reference, &target, &err), err);
    fixture_new_session(fixture);
    assert_ok(pull(fixture, &target, &err), err);
    assert_int_equal(faults_count(fixture->path, NULL), 5);
    assert_int_equal(faults_count(fixture->path, "HEAD", NULL), 1);
}

static void interrupted_pull_goes_on_in_the_next_process(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, faults.http, "cut-ten-times");
    assert_fails(pull(fixture, &target, &err), err, ERR_NETWORK, "5 attempts, the last: GET");
    assert_fails(pull(fixture, &target, &err), err, ERR_NETWORK, "connection cut");
    fixture_new_session(fixture);
    assert_ok(pull(fixture, &target, &err), err);
    assert_int_equal(faults_count(fixture->path, "range=bytes=100000-", "-> 206", NULL), 1);
    fixture_check_store(fixture, false);
}

/* A part that somebody damaged is found by the digest, and the blob loaded once more. */
static void damaged_part_is_loaded_again(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    int partial = store_dir_fd(fixture->store, STORE_PARTIAL);
    fixture_use(fixture, faults.http, "cut-ten-times");
    assert_fails(pull(fixture, &target, &err), err, ERR_NETWORK, "connection cut");
    assert_fails(pull(fixture, &target, &err), err, ERR_NETWORK, "connection cut");
    assert_ok(fs_list_fd(partial, &names, "partial", &err), err);
    assert_int_equal(names.n, 1);
    AUTO(close) int fd = openat(partial, names.items[0], O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "damage", 6, 5000), 6);
    assert_ok(pull(fixture, &target, &err), err);
    fixture_check_store(fixture, false);
}

static void eight_processes_load_a_blob_once(void **state)
{
    struct fixture *fixture = *state;
    pid_t children[8];
    fixture_use(fixture, faults.http, "none");
    registry_session_free(fixture->session); /* no threads before fork */
    fixture->session = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct error *err = NULL;
            struct descriptor target = { 0 };
            struct store *store = store_open(store_path(fixture->store), &err);
            fixture->session = registry_session_new(&fixture->options);
            struct pull_request request = { .reference = &fixture->reference };
            int result =
                store ? registry_pull(fixture->session, store, &request, &target, NULL, &err) : -1;
            if (result < 0)
                print_error("%s\n", error_message(err));
            registry_session_free(fixture->session);
            store_close(store);
            _exit(result < 0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_blob_gets(fixture), 3);
    fixture_check_store(fixture, false);
}

/* At once: sooner than a transfer ends by itself that brings nothing, five seconds by
 * "fast-timeout". */
enum { AT_ONCE_MS = 4000 };
static uint64_t told_at; /* when the first was told to end */

static void remember_time(void)
{
    if (!told_at)
        told_at = clock_monotonic_ms();
}

static void cancel_on_transfer(struct progress *progress UNUSED, const struct progress_event *event)
{
    if (event->kind != PROGRESS_TRANSFER)
        return;
    remember_time();
    cancel_trigger(SIGINT);
}

/* Ctrl-C in the middle of a blob: at once, and what came can be continued. */
static void cancelling_ends_a_pull_at_once(void **state)
{
    struct fixture *fixture = *state;
    int status = 0;
    fixture_use(fixture, faults.http, "stall");
    registry_session_free(fixture->session); /* no threads before fork */
    fixture->session = NULL;
    pid_t child = fork(); /* cancelling is for good */
    if (child == 0) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor target = { 0 };
        if (cancel_init(&err) < 0)
            _exit(2);
        fixture->progress.emit = cancel_on_transfer;
        fixture_new_session(fixture);
        int result = pull(fixture, &target, &err);
        bool good = result < 0 && error_is(err, ERR_CANCELLED) &&
                    clock_monotonic_ms() - told_at < AT_ONCE_MS;
        if (!good)
            print_error("%s\n", error_message(err));
        error_free(err);
        registry_session_free(fixture->session);
        _exit(!good);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_check_store(fixture, true);
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_new_session(fixture);
    assert_ok(pull(fixture, &target, &err), err);
}

static struct registry_session *session_to_abort; /* a progress has no room for it */

static void abort_on_transfer(struct progress *progress UNUSED, const struct progress_event *event)
{
    if (event->kind != PROGRESS_TRANSFER)
        return;
    remember_time();
    registry_session_abort(session_to_abort);
}

/* As a build does that fails while its layers are sent. */
static void aborting_ends_transfers_and_the_session(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, faults.http, "stall");
    fixture->progress.emit = abort_on_transfer;
    session_to_abort = fixture->session;
    told_at = 0;
    assert_fails(pull(fixture, &target, &err), err, ERR_CANCELLED, "given up");
    assert_true(clock_monotonic_ms() - told_at < AT_ONCE_MS);
    fixture->progress.emit = fixture_emit;
    assert_fails(pull(fixture, &target, &err), err, ERR_CANCELLED, "given up");
    fixture_new_session(fixture);
    assert_ok(pull(fixture, &target, &err), err);
}

/* RELIABILITY 1: where credentials may be seen */
static void redirects_lose_credentials(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_login(fixture, faults.http, PASSWORD_ENTRY);
    fixture_use(fixture, faults.http, "redirect-storage");
    assert_ok(pull(fixture, &target, &err), err);
    assert_int_equal(faults_count("other GET /storage/large?X-Signature=a%20b+c auth=none", NULL),
                     1);
    assert_int_equal(faults_count("other", "auth=Basic", NULL), 0);
    assert_true(faults_count(fixture->path, "auth=Basic", NULL) > 0);
}

/* HttpHeaders of config.json, as docker sends them; not to where a redirect leads */
static void headers_of_the_user_reach_the_registry_alone(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_login(fixture, faults.http, PASSWORD_ENTRY "},\"HttpHeaders\":{\"X-Meta-A\":\"b c\"");
    fixture_use(fixture, faults.http, "needs-header");
    assert_ok(pull(fixture, &target, &err), err);
    assert_true(faults_count(fixture->path, "blobs", "-> 307", NULL) > 0);
}

/* What a watcher of the test saw, all blobs together */
static struct {
    pthread_mutex_t mutex;
    unsigned n_looks, n_kept, n_dropped;
    uint64_t size_kept;
} seen = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static int count_bytes(void *data UNUSED, const struct descriptor *blob UNUSED,
                       struct source *bytes, void **made, struct error **err)
{
    char buffer[8192];
    uint64_t *size = NEW(uint64_t);
    ssize_t n;
    *made = size;
    pthread_mutex_lock(&seen.mutex);
    seen.n_looks++;
    pthread_mutex_unlock(&seen.mutex);
    while ((n = source_read(bytes, buffer, sizeof(buffer), err)) > 0)
        *size += (uint64_t)n;
    return n < 0 ? -1 : 0;
}

static void note_kept(void *data UNUSED, struct store *store, const struct descriptor *blob,
                      void *made)
{
    assert_true(store_has_blob(store, &blob->digest, NULL));
    pthread_mutex_lock(&seen.mutex);
    seen.n_kept++;
    seen.size_kept += *(uint64_t *)made;
    pthread_mutex_unlock(&seen.mutex);
    free(made);
}

static void note_dropped(void *made)
{
    pthread_mutex_lock(&seen.mutex);
    seen.n_dropped++;
    pthread_mutex_unlock(&seen.mutex);
    free(made);
}

/* A layer is looked at while it arrives; what came of bytes that turned out wrong is thrown away.
 */
static void layers_are_watched_as_they_come(void **state)
{
    static const struct blob_watcher watcher = { count_bytes, note_kept, note_dropped, NULL };
    static const struct {
        const char *fault;
        bool succeeds, keeps;
    } cases[] = {
        { "pull-plain", true, true },           { "cut-blob", true, true },
        { "wrong-blob", false, false },         { "cut-no-range", true, false },
        { "wrong-blob-once-cut", true, false },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct fixture *reader = fixture_new();
        AUTO(descriptor_release) struct descriptor target = { 0 };
        fixture_use(fixture, faults.http, cases[i].fault);
        const struct pull_request request = { .reference = &fixture->reference,
                                              .watcher = &watcher };
        seen.n_looks = seen.n_kept = seen.n_dropped = 0;
        seen.size_kept = 0;
        int result = registry_pull(reader->session, reader->store, &request, &target, NULL, &err);
        if ((result == 0) != cases[i].succeeds || (seen.n_kept > 0) != cases[i].keeps)
            fail_msg("%s: %s, %u kept", cases[i].fault, error_message(err), seen.n_kept);
        assert_int_equal(seen.n_looks, seen.n_kept + seen.n_dropped);
        assert_true(seen.n_looks > 0);
        assert_true(!seen.n_kept || seen.size_kept > 64 << 10);
        error_clear(&err);
        fixture_free(reader);
    }
}

static void tls_is_never_left(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_login(fixture, faults.https, PASSWORD_ENTRY);
    fixture_use(fixture, faults.https, "redirect-plain");
    assert_fails(pull(fixture, &target, &err), err, ERR_REFUSED, "from https to http");
    fixture_use(fixture, faults.https, "token-plain-realm");
    assert_fails(pull(fixture, &target, &err), err, ERR_REFUSED, "token server without TLS");
    assert_int_equal(faults_count("http GET /token/token-plain-realm", NULL), 0);
    fixture_use(fixture, faults.https, "none");
    assert_ok(pull(fixture, &target, &err), err);
}

static void untrusted_certificates_are_refused_unless_listed(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture->options.cert_dir = NULL;
    fixture_new_session(fixture);
    fixture_use(fixture, faults.https, "none");
    assert_fails(pull(fixture, &target, &err), err, ERR_NETWORK, "certificate");
    AUTO(strvec_release) struct strvec insecure = STRVEC_INIT;
    strvec_push(&insecure, "127.0.0.1");
    fixture->options.insecure = &insecure;
    fixture_new_session(fixture);
    assert_ok(pull(fixture, &target, &err), err);
    fixture->options.insecure = NULL;
    fixture_new_session(fixture);
}

static void tokens_ask_for_pull_only_and_are_shared(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, faults.http, "token");
    assert_ok(pull(fixture, &target, &err), err);
    AUTO(free) char *token = xasprintf("/token/%s/", fixture->path);
    assert_int_equal(faults_count("GET", token, "service=the%20faults", "%3Apull&", NULL), 1);
    assert_int_equal(faults_count(token, "push", NULL), 0);
    assert_int_equal(faults_count(token, "auth=none", NULL), 1);
    assert_int_equal(faults_count(fixture->path, "-> 401", NULL), 1);
}

static void identity_tokens_go_by_post_then_by_get(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_login(fixture, faults.http, "{\"identitytoken\":\"identity+/=\"}");
    fixture_use(fixture, faults.http, "token-oauth");
    assert_ok(pull(fixture, &target, &err), err);
    assert_int_equal(faults_count("POST /token/", fixture->path, NULL), 1);
    fixture_new_session(fixture); /* which knows no other repository's token server */
    fixture_use(fixture, faults.http, "token-oauth-404");
    assert_ok(pull(fixture, &target, &err), err);
    assert_int_equal(faults_count("GET /token/", fixture->path, "auth=Basic", NULL), 1);
}

static void wrong_password_names_its_source_and_never_itself(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_login(fixture, faults.http, PASSWORD_ENTRY);
    fixture_use(fixture, faults.http, "token-refused");
    assert_int_equal(pull(fixture, &target, &err), -1);
    assert_non_null(strstr(error_message(err), "as user \"user\" of /tmp/"));
    assert_null(strstr(error_message(err), "secret"));
    assert_null(strstr(error_message(err), "dXNlcj"));
    error_clear(&err);
}

/* A proxy (the fault server, asked for another host) is used as the environment says, but never for
 * loopback. */
static void proxies_are_for_others_than_loopback(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    AUTO(free) char *proxy = xasprintf("http://127.0.0.1:%u", faults.http);
    setenv("HTTP_PROXY", "http://127.0.0.1:1", 1);
    setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
    fixture_use(fixture, faults.http, "none");
    assert_ok(pull(fixture, &target, &err), err);

    setenv("HTTP_PROXY", proxy, 1);
    setenv("HTTPS_PROXY", proxy, 1);
    AUTO(strvec_release) struct strvec insecure = STRVEC_INIT;
    strvec_push(&insecure, "registry.invalid");
    fixture->options.insecure = &insecure;
    fixture->options.credentials = "user:secret";
    fixture_new_session(fixture);
    fixture_use(fixture, faults.http, "basic");
    AUTO(free) char *name = xasprintf("registry.invalid/%s:1", fixture->path);
    AUTO(reference_release) struct reference reference = { 0 };
    assert_ok(reference_parse(name, &reference, &err), err);
    struct pull_request request = { .reference = &reference };
    assert_ok(registry_pull(fixture->session, fixture->store, &request, &target, NULL, &err), err);
    assert_true(faults_count("GET http://registry.invalid/v2/basic/", "auth=Basic", NULL) > 0);
    assert_non_null(strstr(fixture->warnings.data, "registry.invalid go there unencrypted"));
    assert_null(strstr(fixture->warnings.data, "secret"));
    unsetenv("HTTP_PROXY");
    unsetenv("HTTPS_PROXY");
    fixture->options.insecure = NULL;
    fixture->options.credentials = NULL;
    fixture_new_session(fixture);
}

static void names_resolve_without_a_pull(void **state)
{
    static const char *const names[] = { "none",     "head-405",        "head-403",
                                         "head-401", "type-parameters", "no-digest" };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor found = { 0 };
        fixture_new_session(fixture);
        fixture_use(fixture, faults.http, names[i]);
        assert_ok(registry_resolve(fixture->session, &fixture->reference, &found, &err), err);
        assert_true(found.digest.is_set && found.size > 100);
        assert_string_equal(found.media_type, MEDIA_TYPE_OCI_MANIFEST);
    }
}

static void missing_registry_is_said_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    fixture_use(fixture, 1, "none");
    assert_fails(pull(fixture, &target, &err), err, ERR_NETWORK, "Connection refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(pulls_survive),
        FIXTURE_TEST(pulls_fail_in_order),
        FIXTURE_TEST(errors_are_cleaned_and_bounded),
        FIXTURE_TEST(hints_name_the_way_out),
        FIXTURE_TEST(unchanged_image_costs_one_request),
        FIXTURE_TEST(interrupted_pull_goes_on_in_the_next_process),
        FIXTURE_TEST(damaged_part_is_loaded_again),
        FIXTURE_TEST(eight_processes_load_a_blob_once),
        FIXTURE_TEST(cancelling_ends_a_pull_at_once),
        FIXTURE_TEST(aborting_ends_transfers_and_the_session),
        FIXTURE_TEST(redirects_lose_credentials),
        FIXTURE_TEST(layers_are_watched_as_they_come),
        FIXTURE_TEST(headers_of_the_user_reach_the_registry_alone),
        FIXTURE_TEST(tls_is_never_left),
        FIXTURE_TEST(untrusted_certificates_are_refused_unless_listed),
        FIXTURE_TEST(tokens_ask_for_pull_only_and_are_shared),
        FIXTURE_TEST(identity_tokens_go_by_post_then_by_get),
        FIXTURE_TEST(wrong_password_names_its_source_and_never_itself),
        FIXTURE_TEST(proxies_are_for_others_than_loopback),
        FIXTURE_TEST(names_resolve_without_a_pull),
        FIXTURE_TEST(missing_registry_is_said_at_once),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
