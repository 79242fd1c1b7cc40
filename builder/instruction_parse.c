/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/instruction_parse.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "builder/flags.h"
#include "builder/rune.h"
#include "builder/values.h"

#include <string.h>
#include <strings.h>

#define LEAST_INTERVAL 1000000 /* 1 ms */

static int refuse_flags(const struct statement *statement, struct error **err)
{
    return flags_parse(&statement->flags, NULL, 0, instruction_name(statement->kind), NULL, err);
}

static bool is_stage_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    return *name >= 'a' && *name <= 'z' && !name[strspn(name, allowed)];
}

static int refuse_from(const struct strvec *args, struct error **err)
{
    static const char *const as[] = { "AS" };
    if (!args->n)
        return error_set(err, ERR_SYNTAX,
                         "FROM: expected an image, or image AS name: there is "
                         "nothing");
    size_t odd = args->n == 2 || strcasecmp(args->items[1], "as") != 0 ? 1 : 3;
    error_set_(err, ERR_SYNTAX, "FROM: expected an image, or image AS name: \"%s\" is %s",
               args->items[odd], odd == 3 ? "too much" : "out of place");
    if (args->n == 2 && is_stage_name(args->items[1]))
        error_hint(err, "did you mean AS %s?", args->items[1]);
    else if (odd == 1 && suggest_nearest(args->items[1], as, ARRAY_SIZE(as)))
        error_hint(err, "did you mean AS?");
    return -1;
}

static int parse_from(struct statement *statement, struct from_body *ret, struct error **err)
{
    static const struct flag_spec flags[] = {
        { "platform", FLAG_TYPE_TEXT, offsetof(struct from_body, platform) },
        { "after", FLAG_TYPE_LIST, offsetof(struct from_body, after) },
    };
    if (flags_parse(&statement->flags, flags, ARRAY_SIZE(flags), "FROM", ret, err) < 0)
        return -1;
    const struct strvec *args = &statement->args;
    bool is_named = args->n == 3 && strcasecmp(args->items[1], "as") == 0;
    if (args->n != 1 && !is_named)
        return refuse_from(args, err);
    ret->image = xstrdup(args->items[0]);
    if (!is_named)
        return 0;
    ret->as_written = xstrdup(args->items[1]);
    ret->name_written = xstrdup(args->items[2]);
    ret->name = xstrdup_lower(args->items[2]);
    if (!is_stage_name(ret->name))
        return error_set(err, ERR_SYNTAX,
                         "stage name \"%s\": a name begins with a letter and holds letters, "
                         "digits, '-', '_' and '.'",
                         ret->name_written);
    return 0;
}

static struct key_value *add_pair(struct pairs_body *pairs, const char *key, size_t key_size,
                                  const char *value)
{
    struct key_value *item = ARRAY_PUSH(pairs, items);
    item->key = xstrndup(key, key_size);
    item->value = xstrdup(value);
    return item;
}

static int parse_arg(struct statement *statement, struct pairs_body *ret, struct error **err)
{
    if (refuse_flags(statement, err) < 0)
        return -1;
    if (!statement->args.n)
        return error_set(err, ERR_SYNTAX, "ARG: a name is missing");
    for (size_t i = 0; i < statement->args.n; i++) {
        const char *word = statement->args.items[i];
        const char *equals = strchr(word, '=');
        if (equals == word)
            return error_set(err, ERR_SYNTAX, "ARG %s: the name is empty", word);
        (void)add_pair(ret, word, equals ? (size_t)(equals - word) : strlen(word),
                       equals ? equals + 1 : NULL);
    }
    return 0;
}

static int parse_pairs(struct statement *statement, struct pairs_body *ret, struct error **err)
{
    const char *name = instruction_name(statement->kind);
    if (refuse_flags(statement, err) < 0)
        return -1;
    if (!statement->args.n)
        return error_set(err, ERR_SYNTAX, "%s: name=value is missing", name);
    ret->legacy = statement->is_legacy;
    for (size_t i = 0; i + 1 < statement->args.n; i += 2) {
        const char *key = statement->args.items[i];
        if (!*key)
            return error_set(err, ERR_SYNTAX, "%s =%s: the name is empty", name,
                             statement->args.items[i + 1]);
        (void)add_pair(ret, key, strlen(key), statement->args.items[i + 1]);
    }
    return 0;
}

static int parse_command(struct statement *statement, struct command *ret, struct error **err)
{
    if (refuse_flags(statement, err) < 0)
        return -1;
    command_take(statement, 0, ret);
    return 0;
}

