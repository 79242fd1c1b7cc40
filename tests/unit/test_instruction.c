/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/instruction.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "builder/dockerfile.h"
#include "tests/unit/test.h"

static void add(struct strbuf *buf, const char *name, const char *value)
{
    if (value)
        strbuf_addf(buf, " %s={%s}", name, value);
}

static void add_list(struct strbuf *buf, const char *name, const struct strvec *list)
{
    for (size_t i = 0; i < list->n; i++)
        add(buf, name, list->items[i]);
}

static void add_state(struct strbuf *buf, const char *name, enum flag_state state)
{
    if (state != FLAG_UNSET)
        strbuf_addf(buf, " %s=%s", name, state == FLAG_ON ? "on" : "off");
}

static void add_command(struct strbuf *buf, const struct command *command)
{
    strbuf_adds(buf, command->form == COMMAND_EXEC ? " exec" : " shell");
    add_list(buf, "arg", &command->argv);
    add(buf, "text", command->text);
    add(buf, "script", command->script);
}

static void add_copy(struct strbuf *buf, const struct copy_body *copy)
{
    add_list(buf, "source", &copy->sources);
    for (size_t i = 0; i < copy->n_inlines; i++) {
        add(buf, copy->inlines[i].expand ? "inline" : "inline'", copy->inlines[i].name);
        add(buf, "content", copy->inlines[i].content);
    }
    add(buf, "to", copy->destination);
    add(buf, "from", copy->from);
    add(buf, "chown", copy->chown);
    add(buf, "chmod", copy->chmod);
    add(buf, "checksum", copy->checksum);
    add_list(buf, "exclude", &copy->excludes);
    add_state(buf, "link", copy->link);
    add_state(buf, "parents", copy->parents);
    add_state(buf, "keep-git-dir", copy->keep_git_dir);
    add_state(buf, "unpack", copy->unpack);
}

static void add_run(struct strbuf *buf, const struct run_body *run)
{
    add_command(buf, &run->command);
    add_list(buf, "mount", &run->mount_specs);
    add(buf, "network", run->network);
    add(buf, "security", run->security);
    add_list(buf, "device", &run->devices);
}

static void add_healthcheck(struct strbuf *buf, const struct healthcheck_body *healthcheck)
{
    if (healthcheck->none) {
        strbuf_adds(buf, " none");
        return;
    }
    add_command(buf, &healthcheck->command);
    strbuf_addf(buf, " %lld %lld %lld %lld %lld", (long long)healthcheck->interval,
                (long long)healthcheck->timeout, (long long)healthcheck->start_period,
                (long long)healthcheck->start_interval, (long long)healthcheck->retries);
}

static void describe(const struct instruction *instruction, struct strbuf *buf)
{
    strbuf_adds(buf, instruction_name(instruction->kind));
    switch (instruction->kind) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        add_copy(buf, &instruction->copy);
        return;
    case INSTRUCTION_ARG:
    case INSTRUCTION_ENV:
    case INSTRUCTION_LABEL:
        for (size_t i = 0; i < instruction->pairs.n_items; i++) {
            const struct key_value *pair = &instruction->pairs.items[i];
            strbuf_addf(buf, " {%s}={%s}", pair->key, pair->value ? pair->value : "unset");
        }
        strbuf_adds(buf, instruction->pairs.legacy ? " legacy" : "");
        return;
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
        add_command(buf, &instruction->command);
        return;
    case INSTRUCTION_EXPOSE:
    case INSTRUCTION_VOLUME:
        add_list(buf, "word", &instruction->words.words);
        strbuf_adds(buf, instruction->words.is_json ? " json" : "");
        return;
    case INSTRUCTION_FROM:
        add(buf, "platform", instruction->from.platform);
        add(buf, "image", instruction->from.image);
        add(buf, "name", instruction->from.name);
        return;
    case INSTRUCTION_HEALTHCHECK:
        add_healthcheck(buf, &instruction->healthcheck);
        return;
    case INSTRUCTION_MAINTAINER:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_WORKDIR:
        add(buf, "value", instruction->value.value);
        return;
    case INSTRUCTION_ONBUILD:
        add(buf, "text", instruction->onbuild.text);
        strbuf_adds(buf, " -> ");
        describe(instruction->onbuild.trigger, buf);
        return;
    case INSTRUCTION_RUN:
        add_run(buf, &instruction->run);
        return;
    case INSTRUCTION_SHELL:
        add_list(buf, "arg", &instruction->shell);
        return;
    }
}

