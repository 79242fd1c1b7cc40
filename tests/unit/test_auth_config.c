/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "registry/auth_config.h"
#include "tests/unit/test.h"

static int parse(const char *text, struct auth_config *config, struct error **err)
{
    return auth_config_parse(text, strlen(text), false, config, err);
}

static void longest_path_wins_and_keys_are_normalised(void **state UNUSED)
{
    static const char text[] = "{\"auths\":{"
                               "\"quay.io\":{\"auth\":\"YTox\"},"          /* a:1 */
                               "\"quay.io/org\":{\"auth\":\"YToy\"},"      /* a:2 */
                               "\"quay.io/org/repo\":{\"auth\":\"YToz\"}," /* a:3 */
                               "\"https://old.example/v1/\":{\"auth\":\"YTo0\"},"
                               "\"https://index.docker.io/v1/\":{\"auth\":\"YTo1\"},"
                               "\"docker.io/own\":{\"auth\":\"YTo2\"},"
                               "\"split.example\":{\"username\":\"u\",\"password\":\"p:w\"},"
                               "\"token.example\":{\"identitytoken\":\"it\",\"auth\":\"\"},"
                               "\"empty.example\":{}}}";
    static const struct {
        const char *domain, *path, *password;
    } cases[] = {
        { "quay.io", "org/repo", "3" },         { "quay.io", "org/other", "2" },
        { "quay.io", "organ/x", "1" },          { "quay.io", "", "1" },
        { "quay.io", "org/repo/sub", "3" },     { "old.example", "x", "4" },
        { "docker.io", "library/alpine", "5" }, { "docker.io", "own/x", "6" },
        { "split.example", "x", "p:w" },        { "quay.io.evil", "x", NULL },
        { "none.example", "x", NULL },
    };
    struct error *err = NULL;
    AUTO(auth_config_release) struct auth_config config = { 0 };
    assert_ok(parse(text, &config, &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct auth_entry *entry = auth_config_find(&config, cases[i].domain, cases[i].path);
        const char *password = entry ? entry->password : NULL;
        if ((password == NULL) != (cases[i].password == NULL) ||
            (password && strcmp(password, cases[i].password) != 0))
            fail_msg("%s/%s: %s", cases[i].domain, cases[i].path, password ? password : "(none)");
    }
    static const char *const hub[] = { "docker.io", "registry-1.docker.io", "index.docker.io",
                                       "https://index.docker.io/v1/" };
    for (size_t i = 0; i < ARRAY_SIZE(hub); i++) {
        AUTO(auth_config_release) struct auth_config one = { 0 };
        AUTO(free) char *entry = xasprintf("{\"auths\":{\"%s\":{\"auth\":\"YToz\"}}}", hub[i]);
        assert_ok(parse(entry, &one, &err), err);
        if (!auth_config_find(&one, "docker.io", "library/alpine"))
            fail_msg("%s isn't Docker Hub's", hub[i]);
    }
    /* a key of JSON, and a robot's name: colons but the first are the password's */
    AUTO(auth_config_release) struct auth_config odd = { 0 };
    assert_ok(parse("{\"auths\":{\"gcr.io\":{\"auth\":"
                    "\"X2pzb25fa2V5OnsiYSI6ImI6YyIsCiJkIjoxfQ==\"},"
                    "\"harbor.example\":{\"auth\":\"cm9ib3QkY2krYTpwJHc=\"}}}",
                    &odd, &err),
              err);
    assert_string_equal(auth_config_find(&odd, "gcr.io", "x")->username, "_json_key");
    assert_string_equal(auth_config_find(&odd, "gcr.io", "x")->password,
                        "{\"a\":\"b:c\",\n\"d\":1}");
    assert_string_equal(auth_config_find(&odd, "harbor.example", "x")->username, "robot$ci+a");
    assert_string_equal(auth_config_find(&odd, "harbor.example", "x")->password, "p$w");
    assert_string_equal(auth_config_find(&config, "token.example", "")->identity_token, "it");
    assert_null(auth_config_find(&config, "empty.example", "")->username);
}

static void helpers_by_host_go_before_the_store(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(auth_config_release) struct auth_config config = { 0 };
    assert_ok(parse("{\"credsStore\":\"desktop\",\"credHelpers\":{\"gcr.io\":\"gcloud\",\"docker."
                    "io\":\"hub\","
                    "\"none.example\":\"\"}}",
                    &config, &err),
              err);
    assert_string_equal(auth_config_helper(&config, "gcr.io"), "gcloud");
    assert_string_equal(auth_config_helper(&config, "index.docker.io"), "hub");
    assert_string_equal(auth_config_helper(&config, "other.example"), "desktop");
    assert_null(auth_config_helper(&config, "none.example"));
}

static void broken_files_are_named_by_place(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "{\"auths\":{\"h\":{\"auth\":\"!!\"}}}", "/auths/h/auth: not base64" },
        { "{\"auths\":{\"h\":{\"auth\":\"YQ==\"}}}", "expected USER:PASSWORD" },
        { "{\"auths\":{\"h\":{\"auth\":1}}}", "/auths/h/auth: expected a string" },
        { "{\"auths\":[]}", "/auths: expected an object" },
        { "{\"auths\":{\"h\":[]}}", "expected an object" },
        { "{\"credsStore\":{}}", "/credsStore: expected a string" },
        { "{", "" },
        { "[]", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(auth_config_release) struct auth_config config = { 0 };
        assert_fails(parse(cases[i].text, &config, &err), err, ERR_INVALID, cases[i].error);
    }
    struct error *err = NULL;
    AUTO(auth_config_release) struct auth_config config = { 0 };
    assert_ok(parse(" \n", &config, &err), err);
    assert_int_equal(config.n_entries, 0);
}

static void old_dockercfg_is_a_list_of_auths(void **state UNUSED)
{
    static const char text[] = "{\"https://h.example/v1/\":{\"auth\":\"YTox\",\"email\":\"x@y\"}}";
    struct error *err = NULL;
    AUTO(auth_config_release) struct auth_config config = { 0 };
    assert_ok(auth_config_parse(text, strlen(text), true, &config, &err), err);
    assert_string_equal(auth_config_find(&config, "h.example", "x")->username, "a");
}

static void http_headers_are_kept_but_those_that_are_ours(void **state UNUSED)
{
    static const char text[] = "{\"HttpHeaders\":{\"X-Meta-A\":\"b c\",\"User-Agent\":\"x\","
                               "\"authorization\":\"x\",\"Content-Length\":\"0\"}}";
    struct error *err = NULL;
    AUTO(auth_config_release) struct auth_config config = { 0 };
    assert_ok(parse(text, &config, &err), err);
    assert_int_equal(config.headers.n, 1);
    assert_string_equal(config.headers.items[0], "X-Meta-A: b c");
    static const char *const bad[] = { "{\"HttpHeaders\":{\"A\":\"b\\r\\nAuthorization: c\"}}",
                                       "{\"HttpHeaders\":{\"A: b\":\"c\"}}",
                                       "{\"HttpHeaders\":{\"\":\"c\"}}",
                                       "{\"HttpHeaders\":{\"A\":1}}" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_fails(parse(bad[i], &config, &err), err, ERR_INVALID, "not a header");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_headers_are_kept_but_those_that_are_ours),
        cmocka_unit_test(longest_path_wins_and_keys_are_normalised),
        cmocka_unit_test(helpers_by_host_go_before_the_store),
        cmocka_unit_test(broken_files_are_named_by_place),
        cmocka_unit_test(old_dockercfg_is_a_list_of_auths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
