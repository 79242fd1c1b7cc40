/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct option *find_name(const struct option *options, const char *name, size_t size)
{
    for (; options->kind != OPTION_END; options++)
        if (options->name && strlen(options->name) == size && !strncmp(options->name, name, size))
            return options;
    return NULL;
}

static const struct option *find_letter(const struct option *options, char letter)
{
    for (; options->kind != OPTION_END; options++)
        if (options->letter == letter)
            return options;
    return NULL;
}

static int set_flag(const struct option *option, const char *value, struct error **err)
{
    bool *target = option->target;
    if (!value || !strcmp(value, "true") || !strcmp(value, "1"))
        *target = true;
    else if (!strcmp(value, "false") || !strcmp(value, "0"))
        *target = false;
    else
        return error_set(err, ERR_USAGE, "--%s=%s: a flag is true or false", option->name, value);
    return 0;
}

static int set_value(const struct option *option, const char *value, struct error **err)
{
    switch (option->kind) {
    case OPTION_STRING:
        *(const char **)option->target = value;
        return 0;
    case OPTION_LIST:
        strvec_push(option->target, value);
        return 0;
    case OPTION_FLAG:
        return set_flag(option, value, err);
    case OPTION_UNSIGNED: {
        char *end;
        errno = 0;
        unsigned long number = strtoul(value, &end, 10);
        if (errno || *end || !(*value >= '0' && *value <= '9') || number > 1u << 30)
            return error_set(err, ERR_USAGE, "--%s=%s: expected a number", option->name, value);
        *(unsigned *)option->target = (unsigned)number;
        return 0;
    }
    case OPTION_END:
        break;
    }
    return 0;
}

static int unknown(const struct option *options, const struct command_help *help, const char *text,
                   size_t size, struct error **err)
{
    const char *names[128];
    size_t n = 0;
    for (const struct option *o = options; o->kind != OPTION_END && n < ARRAY_SIZE(names); o++)
        if (o->name && o->help)
            names[n++] = o->name;
    AUTO(free) char *name = xstrndup(text, size);
    const char *near = suggest_nearest(name, names, n);
    error_set_(err, ERR_USAGE, "unknown option --%s", name);
    if (near)
        error_hint(err, "did you mean --%s?", near);
    else
        error_hint(err, "usage: %.*s", (int)strcspn(help->usage, "\n"), help->usage);
    return -1;
}

static int parse_long(const struct option *options, const struct command_help *help,
                      char *const **argv, struct error **err)
{
    const char *text = **argv + 2;
    size_t size = strcspn(text, "=");
    const struct option *option = find_name(options, text, size);
    if (!option)
        return unknown(options, help, text, size, err);
    const char *value = text[size] ? text + size + 1 : NULL;
    if (!value && option->kind != OPTION_FLAG) {
        value = *++*argv;
        if (!value)
            return error_set(err, ERR_USAGE, "--%s needs a value: %s", option->name, option->value);
    }
    return set_value(option, value, err);
}

static int parse_short(const struct option *options, const struct command_help *help,
                       char *const **argv, struct error **err)
{
    for (const char *p = **argv + 1; *p; p++) {
        const struct option *option = find_letter(options, *p);
        if (!option) {
            error_set_(err, ERR_USAGE, "unknown option -%c", *p);
            error_hint(err, "usage: %.*s", (int)strcspn(help->usage, "\n"), help->usage);
            return -1;
        }
        if (option->kind == OPTION_FLAG) {
            if (p[1] == '=')
                return set_flag(option, p + 2, err);
            *(bool *)option->target = true;
            continue;
        }
        const char *value = p[1] == '=' ? p + 2 : p[1] ? p + 1 : *++*argv;
        if (!value)
            return error_set(err, ERR_USAGE, "-%c needs a value: %s", *p, option->value);
        return set_value(option, value, err);
    }
    return 0;
}

int options_parse(const struct option *options, const struct command_help *help, char *const *argv,
                  struct strvec *operands, struct error **err)
{
    for (argv++; *argv; argv++) {
        const char *word = *argv;
        if (!strcmp(word, "--")) {
            for (argv++; *argv; argv++)
                strvec_push(operands, *argv);
            return 0;
        }
        if (!strcmp(word, "--help") || (!strcmp(word, "-h") && !find_letter(options, 'h'))) {
            options_print_help(options, help);
            return 1;
        }
        int result = 0;
        if (!strncmp(word, "--", 2))
            result = parse_long(options, help, &argv, err);
        else if (word[0] == '-' && word[1])
            result = parse_short(options, help, &argv, err);
        else
            strvec_push(operands, word);
        if (result < 0)
            return -1;
    }
    return 0;
}

void options_print_help(const struct option *options, const struct command_help *help)
{
    printf("Usage: %s\n\n%s\n", help->usage, help->summary);
    bool any = false;
    for (; options->kind != OPTION_END; options++) {
        if (!options->help)
            continue;
        if (!any)
            printf("\nOptions:\n");
        any = true;
        AUTO(strbuf_release) struct strbuf left = STRBUF_INIT;
        if (options->letter)
            strbuf_addf(&left, "-%c", options->letter);
        else
            strbuf_adds(&left, "  ");
        if (options->name)
            strbuf_addf(&left, "%s --%s", options->letter ? "," : " ", options->name);
        if (options->value)
            strbuf_addf(&left, " %s", options->value);
        printf("  %-30s %s\n", left.data, options->help);
    }
    if (help->more)
        printf("\n%s\n", help->more);
}

int options_check_operands(const struct command_help *help, const struct strvec *operands,
                           size_t min, size_t max, struct error **err)
{
    if (operands->n >= min && operands->n <= max)
        return 0;
    if (operands->n > max && max > 0)
        error_set_(err, ERR_USAGE, "unexpected argument \"%s\"", operands->items[max]);
    else if (operands->n > max)
        error_set_(err, ERR_USAGE, "unexpected argument \"%s\"", operands->items[0]);
    else
        error_set_(err, ERR_USAGE, "an argument is missing");
    error_hint(err, "usage: %.*s", (int)strcspn(help->usage, "\n"), help->usage);
    return -1;
}

int options_parse_operands(const struct option *options, const struct command_help *help,
                           char *const *argv, struct strvec *operands, size_t min, size_t max,
                           struct error **err)
{
    int parsed = options_parse(options, help, argv, operands, err);
    if (parsed != 0)
        return parsed < 0 ? -1 : 0;
    return options_check_operands(help, operands, min, max, err) < 0 ? -1 : 1;
}
