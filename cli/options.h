/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line options as typed tables, which also make the help.
 *
 *     const struct option options[] = {
 *         OPT_STRING('f', "file", "PATH", &opts.file, "Dockerfile to read"),
 *         OPT_FLAG(0, "no-cache", &opts.no_cache, "run every step again"),
 *         OPT_END(),
 *     };
 *
 * --name=value and --name value, -f value and -fvalue, -abc for flags, flags also as
 * --name=true|false, "--" ends options; operands may stand between options. An unknown option names
 * its nearest neighbour.
 */
#ifndef CBUILD_CLI_OPTIONS_H
#define CBUILD_CLI_OPTIONS_H

#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>

enum option_kind { OPTION_END, OPTION_STRING, OPTION_LIST, OPTION_FLAG, OPTION_UNSIGNED };

struct option {
    enum option_kind kind;
    char letter;       /* 0: none */
    const char *name;  /* without dashes */
    const char *value; /* its value's name in the help; NULL for flags */
    void *target;      /* const char **, struct strvec *, bool *, unsigned * */
    const char *help;  /* NULL: accepted, not shown (an alias) */
};

#define OPT_STRING(letter, name, value, target, help)                                              \
    {                                                                                              \
        OPTION_STRING, (letter), (name), (value), (target), (help)                                 \
    }
#define OPT_LIST(letter, name, value, target, help)                                                \
    {                                                                                              \
        OPTION_LIST, (letter), (name), (value), (target), (help)                                   \
    }
#define OPT_FLAG(letter, name, target, help)                                                       \
    {                                                                                              \
        OPTION_FLAG, (letter), (name), NULL, (target), (help)                                      \
    }
#define OPT_UNSIGNED(letter, name, value, target, help)                                            \
    {                                                                                              \
        OPTION_UNSIGNED, (letter), (name), (value), (target), (help)                               \
    }
#define OPT_END()                                                                                  \
    {                                                                                              \
        OPTION_END, 0, NULL, NULL, NULL, NULL                                                      \
    }

struct command_help {
    const char *usage;   /* "cbuild push [OPTIONS] [NAME]": lines */
    const char *summary; /* one sentence */
    const char *more;    /* paragraphs after the options, or NULL */
};

/*
 * Parses argv[1..]; operands are appended to `operands` (borrowed strings are copied). 1 when
 * --help or -h was given and printed; ERR_USAGE.
 */
int options_parse(const struct option *options, const struct command_help *help, char *const *argv,
                  struct strvec *operands, struct error **err) WARN_UNUSED;
void options_print_help(const struct option *options, const struct command_help *help);

/* ERR_USAGE unless there are min..max operands. */
int options_check_operands(const struct command_help *help, const struct strvec *operands,
                           size_t min, size_t max, struct error **err) WARN_UNUSED;

/*
 * Both: 1 to go on, 0 where help was asked for and printed, so that a command begins with
 *
 *     int parsed = options_parse_operands(options, &help, argv, &operands, 1, 1, err);
 *     if (parsed <= 0)
 *         return parsed;
 */
int options_parse_operands(const struct option *options, const struct command_help *help,
                           char *const *argv, struct strvec *operands, size_t min, size_t max,
                           struct error **err) WARN_UNUSED;

#endif
