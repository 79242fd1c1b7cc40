/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata instructions on a stage that was never scheduled: what they need of a build is made
 * here. */
#include "base/json.h"
#include "base/mem.h"
#include "builder/executor.h"
#include "tests/unit/test.h"

struct fixture {
    struct build build;
    struct build_target target;
    struct stage_run run;
};

static void fixture_release(struct fixture *fixture)
{
    stage_run_release(&fixture->run);
    globals_free(fixture->target.globals);
    dockerfile_free(fixture->build.dockerfile);
}
DEFINE_AUTO_STRUCT(struct fixture, fixture_release)

/* The instructions of a stage from its FROM on; `args` is one --build-arg or NULL. */
static int execute(struct fixture *fixture, const char *text, const char *arg, struct error **err)
{
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    if (arg)
        strvec_push(&args, arg);
    struct build *build = &fixture->build;
    assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &build->dockerfile, err), *err);
    build->globals = fixture->target.globals =
        globals_new(build->dockerfile, &args, NULL, NULL, err);
    assert_ok_ptr(build->globals, *err);
    fixture->run.build = build;
    fixture->run.target = &fixture->target;
    hashmap_init(&fixture->run.args, free);
    image_config_init(&fixture->run.config);
    const struct dockerfile *dockerfile = build->dockerfile;
    for (size_t i = dockerfile->stages[0].from + 1; i < dockerfile->stages[0].end; i++) {
        assert_true(step_meta_handles(dockerfile->instructions[i].kind));
        if (step_meta_execute(&fixture->run, &dockerfile->instructions[i], err) < 0)
            return -1;
    }
    return 0;
}

struct config_case {
    const char *text, *config;
};

static void check_configs(const struct config_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        AUTO(free) char *text = xasprintf("FROM scratch\n%s\n", cases[i].text);
        assert_ok(execute(&fixture, text, NULL, &err), err);
        AUTO(json_decref) json_t *config = image_config_container_json(&fixture.run.config);
        AUTO(strbuf_release) struct strbuf json = STRBUF_INIT;
        json_format_canonical(config, &json);
        if (strcmp(json.data, cases[i].config) != 0)
            fail_msg("%s\nis       %s\nexpected %s", cases[i].text, json.data, cases[i].config);
    }
}

static void instructions_change_the_config(void **state UNUSED)
{
    static const struct config_case cases[] = {
        { "ENV A=1 B=\"2 3\"", "{\"Env\":[\"A=1\",\"B=2 3\"]}" },
        { "ENV A=1\nENV B=2\nENV A=3", "{\"Env\":[\"A=3\",\"B=2\"]}" },
        { "ENV A one two", "{\"Env\":[\"A=one two\"]}" },
        { "ARG A=1\nENV B=$A", "{\"Env\":[\"B=1\"]}" },
        { "LABEL a=1 b=\"x y\"\nLABEL a=2", "{\"Labels\":{\"a\":\"2\",\"b\":\"x y\"}}" },
        { "CMD echo $A", "{\"ArgsEscaped\":true,\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A\"]}" },
        { "SHELL [\"/bin/bash\", \"-c\"]\nCMD x",
          "{\"ArgsEscaped\":true,\"Cmd\":[\"/bin/bash\",\"-c\",\"x\"],\"Shell\":[\"/bin/"
          "bash\",\"-c\"]}" },
        /* the shell at that line */
        { "ENTRYPOINT x\nSHELL [\"s\"]",
          "{\"Entrypoint\":[\"/bin/sh\",\"-c\",\"x\"],\"Shell\":[\"s\"]}" },
        { "CMD [\"a\"]\nENTRYPOINT [\"b\"]",
          "{\"ArgsEscaped\":true,\"Cmd\":[\"a\"],\"Entrypoint\":[\"b\"]}" },
        { "ENTRYPOINT [\"b\"]\nCMD [\"a\"]\nCMD [\"c\"]",
          "{\"ArgsEscaped\":true,\"Cmd\":[\"c\"],\"Entrypoint\":[\"b\"]}" },
        { "EXPOSE 80 53/UDP 8000-8002",
          "{\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{},\"8000/tcp\":{},\"8001/tcp\":{},"
          "\"8002/tcp\":{}}}" },
        { "ENV P=\"1 2\"\nEXPOSE $P",
          "{\"Env\":[\"P=1 2\"],\"ExposedPorts\":{\"1/tcp\":{},\"2/tcp\":{}}}" },
        { "VOLUME /b /a\nVOLUME [\"/c d\", \"/a\"]",
          "{\"Volumes\":{\"/a\":{},\"/b\":{},\"/c d\":{}}}" },
        { "ENV U=app\nUSER $U:1\n", "{\"Env\":[\"U=app\"],\"User\":\"app:1\"}" },
        { "STOPSIGNAL sigterm", "{\"StopSignal\":\"sigterm\"}" },
        { "STOPSIGNAL 9", "{\"StopSignal\":\"9\"}" },
        { "ONBUILD RUN make $A\nONBUILD COPY . .", "{\"OnBuild\":[\"RUN make $A\",\"COPY . .\"]}" },
        { "HEALTHCHECK --interval=5s --retries=2 CMD curl $X",
          "{\"Healthcheck\":{\"Interval\":5000000000,\"Retries\":2,\"Test\":[\"CMD-SHELL\",\"curl "
          "$X\"]}}" },
        { "HEALTHCHECK CMD [\"a\"]", "{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\"]}}" },
        { "HEALTHCHECK CMD a\nHEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}" },
    };
    check_configs(cases, ARRAY_SIZE(cases));
}