static int parse_words(struct statement *statement, struct words_body *ret, struct error **err)
{
    const char *name = instruction_name(statement->kind);
    if (refuse_flags(statement, err) < 0)
        return -1;
    if (!statement->args.n)
        return error_set(err, ERR_SYNTAX, "%s: an argument is missing", name);
    ret->is_json = statement->is_json;
    for (size_t i = 0; i < statement->args.n; i++) {
        const char *word = statement->args.items[i];
        while (is_space_byte(*word))
            word++;
        size_t size = strlen(word);
        while (size && is_space_byte(word[size - 1]))
            size--;
        if (!size)
            return error_set(err, ERR_SYNTAX, "%s: argument %zu is empty", name, i + 1);
        strvec_pushn(&ret->words, word, size);
    }
    return 0;
}

static int parse_value(struct statement *statement, struct value_body *ret, struct error **err)
{
    const char *name = instruction_name(statement->kind);
    if (refuse_flags(statement, err) < 0)
        return -1;
    if (statement->args.n != 1)
        return error_set(err, ERR_SYNTAX, "%s: its argument is missing", name);
    const char *value = statement->args.items[0];
    int number;
    if (statement->kind == INSTRUCTION_STOPSIGNAL && !strpbrk(value, "$\"'\\`") &&
        stop_signal_parse(value, &number, err) < 0)
        return error_wrap(err, "STOPSIGNAL");
    ret->value = xstrdup(value);
    return 0;
}

static int parse_shell(struct statement *statement, struct strvec *ret, struct error **err)
{
    if (refuse_flags(statement, err) < 0)
        return -1;
    if (!statement->is_json || !statement->args.n) {
        (void)error_set(err, ERR_SYNTAX, "SHELL: expected a JSON array of strings");
        error_hint(err, "write it like SHELL [\"/bin/bash\", \"-c\"]");
        return -1;
    }
    strvec_copy(ret, &statement->args);
    return 0;
}

struct healthcheck_flags {
    char *interval, *timeout, *start_period, *start_interval, *retries;
};

static void healthcheck_flags_release(struct healthcheck_flags *flags)
{
    free(flags->interval);
    free(flags->timeout);
    free(flags->start_period);
    free(flags->start_interval);
    free(flags->retries);
}
DEFINE_AUTO_STRUCT(struct healthcheck_flags, healthcheck_flags_release)

static int take_interval(const char *name, const char *text, int64_t *ret, struct error **err)
{
    if (!text)
        return 0;
    if (duration_parse(text, ret, err) < 0)
        return error_wrap(err, "HEALTHCHECK --%s", name);
    if (*ret && *ret < LEAST_INTERVAL)
        return error_set(err, ERR_SYNTAX, "HEALTHCHECK --%s=%s: less than 1ms", name, text);
    return 0;
}

static int take_retries(const char *text, int64_t *ret, struct error **err)
{
    if (!text)
        return 0;
    size_t digits = strspn(text, "0123456789");
    if (!digits || text[digits] || digits > 9)
        return error_set(err, ERR_SYNTAX, "HEALTHCHECK --retries=%s: expected a number from 0 on",
                         text);
    for (const char *at = text; *at; at++)
        *ret = *ret * 10 + (*at - '0');
    return 0;
}

static int take_healthcheck_flags(const struct statement *statement, struct healthcheck_body *ret,
                                  struct error **err)
{
#define MEMBER(name) offsetof(struct healthcheck_flags, name)
    static const struct flag_spec specs[] = {
        { "interval", FLAG_TYPE_TEXT, MEMBER(interval) },
        { "timeout", FLAG_TYPE_TEXT, MEMBER(timeout) },
        { "start-period", FLAG_TYPE_TEXT, MEMBER(start_period) },
        { "start-interval", FLAG_TYPE_TEXT, MEMBER(start_interval) },
        { "retries", FLAG_TYPE_TEXT, MEMBER(retries) },
    };
#undef MEMBER
    AUTO(healthcheck_flags_release) struct healthcheck_flags flags = { 0 };
    if (flags_parse(&statement->flags, specs, ARRAY_SIZE(specs), "HEALTHCHECK", &flags, err) < 0 ||
        take_interval("interval", flags.interval, &ret->interval, err) < 0 ||
        take_interval("timeout", flags.timeout, &ret->timeout, err) < 0 ||
        take_interval("start-period", flags.start_period, &ret->start_period, err) < 0 ||
        take_interval("start-interval", flags.start_interval, &ret->start_interval, err) < 0)
        return -1;
    return take_retries(flags.retries, &ret->retries, err);
}

