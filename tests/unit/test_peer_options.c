/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer_options.h"

#include "tests/unit/test.h"

static const struct command_help help = { .usage = "cbuild build", .summary = "" };

static int parse(const char *one, const char *other, struct error **err)
{
    AUTO(peer_options_release) struct peer_options peer = PEER_OPTIONS_INIT;
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    const struct option options[] = { PEER_OPTIONS(&peer), OPT_END() };
    char *argv[] = { (char[]){ "build" }, (char *)(uintptr_t)one, (char *)(uintptr_t)other, NULL };
    if (options_parse(options, &help, argv, &operands, err) < 0)
        return -1;
    return peer_options_check(&peer, err);
}

static void what_is_so_anyway_is_taken(void **state UNUSED)
{
    static const char *const cases[][2] = {
        { "--load" },
        { "--rm", "--force-rm" },
        { "--rm=false" },
        { "--compress", "--disable-content-trust" },
        { "--layers" },
        { "--layers=true", "--squash=false" },
        { "--builder", "default" },
        { "--builder=ci" },
        { "--format", "oci" },
        { "--provenance=false", "--sbom=false" },
        { "--provenance", "false" },
        { "--provenance=0", "--sbom=disabled=true" },
        { "--attest=type=provenance,disabled=true", "--attest=disabled=true,type=sbom" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_ok(parse(cases[i][0], cases[i][1], &err), err);
    }
}

static void what_is_not_so_is_refused_by_name(void **state UNUSED)
{
    static const struct {
        const char *one, *other, *error, *hint;
    } cases[] = {
        { "--provenance=true", NULL, "--provenance=true: builds make no attestations", "attach" },
        { "--provenance", "mode=max", "--provenance=mode=max: builds make no", "attach" },
        { "--sbom=true", NULL, "--sbom=true: builds make no attestations", "attach" },
        { "--attest", "type=sbom", "--attest=type=sbom: builds make no", "attach" },
        { "--attest=type=sbom,disabled=trueish", NULL,
          "--attest=type=sbom,disabled=trueish: ", "" },
        { "--attest=type=sbom,,disabled", NULL, "--attest=type=sbom,,disabled: ", "" },
        { "--squash", NULL, "--squash: layers aren't put together", "stage" },
        { "--layers=false", NULL, "--layers=false: each step makes a layer", "" },
        { "--format=docker", NULL, "--format=docker: images are made as oci", "--format v2s2" },
        { "--cache-to", "type=inline", "--cache-to: the cache isn't exchanged", "the store" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_int_equal(parse(cases[i].one, cases[i].other, &err), -1);
        assert_non_null(strstr(error_hint_text(err), cases[i].hint));
        assert_fails(-1, err, ERR_USAGE, cases[i].error);
    }
}

static void keys_of_a_cache_are_not_repeated(void **state UNUSED)
{
    struct error *err = NULL;
    assert_int_equal(parse("--cache-from", "type=s3,secret_access_key=hush", &err), -1);
    assert_null(strstr(error_message(err), "hush"));
    assert_null(strstr(error_hint_text(err), "hush"));
    error_free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_so_anyway_is_taken),
        cmocka_unit_test(what_is_not_so_is_refused_by_name),
        cmocka_unit_test(keys_of_a_cache_are_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
