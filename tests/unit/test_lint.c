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
                                    .checking = all_stages,
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
    { "# check=experimental=all\n\n# b is what\nFROM a:1 AS b\n# B does\nARG A=1 B=2\n\n# "
      "no\n\nARG "
      "C\n",
      "" },
    { "# what\nFROM a AS b\n", "" },
    { "# check=experimental=all;skip=InvalidDefinitionDescription\n\n# what\nFROM a:1 AS b\n", "" },
    { "# check=experimental=all\n\n# check=skip=InvalidDefinitionDescription\n# what\nFROM a:1 AS "
      "b\n",
      "" },

    { "# check=skip=all\nFROM a as B\nMAINTAINER x\n", "" },
    { "FROM a\n# check=skip=all\nMAINTAINER x\nCMD run\n", "JSONArgsRecommended:4" },
    { "# check=skip=stagenamecasing\nFROM a AS B\n",
      "UnknownRule:1 StageNameCasing:2" }, /* names match by case */
    { "FROM a\n# check=skip=JSONArgsRecomended\nCMD [\"a\"]\n", "UnknownRule:3" },
    { "# check=skip=OfTheFuture\nFROM a\n", "" },
    { "# check=skip=UnknownRule,StageNameCasin\nFROM a\n", "" },
};

#define OPINIONS "# check=experimental=all\n"

