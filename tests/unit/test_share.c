/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/share.h"

#include "base/mem.h"
#include "tests/unit/test.h"

#define MAX_PLATFORMS 3

struct fixture {
    struct dockerfile *dockerfile;
    struct globals *globals[MAX_PLATFORMS];
    struct stage_graph *graphs[MAX_PLATFORMS];
    size_t n_graphs;
    struct share share;
};

static void fixture_release(struct fixture *fixture)
{
    share_release(&fixture->share);
    for (size_t i = 0; i < fixture->n_graphs; i++) {
        stage_graph_free(fixture->graphs[i]);
        globals_free(fixture->globals[i]);
    }
    dockerfile_free(fixture->dockerfile);
}
DEFINE_AUTO_STRUCT(struct fixture, fixture_release)

static void make(struct fixture *fixture, const char *text, const char *const *platforms,
                 const char *arg)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    strvec_push(&args, "BUILDPLATFORM=linux/amd64");
    if (arg)
        strvec_push(&args, arg);
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &fixture->dockerfile, &err), err);
    for (size_t i = 0; i < MAX_PLATFORMS && platforms[i]; i++) {
        AUTO(platform_release) struct platform platform = { 0 };
        assert_ok(platform_parse(platforms[i], &platform, &err), err);
        fixture->globals[i] = globals_new(fixture->dockerfile, &args, &platform, NULL, &err);
        assert_ok_ptr(fixture->globals[i], err);
        fixture->graphs[i] =
            stage_graph_new(fixture->dockerfile, fixture->globals[i], NULL, NULL, &err);
        assert_ok_ptr(fixture->graphs[i], err);
        fixture->n_graphs++;
    }
    share_init(&fixture->share, (const struct stage_graph *const *)fixture->graphs,
               fixture->n_graphs);
}

/* Per stage: of each platform "own", of a leader "all" or the number of instructions, else "=". */
static char *describe(const struct share *share)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < share->n_stages; i++) {
        for (size_t j = 0; j < share->n_graphs; j++) {
            const struct share_stage *stage = share_get(share, j, i);
            strbuf_adds(&text, j ? " " : i ? "; " : "");
            if (stage->leader != j)
                strbuf_addf(&text, "=%zu", stage->leader);
            else if (!stage->is_followed)
                strbuf_adds(&text, "own");
            else if (stage->n_same == share->graphs[j]->stages[i].n_instructions)
                strbuf_adds(&text, "all");
            else
                strbuf_addf(&text, "%zu", stage->n_same);
        }
    }
    return strbuf_detach(&text);
}

#define NATIVE "FROM --platform=$BUILDPLATFORM "

static const struct share_case {
    const char *text, *arg, *expected;
} cases[] = {
    { "FROM x\nRUN a\n", NULL, "own own own" },
    { NATIVE "x\nRUN a\nCOPY b /\n", NULL, "all =0 =0" },
    /* up to an ARG whose value differs */
    { NATIVE "x\nRUN a\nARG TARGETARCH\nRUN b\n", NULL, "1 =0 =0" },
    { NATIVE "x\nARG TARGETPLATFORM\nRUN b\n", NULL, "0 =0 =0" },
    { NATIVE "x\nARG TARGETOS\nRUN b\n", NULL, "all =0 =0" },
    { NATIVE "x\nARG TARGETVARIANT BUILDARCH\nRUN b\n", NULL, "0 =0 =0" },
    { NATIVE "x\nARG OTHER=1\nRUN b\n", NULL, "all =0 =0" },
    { "ARG OF=$TARGETARCH\n" NATIVE "x\nRUN a\nARG OF\n", NULL, "1 =0 =0" },
    { NATIVE "x\nARG TARGETARCH\nRUN b\n", "TARGETARCH=any", "all =0 =0" },
    /* a constant platform is one for all, unless they are the same by chance */
    { "FROM --platform=linux/arm64 x\nRUN a\n", NULL, "all =0 =0" },
    { "FROM --platform=linux/$TARGETARCH x\nRUN a\n", NULL, "own own own" },
    { "FROM x AS base\nFROM --platform=$BUILDPLATFORM base\n", NULL, "own own own; own own own" },
    /* files of stages */
    { NATIVE "x AS a\nRUN 1\n" NATIVE "y\nRUN 2\nCOPY --from=a f /\nRUN 3\n", NULL,
      "all =0 =0; all =0 =0" },
    { NATIVE "x AS a\nARG TARGETARCH\n" NATIVE "y\nRUN 2\nCOPY --from=a f /\nRUN 3\n", NULL,
      "0 =0 =0; 1 =0 =0" },
    { "FROM x AS a\n" NATIVE "y\nRUN --mount=from=a,target=/a 1\nRUN 2\n", NULL,
      "own own own; 0 =0 =0" },
    { NATIVE "y\nCOPY --from=image f /\n", NULL, "all =0 =0" },
    { "ARG T=img-$TARGETARCH\n" NATIVE "y\nRUN 1\nCOPY --from=$T f /\n", NULL, "1 =0 =0" },
    /* a stage on another one */
    { NATIVE "x AS a\nRUN 1\nFROM a\nRUN 2\n", NULL, "all =0 =0; all =0 =0" },
    { NATIVE "x AS a\nARG TARGETARCH\nFROM a\nRUN 2\n", NULL, "0 =0 =0; own own own" },
    { "FROM x AS a\n" NATIVE "y AS b\nFROM --after=a y\n", NULL,
      "own own own; own own own; own own own" },
    { "FROM scratch AS a-arm64\nFROM scratch AS a-amd64\nFROM scratch AS a-arm\n"
      "FROM a-$TARGETARCH\n",
      NULL, "own own own; own own own; own own own; own own own" },
};

