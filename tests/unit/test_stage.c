/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stage.h"

#include "base/mem.h"
#include "tests/unit/test.h"

/* A graph with what it refers to. */
struct fixture {
    struct dockerfile *dockerfile;
    struct globals *globals;
    struct strvec contexts;
    struct stage_graph *graph;
};

static void fixture_release(struct fixture *fixture)
{
    stage_graph_free(fixture->graph);
    globals_free(fixture->globals);
    dockerfile_free(fixture->dockerfile);
    strvec_release(&fixture->contexts);
}
DEFINE_AUTO_STRUCT(struct fixture, fixture_release)

static int make(struct fixture *fixture, const char *text, const char *target, const char *context,
                struct error **err)
{
    AUTO(platform_release) struct platform platform = { 0 };
    assert_ok(platform_parse("linux/amd64", &platform, err), *err);
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &fixture->dockerfile, err), *err);
    fixture->globals = globals_new(fixture->dockerfile, NULL, &platform, target, err);
    assert_ok_ptr(fixture->globals, *err);
    if (context)
        strvec_push(&fixture->contexts, context);
    fixture->graph = stage_graph_new(fixture->dockerfile, fixture->globals,
                                     context ? &fixture->contexts : NULL, target, err);
    return fixture->graph ? 0 : -1;
}

static void describe_source(const struct stage_source *source, struct strbuf *text)
{
    switch (source->kind) {
    case STAGE_SOURCE_SCRATCH:
        strbuf_adds(text, "scratch");
        break;
    case STAGE_SOURCE_STAGE:
        strbuf_addf(text, "stage %zu", source->stage);
        break;
    case STAGE_SOURCE_CONTEXT:
        strbuf_addf(text, "context %s", source->name);
        break;
    case STAGE_SOURCE_IMAGE:
        strbuf_addf(text, "image %s", source->name);
        break;
    }
}

/* "a: image x [linux/arm64] needs 0, ..."; stages that aren't needed in parentheses. */
static char *describe(const struct stage_graph *graph)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        strbuf_addf(&text, "%s%s%s: ", i ? "; " : "", stage->is_needed ? "" : "(", stage->label);
        describe_source(&stage->base, &text);
        if (strcmp(stage->platform.architecture, "amd64") != 0)
            strbuf_addf(&text, " %s", stage->platform.architecture);
        for (size_t j = 0; j < stage->n_needs; j++)
            strbuf_addf(&text, " +%zu", stage->needs[j]);
        strbuf_adds(&text, stage->is_needed ? "" : ")");
    }
    return strbuf_detach(&text);
}

struct graph_case {
    const char *text, *target, *context, *expected;
};

static void check_graphs(const struct graph_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        assert_ok(make(&fixture, cases[i].text, cases[i].target, cases[i].context, &err), err);
        AUTO(free) char *text = describe(fixture.graph);
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("%s\nis       %s\nexpected %s", cases[i].text, text, cases[i].expected);
    }
}