/* --- ours: those of certain mistakes, of --check, and opinions --- */
static const struct {
    const char *text, *expected;
} own_cases[] = {
    { "FROM a\nRUN echo 'a\n", "ShellSyntax:2" },
    { "FROM a\nRUN echo it\\'s \"a'b\" # it's\n", "" },
    { "FROM a\nRUN echo \"a\n", "ShellSyntax:2" },
    { "FROM a\nRUN if true; then echo a\n", "ShellSyntax:2" },
    { "FROM a\nRUN if true; then echo a; fi\n", "" },
    { "FROM a\nRUN for i in if do; do echo $i; done; echo fi\n", "" },
    { "FROM a\nRUN while true; do break\n", "ShellSyntax:2" },
    { "FROM a\nRUN case a in (a|b) echo ;; *) echo; esac\n", "" },
    { "FROM a\nRUN case a in a) echo\n", "ShellSyntax:2" },
    { "FROM a\nRUN (cd /x && { a; b; }) || c\n", "" },
    { "FROM a\nRUN (cd /x\n", "ShellSyntax:2" },
    { "FROM a\nRUN echo a; fi\n", "ShellSyntax:2" },
    { "FROM a\nRUN f() { echo $(case x in x) echo;; esac); }\n", "" },
    { "FROM a\nRUN a=(1 2); [[ a ]] && echo $'it\\'s'\n", "" },
    { "FROM a\nRUN echo $(echo \"$(echo 'x)')\")\n", "" },
    { "FROM a\nRUN cat <<EOF\nit's\nEOF\n", "" },
    { "FROM a\nSHELL [\"pwsh\", \"-c\"]\nRUN echo 'a\n", "" },
    { "FROM a\nRUN [\"echo\", \"'a\"]\n", "" },
    { "FROM a\n# check=skip=ShellSyntax\nRUN echo 'a\n", "" },

    { "FROM a AS s\nFROM a\nARG S\nCOPY --from=${S:-s} a /\n", "CopyFromVariable:4" },
    { "FROM a AS s\nFROM a\nCOPY --from=s a /\n", "" },
    { "FROM a\nCOPY d/* /d/\n", "CopyFlattens:2" },
    { "FROM a\nCOPY d/ d/*.c * /d/\n", "" },
    { "FROM a\nCOPY --parents d/* /d/\n", "" },

    { "FROM a\nENV A=1\nARG A=2\n", "ArgOverridesEnv:3" },
    { "FROM a AS b\nENV A=1\nFROM b\nARG X=1 A=2\n", "ArgOverridesEnv:4" },
    { "FROM a\nARG A=2\nENV A=1\n", "" },
    { "FROM a\nENV A=1\nARG A\n", "" }, /* nothing takes its place */
    { "FROM a\nENV A=1\nFROM a\nARG A=2\n", "" },
    { "FROM a\nENV A=1\n# check=skip=ArgOverridesEnv\nARG A=2\n", "" },

    { "FROM a\nRUN <<E\na\nb\nE\n", "HeredocWithoutErrexit:2" },
    { "FROM a\nRUN <<E\nset -ex\na\nb\nE\n", "" },
    { "FROM a\nRUN <<E\nset -o errexit\na\nb\nE\n", "" },
    { "FROM a\nSHELL [\"/bin/bash\", \"-ec\"]\nRUN <<E\na\nb\nE\n", "" },
    { "FROM a\nRUN <<E\na &&\nb\nE\n", "" },
    { "FROM a\nRUN <<E\n#!/bin/sh\na\nb\nE\n", "" },
    { "FROM a\nRUN a; b\n", "" },

    { OPINIONS "FROM a:1\nRUN a | b\n", "PipeFailure:3" },
    { OPINIONS "FROM a:1\nRUN a || b\n", "" },
    { OPINIONS "FROM a:1\nRUN set -o pipefail; a | b\n", "" },
    { OPINIONS "FROM a:1\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN a | b\n", "" },
    { "FROM a:1\nRUN a | b\n", "" }, /* an opinion that wasn't asked for */
    { OPINIONS "FROM a:1\nRUN apt-get install -y -t sid a=1 b\n", "UnpinnedPackages:3" },
    { OPINIONS "FROM a:1\nRUN apt-get install -y -t sid a=1 ./b.deb $C\n", "" },
    { OPINIONS "FROM a:1\nRUN apk add --virtual x a~1\n", "" },
    { OPINIONS "FROM a:1\nRUN apk add a\n", "UnpinnedPackages:3" },
    { OPINIONS "FROM a:1\nRUN pip install -r r.txt a==1\n", "" },
    { OPINIONS "FROM a:1\nRUN pip install a\n", "UnpinnedPackages:3" },
    { OPINIONS "FROM a:1\nRUN apt-get update\n", "AptListsLeft:3" },
    { OPINIONS "FROM a:1\nRUN apt-get update && rm -rf /var/lib/apt/lists/*\n", "" },
    { OPINIONS "FROM a:1\nRUN --mount=type=cache,target=/var/lib/apt apt-get update\n", "" },
    { OPINIONS "FROM a:1\nRUN sudo a\n", "SudoUsed:3" },
    { OPINIONS "FROM a:1\nRUN echo sudo\n", "" },
    { OPINIONS "FROM a:1\nRUN cd /x && a\n", "CdInRun:3" },
    { OPINIONS "FROM a:1\nRUN (echo cd)\n", "" },
    { OPINIONS "FROM a\n", "LatestTag:2" },
    { OPINIONS "FROM a:latest\n", "LatestTag:2" },
    { OPINIONS "FROM a:1 AS b\nFROM b\n", "" },
    { "# check=experimental=LatestTag\nFROM a\nRUN cd /x\n", "LatestTag:2" },
};

static void own_rules_are_found_and_skipped(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(own_cases); i++)
        check(own_cases[i].text, args_none, NULL, false, own_cases[i].expected);
}

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

