/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/globals.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static struct globals *make(const char *text, const char *args, const char *platform_text,
                            const char *target, struct dockerfile **dockerfile, struct error **err)
{
    AUTO(strvec_release) struct strvec build_args = STRVEC_INIT;
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(free) char *copy = xstrdup(args);
    char *rest = copy;
    for (char *word; rest && (word = strsep(&rest, " "));)
        if (*word)
            strvec_push(&build_args, word);
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), dockerfile, err), *err);
    assert_ok(platform_parse(platform_text, &platform, err), *err);
    return globals_new(*dockerfile, &build_args, &platform, target, err);
}

static void values_come_from_arguments_defaults_and_the_platform(void **state UNUSED)
{
    static const struct {
        const char *arg, *build_args, *platform, *target;
        const char *name, *value; /* NULL: none */
    } cases[] = {
        { "ARG A=1", "", "linux/amd64", NULL, "A", "1" },
        { "ARG A=1", "A=2", "linux/amd64", NULL, "A", "2" },
        { "ARG A=1", "A=2 A=3", "linux/amd64", NULL, "A", "3" },
        { "ARG A", "", "linux/amd64", NULL, "A", NULL },
        { "ARG A", "A=", "linux/amd64", NULL, "A", "" },
        { "ARG A=1 B=${A}2", "", "linux/amd64", NULL, "B", "12" },
        { "ARG A=1\nARG B=$A-$A", "A=x", "linux/amd64", NULL, "B", "x-x" },
        { "ARG A=${B:-none}\nARG B=1", "", "linux/amd64", NULL, "A", "none" },
        { "ARG A=$UNSET", "", "linux/amd64", NULL, "A", "" },
        { "ARG A=$TARGETARCH", "", "linux/arm64", NULL, "A", "arm64" },
        /* not declared, not there */
        { "", "A=2", "linux/amd64", NULL, "A", NULL },
        { "", "", "linux/arm/v7", NULL, "TARGETPLATFORM", "linux/arm/v7" },
        { "", "", "linux/arm/v7", NULL, "TARGETVARIANT", "v7" },
        { "", "", "linux/arm/v7", NULL, "TARGETOS", "linux" },
        { "", "", "linux/amd64", NULL, "TARGETVARIANT", "" },
        { "", "", "linux/amd64", NULL, "TARGETSTAGE", "default" },
        { "", "", "linux/amd64", "release", "TARGETSTAGE", "release" },
        { "", "TARGETARCH=mine", "linux/amd64", NULL, "TARGETARCH", "mine" },
        { "ARG TARGETARCH=mine", "", "linux/amd64", NULL, "TARGETARCH", "mine" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
        AUTO(free) char *text = xasprintf("%s\nFROM scratch\n", cases[i].arg);
        AUTO(globals_free)
        struct globals *globals =
            make(text, cases[i].build_args, cases[i].platform, cases[i].target, &dockerfile, &err);
        assert_ok_ptr(globals, err);
        const char *value = globals_value(globals, cases[i].name);
        if (!cases[i].value != !value || (value && strcmp(value, cases[i].value) != 0))
            fail_msg("%s with \"%s\": %s is \"%s\"", cases[i].arg, cases[i].build_args,
                     cases[i].name, value ? value : "(unset)");
    }
}

static void targetstage_is_the_targets_name_or_default(void **state UNUSED)
{
    static const struct {
        const char *text, *args, *target, *value;
    } cases[] = {
        { "FROM scratch\n", "", NULL, "default" },
        { "FROM scratch AS a\nFROM scratch AS Last\n", "", NULL, "last" },
        { "FROM scratch AS a\nFROM scratch\n", "", NULL, "default" },
        { "FROM scratch AS a\nFROM scratch\n", "", "a", "a" },
        { "FROM scratch AS a\nFROM scratch\n", "TARGETSTAGE=mine", "a", "mine" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
        AUTO(globals_free)
        struct globals *globals =
            make(cases[i].text, cases[i].args, "linux/amd64", cases[i].target, &dockerfile, &err);
        assert_ok_ptr(globals, err);
        assert_string_equal(globals_value(globals, "TARGETSTAGE"), cases[i].value);
    }
}

static void platform_arguments_are_global_and_can_be_overridden(void **state UNUSED)
{
    static const struct {
        const char *name, *value; /* for linux/arm/v7; NULL: the machine's, not asked */
    } cases[] = {
        { "TARGETPLATFORM", "linux/arm/v7" },
        { "TARGETOS", "linux" },
        { "TARGETOSVERSION", "" },
        { "TARGETARCH", "arm" },
        { "TARGETVARIANT", "v7" },
        { "BUILDPLATFORM", NULL },
        { "BUILDOS", "linux" },
        { "BUILDOSVERSION", "" },
        { "BUILDARCH", NULL },
        { "BUILDVARIANT", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
        AUTO(dockerfile_free) struct dockerfile *again = NULL;
        AUTO(globals_free)
        struct globals *globals =
            make("FROM scratch\n", "", "linux/arm/v7", NULL, &dockerfile, &err);
        assert_ok_ptr(globals, err);
        const char *value = globals_value(globals, cases[i].name);
        if (!value || (cases[i].value && strcmp(value, cases[i].value) != 0))
            fail_msg("%s is \"%s\"", cases[i].name, value ? value : "(unset)");
        AUTO(free) char *arg = xasprintf("%s=mine", cases[i].name);
        AUTO(globals_free)
        struct globals *given = make("FROM scratch\n", arg, "linux/arm/v7", NULL, &again, &err);
        assert_ok_ptr(given, err);
        assert_string_equal(globals_value(given, cases[i].name), "mine");
    }
}

static void errors_name_the_line_of_the_arg(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    struct globals *globals =
        make("ARG A=1\nARG B=${A!}\nFROM scratch\n", "", "linux/amd64", NULL, &dockerfile, &err);
    assert_fails(globals ? 0 : -1, err, ERR_SYNTAX, "Dockerfile:2: ");
}

static void proxies_need_no_arg(void **state UNUSED)
{
    static const struct {
        const char *name;
        bool is_proxy;
    } cases[] = {
        { "HTTP_PROXY", true }, { "http_proxy", true },   { "No_Proxy", true },
        { "ALL_PROXY", true },  { "FTP_PROXY", true },    { "HTTPS_PROXY", true },
        { "PROXY", false },     { "HTTP_PROXY_", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (globals_is_proxy(cases[i].name) != cases[i].is_proxy)
            fail_msg("%s", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_from_arguments_defaults_and_the_platform),
        cmocka_unit_test(targetstage_is_the_targets_name_or_default),
        cmocka_unit_test(platform_arguments_are_global_and_can_be_overridden),
        cmocka_unit_test(errors_name_the_line_of_the_arg),
        cmocka_unit_test(proxies_need_no_arg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
