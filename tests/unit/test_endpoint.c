/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/endpoint.h"
#include "tests/unit/test.h"

static void hub_has_one_host_whatever_its_name(void **state UNUSED)
{
    static const char *const names[] = { "docker.io", "index.docker.io", "registry-1.docker.io" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(endpoint_release) struct endpoint endpoint = { 0 };
        endpoint_init(&endpoint, names[i]);
        assert_string_equal(endpoint.domain, "docker.io");
        assert_string_equal(endpoint.host, "registry-1.docker.io");
        assert_string_equal(endpoint_server_key(endpoint.domain), "https://index.docker.io/v1/");
        assert_false(endpoint.insecure || endpoint.loopback);
    }
    assert_string_equal(endpoint_server_key("ghcr.io"), "ghcr.io");
}

static void insecure_hosts_are_those_listed(void **state UNUSED)
{
    AUTO(strvec_release) struct strvec list = STRVEC_INIT;
    strvec_push(&list, "plain.example:5000");
    strvec_push(&list, "any.example");
    strvec_push(&list, "10.0.0.0/8");
    strvec_push(&list, "bad/x");
    static const struct {
        const char *host;
        bool listed;
    } cases[] = {
        { "plain.example:5000", true },  { "plain.example", false },
        { "plain.example:5001", false }, { "any.example", true },
        { "any.example:99", true },      { "ANY.example:99", true },
        { "sub.any.example", false },    { "10.200.1.2:5000", true },
        { "11.0.0.1", false },           { "10.example", false },
        { "localhost:5000", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (endpoint_is_listed(&list, cases[i].host) != cases[i].listed)
            fail_msg("%s", cases[i].host);
    assert_false(endpoint_is_listed(NULL, "any.example"));
}

static void names_typed_at_login_become_domains(void **state UNUSED)
{
    static const struct {
        const char *text, *domain;
    } cases[] = {
        { "https://index.docker.io/v1/", "docker.io" },
        { "docker.io", "docker.io" },
        { "https://ghcr.io/", "ghcr.io" },
        { "localhost:5000", "localhost:5000" },
        { "http://host:80/v2/", "host:80" },
        { "quay.io/org/repo", "quay.io" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *domain = endpoint_domain(cases[i].text);
        assert_string_equal(domain, cases[i].domain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hub_has_one_host_whatever_its_name),
        cmocka_unit_test(insecure_hosts_are_those_listed),
        cmocka_unit_test(names_typed_at_login_become_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