static void words_are_expanded_where_the_language_says(void **state UNUSED)
{
    static const struct config_case cases[] = {
        { "ENV K=key\nLABEL $K=$K", "{\"Env\":[\"K=key\"],\"Labels\":{\"key\":\"key\"}}" },
        { "ENV K=key\nENV $K=$K", "{\"Env\":[\"K=key\",\"key=key\"]}" },
        { "ARG N=M\nARG $N=${N}x\nENV B=$M", "{\"Env\":[\"B=Mx\"]}" },
        { "ARG P=\"1 2/UDP\"\nEXPOSE $P", "{\"ExposedPorts\":{\"1/tcp\":{},\"2/udp\":{}}}" },
        { "ARG U=u G=g\nUSER $U:${G}", "{\"User\":\"u:g\"}" },
        { "ARG V=/v\nVOLUME $V/a\nVOLUME [\"$V/b\"]", "{\"Volumes\":{\"/v/a\":{},\"/v/b\":{}}}" },
        { "ARG S=TERM\nSTOPSIGNAL SIG$S", "{\"StopSignal\":\"SIGTERM\"}" },
    };
    check_configs(cases, ARRAY_SIZE(cases));
}

static void commands_and_triggers_are_never_expanded(void **state UNUSED)
{
    static const struct config_case cases[] = {
        { "ARG A=1\nCMD $A \"${A}\"",
          "{\"ArgsEscaped\":true,\"Cmd\":[\"/bin/sh\",\"-c\",\"$A \\\"${A}\\\"\"]}" },
        { "ARG A=1\nCMD [\"$A\", \"\\\\$A\"]",
          "{\"ArgsEscaped\":true,\"Cmd\":[\"$A\",\"\\\\$A\"]}" },
        { "ARG A=1\nENTRYPOINT [\"$A\"]", "{\"Entrypoint\":[\"$A\"]}" },
        { "ARG A=1\nENTRYPOINT $A", "{\"Entrypoint\":[\"/bin/sh\",\"-c\",\"$A\"]}" },
        { "ARG A=1\nSHELL [\"$A\"]", "{\"Shell\":[\"$A\"]}" },
        { "ARG A=1\nHEALTHCHECK CMD [\"$A\"]", "{\"Healthcheck\":{\"Test\":[\"CMD\",\"$A\"]}}" },
        { "ARG A=1\nONBUILD ENV B=$A", "{\"OnBuild\":[\"ENV B=$A\"]}" },
    };
    check_configs(cases, ARRAY_SIZE(cases));
}