/* Word by word, as BuildKit's rules have it. */
static void the_words_are_buildkits(void **state UNUSED)
{
    static const struct {
        const char *text, *ignore, *detail;
    } words[] = {
        { "FROM a AS Build\n", NULL, "Stage name 'Build' should be lowercase" },
        { "FROM a as b\n", NULL, "'as' and 'FROM' keywords' casing do not match" },
        { "FROM a\nRUN a \\\n\n  b\n", NULL, "Empty continuation line" },
        { "FROM a\nrun x\nUSER y\n", NULL,
          "Command 'run' should match the case of the command majority (uppercase)" },
        { "FROM a AS b\nFROM a AS b\n", NULL,
          "Duplicate stage name \"b\", stage names should be unique" },
        { "FROM a AS scratch\n", NULL,
          "Stage name should not use the same name as reserved stage \"scratch\"" },
        { "FROM a\nCMD run\n", NULL,
          "JSON arguments recommended for CMD to prevent unintended behavior related to OS "
          "signals" },
        { "FROM a\nMAINTAINER me\n", NULL,
          "Maintainer instruction is deprecated in favor of using label" },
        { "ARG VER=1\nFROM a:${VRE:-1}\n", NULL,
          "FROM argument 'VRE' is not declared (did you mean VER?)" },
        { "FROM a\nWORKDIR x\n", NULL,
          "Relative workdir \"x\" can have unexpected results if the base image changes" },
        { "FROM scratch\nENV NAME=1\nUSER $NAEM\n", NULL,
          "Usage of undefined variable '$NAEM' (did you mean $NAME?)" },
        { "FROM a\nCMD [\"a\"]\nCMD [\"b\"]\n", NULL,
          "Multiple CMD instructions should not be used in the same stage because only the last "
          "one will be used" },
        { "FROM a\nENV k v\n", NULL,
          "\"ENV key=value\" should be used instead of legacy \"ENV key value\" format" },
        { "FROM --platform=${TARGETPLATFORM} a\n", NULL,
          "Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the "
          "default behavior" },
        { "FROM a\nARG API_KEY\n", NULL,
          "Do not use ARG or ENV instructions for sensitive data (ARG \"API_KEY\")" },
        { "ARG V=x\nFROM a:1\nARG W\nEXPOSE 80/TCP\n", NULL,
          "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase" },
        { "FROM a\nEXPOSE 127.0.0.1:80:80\n", NULL,
          "EXPOSE instruction should not define an IP address or host-port mapping, found "
          "'127.0.0.1:80:80'" },
        { "FROM --platform=linux/arm64 a\n", NULL,
          "FROM --platform flag should not use constant value \"linux/arm64\"" },
        { "FROM a\nADD ./x/ /\n", "x\n",
          "Attempting to Add file \"x\" that is excluded by .dockerignore" },
        { "# check=experimental=InvalidDefinitionDescription\n\n# what\nARG X\nFROM a\n", NULL,
          "Comment for ARG should follow the format: `# X <description>`" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        AUTO(setup_release) struct setup setup = { 0 };
        prepare(&setup, words[i].text, args_none, words[i].ignore);
        struct lint_options options = { .graph = setup.graph, .ignore = setup.ignore };
        AUTO(lint_findings_release) struct lint_findings findings = { 0 };
        struct error *err = NULL;
        options.all_stages = true;
        assert_ok(lint_run(&options, &findings, &err), err);
        if (findings.n_items != 1)
            fail_msg("%s\n%zu findings", words[i].text, findings.n_items);
        assert_string_equal(findings.items[0].text, words[i].detail);
    }
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
    assert_string_equal(text, "Dockerfile:2: StageNameCasing: Stage name 'Build' should be "
                              "lowercase (AS build)");
    AUTO(strbuf_release) struct strbuf whole = STRBUF_INIT;
    lint_format_long(setup.dockerfile, &findings.items[0], &whole);
    assert_string_equal(whole.data,
                        "Dockerfile:2: StageNameCasing: Stage name 'Build' should be lowercase\n"
                        "   1 |     # check=error=true\n"
                        "   2 | >>> FROM a AS Build\n"
                        "     = AS build\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_found_and_skipped),
        cmocka_unit_test(own_rules_are_found_and_skipped),
        cmocka_unit_test(invalid_default_in_from),
        cmocka_unit_test(copy_of_an_ignored_file),
        cmocka_unit_test(base_image_that_is_known),
        cmocka_unit_test(the_words_are_buildkits),
        cmocka_unit_test(build_argument_takes_the_directives_place),
        cmocka_unit_test(stages_that_the_target_does_not_need),
        cmocka_unit_test(findings_are_told_with_place_and_correction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