static const struct {
    const char *text, *expected, *error; /* error NULL: it parses */
} typed[] = {
    /* FROM */
    { "FROM --platform=$P image:1 as Base.x-1_y",
      "FROM platform={$P} image={image:1} name={base.x-1_y}", NULL },
    { "FROM a AS", NULL, "expected an image, or image AS name" },
    { "FROM a AN b", NULL, "expected an image, or image AS name" },
    { "FROM a AS $N", NULL, "stage name \"$N\"" },
    { "FROM a AS b/c", NULL, "stage name \"b/c\"" },
    { "FROM --platfrom=x a", NULL, "unknown flag --platfrom" },
    { "FROM --platform=x --platform=y a", NULL, "flag --platform given twice" },
    { "FROM --platform a", NULL, "flag --platform needs a value" },
    /* ARG, ENV, LABEL */
    { "ARG A B=1 C=\"x y\" D=", "ARG {A}={unset} {B}={1} {C}={\"x y\"} {D}={}", NULL },
    { "ARG", NULL, "a name is missing" },
    { "ARG =x", NULL, "the name is empty" },
    { "ENV A=1 B=$A", "ENV {A}={1} {B}={$A}", NULL },
    { "ENV A  b c=d", "ENV {A}={b c=d} legacy", NULL },
    { "ENV ONE TWO= THREE=x", "ENV {ONE}={TWO= THREE=x} legacy", NULL },
    { "ENV", NULL, "name=value is missing" },
    { "ENV =x", NULL, "the name is empty" },
    { "ENV --x a=b", NULL, "unknown flag --x" },
    { "LABEL \"a b\"='c d'", "LABEL {\"a b\"}={'c d'}", NULL },
    /* RUN, CMD, ENTRYPOINT, SHELL */
    { "RUN", "RUN shell text={}", NULL },
    { "RUN [\"a\", \"b c\"]", "RUN exec arg={a} arg={b c}", NULL },
    { "RUN --mount=type=tmpfs,target=/t --mount=type=ssh --network=host --security=insecure "
      "--device=vendor/class=dev,required x",
      "RUN shell text={x} mount={type=tmpfs,target=/t} mount={type=ssh} network={host} "
      "security={insecure} device={vendor/class=dev,required}",
      NULL },
    { "RUN --network=hots x", NULL, "--network=hots: unknown" },
    { "RUN --security=x y", NULL, "--security=x: unknown" },
    { "RUN --mount=target=/ x", NULL, "RUN: --mount=target=/: target \"/\" is the root directory" },
    { "RUN --moutn=x y", NULL, "unknown flag --moutn" },
    { "RUN <<EOF\n a\n\tb\nEOF", "RUN shell text={ a\n\tb\n}", NULL },
    { "RUN <<-EOF\n\ta\n\tEOF", "RUN shell text={a\n}", NULL },
    { "RUN <<EOF\n#!/bin/x\nb\nEOF", "RUN shell text={/dev/pipes/EOF} script={#!/bin/x\nb\n}",
      NULL },
    { "RUN <<-EOF\n#!/bin/x\n\tb\n\tEOF", "RUN shell text={/dev/pipes/EOF} script={#!/bin/x\nb\n}",
      NULL },
    { "RUN <<-EOF\n\t#!/bin/x\n\tb\nEOF", "RUN shell text={#!/bin/x\nb\n}", NULL },
    { "RUN cat <<A >a && cat <<-'B' >b\nx\nA\n\ty\n\tB",
      "RUN shell text={cat <<A >a && cat <<-'B' >b\nx\nA\n\ty\nB}", NULL },
    { "RUN <<A <<B\nx\nA\ny\nB", "RUN shell text={<<A <<B\nx\nA\ny\nB}", NULL },
    { "RUN <<EOF python3\nx\nEOF", "RUN shell text={<<EOF python3\nx\nEOF}", NULL },
    { "RUN [\"a\", \"<<EOF\"]", "RUN exec arg={a} arg={<<EOF}", NULL },
    { "CMD [\"a\"]", "CMD exec arg={a}", NULL },
    { "CMD []", "CMD exec", NULL },
    { "CMD a $B", "CMD shell text={a $B}", NULL },
    { "CMD", "CMD shell text={}", NULL },
    { "ENTRYPOINT ['a']", "ENTRYPOINT shell text={['a']}", NULL },
    { "SHELL [\"/bin/sh\", \"-ec\"]", "SHELL arg={/bin/sh} arg={-ec}", NULL },
    { "SHELL []", NULL, "expected a JSON array of strings" },
    { "SHELL sh", NULL, "expected a JSON array of strings" },
    /* COPY, ADD */
    { "COPY --from=b --chown=u:g --chmod=u+x --link --exclude=*.o --exclude=!a --parents=false "
      "a b /c/",
      "COPY source={a} source={b} to={/c/} from={b} chown={u:g} chmod={u+x} exclude={*.o} "
      "exclude={!a} link=on parents=off",
      NULL },
    { "ADD --keep-git-dir=true --checksum=sha256:00 --unpack=FALSE u /d",
      "ADD source={u} to={/d} checksum={sha256:00} keep-git-dir=on unpack=off", NULL },
    { "COPY --from= a b", "COPY source={a} to={b}", NULL },
    { "COPY [\"a b\", \"<<x\", \"c\"]", "COPY source={a b} source={<<x} to={c}", NULL },
    { "COPY <<one x <<-'two' /d/\n1$A\none\n\t2\ntwo",
      "COPY source={x} inline={one} content={1$A\n} inline'={two} content={2\n} to={/d/}", NULL },
    { "COPY << EOF /d\nx\nEOF", "COPY inline={EOF} content={x\n} to={/d}", NULL },
    { "COPY <<EOF <<EOF /d\n1\nEOF\n2\nEOF",
      "COPY inline={EOF} content={1\n} inline={EOF} content={2\n} to={/d}", NULL },
    { "COPY a <<EOF\nEOF", NULL, "a heredoc can't be the destination" },
    { "COPY <<.. /x/\n..", NULL, "\"..\" is no name of a file" },
    { "ADD <<. /x/\n.", NULL, "\".\" is no name of a file" },
    { "COPY <<a/../../b /x/\na/../../b", NULL, "\"a/../../b\" is no name of a file" },
    { "COPY a", NULL, "at least one source and a destination" },
    { "COPY <<EOF\nEOF", NULL, "at least one source and a destination" },
    { "COPY --link=maybe a b", NULL, "--link=maybe: neither true nor false" },
    { "COPY --link --link a b", NULL, "flag --link given twice" },
    { "COPY --chmod=999 a b", NULL, "mode \"999\": neither octal nor symbolic" },
    { "COPY --chmod=$M a b", "COPY source={a} to={b} chmod={$M}", NULL },
    { "COPY --checksum=x a b", NULL, "unknown flag --checksum" },
    { "ADD --from=x a b", NULL, "unknown flag --from" },
    /* the simple ones */
    { "EXPOSE 80 81/udp $P", "EXPOSE word={80} word={81/udp} word={$P}", NULL },
    { "EXPOSE", NULL, "an argument is missing" },
    { "VOLUME /a /b", "VOLUME word={/a} word={/b}", NULL },
    { "VOLUME [\"/a b\"]", "VOLUME word={/a b} json", NULL },
    { "VOLUME [\" \"]", NULL, "argument 1 is empty" },
    { "VOLUME []", NULL, "an argument is missing" },
    { "USER a:b", "USER value={a:b}", NULL },
    { "USER", NULL, "its argument is missing" },
    { "WORKDIR /a b", "WORKDIR value={/a b}", NULL },
    { "STOPSIGNAL sigterm", "STOPSIGNAL value={sigterm}", NULL },
    { "STOPSIGNAL $S", "STOPSIGNAL value={$S}", NULL },
    { "STOPSIGNAL SIGNOPE", NULL, "\"SIGNOPE\" is no signal" },
    { "MAINTAINER A B <c>", "MAINTAINER value={A B <c>}", NULL },
    /* HEALTHCHECK */
    { "HEALTHCHECK NONE", "HEALTHCHECK none", NULL },
    { "HEALTHCHECK none x", NULL, "takes no arguments" },
    { "HEALTHCHECK --interval=5m --timeout=3s --start-period=1m30s --start-interval=1ms "
      "--retries=7 cmd x y",
      "HEALTHCHECK shell text={x y} 300000000000 3000000000 90000000000 1000000 7", NULL },
    { "HEALTHCHECK --interval=0s CMD [\"a\"]", "HEALTHCHECK exec arg={a} 0 0 0 0 0", NULL },
    { "HEALTHCHECK --interval=5 CMD x", NULL, "--interval: \"5\" is no duration" },
    { "HEALTHCHECK --interval=999us CMD x", NULL, "less than 1ms" },
    { "HEALTHCHECK --timeout=-1s CMD x", NULL, "less than 1ms" },
    { "HEALTHCHECK --retries=-1 CMD x", NULL, "expected a number from 0 on" },
    { "HEALTHCHECK CMD", NULL, "the command is missing" },
    { "HEALTHCHECK", NULL, "expected CMD or NONE" },
    { "HEALTHCHECK FOO bar", NULL, "HEALTHCHECK FOO: expected CMD or NONE" },
    /* ONBUILD */
    { "ONBUILD run --network=none x",
      "ONBUILD text={run --network=none x} -> RUN shell "
      "text={x} network={none}",
      NULL },
    { "ONBUILD COPY <<-E /d\n\tx\nE",
      "ONBUILD text={COPY <<-E /d\n\tx\nE} -> COPY inline={E} content={x\n} to={/d}", NULL },
    { "ONBUILD COPY a", NULL, "ONBUILD: COPY: at least one source" },
};