static void expansions_see_the_environment_from_before_the_instruction(void **state UNUSED)
{
    static const struct config_case cases[] = {
        { "ENV A=1\nENV A=2 B=$A", "{\"Env\":[\"A=2\",\"B=1\"]}" },
        { "ENV A=1\nENV A=2\nENV B=$A", "{\"Env\":[\"A=2\",\"B=2\"]}" },
        { "ENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc",
          "{\"Env\":[\"abc=bye\",\"def=hello\",\"ghi=bye\"]}" },
        { "ENV A=x B=$A C=${A:-none}", "{\"Env\":[\"A=x\",\"B=\",\"C=none\"]}" },
    };
    check_configs(cases, ARRAY_SIZE(cases));
}

static void later_of_arg_and_env_wins_and_the_image_keeps_env(void **state UNUSED)
{
    static const struct config_case cases[] = {
        { "ENV A=1\nARG A=2\nENV B=$A", "{\"Env\":[\"A=1\",\"B=2\"]}" },
        { "ARG A=2\nENV A=1\nENV B=$A", "{\"Env\":[\"A=1\",\"B=1\"]}" },
        { "ENV A=1\nARG A\nENV B=$A", "{\"Env\":[\"A=1\",\"B=1\"]}" },
        { "ARG A=1\nENV A=2\nARG A=3\nLABEL a=$A", "{\"Env\":[\"A=2\"],\"Labels\":{\"a\":\"3\"}}" },
    };
    check_configs(cases, ARRAY_SIZE(cases));
}

static void healthcheck_shell_form_is_not_wrapped_with_the_shell(void **state UNUSED)
{
    static const struct config_case cases[] = {
        { "SHELL [\"/bin/bash\", \"-c\"]\nHEALTHCHECK CMD curl x",
          "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl "
          "x\"]},\"Shell\":[\"/bin/bash\",\"-c\"]}" },
        { "SHELL [\"/bin/bash\", \"-c\"]\nHEALTHCHECK CMD [\"curl\", \"x\"]",
          "{\"Healthcheck\":{\"Test\":[\"CMD\",\"curl\",\"x\"]},\"Shell\":[\"/bin/"
          "bash\",\"-c\"]}" },
        { "HEALTHCHECK --retries=2 NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}" },
    };
    check_configs(cases, ARRAY_SIZE(cases));
}

static void a_first_word_without_equals_sign_takes_the_rest_as_value(void **state UNUSED)
{
    static const struct config_case cases[] = {
        { "ENV ONE TWO= THREE=x", "{\"Env\":[\"ONE=TWO= THREE=x\"]}" },
        { "ENV k  two  \"words\"", "{\"Env\":[\"k=two  words\"]}" },
        { "LABEL k v=w x", "{\"Labels\":{\"k\":\"v=w x\"}}" },
        { "ENV A=1 B=2", "{\"Env\":[\"A=1\",\"B=2\"]}" },
    };
    check_configs(cases, ARRAY_SIZE(cases));
}

