/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lint.h"

#include "base/mem.h"
#include "tests/unit/test.h"

struct setup {
    struct dockerfile *dockerfile;
    struct globals *globals;
    struct stage_graph *graph;
    struct dockerignore *ignore;
};

static void setup_release(struct setup *setup)
{
    stage_graph_free(setup->graph);
    globals_free(setup->globals);
    dockerfile_free(setup->dockerfile);
    dockerignore_free(setup->ignore);
}
DEFINE_AUTO_STRUCT(struct setup, setup_release)

static const char *const args_none[] = { NULL };

static void prepare(struct setup *setup, const char *text, const char *const *args,
                    const char *ignore)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec build_args = STRVEC_INIT;
    struct platform platform = { 0 };
    platform_set(&platform, "linux", "amd64", NULL, NULL);
    for (; *args; args++)
        strvec_push(&build_args, *args);
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &setup->dockerfile, &err), err);
    setup->globals = globals_new(setup->dockerfile, &build_args, &platform, NULL, &err);
    platform_release(&platform);
    assert_ok_ptr(setup->globals, err);
    setup->graph = stage_graph_new(setup->dockerfile, setup->globals, NULL, NULL, &err);
    assert_ok_ptr(setup->graph, err);
    if (ignore)
        assert_ok(dockerignore_parse(".dockerignore", ignore, strlen(ignore), &setup->ignore, &err),
                  err);
}

static struct image_config known_base; /* linux/arm64 with GOPATH and a shell */

static const struct image_config *base_config(void *data UNUSED, const struct stage *stage UNUSED)
{
    return &known_base;
}

/* "RULE:LINE RULE:LINE" */
static char *findings_of(const struct setup *setup, bool all_stages, bool with_base)
{
    struct error *err = NULL;
    struct platform platform = { 0 };
    platform_set(&platform, "linux", "amd64", NULL, NULL);
    struct lint_options options = { .graph = setup->graph,
                                    .ignore = setup->ignore,
                                    .platform = &platform,
                                    .all_stages = all_stages,
                                    .base_config = with_base ? base_config : NULL };
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    assert_ok(lint_run(&options, &findings, &err), err);
    platform_release(&platform);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < findings.n_items; i++)
        strbuf_addf(&text, "%s%s:%zu", i ? " " : "", findings.items[i].rule,
                    findings.items[i].range.first);
    return strbuf_detach(&text);
}

static void check(const char *text, const char *const *args, const char *ignore, bool with_base,
                  const char *expected)
{
    AUTO(setup_release) struct setup setup = { 0 };
    prepare(&setup, text, args, ignore);
    AUTO(free) char *found = findings_of(&setup, true, with_base);
    if (strcmp(found, expected) != 0)
        fail_msg("%s\nfound:    %s\nexpected: %s", text, found, expected);
}

