/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/proxy.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void exceptions_are_hosts_domains_nets_and_ports(void **state UNUSED)
{
    static const struct {
        const char *list, *host;
        unsigned port;
        bool has;
    } cases[] = {
        { "*", "r.example", 443, true },
        { "r.example", "r.example", 443, true },
        { "R.Example", "r.example", 443, true },
        { "r.example", "sub.r.example", 443, true },
        { "r.example", "other.example", 443, false },
        { "r.example", "ar.example", 443, false },
        { ".example", "r.example", 443, true },
        { "*.example", "r.example", 443, true },
        { ".r.example", "r.example", 443, true },
        { "a, .b\tr.example", "r.example", 443, true },
        { "r.example:5000", "r.example", 5000, true },
        { "r.example:5000", "r.example", 443, false },
        { ".example:5000", "r.example", 5000, true },
        { "r.example: 443", "r.example", 443, false },
        { "r.example:443x", "r.example", 443, false },
        { "r.example:43=", "r.example", 443, false },         /* which, as a digit, is 13 */
        { "r.example:42949673403", "r.example", 443, false }, /* 443 in 32 bits */
        { "10.1.2.3", "10.1.2.3", 80, true },
        { "10.1.2.3:80", "10.1.2.3", 80, true },
        { "2.3", "10.1.2.3", 80, false },
        { "10.0.0.0/8", "10.200.1.2", 80, true },
        { "10.0.0.0/8", "11.0.0.1", 80, false },
        { "10.0.0.0/9", "10.200.1.2", 80, false },
        { "0.0.0.0/0", "10.200.1.2", 80, true },
        { "10.0.0.0/33", "10.0.0.0", 80, false },
        { "10.0.0.0/8", "10.example", 80, false },
        { "fd00::/8", "[fd00::1]", 80, true },
        { "fd00::/8", "[fe80::1]", 80, false },
        { "fd00::1", "[fd00::1]", 80, true },
        { "[fd00::1]:80", "[fd00::1]", 80, true },
        { "[fd00::1]:80", "[fd00::1]", 81, false },
        { "", "r.example", 443, false },
        { ",, ", "r.example", 443, false },
        { NULL, "r.example", 443, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (proxy_list_has(cases[i].list, cases[i].host, cases[i].port) != cases[i].has)
            fail_msg("\"%s\": %s:%u", cases[i].list, cases[i].host, cases[i].port);
}

static const char *const variables[] = { "http_proxy",  "HTTP_PROXY", "https_proxy",
                                         "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                         "no_proxy",    "NO_PROXY",   "REQUEST_METHOD" };

/* "A=b C=d" becomes the environment's part that counts */
static void set_environment(const char *text)
{
    AUTO(free) char *copy = xstrdup(text);
    char *save = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        unsetenv(variables[i]);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');
        *value = '\0';
        setenv(word, value + 1, 1);
    }
}

static void the_environment_names_the_proxy(void **state UNUSED)
{
    static const struct {
        const char *environment, *url, *proxy;
    } cases[] = {
        { "", "https://r.example/", NULL },
        { "HTTPS_PROXY=http://p:1", "https://r.example/", "http://p:1" },
        { "HTTPS_PROXY=http://p:1", "http://r.example/", NULL },
        { "HTTP_PROXY=p:1", "http://r.example/", "p:1" },
        { "HTTP_PROXY=p:1 REQUEST_METHOD=GET", "http://r.example/", NULL },
        { "http_proxy=p:1 REQUEST_METHOD=GET", "http://r.example/", "p:1" },
        { "https_proxy=http://low:1 HTTPS_PROXY=http://up:1", "https://r/", "http://low:1" },
        { "ALL_PROXY=socks5://p:1", "https://r.example/", "socks5://p:1" },
        { "ALL_PROXY=socks5h://p:1", "http://r.example/", "socks5h://p:1" },
        { "ALL_PROXY=socks5://p:1 HTTPS_PROXY=http://q:1", "https://r.example/", "http://q:1" },
        { "HTTPS_PROXY=http://u:s@p:1", "https://r.example/", "http://u:s@p:1" },
        { "HTTPS_PROXY=http://p:1", "https://localhost:5000/", NULL },
        { "HTTPS_PROXY=http://p:1", "https://127.0.0.1/", NULL },
        { "HTTPS_PROXY=http://p:1", "https://[::1]/", NULL },
        { "HTTPS_PROXY=http://p:1 NO_PROXY=.example", "https://r.example/", NULL },
        { "HTTPS_PROXY=http://p:1 no_proxy=r.example:443", "https://r.example/", NULL },
        { "HTTPS_PROXY=http://p:1 no_proxy=r.example:444", "https://r.example/", "http://p:1" },
        { "HTTPS_PROXY=http://p:1 no_proxy=other NO_PROXY=*", "https://r/", "http://p:1" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(url_release) struct url url = { 0 };
        AUTO(free) char *proxy = NULL;
        set_environment(cases[i].environment);
        assert_ok(url_parse(cases[i].url, &url, &err), err);
        assert_ok(proxy_for(&url, &proxy, &err), err);
        if (!proxy != !cases[i].proxy || (proxy && strcmp(proxy, cases[i].proxy) != 0))
            fail_msg("%s, %s: %s", cases[i].environment, cases[i].url, proxy ? proxy : "none");
    }
    set_environment("");
}

static void what_is_no_proxy_is_refused_without_its_password(void **state UNUSED)
{
    static const char *const bad[] = { "ALL_PROXY=ftp://us:secret@p:1", "ALL_PROXY=socks5://",
                                       "ALL_PROXY=http://us:secret@p:99999",
                                       "ALL_PROXY=socks9://us:secret@p" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *err = NULL;
        AUTO(url_release) struct url url = { 0 };
        AUTO(free) char *proxy = NULL;
        set_environment(bad[i]);
        assert_ok(url_parse("https://r.example/", &url, &err), err);
        assert_int_equal(proxy_for(&url, &proxy, &err), -1);
        assert_null(strstr(error_message(err), "secret"));
        assert_fails(-1, err, ERR_INVALID, "ALL_PROXY: not the URL of a proxy");
    }
    set_environment("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exceptions_are_hosts_domains_nets_and_ports),
        cmocka_unit_test(the_environment_names_the_proxy),
        cmocka_unit_test(what_is_no_proxy_is_refused_without_its_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