static void stages_know_their_bases_and_needs(void **state UNUSED)
{
    static const struct graph_case cases[] = {
        { "FROM scratch\n", NULL, NULL, "stage-0: scratch" },
        { "FROM alpine AS Build\nFROM build\n", NULL, NULL,
          "build: image alpine; stage-1: stage 0 +0" },
        { "FROM alpine AS build\nFROM scratch\nCOPY --from=0 a b\nCOPY --from=build c d\n", NULL,
          NULL, "build: image alpine; stage-1: scratch +0" },
        { "FROM alpine AS a\nFROM alpine AS b\nFROM scratch\nRUN --mount=from=a,target=/a x\n",
          NULL, NULL, "a: image alpine; (b: image alpine); stage-2: scratch +0" },
        { "FROM alpine AS a\nFROM a AS b\nFROM b AS c\nFROM c\n", "b", NULL,
          "a: image alpine; b: stage 0 +0; (c: stage 1 +1); (stage-3: stage 2 +2)" },
        { "FROM alpine AS a\nFROM a AS b\n", "A", NULL, "a: image alpine; (b: stage 0 +0)" },
        { "FROM scratch AS scratch\nFROM scratch\n", NULL, NULL,
          "scratch: scratch; stage-1: stage 0 +0" },
        /* not a stage, so an image */
        { "FROM scratch\nCOPY --from=nginx:1 a b\n", NULL, NULL, "stage-0: scratch" },
        { "FROM alpine\n", NULL, "alpine=docker-image://x", "stage-0: context alpine" },
        { "FROM alpine:latest\n", NULL, "alpine=docker-image://x", "stage-0: context alpine" },
        /* a variant is of its platform only */
        { "FROM alpine\n", NULL, "alpine::linux/amd64=dir",
          "stage-0: context alpine::linux/amd64" },
        { "FROM alpine\n", NULL, "alpine::linux/s390x=dir", "stage-0: image alpine" },
        { "FROM --platform=linux/s390x alpine:latest\n", NULL, "alpine::linux/s390x=dir",
          "stage-0: context alpine::linux/s390x s390x" },
        { "FROM one AS a\nFROM --platform=linux/arm64 two AS b\n", NULL, "b::linux/arm64=dir",
          "(a: image one); b: context b::linux/arm64 arm64" },
        /* order without data */
        { "FROM one AS a\nFROM two AS b\nFROM --after=A --after=b scratch\n", NULL, NULL,
          "a: image one; b: image two; stage-2: scratch +0 +1" },
        { "FROM alpine:3\n", NULL, "alpine=docker-image://x", "stage-0: image alpine:3" },
        { "FROM --platform=linux/arm64 one AS a\nFROM a\n", NULL, NULL,
          "a: image one arm64; stage-1: stage 0 arm64 +0" },
        { "FROM --platform=$BUILDPLATFORM one AS a\nFROM --platform=$TARGETPLATFORM two\n", NULL,
          NULL, "(a: image one); stage-1: image two" },
        { "ARG BASE=one\nFROM $BASE:${TAG:-1}\n", NULL, NULL, "stage-0: image one:1" },
    };
    check_graphs(cases, ARRAY_SIZE(cases));
}

static void stage_names_are_case_insensitive_but_in_from(void **state UNUSED)
{
    static const struct graph_case cases[] = {
        { "FROM alpine AS Build\nFROM build\n", NULL, NULL,
          "build: image alpine; stage-1: stage 0 +0" },
        /* FROM must match the case */
        { "FROM alpine AS build\nFROM BUILD\n", NULL, NULL,
          "(build: image alpine); stage-1: image BUILD" },
        { "FROM alpine AS build\nFROM scratch\nCOPY --from=BUILD a b\n", NULL, NULL,
          "build: image alpine; stage-1: scratch +0" },
        { "FROM alpine AS build\nFROM scratch\n", "BUILD", NULL,
          "build: image alpine; (stage-1: scratch)" },
        { "FROM alpine AS build\nFROM scratch\nRUN --mount=from=Build,target=/a x\n", NULL, NULL,
          "build: image alpine; stage-1: scratch +0" },
    };
    check_graphs(cases, ARRAY_SIZE(cases));
}

static void later_of_two_stages_of_one_name_counts(void **state UNUSED)
{
    static const struct graph_case cases[] = {
        { "FROM one AS a\nFROM two AS a\nFROM a\n", NULL, NULL,
          "(a: image one); a: image two; stage-2: stage 1 +1" },
        { "FROM one AS a\nFROM two AS A\nFROM scratch\nCOPY --from=a x y\n", NULL, NULL,
          "(a: image one); a: image two; stage-2: scratch +1" },
        { "FROM one AS a\nFROM two AS a\n", "a", NULL, "(a: image one); a: image two" },
        /* the second is built on the first */
        { "FROM one AS a\nFROM a AS a\nFROM a\n", NULL, NULL,
          "a: image one; a: stage 0 +0; stage-2: stage 1 +1" },
    };
    check_graphs(cases, ARRAY_SIZE(cases));
}