static const struct {
    const char *text, *expected;
} cases[] = {
    { "FROM a AS Build\n", "StageNameCasing:1" },
    { "FROM a AS build\n", "" },
    { "# check=skip=StageNameCasing\nFROM a AS Build\n", "" },

    { "FROM a as b\n", "FromAsCasing:1" },
    { "from a AS b\n", "FromAsCasing:1" },
    { "from a as b\n", "" },
    { "From a As b\n", "ConsistentInstructionCasing:1" },
    { "# check=skip=FromAsCasing\nFROM a as b\n", "" },

    { "FROM a\nRUN a \\\n\n  b\n", "NoEmptyContinuation:3" },
    { "FROM a\nRUN a \\\n# no\n  b\n", "" },
    { "# check=skip=NoEmptyContinuation\nFROM a\nRUN a \\\n\n  b\n", "" },
    { "FROM a\n# check=skip=NoEmptyContinuation\nRUN a \\\n\n  b\n", "" },

    { "FROM a\nrun x\nUSER y\n", "ConsistentInstructionCasing:2" },
    { "from a\nrun x\nUSER y\n", "ConsistentInstructionCasing:3" },
    { "FROM a\nrun x\n", "ConsistentInstructionCasing:2" }, /* a tie: capitals */
    { "FROM a\nRun x\n", "ConsistentInstructionCasing:2" },
    { "arg A=1\nFROM a\nRUN x\n", "" }, /* global ARGs aren't judged */
    { "FROM a\n# check=skip=ConsistentInstructionCasing\nrun x\n", "" },

    { "FROM a AS b\nFROM a AS b\n", "DuplicateStageName:2" },
    { "FROM a AS b\nFROM a AS c\n", "" },
    { "FROM a AS b\n# check=skip=DuplicateStageName\nFROM a AS b\n", "" },

    { "FROM a AS scratch\n", "ReservedStageName:1" },
    { "FROM a AS context\n", "ReservedStageName:1" },
    { "# check=skip=ReservedStageName\nFROM a AS scratch\n", "" },

    { "FROM a\nCMD run\n", "JSONArgsRecommended:2" },
    { "FROM a\nENTRYPOINT run\n", "JSONArgsRecommended:2" },
    { "FROM a\nCMD [\"run\"]\nENTRYPOINT [\"x\"]\n", "" },
    { "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\nCMD run\n", "" },
    { "FROM a AS b\nSHELL [\"/bin/bash\", \"-c\"]\nFROM b\nCMD run\n", "" },
    { "FROM a\n# check=skip=JSONArgsRecommended\nCMD run\n", "" },

    { "FROM a\nMAINTAINER me\n", "MaintainerDeprecated:2" },
    { "FROM a\nLABEL maintainer=me\n", "" },
    { "# check=skip=MaintainerDeprecated\nFROM a\nMAINTAINER me\n", "" },

    { "FROM a:${V:-1}\n", "UndefinedArgInFrom:1" },
    { "ARG V\nFROM a:${V:-1}\n", "" },
    { "FROM --platform=$BUILDPLATFORM a\n", "" },
    { "ARG V=1\nFROM a:${VV:-1}\n", "UndefinedArgInFrom:2" },
    { "# check=skip=UndefinedArgInFrom\nFROM a:${V:-1}\n", "" },

    { "FROM a\nWORKDIR x\nWORKDIR y\n", "WorkdirRelativePath:2" },
    { "FROM a\nWORKDIR /x\nWORKDIR y\n", "" },
    { "FROM a AS b\nWORKDIR /x\nFROM b\nWORKDIR y\n", "" },
    { "FROM a\nWORKDIR $OF_THE_BASE/x\nWORKDIR $OF_THE_BASE\n", "" },
    { "FROM scratch\nENV D=x\nWORKDIR $D\n", "WorkdirRelativePath:3" },
    { "FROM a\n# check=skip=WorkdirRelativePath\nWORKDIR x\n", "" },

    { "FROM scratch\nCOPY a$X /\n", "UndefinedVar:2" },
    { "FROM scratch\nARG X\nCOPY a$X /\n", "" },
    { "FROM scratch\nENV X=1\nCOPY a$X /\n", "" },
    { "FROM scratch\nENV P=$PATH:/x\n", "" },
    { "FROM a\nENV P=$GOPATH/bin:$PATH\n", "" },      /* may be the base's */
    { "FROM a\nENV P=/x:$PAHT\n", "UndefinedVar:2" }, /* is no other's */
    { "ARG X=1\nFROM a\nLABEL v=$X\n", "UndefinedVar:3" },
    { "FROM a\nLABEL v=$TARGETARCH\n", "UndefinedVar:2" },
    { "FROM a AS b\nENV X=1\nFROM a\nUSER $X\n", "UndefinedVar:4" },
    { "FROM a AS b\nARG X=1\nFROM b\nUSER $X\n", "" },
    { "FROM a\nENV X=1 Y=$X\n", "UndefinedVar:2" }, /* sees what was before */
    { "FROM a\nENV X=$1\n", "UndefinedVar:2" },
    { "FROM scratch\nRUN echo $X\n", "" }, /* the shell's */
    { "FROM scratch\nRUN --mount=type=cache,target=/$X x\n", "UndefinedVar:2" },
    { "FROM scratch\nARG A=$X\n", "UndefinedVar:2" },
    { "FROM scratch\nCOPY <<A <<'B' /x/\n$X\nA\n$Y\nB\n", "UndefinedVar:2" },
    { "FROM scratch\nCOPY \\$X /\n", "" },
    { "FROM scratch\n# check=skip=UndefinedVar\nCOPY a$X /\n", "" },

    { "FROM a\nCMD [\"a\"]\nCMD [\"b\"]\n", "MultipleInstructionsDisallowed:2" },
    { "FROM a\nENTRYPOINT [\"a\"]\nENTRYPOINT [\"b\"]\nENTRYPOINT [\"c\"]\n",
      "MultipleInstructionsDisallowed:2 MultipleInstructionsDisallowed:3" },
    { "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK CMD b\n", "MultipleInstructionsDisallowed:2" },
    { "FROM a AS b\nCMD [\"a\"]\nFROM b\nCMD [\"b\"]\n", "" },
    { "FROM a\nCMD [\"a\"]\n# check=skip=MultipleInstructionsDisallowed\nCMD [\"b\"]\n", "" },

    { "FROM a\nENV k some value\n", "LegacyKeyValueFormat:2" },
    { "FROM a\nLABEL k some value\n", "LegacyKeyValueFormat:2" },
    { "FROM a\nENV k=v\n", "" },
    { "FROM a\n# check=skip=LegacyKeyValueFormat\nENV k v\n", "" },

    { "FROM --platform=$TARGETPLATFORM a\n", "RedundantTargetPlatform:1" },
    { "FROM --platform=${TARGETPLATFORM} a\n", "RedundantTargetPlatform:1" },
    { "FROM --platform=$TARGETOS/$TARGETARCH a\n", "" },
    { "# check=skip=RedundantTargetPlatform\nFROM --platform=$TARGETPLATFORM a\n", "" },

    { "FROM a\nARG API_KEY\n", "SecretsUsedInArgOrEnv:2" },
    { "FROM a\nENV password=x\n", "SecretsUsedInArgOrEnv:2" },
    { "FROM a\nENV DB_PASSWD_X=x Auth=y\n", "SecretsUsedInArgOrEnv:2 SecretsUsedInArgOrEnv:2" },
    { "FROM a\nENV PUBLIC_KEY=x KEY_FILE=x TOKEN_VERSION=1 KEYRING=1 AUTHOR=x\n", "" },
    { "FROM a\n# check=skip=SecretsUsedInArgOrEnv\nENV PASSWORD=x\n", "" },

    { "FROM --platform=linux/arm64 a\n", "FromPlatformFlagConstDisallowed:1" },
    { "FROM --platform=linux/arm64 a AS x-arm64\n", "" },
    { "FROM --platform=$BUILDPLATFORM a\n", "" },
    { "# check=skip=FromPlatformFlagConstDisallowed\nFROM --platform=linux/arm64 a\n", "" },

    { "FROM a\nEXPOSE 80/TCP\n", "ExposeProtoCasing:2" },
    { "FROM a\nEXPOSE 80/tcp 81\n", "" },
    { "FROM a\n# check=skip=ExposeProtoCasing\nEXPOSE 80/TCP\n", "" },

    { "FROM a\nEXPOSE 80:80\n", "ExposeInvalidFormat:2" },
    { "FROM a\nEXPOSE 127.0.0.1:80:80 [::1]:5000:5000\n",
      "ExposeInvalidFormat:2 ExposeInvalidFormat:2" },
    { "FROM a\nARG P=\"1 2:3\"\nEXPOSE $P\n", "ExposeInvalidFormat:3" },
    { "FROM a\n# check=skip=ExposeInvalidFormat\nEXPOSE 80:80\n", "" },

    { "# check=experimental=InvalidDefinitionDescription\n\n# what\nFROM a AS b\n# X is\nARG X\n# "
      "Y\nARG Z\n",
      "InvalidDefinitionDescription:4 InvalidDefinitionDescription:8" },
    { "# check=experimental=all\n\n# b is what\nFROM a AS b\n# B does\nARG A=1 B=2\n\n# no\n\nARG "
      "C\n",
      "" },
    { "# what\nFROM a AS b\n", "" },
    { "# check=experimental=all;skip=InvalidDefinitionDescription\n\n# what\nFROM a AS b\n", "" },
    { "# check=experimental=all\n\n# check=skip=InvalidDefinitionDescription\n# what\nFROM a AS "
      "b\n",
      "" },

    { "# check=skip=all\nFROM a as B\nMAINTAINER x\n", "" },
    { "FROM a\n# check=skip=all\nMAINTAINER x\nCMD run\n", "JSONArgsRecommended:4" },
    { "# check=skip=stagenamecasing\nFROM a AS B\n",
      "StageNameCasing:2" }, /* names match by case */
};

