/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/url.h"
#include "tests/unit/test.h"

static void urls_are_read_and_written_byte_for_byte(void **state UNUSED)
{
    static const struct {
        const char *text, *again, *error;
    } cases[] = {
        { "https://host/v2/", "https://host/v2/", NULL },
        { "HTTPS://Host:443/v2/?a=B", "https://host/v2/?a=B", NULL },
        { "http://host:80", "http://host/", NULL },
        { "http://host:443/x", "http://host:443/x", NULL },
        { "https://host?_state=a%20b+c&&", "https://host/?_state=a%20b+c&&", NULL },
        { "https://host/a/../b//c", "https://host/a/../b//c", NULL },
        { "https://user:pw@host/x", "https://host/x", NULL },
        { "https://[::1]:5000/x", "https://[::1]:5000/x", NULL },
        { "https://host/a b\xc3\xa4", "https://host/a%20b%C3%A4", NULL },
        { "https://host/x#fragment", "https://host/x", NULL },
        { "https://a@b@host/x", "https://host/x", NULL },
        { "ftp://host/x", NULL, "expected http:// or https://" },
        { "file:///etc/passwd", NULL, "expected http:// or https://" },
        { "https://", NULL, "expected a host" },
        { "https:///x", NULL, "expected a host" },
        { "https://host:0/", NULL, "expected a host" },
        { "https://host:65536/", NULL, "expected a host" },
        { "https://ho st/", NULL, "expected a host" },
        { "https://[::g]/", NULL, "expected a host" },
        { "https://host\\@evil/", NULL, "expected a host" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(url_release) struct url url = { 0 };
        int result = url_parse(cases[i].text, &url, &err);
        if (cases[i].error) {
            assert_fails(result, err, ERR_INVALID, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        AUTO(free) char *again = url_format(&url);
        assert_string_equal(again, cases[i].again);
    }
}

static void locations_resolve_against_their_base(void **state UNUSED)
{
    static const struct {
        const char *base, *location, *expected;
    } cases[] = {
        { "https://h/v2/a/blobs/uploads/", "https://other/x?y=%2F", "https://other/x?y=%2F" },
        { "https://h:5000/v2/a/", "/v2/b?s=1+2", "https://h:5000/v2/b?s=1+2" },
        { "https://h/v2/a/uploads/", "uuid?s=1", "https://h/v2/a/uploads/uuid?s=1" },
        { "https://h/v2/a/uploads/x?q", "?s=1", "https://h/v2/a/uploads/x?s=1" },
        { "https://h/v2/a/uploads/x", "../y", "https://h/v2/a/y" },
        { "https://h/v2/a", "../../../../y", "https://h/y" },
        { "https://h/v2/a", "./y/.", "https://h/v2/y/" },
        { "https://h/v2/a", "//other:444/y", "https://other:444/y" },
        { "https://h/v2/a", "/x:y", "https://h/x:y" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(url_release) struct url base = { 0 }, url = { 0 };
        assert_ok(url_parse(cases[i].base, &base, &err), err);
        assert_ok(url_resolve(&base, cases[i].location, &url, &err), err);
        AUTO(free) char *text = url_format(&url);
        assert_string_equal(text, cases[i].expected);
    }
    struct error *err = NULL;
    AUTO(url_release) struct url base = { 0 }, url = { 0 };
    assert_ok(url_parse("https://h/", &base, &err), err);
    assert_fails(url_resolve(&base, "gopher://x/", &url, &err), err, ERR_INVALID, "expected http");
    assert_fails(url_resolve(&base, "javascript:x", &url, &err), err, ERR_INVALID, "expected http");
    assert_fails(url_resolve(&base, "", &url, &err), err, ERR_INVALID, "empty");
}

static void digest_is_appended_and_the_state_kept(void **state UNUSED)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "https://h/u", "https://h/u?digest=sha256%3Aab" },
        { "https://h/u?_state=x%20y+z", "https://h/u?_state=x%20y+z&digest=sha256%3Aab" },
        { "https://h/u?", "https://h/u?digest=sha256%3Aab" },
        { "https://h/u?z=1&a=2&", "https://h/u?z=1&a=2&digest=sha256%3Aab" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(url_release) struct url url = { 0 };
        assert_ok(url_parse(cases[i].text, &url, &err), err);
        url_add_query(&url, "digest", "sha256:ab");
        AUTO(free) char *text = url_format(&url);
        assert_string_equal(text, cases[i].expected);
    }
}

static void secrets_are_redacted(void **state UNUSED)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "https://h/v2/", "https://h/v2/" },
        { "https://u:p@h/v2/", "https://h/v2/" },
        { "https://u:p@x@h/v2/", "https://h/v2/" },
        { "https://h/x?X-Amz-Signature=abc&b", "https://h/x?X-Amz-Signature=...&b" },
        { "https://h/x\x1b[31m", "https://h/x?[31m" },
        { "u:p@h", "h" },
        { "https://h/a@b?c=d", "https://h/a@b?c=..." },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *text = url_redact(cases[i].text);
        assert_string_equal(text, cases[i].expected);
    }
}