static void instructions_are_typed(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(typed); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf actual = STRBUF_INIT;
        AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
        struct error *err = NULL;
        strbuf_addf(&text, "FROM scratch\n%s\n", typed[i].text);
        int result = dockerfile_parse("Dockerfile", text.data, text.size, &dockerfile, &err);
        if (typed[i].error) {
            assert_fails(result, err, ERR_SYNTAX, typed[i].error);
            continue;
        }
        assert_ok(result, err);
        describe(&dockerfile->instructions[1], &actual);
        if (strcmp(actual.data, typed[i].expected) != 0)
            fail_msg("%s:\n%s\nexpected:\n%s", typed[i].text, actual.data, typed[i].expected);
    }
}

static void flags_of_copy_that_are_no_texts_take_no_variables(void **state UNUSED)
{
    static const char *const flags[] = { "COPY --link", "COPY --parents", "ADD --link",
                                         "ADD --unpack", "ADD --keep-git-dir" };
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        AUTO(free) char *text = xasprintf("%s=$V a b", flags[i]);
        struct instruction *instruction = NULL;
        struct error *err = NULL;
        assert_fails(instruction_parse_trigger(text, '\\', &instruction, &err), err, ERR_SYNTAX,
                     "=$V: neither true nor false");
    }
    AUTO(instruction_free) struct instruction *instruction = NULL;
    struct error *err = NULL;
    assert_ok(
        instruction_parse_trigger("COPY --exclude=$V --from=$V a b", '\\', &instruction, &err),
        err);
    assert_string_equal(instruction->copy.excludes.items[0], "$V");
    assert_string_equal(instruction->copy.from, "$V"); /* the stage graph's to expand */
}

