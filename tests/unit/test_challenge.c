/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/strbuf.h"
#include "registry/challenge.h"
#include "tests/unit/test.h"

static const char *const scheme_names[] = { "none", "bearer", "basic", "other" };

/* "bearer realm=R service=S scope=C error=E; basic realm=R" */
static void describe(const struct challenge *challenge, struct strbuf *buf)
{
    const struct {
        const char *name, *value;
    } members[] = { { "realm", challenge->realm },
                    { "service", challenge->service },
                    { "scope", challenge->scope },
                    { "error", challenge->error } };
    strbuf_addf(buf, "%s%s", buf->size ? "; " : "", scheme_names[challenge->scheme]);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (members[i].value)
            strbuf_addf(buf, " %s=%s", members[i].name, members[i].value);
}

static void challenges_are_read_as_registries_write_them(void **state UNUSED)
{
    static const struct {
        const char *header, *expected;
    } cases[] = {
        { "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\"",
          "bearer realm=https://auth.docker.io/token service=registry.docker.io" },
        { "Bearer realm=\"r\",scope=\"repository:a/b:pull,push\",error=\"insufficient_scope\"",
          "bearer realm=r scope=repository:a/b:pull,push error=insufficient_scope" },
        { "bearer REALM = \"r\" , Service=\"Docker Registry\"",
          "bearer realm=r service=Docker Registry" },
        { "Bearer realm=https://h/t?x=y,service=s,scope=repository:a:pull,push",
          "bearer realm=https://h/t?x=y service=s scope=repository:a:pull,push" },
        { "Bearer realm=r,scope=repository:a:pull,push,service=s",
          "bearer realm=r service=s scope=repository:a:pull,push" },
        { "Bearer realm=r,scope=repository:a:pull,Basic realm=b",
          "bearer realm=r scope=repository:a:pull; basic realm=b" },
        { "Basic realm=\"a, b\", Bearer realm=\"c\"", "basic realm=a, b; bearer realm=c" },
        { "Negotiate, Basic realm=\"x\"", "other; basic realm=x" },
        { "Negotiate YII=, Bearer realm=\"x\"", "other; bearer realm=x" },
        { "Basic", "basic" },
        { "Basic realm=\"a\\\"b\\\\\"", "basic realm=a\"b\\" },
        { "Basic realm=\"unterminated", "basic realm=unterminated" },
        { "Bearer realm=\"a\",realm=\"b\"", "bearer realm=a" },
        { ",,Bearer realm=\"a\",,", "bearer realm=a" },
        { "realm=\"a\"", "" },
        { "=", "" },
        { "", "" },
        { "Digest realm=\"d\", nonce=\"n\", qop=\"auth\"", "other realm=d" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(challenges_release) struct challenges all = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        challenges_parse(cases[i].header, &all);
        for (size_t k = 0; k < all.n_items; k++)
            describe(&all.items[k], &text);
        if (strcmp(text.data, cases[i].expected) != 0)
            fail_msg("%s\n  gives %s\n  expected %s", cases[i].header, text.data,
                     cases[i].expected);
    }
}

static void bearer_is_preferred_over_all_headers(void **state UNUSED)
{
    static const struct {
        const char *first, *second, *expected;
    } cases[] = {
        { "Basic realm=\"b\"", "Bearer realm=\"t\"", "bearer realm=t" },
        { "Bearer realm=\"t\"", "Basic realm=\"b\"", "bearer realm=t" },
        { "Bearer", "Basic realm=\"b\"", "basic realm=b" },
        { "Negotiate", "Digest realm=\"d\"", "other" },
        { "", "", "none" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(headers_release) struct headers headers = HEADERS_INIT;
        AUTO(free) char *first = xasprintf("WWW-Authenticate: %s", cases[i].first);
        AUTO(free) char *second = xasprintf("www-authenticate: %s", cases[i].second);
        headers_add(&headers, first, strlen(first));
        headers_add(&headers, second, strlen(second));
        AUTO(challenge_release) struct challenge challenge = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        challenge_from_headers(&headers, &challenge);
        describe(&challenge, &text);
        assert_string_equal(text.data, cases[i].expected);
    }
}

static void thousands_of_challenges_are_cut(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf header = STRBUF_INIT;
    for (int i = 0; i < 5000; i++)
        strbuf_adds(&header, "Basic realm=\"x\", ");
    AUTO(challenges_release) struct challenges all = { 0 };
    challenges_parse(header.data, &all);
    assert_int_equal(all.n_items, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_read_as_registries_write_them),
        cmocka_unit_test(bearer_is_preferred_over_all_headers),
        cmocka_unit_test(thousands_of_challenges_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
