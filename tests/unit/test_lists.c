/* SPDX-License-Identifier: Apache-2.0 */
/* registry/lists.c and pages.c against a server whose lists come in odd ways */
#include "registry/lists.h"

#include "registry/pages.h"
#include "tests/unit/registry_fixture.h"

#define ALL_TAGS "t0 t1 t2 t3 t4 t5 t6 "

static void join(const struct strvec *names, struct strbuf *ret)
{
    for (size_t i = 0; i < names->n; i++)
        strbuf_addf(ret, "%s ", names->items[i]);
}

static void pages_are_followed_to_the_last(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        const char *fault;
        unsigned port;
        const char *tags;
    } cases[] = {
        { "list", faults.http, ALL_TAGS },
        { "list-absolute", faults.http, ALL_TAGS },
        { "list-absolute", faults.https, ALL_TAGS },
        { "list-odd-link", faults.http, ALL_TAGS },
        { "list-plain-link", faults.https, ALL_TAGS },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        fixture_use(fixture, cases[i].port, cases[i].fault);
        assert_ok(tags_list(fixture->session, &fixture->reference, &tags, &err), err);
        join(&tags, &text);
        assert_string_equal(text.data, cases[i].tags);
        assert_int_equal(faults_count(fixture->path, "GET", "-> 200", NULL), 5);
        assert_int_equal(faults_count(fixture->path, "n=1000", NULL), 1);
    }
}

static void credentials_stay_with_the_registry(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    fixture_login(fixture, faults.http, "{\"auth\":\"dXNlcjpzZWNyZXQ=\"}");
    fixture_use(fixture, faults.http, "list-elsewhere");
    assert_ok(tags_list(fixture->session, &fixture->reference, &tags, &err), err);
    assert_int_equal(tags.n, 7);
    assert_true(faults_count(fixture->path, "http GET", "auth=Basic", NULL) > 0);
    assert_int_equal(faults_count(fixture->path, "other GET", "auth=none", NULL), 4);
    assert_int_equal(faults_count(fixture->path, "other GET", "auth=Basic", NULL), 0);
}

static void lists_without_end_and_lists_that_are_none_are_errors(void **state)
{
    static const struct {
        const char *fault;
        enum error_code code;
        const char *text;
        unsigned n_requests; /* at most */
    } cases[] = {
        { "list-loop", ERR_INVALID, "a list without end", 4 },
        { "list-heavy", ERR_LIMIT, "a list of more than 64 MiB", 6 },
        { "list-endless", ERR_LIMIT, "a list of more than 2000 pages", PAGES_MAX + 1 },
        { "list-broken", ERR_REFUSED, "400 pagination number invalid", 2 },
        { "list-text", ERR_INVALID, "tags/list", 1 },
        { "list-numbers", ERR_INVALID, "/tags/1", 1 },
        { "down", ERR_NETWORK, "500", 20 },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
        fixture_use(fixture, faults.http, cases[i].fault);
        assert_int_equal(tags_list(fixture->session, &fixture->reference, &tags, &err), -1);
        if (error_code(err) != cases[i].code || !strstr(error_message(err), cases[i].text))
            fail_msg("%s: %s", cases[i].fault, error_message(err));
        assert_int_equal(tags.n, 0);
        unsigned n = faults_count(fixture->path, "GET", NULL);
        if (n > cases[i].n_requests)
            fail_msg("%s: %u requests", cases[i].fault, n);
        error_clear(&err);
    }
}

static void names_come_as_they_were_sent(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    fixture_use(fixture, faults.http, "list-control");
    assert_ok(tags_list(fixture->session, &fixture->reference, &tags, &err), err);
    assert_int_equal(tags.n, 3);
    assert_string_equal(tags.items[0], "a\x1b[31m");
}

static void a_registry_without_a_catalog_is_explained(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(free) char *host = xasprintf("127.0.0.1:%u", faults.http);
    assert_fails(catalog_list(fixture->session, host, &names, &err), err, ERR_NOT_FOUND, "404");
}

static void members_are_parsed(void **state UNUSED)
{
    static const struct {
        const char *body, *names; /* names NULL: an error */
    } cases[] = {
        { "{\"tags\":[\"a\",\"b\"]}", "a b " },
        { "{\"tags\":null}", "" },
        { "{\"tags\":[]}", "" },
        { "{}", "" },
        { "{\"tags\":\"a\"}", NULL },
        { "{\"tags\":[{}]}", NULL },
        { "[\"a\"]", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(error_free) struct error *err = NULL;
        AUTO(strvec_release) struct strvec names = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        int result = list_parse(cases[i].body, strlen(cases[i].body), "tags", &names, &err);
        assert_int_equal(result, cases[i].names ? 0 : -1);
        join(&names, &text);
        assert_string_equal(text.data, cases[i].names ? cases[i].names : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(pages_are_followed_to_the_last),
        FIXTURE_TEST(credentials_stay_with_the_registry),
        FIXTURE_TEST(lists_without_end_and_lists_that_are_none_are_errors),
        FIXTURE_TEST(names_come_as_they_were_sent),
        FIXTURE_TEST(a_registry_without_a_catalog_is_explained),
        cmocka_unit_test(members_are_parsed),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