static void triggers_are_parsed_from_their_text(void **state UNUSED)
{
    static const struct {
        const char *text, *expected, *error;
        char escape;
    } cases[] = {
        { "RUN echo hi", "RUN shell text={echo hi}", NULL, '\\' },
        { "COPY . /app", "COPY source={.} to={/app}", NULL, '\\' },
        { "RUN <<EOF\na\nEOF", "RUN shell text={a\n}", NULL, '\\' },
        { "RUN a `\nb", "RUN shell text={a b}", NULL, '`' },
        { "ENV A=1\nENV B=2", NULL, "more than one instruction", '\\' },
        { "FROM x", NULL, "FROM can't be a trigger", '\\' },
        { "ONBUILD RUN x", NULL, "ONBUILD can't be a trigger", '\\' },
        { "MAINTAINER x", NULL, "MAINTAINER can't be a trigger", '\\' },
        { "NOPE x", NULL, "ONBUILD NOPE x: unknown instruction", '\\' },
        { "", NULL, "there is no instruction", '\\' },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf actual = STRBUF_INIT;
        AUTO(instruction_free) struct instruction *instruction = NULL;
        struct error *err = NULL;
        int result = instruction_parse_trigger(cases[i].text, cases[i].escape, &instruction, &err);
        if (cases[i].error) {
            assert_fails(result, err, ERR_SYNTAX, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        describe(instruction, &actual);
        assert_string_equal(actual.data, cases[i].expected);
        assert_int_equal(instruction->range.first, 0);
    }
}

static void formatting_parses_to_the_same(void **state UNUSED)
{
    static const char *const texts[][2] = {
        { "run  --network=none   echo \\\n  'a  b'", "RUN --network=none   echo   'a  b'" },
        { "copy <<a <<-b /d\n1\na\n\t2\n\tb", "COPY <<a <<-b /d\n1\na\n\t2\nb" },
        { "CMD", "CMD" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        AUTO(instruction_free) struct instruction *one = NULL;
        AUTO(instruction_free) struct instruction *two = NULL;
        AUTO(strbuf_release) struct strbuf first = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf second = STRBUF_INIT;
        struct error *err = NULL;
        assert_ok(instruction_parse_trigger(texts[i][0], '\\', &one, &err), err);
        AUTO(free) char *text = instruction_format_full(one);
        assert_string_equal(text, texts[i][1]);
        assert_ok(instruction_parse_trigger(text, '\\', &two, &err), err);
        describe(one, &first);
        describe(two, &second);
        assert_string_equal(first.data, second.data);
    }
}

static void original_casing_is_kept(void **state UNUSED)
{
    AUTO(instruction_free) struct instruction *instruction = NULL;
    struct error *err = NULL;
    assert_ok(instruction_parse_trigger("Run  x ", '\\', &instruction, &err), err);
    assert_string_equal(instruction->keyword, "Run");
    assert_string_equal(instruction->line, "Run  x ");
    assert_string_equal(instruction->rest, "x");
    AUTO(free) char *text = instruction_format(instruction);
    assert_string_equal(text, "RUN x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_are_typed),
        cmocka_unit_test(flags_of_copy_that_are_no_texts_take_no_variables),
        cmocka_unit_test(triggers_are_parsed_from_their_text),
        cmocka_unit_test(formatting_parses_to_the_same),
        cmocka_unit_test(original_casing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
