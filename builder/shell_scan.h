/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at the text of a shell command: its simple commands, and whether quotes and compound
 * commands are closed. POSIX sh; what goes beyond it, and what can't be told apart without a whole
 * shell (here-documents, arrays, functions, [[, quotes in ${}), ends the look: `is_certain` is
 * false, no problem is reported, and the commands so far stay. Pure.
 */
#ifndef CBUILD_BUILDER_SHELL_SCAN_H
#define CBUILD_BUILDER_SHELL_SCAN_H

#include "base/auto.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stddef.h>

struct shell_command {
    struct strvec words; /* as written; reserved words before the command are left out */
    char end;            /* what follows: ';' (also a newline), '&' (&&), '|', 'o' (||), 'b' (&),
                            or NUL */
};

struct shell_scan {
    struct shell_command *commands;
    size_t n_commands, commands_capacity;
    bool is_certain;
    char *problem; /* "quote ' is not closed", "if without fi"; NULL: none */
};

void shell_scan_release(struct shell_scan *scan);
DEFINE_AUTO_STRUCT(struct shell_scan, shell_scan_release)

void shell_scan(const char *text, struct shell_scan *ret);

#endif