static void each_rule_is_found_and_skipped(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check(cases[i].text, args_none, NULL, false, cases[i].expected);
}

static void invalid_default_in_from(void **state UNUSED)
{
    static const char *const given[] = { "V=1", NULL };
    static const struct {
        const char *text, *expected;
    } defaults[] = {
        { "ARG V\nFROM a:$V\n", "InvalidDefaultArgInFrom:2" },
        { "ARG V\nFROM $V\n", "InvalidDefaultArgInFrom:2" },
        { "ARG V=1\nFROM a:$V\n", "" },
        { "ARG V\nFROM a:${V:-1}\n", "" },
        { "ARG V\n# check=skip=InvalidDefaultArgInFrom\nFROM a:$V\n", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        check(defaults[i].text, given, NULL, false, defaults[i].expected);
}

static void copy_of_an_ignored_file(void **state UNUSED)
{
    static const struct {
        const char *text, *ignore, *expected;
    } sources[] = {
        { "FROM a\nCOPY x/y /\n", "x\n", "CopyIgnoredFile:2" },
        { "FROM a\nADD /x /\n", "x\n", "CopyIgnoredFile:2" },
        { "FROM a\nCOPY z x /d/\n", "x\n", "CopyIgnoredFile:2" },
        { "FROM a\nCOPY . /\n", "x\n", "" },
        { "FROM a\nCOPY x /\n", "x\n!x/y\n", "" }, /* something of it may be left */
        { "FROM a AS s\nFROM a\nCOPY --from=s x /\n", "x\n", "" },
        { "FROM a\nADD https://h/x /\n", "**\n", "" },
        { "FROM a\nCOPY x /\n", NULL, "" },
        { "# check=skip=CopyIgnoredFile\nFROM a\nCOPY x /\n", "x\n", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        check(sources[i].text, args_none, sources[i].ignore, false, sources[i].expected);
}

static void base_image_that_is_known(void **state UNUSED)
{
    static const struct {
        const char *text, *expected;
    } bases[] = {
        { "FROM a\n", "InvalidBaseImagePlatform:1" },
        { "FROM --platform=linux/arm64 a AS arm64\n", "" },
        { "FROM scratch\n", "" },
        { "# check=skip=InvalidBaseImagePlatform\nFROM a\nCMD run\n", "" }, /* it has a SHELL */
        { "# check=skip=InvalidBaseImagePlatform\nFROM a\nUSER $GOPATH\n", "" },
        { "# check=skip=InvalidBaseImagePlatform\nFROM a\nUSER $FOO\n", "UndefinedVar:3" },
    };
    platform_set(&known_base.platform, "linux", "arm64", NULL, NULL);
    env_add(&known_base.env, "GOPATH=/go");
    strvec_push(&known_base.shell, "/bin/bash");
    known_base.has_shell = true;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        check(bases[i].text, args_none, NULL, true, bases[i].expected);
    image_config_release(&known_base);
}

static void build_argument_takes_the_directives_place(void **state UNUSED)
{
    static const char *const skips[] = { "BUILDKIT_DOCKERFILE_CHECK=skip=MaintainerDeprecated",
                                         NULL };
    check("# check=skip=StageNameCasing\nFROM a AS B\nMAINTAINER x\n", skips, NULL, false,
          "StageNameCasing:2");
    static const char *const bad[] = { "BUILDKIT_DOCKERFILE_CHECK=skpi=x", NULL };
    AUTO(setup_release) struct setup setup = { 0 };
    prepare(&setup, "FROM a\n", bad, NULL);
    struct lint_options options = { .graph = setup.graph };
    struct lint_findings findings = { 0 };
    struct error *err = NULL;
    assert_fails(lint_run(&options, &findings, &err), err, ERR_SYNTAX, "BUILDKIT_DOCKERFILE_CHECK");
}

static void stages_that_the_target_does_not_need(void **state UNUSED)
{
    AUTO(setup_release) struct setup setup = { 0 };
    prepare(&setup, "FROM a AS other\nCMD run\nFROM a\nCMD run\n", args_none, NULL);
    AUTO(free) char *needed = findings_of(&setup, false, false);
    assert_string_equal(needed, "JSONArgsRecommended:4");
    AUTO(free) char *all = findings_of(&setup, true, false);
    assert_string_equal(all, "JSONArgsRecommended:2 JSONArgsRecommended:4");
}

static void findings_are_told_with_place_and_correction(void **state UNUSED)
{
    AUTO(setup_release) struct setup setup = { 0 };
    prepare(&setup, "# check=error=true\nFROM a AS Build\n", args_none, NULL);
    struct lint_options options = { .graph = setup.graph };
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    struct error *err = NULL;
    assert_ok(lint_run(&options, &findings, &err), err);
    assert_true(findings.error);
    assert_int_equal(findings.n_items, 1);
    AUTO(free) char *text = lint_format_short(setup.dockerfile, &findings.items[0]);
    assert_string_equal(text, "Dockerfile:2: StageNameCasing: stage name \"Build\" should be in "
                              "lower case (AS build)");
    AUTO(strbuf_release) struct strbuf whole = STRBUF_INIT;
    lint_format_long(setup.dockerfile, &findings.items[0], &whole);
    assert_string_equal(
        whole.data, "Dockerfile:2: StageNameCasing: stage name \"Build\" should be in lower case\n"
                    "   1 |     # check=error=true\n"
                    "   2 | >>> FROM a AS Build\n"
                    "     = AS build\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_found_and_skipped),
        cmocka_unit_test(invalid_default_in_from),
        cmocka_unit_test(copy_of_an_ignored_file),
        cmocka_unit_test(base_image_that_is_known),
        cmocka_unit_test(build_argument_takes_the_directives_place),
        cmocka_unit_test(stages_that_the_target_does_not_need),
        cmocka_unit_test(findings_are_told_with_place_and_correction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
