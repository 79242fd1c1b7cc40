/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "oci/platform.h"
#include "tests/unit/test.h"

static void text_becomes_the_normal_form(void **state UNUSED)
{
    static const struct {
        const char *text, *normal, *error;
    } cases[] = {
        { "linux/amd64", "linux/amd64", NULL },
        { "linux/x86_64", "linux/amd64", NULL },
        { "linux/amd64/v1", "linux/amd64", NULL },
        { "linux/amd64/v3", "linux/amd64/v3", NULL },
        { "linux/aarch64", "linux/arm64", NULL },
        { "linux/arm64/v8", "linux/arm64", NULL },
        { "linux/arm64/8", "linux/arm64", NULL },
        { "linux/arm", "linux/arm/v7", NULL },
        { "linux/armhf", "linux/arm/v7", NULL },
        { "linux/armel", "linux/arm/v6", NULL },
        { "linux/arm/6", "linux/arm/v6", NULL },
        { "linux/arm64/8x", "linux/arm64/8x", NULL },
        { "Linux/ARM64", "linux/arm64", NULL },
        { "linux/i386", "linux/386", NULL },
        { "macos/arm64", "darwin/arm64", NULL },
        { "windows/amd64", "windows/amd64", NULL },
        { "linux/s390x", "linux/s390x", NULL },
        { "", NULL, "expected os/arch[/variant]" },
        { "linux/", NULL, "expected os/arch[/variant]" },
        { "linux/arm/v7/x", NULL, "expected os/arch[/variant]" },
        { "linux/a b", NULL, "expected os/arch[/variant]" },
        { "linux/../amd64", NULL, "expected os/arch[/variant]" },
        { "../amd64", NULL, "expected os/arch[/variant]" },
        { "linux/.", NULL, "expected os/arch[/variant]" },
        { "linux/arm/..", NULL, "expected os/arch[/variant]" },
        { "linux/-a", NULL, "expected os/arch[/variant]" },
        { "linux/arm\\64", NULL, "expected os/arch[/variant]" },
        { "linux/arm:v7", NULL, "expected os/arch[/variant]" },
        { "linux//amd64", NULL, "expected os/arch[/variant]" },
        { "linux/arm\n64", NULL, "expected os/arch[/variant]" },
        { "..", NULL, "expected os/arch[/variant]" },
        { "linx", NULL, "neither an operating system nor an architecture" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(platform_release) struct platform platform = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        struct error *err = NULL;
        if (cases[i].error) {
            assert_fails(platform_parse(cases[i].text, &platform, &err), err, ERR_INVALID,
                         cases[i].error);
            continue;
        }
        assert_ok(platform_parse(cases[i].text, &platform, &err), err);
        platform_format(&platform, &text);
        assert_string_equal(text.data, cases[i].normal);
    }
}

static void one_word_takes_the_rest_from_the_host(void **state UNUSED)
{
    AUTO(platform_release) struct platform host = { 0 };
    AUTO(platform_release) struct platform platform = { 0 };
    struct error *err = NULL;
    platform_host(&host);
    assert_string_equal(host.os, "linux");
    assert_ok(platform_parse("local", &platform, &err), err);
    assert_true(platform_equal(&platform, &host));
    assert_ok(platform_parse("linux", &platform, &err), err);
    assert_true(platform_equal(&platform, &host));
    assert_ok(platform_parse("riscv64", &platform, &err), err);
    assert_string_equal(platform.os, "linux");
    assert_string_equal(platform.architecture, "riscv64");
}

static int match(const char *want_text, const char *have_text)
{
    AUTO(platform_release) struct platform want = { 0 };
    AUTO(platform_release) struct platform have = { 0 };
    struct error *err = NULL;
    assert_ok(platform_parse(want_text, &want, &err), err);
    assert_ok(platform_parse(have_text, &have, &err), err);
    return platform_match(&want, &have);
}

static void best_variant_that_runs_wins(void **state UNUSED)
{
    static const char *const orders[][5] = {
        { "linux/arm/v7", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5", NULL },
        { "linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386" },
        { "linux/arm64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        for (size_t k = 1; k + 1 < ARRAY_SIZE(orders[i]) && orders[i][k + 1]; k++)
            if (match(orders[i][0], orders[i][k]) <= match(orders[i][0], orders[i][k + 1]))
                fail_msg("%s: %s isn't better than %s", orders[i][0], orders[i][k],
                         orders[i][k + 1]);
    static const char *const never[][2] = {
        { "linux/arm/v6", "linux/arm/v7" },   { "linux/amd64", "linux/amd64/v2" },
        { "linux/386", "linux/amd64" },       { "linux/arm", "linux/arm64" },
        { "linux/amd64", "windows/amd64" },   { "linux/amd64", "linux/s390x" },
        { "linux/amd64", "unknown/unknown" }, { "unknown/unknown", "unknown/unknown" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (match(never[i][0], never[i][1]) != 0)
            fail_msg("%s takes %s", never[i][0], never[i][1]);
}

static void json_keeps_features(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(platform_release) struct platform copy = { 0 };
    json_t *object = json_pack("{s:s,s:s,s:s,s:[s]}", "os", "windows", "architecture", "amd64",
                               "os.version", "10.0.1", "os.features", "win32k");
    assert_ok(platform_from_json(object, "/platform", &platform, &err), err);
    assert_string_equal(platform.os_version, "10.0.1");
    platform_copy(&copy, &platform);
    json_t *again = platform_to_json(&copy);
    assert_true(json_equal(object, again));
    json_decref(object);
    json_decref(again);
    json_t *bad = json_pack("{s:s}", "os", "linux");
    assert_fails(platform_from_json(bad, "/platform", &copy, &err), err, ERR_INVALID,
                 "/platform/architecture");
    json_decref(bad);
}

static void members_of_json_are_names(void **state UNUSED)
{
    static const struct {
        const char *os, *architecture, *variant, *version, *error;
    } cases[] = {
        { "linux", "arm64", "v8.2-a", "a b~1", NULL },
        { "", "", "", "", NULL }, /* as old tools leave them */
        { "unknown", "unknown", "", "", NULL },
        { "..", "amd64", "", "", "/p/os: \"..\" can't be part of a platform" },
        { "linux", "../../etc", "", "", "/p/architecture: \"../../etc\" can't be" },
        { "linux", "amd64", "/v2", "", "/p/variant: \"/v2\" can't be" },
        { "linux", "amd64", "a b", "", "/p/variant: \"a b\" can't be" },
        { "linux", "amd64", "", "../1", "/p/os.version: \"../1\" is no version" },
        { "linux", "amd64", "", "1\033[2J", "/p/os.version" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(platform_release) struct platform platform = { 0 };
        AUTO(json_decref)
        json_t *object =
            json_pack("{s:s,s:s,s:s,s:s}", "os", cases[i].os, "architecture", cases[i].architecture,
                      "variant", cases[i].variant, "os.version", cases[i].version);
        int result = platform_from_json(object, "/p", &platform, &err);
        if (!cases[i].error) {
            assert_ok(result, err);
            continue;
        }
        assert_fails(result, err, ERR_INVALID, cases[i].error);
        assert_null(platform.os);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_the_normal_form),
        cmocka_unit_test(one_word_takes_the_rest_from_the_host),
        cmocka_unit_test(best_variant_that_runs_wins),
        cmocka_unit_test(json_keeps_features),
        cmocka_unit_test(members_of_json_are_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