static int refuse_check(const char *word, struct error **err)
{
    static const char *const words[] = { "CMD", "NONE" };
    const char *near = suggest_nearest(word, words, ARRAY_SIZE(words));
    error_set_(err, ERR_SYNTAX, "HEALTHCHECK %s: expected CMD or NONE", word);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else
        error_hint(err, "did you mean HEALTHCHECK CMD %s?", word);
    return -1;
}

static int parse_healthcheck(struct statement *statement, struct healthcheck_body *ret,
                             struct error **err)
{
    const struct strvec *args = &statement->args;
    if (!args->n)
        return error_set(err, ERR_SYNTAX, "HEALTHCHECK: expected CMD or NONE");
    if (strcasecmp(args->items[0], "NONE") == 0) {
        if (args->n > 1)
            return error_set(err, ERR_SYNTAX, "HEALTHCHECK NONE takes no arguments");
        struct healthcheck_body unused = { 0 }; /* other builders let flags stand here */
        ret->none = true;
        return take_healthcheck_flags(statement, &unused, err);
    }
    if (strcasecmp(args->items[0], "CMD") != 0)
        return refuse_check(args->items[0], err);
    if (take_healthcheck_flags(statement, ret, err) < 0)
        return -1;
    if (args->n < 2)
        return error_set(err, ERR_SYNTAX, "HEALTHCHECK CMD: the command is missing");
    command_take(statement, 1, &ret->command);
    return 0;
}

static int parse_body(struct statement *statement, struct instruction *ret, struct error **err)
{
    switch (ret->kind) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        return instruction_parse_copy(statement, &ret->heredocs, &ret->copy, err);
    case INSTRUCTION_ARG:
        return parse_arg(statement, &ret->pairs, err);
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
        return parse_command(statement, &ret->command, err);
    case INSTRUCTION_ENV:
    case INSTRUCTION_LABEL:
        return parse_pairs(statement, &ret->pairs, err);
    case INSTRUCTION_EXPOSE:
    case INSTRUCTION_VOLUME:
        return parse_words(statement, &ret->words, err);
    case INSTRUCTION_FROM:
        return parse_from(statement, &ret->from, err);
    case INSTRUCTION_HEALTHCHECK:
        return parse_healthcheck(statement, &ret->healthcheck, err);
    case INSTRUCTION_MAINTAINER:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_WORKDIR:
        return parse_value(statement, &ret->value, err);
    case INSTRUCTION_RUN:
        return instruction_parse_run(statement, &ret->heredocs, &ret->run, err);
    case INSTRUCTION_SHELL:
        return parse_shell(statement, &ret->shell, err);
    case INSTRUCTION_ONBUILD:
        return refuse_flags(statement, err);
    }
    return 0;
}

/* Moves what statement and instruction have in common, and types the body. */
static int type_statement(struct statement *statement, const char *line, struct instruction *ret,
                          struct error **err)
{
    ret->kind = statement->kind;
    ret->keyword = TAKE(statement->keyword);
    ret->line = xstrdup(line);
    ret->rest = xstrdup(statement->rest);
    strvec_copy(&ret->flags, &statement->flags);
    return parse_body(statement, ret, err);
}

/* Heredocs belong to the trigger as well: it is run from the text alone, without them at hand. */
static void copy_heredocs(const struct heredoc_list *from, struct heredoc_list *to)
{
    for (size_t i = 0; i < from->n_items; i++) {
        struct heredoc *heredoc = ARRAY_PUSH(to, items);
        *heredoc = from->items[i];
        heredoc->name = xstrdup(from->items[i].name);
        heredoc->content = xstrdup(from->items[i].content);
    }
}

static int type_trigger(struct statement *statement, struct instruction *ret, struct error **err)
{
    AUTO(instruction_free) struct instruction *trigger = NEW(struct instruction);
    trigger->kind = statement->sub->kind;
    trigger->range = ret->range;
    copy_heredocs(&ret->heredocs, &trigger->heredocs);
    if (type_statement(statement->sub, statement->rest, trigger, err) < 0)
        return error_wrap(err, "ONBUILD");

    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, statement->rest);
    for (size_t i = 0; i < ret->heredocs.n_items; i++)
        strbuf_addf(&text, "\n%s%s", ret->heredocs.items[i].content, ret->heredocs.items[i].name);
    ret->onbuild.text = strbuf_detach(&text);
    ret->onbuild.trigger = TAKE(trigger);
    return 0;
}

