/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/statement.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "builder/rune.h"
#include "builder/words.h"

#include <string.h>
#include <strings.h>

enum grammar {
    GRAMMAR_JSON_OR_TEXT,
    GRAMMAR_JSON_OR_WORDS,
    GRAMMAR_WORDS,
    GRAMMAR_QUOTED_WORDS,
    GRAMMAR_PAIRS,
    GRAMMAR_TEXT,
    GRAMMAR_HEALTHCHECK,
    GRAMMAR_ONBUILD,
};

static const struct {
    const char *name;
    enum grammar grammar;
} keywords[] = {
    [INSTRUCTION_ADD] = { "ADD", GRAMMAR_JSON_OR_WORDS },
    [INSTRUCTION_ARG] = { "ARG", GRAMMAR_QUOTED_WORDS },
    [INSTRUCTION_CMD] = { "CMD", GRAMMAR_JSON_OR_TEXT },
    [INSTRUCTION_COPY] = { "COPY", GRAMMAR_JSON_OR_WORDS },
    [INSTRUCTION_ENTRYPOINT] = { "ENTRYPOINT", GRAMMAR_JSON_OR_TEXT },
    [INSTRUCTION_ENV] = { "ENV", GRAMMAR_PAIRS },
    [INSTRUCTION_EXPOSE] = { "EXPOSE", GRAMMAR_WORDS },
    [INSTRUCTION_FROM] = { "FROM", GRAMMAR_WORDS },
    [INSTRUCTION_HEALTHCHECK] = { "HEALTHCHECK", GRAMMAR_HEALTHCHECK },
    [INSTRUCTION_LABEL] = { "LABEL", GRAMMAR_PAIRS },
    [INSTRUCTION_MAINTAINER] = { "MAINTAINER", GRAMMAR_TEXT },
    [INSTRUCTION_ONBUILD] = { "ONBUILD", GRAMMAR_ONBUILD },
    [INSTRUCTION_RUN] = { "RUN", GRAMMAR_JSON_OR_TEXT },
    [INSTRUCTION_SHELL] = { "SHELL", GRAMMAR_JSON_OR_TEXT },
    [INSTRUCTION_STOPSIGNAL] = { "STOPSIGNAL", GRAMMAR_TEXT },
    [INSTRUCTION_USER] = { "USER", GRAMMAR_TEXT },
    [INSTRUCTION_VOLUME] = { "VOLUME", GRAMMAR_JSON_OR_WORDS },
    [INSTRUCTION_WORKDIR] = { "WORKDIR", GRAMMAR_TEXT },
};

const char *instruction_name(enum instruction_kind kind)
{
    return keywords[kind].name;
}

int instruction_kind_find(const char *keyword)
{
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
        if (strcasecmp(keyword, keywords[i].name) == 0)
            return (int)i;
    }
    return -1;
}

void statement_free(struct statement *statement)
{
    if (!statement)
        return;
    free(statement->keyword);
    free(statement->rest);
    strvec_release(&statement->flags);
    strvec_release(&statement->args);
    statement_free(statement->sub); /* one level: triggers of triggers are refused */
    free(statement);
}

bool statement_may_hold_heredocs(const struct statement *statement)
{
    if (statement->sub)
        statement = statement->sub;
    if (statement->is_json)
        return false;
    switch ((int)statement->kind) {
    case INSTRUCTION_RUN:
    case INSTRUCTION_COPY:
    case INSTRUCTION_ADD:
        return true;
    default:
        return false;
    }
}

static int refuse_keyword(const char *keyword, struct error **err)
{
    const char *names[ARRAY_SIZE(keywords)];
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        names[i] = keywords[i].name;
    const char *near = suggest_nearest(keyword, names, ARRAY_SIZE(names));
    (void)error_set(err, ERR_SYNTAX, "unknown instruction \"%.60s\"", keyword);
    size_t size = strcspn(keyword, "-[{<");
    AUTO(free) char *glued = keyword[size] ? xstrndup(keyword, size) : NULL;
    if (near)
        error_hint(err, "did you mean %s?", near);
    else if (glued && instruction_kind_find(glued) >= 0)
        error_hint(err, "did you mean \"%s %s\"?", glued, keyword + size);
    return -1;
}

/* One flag word at text ("--..."); quotes and backslashes are resolved. Returns its end. */
static const char *read_flag(const char *text, struct strbuf *flag)
{
    char quote = '\0';
    for (; *text; text++) {
        if (!quote && is_space_byte(*text))
            break;
        if (*text == '\\') {
            if (!text[1])
                continue;
            text++;
        } else if (quote && *text == quote) {
            quote = '\0';
            continue;
        } else if (!quote && (*text == '"' || *text == '\'')) {
            quote = *text;
            continue;
        }
        strbuf_addc(flag, *text);
    }
    return text;
}

/* Takes the flags off the front; returns the text behind them. */
static const char *read_flags(const char *text, struct strvec *flags)
{
    AUTO(strbuf_release) struct strbuf flag = STRBUF_INIT;
    for (;;) {
        while (is_space_byte(*text))
            text++;
        if (text[0] != '-' || text[1] != '-')
            return text;
        strbuf_reset(&flag);
        text = read_flag(text, &flag);
        if (strcmp(flag.data, "--") == 0)
            return text;
        strvec_push(flags, flag.data);
    }
}

