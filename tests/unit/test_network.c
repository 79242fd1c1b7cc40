/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/network.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void hosts_end_in_the_extra_lines(void **state)
{
    (void)state;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    const char *const extra[] = { "10.0.0.1\tone", "::2\ttwo" };
    network_format_hosts("here", extra, 2, &text);
    assert_true(!strncmp(text.data, "127.0.0.1\tlocalhost here\n::1\tlocalhost ", 39));
    assert_true(strstr(text.data, "\n10.0.0.1\tone\n::2\ttwo\n"));
}

static const struct {
    const char *host, *dns, *expected;
} cases[] = {
    { "# mine\nsearch a.b\nnameserver 127.0.0.1\nnameserver 10.1.1.1\noptions ndots:2", NULL,
      "# mine\nsearch a.b\nnameserver 127.0.0.1\nnameserver 10.1.1.1\noptions ndots:2\n" },
    { "search a\nnameserver 10.1.1.1\n nameserver odd\n", "9.9.9.9",
      "search a\n nameserver odd\nnameserver 9.9.9.9\n" },
    { "nameserver\t10.1.1.1 # tab\n", NULL, "nameserver\t10.1.1.1 # tab\n" },
    { "", NULL, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n" },
    { "search x\n", NULL, "search x\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n" },
    { "nameserver \n", "1.2.3.4", "nameserver \nnameserver 1.2.3.4\n" },
};

static void resolv_of_the_host_network_is_the_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        network_format_resolv(NULL, cases[i].host, &cases[i].dns, cases[i].dns ? 1 : 0, &text);
        assert_string_equal(text.data, cases[i].expected);
    }
}

static void resolv_of_a_private_network_names_the_forwarder(void **state)
{
    (void)state;
    AUTO(network_free) struct network *network = NULL;
    AUTO(free) char *warning = NULL;
    struct error *err = NULL;
    assert_ok(network_new(false, &network, &warning, &err), err);
    print_message("# network: %s %s\n", network_kind(network), warning ? warning : "");
    if (network_is_host(network)) {
        assert_non_null(warning);
        assert_int_equal(network_namespace_fd(network), -1);
        skip();
    }
    assert_null(warning);
    assert_true(network_namespace_fd(network) >= 0);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    network_format_resolv(network, "search a.b\nnameserver 127.0.0.53\nnameserver 10.1.1.1\n", NULL,
                          0, &text);
    assert_true(!strncmp(text.data, "search a.b\nnameserver 1", 23));
    assert_null(strstr(text.data, "127."));
    assert_null(strstr(text.data, "10.1.1.1"));
}

static void without_a_helper_the_hosts_network_is_used_and_said(void **state)
{
    (void)state;
    AUTO(network_free) struct network *network = NULL;
    AUTO(free) char *warning = NULL;
    struct error *err = NULL;
    AUTO(free) char *path = xstrdup(getenv("PATH") ? getenv("PATH") : "");
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    int result = network_new(false, &network, &warning, &err);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_ok(result, err);
    assert_string_equal(network_kind(network), "host");
    assert_string_equal(warning, "RUN uses the host's network: a private one can't be made "
                                 "(pasta: not installed; slirp4netns: not installed)");
}

int main(void)
{
    /* this machine's network isn't to be touched: tests/e2e/test_network.sh has one to try it */
    if (setenv("CBUILD_NETWORK", "pasta,slirp4netns", 1) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_end_in_the_extra_lines),
        cmocka_unit_test(resolv_of_the_host_network_is_the_hosts),
        cmocka_unit_test(resolv_of_a_private_network_names_the_forwarder),
        cmocka_unit_test(without_a_helper_the_hosts_network_is_used_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