static void warn(const struct warning_sink *warnings, const char *rule, size_t first, size_t last,
                 const char *text)
{
    if (warnings->add)
        warnings->add(warnings->context, rule, (struct source_range){ first, last }, text);
}

/* `["a", ...` or `['a']`: not the shell's own `[ "$x" = y ]`. */
static bool looks_like_list(const char *text)
{
    text++;
    while (is_space_byte(*text))
        text++;
    if (*text != '"' && *text != '\'')
        return false;
    const char *end = strchr(text + 1, *text);
    if (!end)
        return true;
    end++;
    while (is_space_byte(*end))
        end++;
    return *end == ',' || *end == ']';
}

static void warn_of_json(const struct statement *statement, const struct logical_line *line,
                         const struct warning_sink *warnings)
{
    if (statement->sub)
        statement = statement->sub;
    const char *bracket = strchr(statement->rest, '[');
    if (!statement->is_broken_json || !bracket || !looks_like_list(bracket))
        return;
    bool is_shell = statement->kind != INSTRUCTION_COPY && statement->kind != INSTRUCTION_ADD &&
                    statement->kind != INSTRUCTION_VOLUME;
    AUTO(free)
    char *text =
        xasprintf("%s begins with [ but isn't a JSON array: it is taken as %s",
                  instruction_name(statement->kind), is_shell ? "shell form" : "plain words");
    warn(warnings, "JSONArgsInvalid", line->range.first, line->range.last, text);
}

static int take_heredocs(struct lines *lines, struct logical_line *line,
                         const struct statement *statement, struct heredoc_list *ret,
                         struct error **err)
{
    if (!statement_may_hold_heredocs(statement) || !strstr(line->text.data, "<<"))
        return 0;
    if (heredoc_scan(line->text.data, ret, err) < 0)
        return -1;
    return lines_read_heredocs(lines, line, ret, err);
}

static int parse_into(struct lines *lines, struct logical_line *line,
                      const struct warning_sink *warnings, struct instruction *ret,
                      struct error **err)
{
    AUTO(statement_free) struct statement *statement = NULL;
    const char *text = line->text.data;
    if (statement_parse(text, lines->escape, &statement, err) < 0)
        return -1;
    ret->kind = statement->kind;
    if (line->empty_line)
        warn(warnings, "NoEmptyContinuation", line->empty_line, line->empty_line,
             "Empty continuation line");
    warn_of_json(statement, line, warnings);
    if (take_heredocs(lines, line, statement, &ret->heredocs, err) < 0)
        return -1;
    ret->range = line->range;
    if (line->comment.size)
        ret->comment = xstrdup(line->comment.data);
    if (type_statement(statement, text, ret, err) < 0)
        return -1;
    return statement->sub ? type_trigger(statement, ret, err) : 0;
}

int instruction_parse(struct lines *lines, struct logical_line *line,
                      const struct warning_sink *warnings, struct instruction *ret,
                      struct error **err)
{
    if (parse_into(lines, line, warnings, ret, err) == 0)
        return 0;
    instruction_release(ret);
    return -1;
}

static int parse_only(struct lines *lines, struct instruction *ret, struct error **err)
{
    static const struct warning_sink silent = { NULL, NULL };
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    if (!lines_next(lines, &line))
        return error_set(err, ERR_SYNTAX, "there is no instruction");
    if (instruction_parse(lines, &line, &silent, ret, err) < 0)
        return -1;
    if (ret->kind == INSTRUCTION_FROM || ret->kind == INSTRUCTION_ONBUILD ||
        ret->kind == INSTRUCTION_MAINTAINER)
        return error_set(err, ERR_SYNTAX, "%s can't be a trigger", instruction_name(ret->kind));
    if (lines_next(lines, &line))
        return error_set(err, ERR_SYNTAX, "more than one instruction");
    return 0;
}

int instruction_parse_trigger(const char *text, char escape, struct instruction **ret,
                              struct error **err)
{
    AUTO(source_text_free)
    struct source_text *source = source_text_new("ONBUILD", text, strlen(text));
    struct lines lines;
    lines_init(&lines, source);
    lines.escape = escape;
    AUTO(instruction_free) struct instruction *instruction = NEW(struct instruction);
    if (parse_only(&lines, instruction, err) < 0)
        return error_wrap(err, "ONBUILD %.*s", (int)strcspn(text, "\n"), text);
    instruction->range = (struct source_range){ 0, 0 };
    *ret = TAKE(instruction);
    return 0;
}