static void what_platforms_have_in_common_goes_as_far_as_it_does_not_differ(void **state UNUSED)
{
    static const char *const platforms[MAX_PLATFORMS] = { "linux/amd64", "linux/arm64",
                                                          "linux/arm/v7" };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(fixture_release) struct fixture fixture = { 0 };
        make(&fixture, cases[i].text, platforms, cases[i].arg);
        AUTO(free) char *text = describe(&fixture.share);
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("%s\nis       %s\nexpected %s", cases[i].text, text, cases[i].expected);
    }
}

static void two_of_three_may_share_what_the_third_has_not(void **state UNUSED)
{
    static const char *const platforms[MAX_PLATFORMS] = { "linux/arm/v6", "linux/amd64",
                                                          "linux/arm/v7" };
    AUTO(fixture_release) struct fixture fixture = { 0 };
    make(&fixture,
         "FROM scratch AS a-arm\nFROM scratch AS a-amd64\nFROM --platform=linux/386 "
         "a-$TARGETARCH\nRUN 1\nARG TARGETARCH\nRUN 2\nARG TARGETVARIANT\n",
         platforms, NULL);
    AUTO(free) char *text = describe(&fixture.share);
    assert_string_equal(text, "own own own; own own own; own own own");
    AUTO(fixture_release) struct fixture other = { 0 };
    make(&other,
         "ARG P=linux/$TARGETARCH/v5\nFROM --platform=$P x\nRUN 1\nARG TARGETARCH\nRUN 2\nARG "
         "TARGETVARIANT\n",
         platforms, NULL);
    AUTO(free) char *others = describe(&other.share);
    assert_string_equal(others, "3 own =0");
}

static void triggers_are_told_apart_as_instructions_are(void **state UNUSED)
{
    static const char *const platforms[MAX_PLATFORMS] = { "linux/amd64", "linux/arm64", NULL };
    static const struct {
        const char *text;
        bool differs;
    } triggers[] = {
        { "RUN a", false },
        { "ARG TARGETARCH", true },
        { "ARG TARGETOS", false },
        { "COPY --from=native f /", false },
        { "COPY --from=own f /", true },
        { "RUN --mount=from=own,target=/own a", true },
    };
    AUTO(fixture_release) struct fixture fixture = { 0 };
    make(&fixture,
         "FROM x AS own\n" NATIVE "x AS native\n" NATIVE "base\nCOPY --from=own a /\n"
         "COPY --from=native a /\n",
         platforms, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(triggers); i++) {
        struct error *err = NULL;
        AUTO(instruction_free) struct instruction *trigger = NULL;
        assert_ok(instruction_parse_trigger(triggers[i].text, '\\', &trigger, &err), err);
        if (share_differs(&fixture.share, 0, 2, trigger) != triggers[i].differs)
            fail_msg("%s", triggers[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_platforms_have_in_common_goes_as_far_as_it_does_not_differ),
        cmocka_unit_test(two_of_three_may_share_what_the_third_has_not),
        cmocka_unit_test(triggers_are_told_apart_as_instructions_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