static void arguments_are_in_the_environment_of_runs_only(void **state UNUSED)
{
    static const struct {
        const char *text, *arg;
        const char *env, *args; /* what RUN sees; whose values its history tells */
    } cases[] = {
        { "FROM scratch\nARG A=1\n", NULL, "A=1", "A" },
        { "FROM scratch\nARG A=1\n", "A=2", "A=2", "A" },
        { "FROM scratch\nARG A\n", NULL, "", "A" },
        { "FROM scratch\nARG A\n", "A=2", "A=2", "A" },
        { "ARG A=global\nFROM scratch\nARG A\n", NULL, "A=global", "A" },
        { "ARG A=global\nFROM scratch\nARG A=own\n", NULL, "A=own", "A" },
        { "ARG A=global\nFROM scratch\nARG B=$A\n", NULL, "B=", "B" },
        { "FROM scratch\nARG A=1 B=${A}2\n", NULL, "A=1 B=12", "A B" },
        { "FROM scratch\nENV A=env\nARG A=1\n", NULL, "A=1", "A" },
        { "FROM scratch\nENV A=env\nARG A\n", NULL, "A=env", "A" },
        { "FROM scratch\nARG A=1\nENV A=env\n", "A=2", "A=env", "A" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        assert_ok(execute(&fixture, cases[i].text, cases[i].arg, &err), err);
        AUTO(strbuf_release) struct strbuf env = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf args = STRBUF_INIT;
        for (size_t j = 0; j < fixture.run.env.vars.n; j++)
            strbuf_addf(&env, "%s%s", j ? " " : "", fixture.run.env.vars.items[j]);
        for (struct hashmap_entry *e = NULL; (e = hashmap_next(&fixture.run.args, e));)
            strbuf_addf(&args, "%s%s", args.size ? " " : "", e->key);
        if (strcmp(env.size ? env.data : "", cases[i].env) != 0 ||
            strcmp(args.data, cases[i].args) != 0)
            fail_msg("%s: \"%s\", \"%s\"", cases[i].text, env.data, args.data);
    }
}

static void arguments_for_sbom_scanners_stay_out_of_the_environment(void **state UNUSED)
{
    static const char *const names[] = { "BUILDKIT_SBOM_SCAN_STAGE", "BUILDKIT_SBOM_SCAN_CONTEXT" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        AUTO(free) char *text = xasprintf("FROM scratch\nARG %s=true OTHER=1\n", names[i]);
        assert_ok(execute(&fixture, text, NULL, &err), err);
        assert_null(env_get(&fixture.run.env, names[i]));
        assert_string_equal(env_get(&fixture.run.env, "OTHER"), "1");
        assert_int_equal(fixture.run.args.n, 2); /* history tells it */
    }
}

static void entrypoint_clears_a_command_that_was_inherited(void **state UNUSED)
{
    static const struct {
        const char *parent, *child;
        bool has_cmd;
    } cases[] = {
        { "CMD [\"a\"]", "ENTRYPOINT [\"b\"]", false },
        { "CMD [\"a\"]", "ENTRYPOINT []", false },
        { "CMD [\"a\"]", "CMD [\"c\"]\nENTRYPOINT [\"b\"]", true },
        { "CMD [\"a\"]", "ENTRYPOINT [\"b\"]\nCMD [\"c\"]", true },
        { "CMD [\"a\"]\nENTRYPOINT [\"x\"]", "LABEL a=b", true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        AUTO(free) char *parent = xasprintf("FROM scratch\n%s\n", cases[i].parent);
        AUTO(free) char *text = xasprintf("FROM scratch\n%s\n", cases[i].child);
        AUTO(dockerfile_free) struct dockerfile *child = NULL;
        assert_ok(execute(&fixture, parent, NULL, &err), err);
        fixture.run.cmd_is_ours = false; /* as in a stage FROM this one */
        assert_ok(dockerfile_parse("Dockerfile", text, strlen(text), &child, &err), err);
        for (size_t j = 1; j < child->n_instructions; j++)
            assert_ok(step_meta_execute(&fixture.run, &child->instructions[j], &err), err);
        if (fixture.run.config.has_cmd != cases[i].has_cmd)
            fail_msg("%s, then %s: has_cmd %d", cases[i].parent, cases[i].child,
                     fixture.run.config.has_cmd);
    }
}

static void history_tells_what_was_done(void **state UNUSED)
{
    static const struct {
        const char *text, *history; /* NULL: no entry */
    } cases[] = {
        { "ENV A=1 B=2", "ENV A=1 B=2" },
        { "ENV A one", "ENV A=one" },
        { "LABEL a=b", "LABEL a=b" },
        { "ARG A=1", "ARG A=1" },
        { "ARG A", "ARG A" },
        { "CMD [\"a\", \"b c\"]", "CMD [\"a\" \"b c\"]" },
        { "CMD x", "CMD [\"/bin/sh\" \"-c\" \"x\"]" },
        { "EXPOSE 2 1", "EXPOSE [1/tcp 2/tcp]" },
        { "VOLUME /a /b", "VOLUME [/a /b]" },
        { "USER app", "USER app" },
        { "MAINTAINER me", "MAINTAINER me" },
        { "SHELL [\"a\", \"-c\"]", "SHELL [a -c]" },
        { "ONBUILD RUN x", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        AUTO(free) char *text = xasprintf("FROM scratch\n%s\n", cases[i].text);
        assert_ok(execute(&fixture, text, NULL, &err), err);
        const struct image_config *config = &fixture.run.config;
        assert_int_equal(config->n_history, cases[i].history != NULL);
        if (!config->n_history)
            continue;
        assert_string_equal(config->history[0].created_by, cases[i].history);
        assert_true(config->history[0].empty_layer);
        assert_null(config->history[0].created); /* comes with the next layer or the end */
    }
}

static void nonsense_and_too_much_are_refused(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf big = STRBUF_INIT;
    strbuf_adds(&big, "ENV A=");
    for (unsigned i = 0; i < 1u << 20; i++)
        strbuf_addc(&big, 'x');
    AUTO(strbuf_release) struct strbuf doubled = STRBUF_INIT;
    strbuf_adds(&doubled, "ENV A=0123456789");
    for (int i = 0; i < 30; i++)
        strbuf_adds(&doubled, "\nENV A=$A$A");
    AUTO(strbuf_release) struct strbuf many = STRBUF_INIT;
    for (int i = 0; i < 4; i++) {
        strbuf_addf(&many, "ENV A%d=", i);
        for (int j = 0; j < 10000; j++)
            strbuf_adds(&many, "0123456789012345678901234567890123456789012345678");
        strbuf_addc(&many, '\n');
    }
    const struct {
        const char *text;
        enum error_code code;
        const char *message;
    } cases[] = {
        { big.data, ERR_LIMIT, "value of A: more than 1 MiB" },
        { doubled.data, ERR_LIMIT, "" },
        { many.data, ERR_LIMIT, "environment: more than 1.5 MiB" },
        { "ENV $X=1", ERR_SYNTAX, "ENV names can not be blank" },
        { "LABEL $X=1", ERR_SYNTAX, "LABEL names can not be blank" },
        { "VOLUME $X", ERR_SYNTAX, "VOLUME specified can not be an empty string" },
        { "EXPOSE 70000", ERR_SYNTAX, "70000" },
        { "ENV S=SIGNOTHING\nSTOPSIGNAL $S", ERR_SYNTAX, "SIGNOTHING" },
        { "ENV A=${B?needed}", ERR_FAILED, "needed" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(fixture_release) struct fixture fixture = { 0 };
        AUTO(free) char *text = xasprintf("FROM scratch\n%s\n", cases[i].text);
        assert_fails(execute(&fixture, text, NULL, &err), err, cases[i].code, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_change_the_config),
        cmocka_unit_test(words_are_expanded_where_the_language_says),
        cmocka_unit_test(commands_and_triggers_are_never_expanded),
        cmocka_unit_test(expansions_see_the_environment_from_before_the_instruction),
        cmocka_unit_test(later_of_arg_and_env_wins_and_the_image_keeps_env),
        cmocka_unit_test(healthcheck_shell_form_is_not_wrapped_with_the_shell),
        cmocka_unit_test(a_first_word_without_equals_sign_takes_the_rest_as_value),
        cmocka_unit_test(arguments_are_in_the_environment_of_runs_only),
        cmocka_unit_test(arguments_for_sbom_scanners_stay_out_of_the_environment),
        cmocka_unit_test(entrypoint_clears_a_command_that_was_inherited),
        cmocka_unit_test(history_tells_what_was_done),
        cmocka_unit_test(nonsense_and_too_much_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