static void named_context_replaces_the_stage_of_its_name(void **state UNUSED)
{
    static const struct graph_case cases[] = {
        { "FROM one AS a\nFROM a\n", NULL, "a=dir", "(a: context a); stage-1: context a" },
        { "FROM one AS A\nFROM scratch\nCOPY --from=0 x y\n", NULL, "a=dir",
          "a: context a; stage-1: scratch +0" },
        /* with all it would do and need */
        { "FROM one AS dep\nFROM two AS a\nCOPY --from=dep x y\nFROM scratch\n", "a", "A=dir",
          "(dep: image one); a: context A; (stage-2: scratch)" },
        /* these are never contexts */
        { "FROM scratch\n", NULL, "scratch=dir", "stage-0: scratch" },
        { "FROM one AS context\n", NULL, "context=dir", "context: image one" },
    };
    check_graphs(cases, ARRAY_SIZE(cases));
}

static void from_flag_expands_global_arguments(void **state UNUSED)
{
    static const struct graph_case cases[] = {
        { "ARG FROM=a\nFROM one AS a\nFROM scratch\nCOPY --from=$FROM x y\n", NULL, NULL,
          "a: image one; stage-1: scratch +0" },
        { "ARG FROM\nFROM one AS a\nFROM two AS b\nFROM scratch\nCOPY --from=${FROM:-b} x y\n",
          NULL, NULL, "(a: image one); b: image two; stage-2: scratch +1" },
        { "ARG N=0\nFROM one AS a\nFROM scratch\nCOPY --from=$N x y\n", NULL, NULL,
          "a: image one; stage-1: scratch +0" },
    };
    check_graphs(cases, ARRAY_SIZE(cases));
}

static void stages_the_target_does_not_need_are_left_out(void **state UNUSED)
{
    static const struct graph_case cases[] = {
        { "FROM one AS a\nFROM two AS b\nFROM a\n", NULL, NULL,
          "a: image one; (b: image two); stage-2: stage 0 +0" },
        { "FROM one AS a\nFROM two AS b\nCOPY --from=a x y\nFROM three\n", "b", NULL,
          "a: image one; b: image two +0; (stage-2: image three)" },
        { "FROM one AS a\nFROM a AS b\nFROM two AS c\nRUN --mount=from=b,target=/b x\nFROM three\n",
          "c", NULL, "a: image one; b: stage 0 +0; c: image two +1; (stage-3: image three)" },
    };
    check_graphs(cases, ARRAY_SIZE(cases));
}

