/* SPDX-License-Identifier: Apache-2.0 */
/* registry/request.c: messages, hints, proxies, and where credentials go */
#include "registry/request.h"

#include "registry/pull.h"
#include "tests/unit/registry_fixture.h"

static int pull(struct fixture *fixture, struct error **err)
{
    AUTO(descriptor_release) struct descriptor target = { 0 };
    struct pull_request request = { .reference = &fixture->reference };
    return registry_pull(fixture->session, fixture->store, &request, &target, NULL, err);
}

static void errors_tell_what_was_asked_and_what_was_said(void **state UNUSED)
{
    static const struct {
        const char *fault;
        const char *entry; /* of config.json; NULL: anonymous */
        enum error_code code;
        const char *parts[5]; /* of the message */
        const char *hint;
    } cases[] = {
        { "detailed",
          PASSWORD_ENTRY,
          ERR_UNAUTHORIZED,
          { "GET http://127.0.0.1:",
            "/manifests/1: 403 denied: not for you ({\"policy\":\"eu-only\"})",
            "(as user \"user\" of /tmp/" },
          NULL },
        { "basic", NULL, ERR_UNAUTHORIZED, { "(anonymous)" }, "private and missing" },
        { "private-404",
          NULL,
          ERR_NOT_FOUND,
          { "404 manifest unknown" },
          "`cbuild login 127.0.0.1:" },
        { "hub-limit",
          NULL,
          ERR_NETWORK,
          { "3600 seconds, longer than cbuild waits", "429 toomanyrequests: You have reached" },
          "you are anonymous, allowed: 100 in 6 hours, left: 0 in 6 hours: log in with `cbuild "
          "login 127.0.0.1:" },
        { "html-error", NULL, ERR_NOT_FOUND, { "404 not found" }, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct fixture *one = fixture_new();
        fixture_login(one, faults.http, cases[i].entry ? cases[i].entry : "{}");
        fixture_use(one, faults.http, cases[i].fault);
        assert_int_equal(pull(one, &err), -1);
        const char *hint = error_hint_text(err);
        for (size_t k = 0; k < ARRAY_SIZE(cases[i].parts) && cases[i].parts[k]; k++)
            if (!strstr(error_message(err), cases[i].parts[k]))
                fail_msg("%s: %s", cases[i].fault, error_message(err));
        if (cases[i].hint && (!hint || !strstr(hint, cases[i].hint)))
            fail_msg("%s: hint %s", cases[i].fault, hint ? hint : "(none)");
        assert_null(strstr(error_message(err), "secret"));
        assert_int_equal(error_code(err), cases[i].code);
        error_clear(&err);
        fixture_free(one);
    }
}

/* /v2/ may be anything: the operation itself tells. */
static void a_ping_that_fails_is_no_reason_to_give_up(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_use(fixture, faults.odd, "none");
    assert_ok(pull(fixture, &err), err);
    assert_int_equal(faults_count("odd GET /v2/ ", "-> 405", NULL), 1);
}

/*
 * Storage behind a redirect that asks for credentials gets neither those of the registry nor those
 * that the redirect names, and what its signed URL holds is in no message.
 */
static void challenges_of_other_hosts_are_not_answered(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_login(fixture, faults.http, PASSWORD_ENTRY);
    fixture_use(fixture, faults.http, "foreign-challenge");
    assert_int_equal(pull(fixture, &err), -1);
    assert_null(strstr(error_message(err), "hidden"));
    assert_non_null(strstr(error_message(err), "/storage/closed?X-Signature=...: 401 "));
    assert_fails(-1, err, ERR_UNAUTHORIZED, "401 unauthorized: who are you");
    assert_int_equal(faults_count("other GET /storage/closed?X-Signature=hidden auth=none", NULL),
                     1);
    assert_int_equal(faults_count("other", "/storage/closed", NULL), 1);
}

static void use_proxy(const char *name, const char *scheme, unsigned port)
{
    AUTO(free) char *text = xasprintf("%sus%%65r:hidden@127.0.0.1:%u", scheme, port);
    setenv(name, text, 1);
}

static void other_host(struct fixture *fixture, const char *fault, struct strvec *insecure)
{
    struct error *err = NULL;
    strvec_push(insecure, "registry.invalid");
    fixture->options.insecure = insecure;
    fixture_new_session(fixture);
    fixture_use(fixture, faults.http, fault);
    AUTO(free) char *name = xasprintf("registry.invalid/%s:1", fixture->path);
    reference_release(&fixture->reference);
    assert_ok(reference_parse(name, &fixture->reference, &err), err);
}

static void end_proxies(struct fixture *fixture)
{
    unsetenv("ALL_PROXY");
    unsetenv("NO_PROXY");
    fixture->options.insecure = NULL;
    fixture_new_session(fixture);
}

/* Any proxy for all, with a password of its own: it goes to the proxy, and into no message. */
static void all_proxy_may_be_socks_and_has_its_own_password(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec insecure = STRVEC_INIT;
    use_proxy("ALL_PROXY", "socks5h://", faults.socks);
    other_host(fixture, "none", &insecure);
    assert_ok(pull(fixture, &err), err);
    assert_true(faults_count("socks CONNECT registry.invalid:80 user=user", NULL) > 0);
    assert_true(faults_count("http GET", fixture->path, "/blobs/", "auth=none range", NULL) > 0);

    use_proxy("ALL_PROXY", "http://", faults.http);
    fixture_use(fixture, faults.http, "none");
    other_host(fixture, "none", &insecure);
    assert_ok(pull(fixture, &err), err);
    assert_true(faults_count("http GET http://registry.invalid/v2/", fixture->path,
                             "auth=none proxy-auth=Basic", NULL) > 0);

    /* nobody there, or nonsense */
    static const char *const schemes[] = { "http://", "socks5h://", "gopher://" };
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        use_proxy("ALL_PROXY", schemes[i], 1);
        fixture_new_session(fixture);
        assert_int_equal(pull(fixture, &err), -1);
        assert_null(strstr(error_message(err), "hidden"));
        assert_null(error_hint_text(err) ? strstr(error_hint_text(err), "hidden") : NULL);
        assert_null(strstr(fixture->warnings.data, "hidden"));
        error_clear(&err);
    }
    end_proxies(fixture);
}

static void no_proxy_is_obeyed_by_port(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec insecure = STRVEC_INIT;
    use_proxy("ALL_PROXY", "http://", faults.http);
    setenv("NO_PROXY", "other.example, registry.invalid:81", 1);
    other_host(fixture, "none", &insecure);
    assert_ok(pull(fixture, &err), err);
    setenv("NO_PROXY", "other.example, registry.invalid:80 registry.invalid:443", 1);
    other_host(fixture, "none", &insecure);
    assert_fails(pull(fixture, &err), err, ERR_NETWORK, "unknown host");
    assert_int_equal(faults_count(fixture->path, NULL), 0);
    end_proxies(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(errors_tell_what_was_asked_and_what_was_said),
        FIXTURE_TEST(a_ping_that_fails_is_no_reason_to_give_up),
        FIXTURE_TEST(challenges_of_other_hosts_are_not_answered),
        FIXTURE_TEST(all_proxy_may_be_socks_and_has_its_own_password),
        FIXTURE_TEST(no_proxy_is_obeyed_by_port),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
