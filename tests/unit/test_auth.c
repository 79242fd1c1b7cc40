/* SPDX-License-Identifier: Apache-2.0 */
/* registry/auth.c: tokens, their lives and scopes, and whose credentials go where; REGISTRY.md 3 */
#include "registry/auth.h"

#include "registry/pull.h"
#include "registry/push.h"
#include "tests/unit/registry_fixture.h"

static int pull(struct fixture *fixture, struct error **err)
{
    AUTO(descriptor_release) struct descriptor target = { 0 };
    struct pull_request request = { .reference = &fixture->reference };
    return registry_pull(fixture->session, fixture->store, &request, &target, NULL, err);
}

static unsigned count_tokens(const struct fixture *fixture, const char *what)
{
    AUTO(free) char *token = xasprintf("/token/%s/", fixture->path);
    return faults_count(token, what, NULL);
}

/* Without expires_in: a minute, and not none */
static void a_token_without_a_life_serves_the_whole_pull(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_use(fixture, faults.http, "token-no-life");
    assert_ok(pull(fixture, &err), err);
    assert_int_equal(count_tokens(fixture, "GET"), 1);
    assert_int_equal(faults_count(fixture->path, "-> 401", NULL), 1);
}

/* GitLab's five minutes in small: what has ended isn't sent. */
static void tokens_are_renewed_before_they_end(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_use(fixture, faults.http, "token-short");
    assert_ok(pull(fixture, &err), err);
    assert_in_range(count_tokens(fixture, "GET"), 2, 4);
    assert_int_equal(faults_count(fixture->path, "-> 401", NULL), 1);
}

static void readers_never_ask_for_push(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor found = { 0 };
    fixture_use(fixture, faults.http, "read-only-token");
    assert_ok(pull(fixture, &err), err);
    assert_ok(registry_resolve(fixture->session, &fixture->reference, &found, &err), err);
    assert_int_equal(count_tokens(fixture, "push"), 0);
    assert_int_equal(count_tokens(fixture, "-> 403"), 0);
}

/* The token server gets the password, the registry the token, and neither the other's. */
static void a_token_server_elsewhere_gets_the_password_and_not_the_token(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_login(fixture, faults.http, PASSWORD_ENTRY);
    fixture_use(fixture, faults.http, "token-other-realm");
    assert_ok(pull(fixture, &err), err);
    assert_int_equal(faults_count("other GET /token/", fixture->path, "auth=Basic", NULL), 1);
    assert_int_equal(faults_count("other GET", fixture->path, "auth=Bearer", NULL), 0);
    assert_int_equal(faults_count("http ", fixture->path, "auth=Basic", NULL), 0);
    assert_true(faults_count("http ", fixture->path, "/blobs/", "auth=Bearer", NULL) > 0);
}

/* Refused before anybody is asked; without a password there is nothing to lose. */
static void a_token_server_without_tls_elsewhere_gets_no_password(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_login(fixture, faults.http, PASSWORD_ENTRY);
    fixture_use(fixture, faults.http, "token-plain-elsewhere");
    assert_fails(pull(fixture, &err), err, ERR_REFUSED,
                 "without TLS, which isn't listed as insecure: http://192.0.2.1:9/token/");
}

/* auth.json of containers: who pulls a repository uses the entry with the longest path to it. */
static void entries_with_a_path_are_for_what_is_below(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    fixture_use(fixture, faults.http, "token-refused");
    strbuf_addf(&text,
                "{\"auths\":{\"127.0.0.1:%u\":{\"auth\":\"YTox\"},"
                "\"127.0.0.1:%u/token-refused\":{\"auth\":\"YjoyMg==\"},"
                "\"127.0.0.1:%u/token-other\":{\"auth\":\"Yzoz\"}}}",
                faults.http, faults.http, faults.http);
    assert_ok(fs_write_file(fixture->dir->fd, "config.json", text.data, text.size, 0600, &err),
              err);
    fixture_new_session(fixture);
    assert_fails(pull(fixture, &err), err, ERR_UNAUTHORIZED, "(as user \"b\" of ");
    assert_int_equal(count_tokens(fixture, "account=b"), 1);
}

/* ACR: a user of zeros and a refresh token, which is what counts */
static void an_identity_token_goes_before_the_user_beside_it(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_login(fixture, faults.http,
                  "{\"auth\":\"MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==\","
                  "\"identitytoken\":\"identity+/=\"}");
    fixture_use(fixture, faults.http, "token-oauth");
    assert_ok(pull(fixture, &err), err);
    assert_int_equal(faults_count("POST /token/", fixture->path, "auth=none", "-> 200", NULL), 1);
}

/* A mirror is asked with its own credentials, not with those of the registry it stands for. */
static void mirrors_get_no_credentials_of_the_origin(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *conf = xasprintf("%s/registries.conf", fixture->dir->path);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    fixture_use(fixture, faults.http, "basic");
    strbuf_addf(&text,
                "[[registry]]\nlocation = \"127.0.0.1:%u\"\n"
                "[[registry.mirror]]\nlocation = \"127.0.0.1:%u\"\ninsecure = true\n",
                faults.http, faults.other);
    assert_ok(fs_write_file(fixture->dir->fd, "registries.conf", text.data, text.size, 0600, &err),
              err);
    setenv("CONTAINERS_REGISTRIES_CONF", conf, 1);
    fixture_login(fixture, faults.http, PASSWORD_ENTRY);
    assert_ok(pull(fixture, &err), err);
    assert_true(faults_count("other GET", fixture->path, "auth=none", "-> 401", NULL) > 0);
    assert_int_equal(faults_count("other", fixture->path, "auth=Basic", NULL), 0);
    assert_true(faults_count("http GET", fixture->path, "auth=Basic", NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_token_without_a_life_serves_the_whole_pull),
        FIXTURE_TEST(tokens_are_renewed_before_they_end),
        FIXTURE_TEST(readers_never_ask_for_push),
        FIXTURE_TEST(a_token_server_elsewhere_gets_the_password_and_not_the_token),
        FIXTURE_TEST(a_token_server_without_tls_elsewhere_gets_no_password),
        FIXTURE_TEST(entries_with_a_path_are_for_what_is_below),
        FIXTURE_TEST(an_identity_token_goes_before_the_user_beside_it),
        FIXTURE_TEST(mirrors_get_no_credentials_of_the_origin),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