static void hosts_are_told_apart(void **state UNUSED)
{
    static const struct {
        const char *host;
        bool loopback, local;
    } cases[] = {
        { "localhost", true, true },          { "localhost:5000", true, true },
        { "reg.localhost:5000", true, true }, { "127.0.0.1:1", true, true },
        { "127.9.9.9", true, true },          { "[::1]:5000", true, true },
        { "10.1.2.3", false, true },          { "172.31.0.1:80", false, true },
        { "172.32.0.1", false, false },       { "192.168.1.1", false, true },
        { "169.254.169.254", false, true },   { "8.8.8.8", false, false },
        { "example.org", false, false },      { "localhost.evil.org", false, false },
        { "[fd00::1]", false, true },         { "[fe80::1]", false, true },
        { "[2001:db8::1]", false, false },    { "[::ffff:10.0.0.1]", false, true },
        { "2130706433", false, true },        { "0.0.0.0", false, true },
        { "100.64.0.1", false, true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (url_host_is_loopback(cases[i].host) != cases[i].loopback ||
            url_host_is_private(cases[i].host) != cases[i].local)
            fail_msg("%s: loopback %d, private %d", cases[i].host,
                     url_host_is_loopback(cases[i].host), url_host_is_private(cases[i].host));
    }
}

static void hops_never_lose_tls_nor_enter_the_local_network(void **state UNUSED)
{
    static const struct {
        const char *from, *ip, *to;
        bool allowed;
    } cases[] = {
        { "https://a/", NULL, "https://b/", true },
        { "https://a/", NULL, "http://a/", false },
        { "http://a/", NULL, "http://b/", true },
        { "http://a/", NULL, "https://b/", true },
        { "https://a/", "8.8.8.8", "https://10.0.0.1/", false },
        { "https://a/", "10.9.9.9", "https://10.0.0.1/", true },
        { "https://a/", NULL, "https://10.0.0.1/", true },
        { "https://a/", "8.8.8.8", "https://localhost/", false },
        { "https://a/", "127.0.0.1", "https://localhost:99/", true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(url_release) struct url from = { 0 }, to = { 0 };
        assert_ok(url_parse(cases[i].from, &from, &err), err);
        assert_ok(url_parse(cases[i].to, &to, &err), err);
        int result = url_check_hop(&from, cases[i].ip, &to, &err);
        if (cases[i].allowed)
            assert_ok(result, err);
        else
            assert_fails(result, err, ERR_REFUSED, "points to");
    }
}

static void urls_within_text_lose_credentials(void **state UNUSED)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "ADD a /b", "ADD a /b" },
        { "ADD https://me:pw@h/x.git?ref=v1#main /d", "ADD https://h/x.git?ref=v1#main /d" },
        { "ADD [\"http://t@h:1\", \"https://h/p@q\"]", "ADD [\"http://h:1\", \"https://h/p@q\"]" },
        { "ADD https://s3.example/a?X-Amz-Signature=abc&x=1 /d",
          "ADD https://s3.example/a?X-Amz-Signature=...&x=... /d" },
        { "://", "://" },
        { "a://@", "a://" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *got = url_redact_within(cases[i].text);
        assert_string_equal(got, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_within_text_lose_credentials),
        cmocka_unit_test(urls_are_read_and_written_byte_for_byte),
        cmocka_unit_test(locations_resolve_against_their_base),
        cmocka_unit_test(digest_is_appended_and_the_state_kept),
        cmocka_unit_test(secrets_are_redacted),
        cmocka_unit_test(hosts_are_told_apart),
        cmocka_unit_test(hops_never_lose_tls_nor_enter_the_local_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