static void errors_name_line_and_way_out(void **state UNUSED)
{
    static const struct {
        const char *text, *target;
        enum error_code code;
        const char *message, *hint;
    } cases[] = {
        { "FROM scratch\nCOPY --from=1 a b\n", NULL, ERR_NOT_FOUND, "Dockerfile:2: stage 1", NULL },
        { "FROM scratch\nFROM scratch\nCOPY --from=1 a b\n", NULL, ERR_NOT_FOUND,
          "Dockerfile:3: stage 1: there is only stage 0 before this one", NULL },
        { "FROM scratch\nCOPY --from=99999999999999999999 a b\n", NULL, ERR_NOT_FOUND,
          "Dockerfile:2: ", NULL },
        { "FROM $NOTHING\n", NULL, ERR_SYNTAX, "Dockerfile:1: base name \"$NOTHING\" is blank",
          "--build-arg" },
        { "FROM scratch\nCOPY --from=$NOTHING a b\n", NULL, ERR_SYNTAX,
          "Dockerfile:2: --from=$NOTHING is empty", NULL },
        { "FROM --platform=windows/ x\n", NULL, ERR_INVALID, "Dockerfile:1: --platform=windows/",
          NULL },
        { "FROM scratch AS build\nFROM scratch AS test\n", "biuld", ERR_NOT_FOUND,
          "target stage \"biuld\"", "did you mean \"build\"?" },
        { "FROM scratch AS build\nFROM scratch AS test\n", "x", ERR_NOT_FOUND, "target stage \"x\"",
          "build, test" },
        { "FROM --platform=$NOTHING x\n", NULL, ERR_SYNTAX,
          "Dockerfile:1: --platform=$NOTHING is empty", "--build-arg" },
        /* a number is no target */
        { "FROM scratch\n", "0", ERR_NOT_FOUND, "target stage \"0\"", "AS 0" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        int result = make(&fixture, cases[i].text, cases[i].target, NULL, &err);
        if (cases[i].hint &&
            (!error_hint_text(err) || !strstr(error_hint_text(err), cases[i].hint)))
            fail_msg("%s: hint \"%s\"", cases[i].text, error_hint_text(err));
        assert_fails(result, err, cases[i].code, cases[i].message);
    }
}

static void cycles_and_later_stages_are_refused_before_an_image_is_asked_for(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum error_code code;
        const char *message;
    } cases[] = {
        { "FROM x AS a\nCOPY --from=a f /\n", ERR_SYNTAX,
          "Dockerfile:2: stage \"a\" can't take files from itself" },
        { "FROM x AS a\nRUN --mount=from=A,target=/a x\n", ERR_SYNTAX,
          "Dockerfile:2: stage \"A\" can't take files from itself" },
        { "FROM x\nCOPY --from=0 f /\n", ERR_NOT_FOUND,
          "Dockerfile:2: stage 0: there is no stage before this one" },
        { "FROM x AS a\nCOPY --from=c f /\nFROM x AS b\nCOPY --from=a f /\nFROM x AS c\n"
          "COPY --from=b f /\n",
          ERR_SYNTAX, "Dockerfile:2: stage \"c\" comes later, in line 5" },
        { "FROM x\nCOPY --from=B f /\nFROM y AS b\n", ERR_SYNTAX,
          "Dockerfile:2: stage \"B\" comes later" },
        { "FROM x\nRUN --mount=from=b,target=/b x\nFROM y AS b\n", ERR_SYNTAX,
          "Dockerfile:2: stage \"b\" comes later" },
        { "FROM x\nCOPY --from=1 f /\nFROM y\n", ERR_NOT_FOUND,
          "Dockerfile:2: stage 1: there is no stage before" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        int result = make(&fixture, cases[i].text, NULL, NULL, &err);
        assert_fails(result, err, cases[i].code, cases[i].message);
    }
}

static void sources_are_looked_for_before_their_stage(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t before;
        const char *expected;
    } cases[] = {
        { "a", 2, "stage 0" },         { "A", 1, "stage 0" }, { "1", 2, "stage 1" },
        { "c", 2, "context c" },       { "d", 1, "image d" }, { "scratch", 2, "scratch" },
        { "x/y:1", 2, "image x/y:1" },
    };
    struct error *err = NULL;
    AUTO(fixture_release) struct fixture fixture = { 0 };
    assert_ok(make(&fixture, "FROM x AS a\nFROM y AS b\n", NULL, "c=dir", &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(stage_source_release) struct stage_source source = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        assert_ok(stage_graph_resolve(fixture.graph, cases[i].text, cases[i].before, &source, &err),
                  err);
        describe_source(&source, &text);
        assert_string_equal(text.data, cases[i].expected);
    }
    AUTO(free) char *near = stage_graph_suggestion(fixture.graph, "B", 2);
    assert_string_equal(near, " (did you mean the stage \"b\"?)");
    AUTO(free) char *none = stage_graph_suggestion(fixture.graph, "ubuntu", 2);
    assert_string_equal(none, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_know_their_bases_and_needs),
        cmocka_unit_test(stage_names_are_case_insensitive_but_in_from),
        cmocka_unit_test(later_of_two_stages_of_one_name_counts),
        cmocka_unit_test(named_context_replaces_the_stage_of_its_name),
        cmocka_unit_test(from_flag_expands_global_arguments),
        cmocka_unit_test(stages_the_target_does_not_need_are_left_out),
        cmocka_unit_test(errors_name_line_and_way_out),
        cmocka_unit_test(cycles_and_later_stages_are_refused_before_an_image_is_asked_for),
        cmocka_unit_test(sources_are_looked_for_before_their_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