/* JSON where it is; 0: it isn't. */
static int take_json(struct statement *statement, const char *text, struct error **err)
{
    int is_json = words_parse_json(text, &statement->args, err);
    if (is_json < 0)
        return error_wrap(err, "%s", instruction_name(statement->kind));
    statement->is_json = is_json;
    statement->is_broken_json = !is_json && *text == '[';
    return is_json;
}

static int take_pairs(struct statement *statement, char escape, struct error **err)
{
    AUTO(strvec_release) struct strvec words = STRVEC_INIT;
    const char *name = instruction_name(statement->kind);
    words_split(statement->rest, escape, &words);
    if (!words.n)
        return 0;
    if (!strchr(words.items[0], '=')) {
        const char *value = statement->rest;
        while (*value && !is_space_byte(*value))
            value++;
        if (!*value)
            return error_set(err, ERR_SYNTAX, "%s %s: a value is missing: %s takes name=value",
                             name, statement->rest, name);
        strvec_pushn(&statement->args, statement->rest, (size_t)(value - statement->rest));
        while (is_space_byte(*value))
            value++;
        strvec_push(&statement->args, value);
        statement->is_legacy = true;
        return 0;
    }
    for (size_t i = 0; i < words.n; i++) {
        const char *equals = strchr(words.items[i], '=');
        if (!equals)
            return error_set(err, ERR_SYNTAX, "%s: \"%s\" is not of the form name=value", name,
                             words.items[i]);
        strvec_pushn(&statement->args, words.items[i], (size_t)(equals - words.items[i]));
        strvec_push(&statement->args, equals + 1);
    }
    return 0;
}

static int take_healthcheck(struct statement *statement, struct error **err)
{
    const char *end = statement->rest;
    while (*end && !is_space_byte(*end))
        end++;
    if (end == statement->rest)
        return 0;
    strvec_pushn(&statement->args, statement->rest, (size_t)(end - statement->rest));
    while (is_space_byte(*end))
        end++;
    int is_json = take_json(statement, end, err);
    if (is_json < 0)
        return -1;
    if (!is_json && *end)
        strvec_push(&statement->args, end);
    return 0;
}

static int parse_level(const char *line, char escape, bool is_trigger, struct statement **ret,
                       struct error **err);

static int take_trigger(struct statement *statement, char escape, struct error **err)
{
    if (!*statement->rest)
        return error_set(err, ERR_SYNTAX, "ONBUILD: an instruction is missing");
    if (parse_level(statement->rest, escape, true, &statement->sub, err) < 0)
        return error_wrap(err, "ONBUILD");
    return 0;
}

static int take_arguments(struct statement *statement, char escape, struct error **err)
{
    int is_json;
    switch (keywords[statement->kind].grammar) {
    case GRAMMAR_JSON_OR_TEXT:
    case GRAMMAR_JSON_OR_WORDS:
        is_json = take_json(statement, statement->rest, err);
        if (is_json != 0)
            return is_json < 0 ? -1 : 0;
        if (keywords[statement->kind].grammar == GRAMMAR_JSON_OR_WORDS)
            words_split_blanks(statement->rest, &statement->args);
        else if (*statement->rest)
            strvec_push(&statement->args, statement->rest);
        return 0;
    case GRAMMAR_WORDS:
        words_split_blanks(statement->rest, &statement->args);
        return 0;
    case GRAMMAR_QUOTED_WORDS:
        words_split(statement->rest, escape, &statement->args);
        return 0;
    case GRAMMAR_PAIRS:
        return take_pairs(statement, escape, err);
    case GRAMMAR_TEXT:
        if (*statement->rest)
            strvec_push(&statement->args, statement->rest);
        return 0;
    case GRAMMAR_HEALTHCHECK:
        return take_healthcheck(statement, err);
    case GRAMMAR_ONBUILD:
        return take_trigger(statement, escape, err);
    }
    return 0;
}

static int refuse_as_trigger(enum instruction_kind kind, struct error **err)
{
    if (kind == INSTRUCTION_ONBUILD)
        return error_set(err, ERR_SYNTAX, "a trigger can't be another ONBUILD");
    if (kind == INSTRUCTION_FROM || kind == INSTRUCTION_MAINTAINER)
        return error_set(err, ERR_SYNTAX, "%s can't be a trigger", instruction_name(kind));
    return 0;
}

static int parse_level(const char *line, char escape, bool is_trigger, struct statement **ret,
                       struct error **err)
{
    AUTO(statement_free) struct statement *statement = NEW(struct statement);
    AUTO(free) char *text = trim_space(line);
    size_t size = 0;
    while (text[size] && !is_space_byte(text[size]))
        size++;
    statement->keyword = xstrndup(text, size);
    int kind = instruction_kind_find(statement->keyword);
    if (kind < 0)
        return refuse_keyword(statement->keyword, err);
    statement->kind = (enum instruction_kind)kind;
    if (is_trigger && refuse_as_trigger(statement->kind, err) < 0)
        return -1;
    statement->rest = trim_space(read_flags(text + size, &statement->flags));
    if (take_arguments(statement, escape, err) < 0)
        return -1;
    *ret = TAKE(statement);
    return 0;
}

int statement_parse(const char *line, char escape, struct statement **ret, struct error **err)
{
    return parse_level(line, escape, false, ret, err);
}
