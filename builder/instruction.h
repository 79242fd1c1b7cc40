/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instruction in its typed form. Nothing is expanded: words keep quotes,
 * escapes and variables as written; the executor expands them with words_expand()
 * where DOCKERFILE's table says so ("word" below), and leaves "text" alone.
 *
 * Pure; immutable after parsing.
 */
#ifndef CBUILD_BUILDER_INSTRUCTION_H
#define CBUILD_BUILDER_INSTRUCTION_H

#include "base/auto.h"
#include "base/error.h"
#include "base/strvec.h"
#include "builder/heredoc.h"
#include "builder/run_mount.h"
#include "builder/source_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum instruction_kind {
    INSTRUCTION_ADD,
    INSTRUCTION_ARG,
    INSTRUCTION_CMD,
    INSTRUCTION_COPY,
    INSTRUCTION_ENTRYPOINT,
    INSTRUCTION_ENV,
    INSTRUCTION_EXPOSE,
    INSTRUCTION_FROM,
    INSTRUCTION_HEALTHCHECK,
    INSTRUCTION_LABEL,
    INSTRUCTION_MAINTAINER,
    INSTRUCTION_ONBUILD,
    INSTRUCTION_RUN,
    INSTRUCTION_SHELL,
    INSTRUCTION_STOPSIGNAL,
    INSTRUCTION_USER,
    INSTRUCTION_VOLUME,
    INSTRUCTION_WORKDIR,
};

/* A boolean flag: --link, --link=false. */
enum flag_state { FLAG_UNSET, FLAG_OFF, FLAG_ON };

enum command_form { COMMAND_SHELL, COMMAND_EXEC };

/* RUN, CMD, ENTRYPOINT, HEALTHCHECK CMD */
struct command {
    enum command_form form;
    struct strvec argv; /* exec form; may be empty */
    /*
     * Shell form: the one argument that the shell gets ("" for a bare RUN). RUN with
     * nothing but a heredoc: its body. RUN with a command and heredocs: the command
     * and the bodies put together again.
     */
    char *text;
    /*
     * RUN with nothing but a heredoc that begins with #!: `text` is "/dev/pipes/NAME", and
     * this content is to be there in a file of mode 0755, mounted read-only; else NULL.
     */
    char *script;
};

struct from_body {
    char *platform;      /* word, NULL: no --platform */
    struct strvec after; /* stages that come first: buildah's --after */
    char *image;         /* word: global ARGs only */
    char *name;          /* lower case; NULL: unnamed */
    char *name_written;
    char *as_written; /* "AS", "as", ... for the casing check; NULL: no name */
};

/* ARG, ENV, LABEL: both are words (ARG and LABEL names too). */
struct key_value {
    char *key;
    char *value; /* NULL: ARG without a default */
};

struct pairs_body {
    struct key_value *items;
    size_t n_items, items_capacity;
    bool legacy; /* `ENV k rest of the line` */
};

struct run_body {
    struct command command;
    struct run_mount *mounts; /* checked without variables: see run_mount.h */
    size_t n_mounts, mounts_capacity;
    struct strvec mount_specs; /* the same, as written after --mount= */
    char *network;             /* "default", "none", "host"; NULL: not given */
    char *security;            /* "sandbox", "insecure"; NULL: not given */
    struct strvec devices;     /* as written after --device= */
};

/* A file that stands in the Dockerfile: `COPY <<EOF /x`. */
struct copy_inline {
    char *name;    /* the delimiter */
    char *content; /* tabs stripped where asked */
    bool expand;   /* expand it, with WORDS_NO_QUOTES and a backslash as escape */
    struct source_range range;
};

/* COPY and ADD */
struct copy_body {
    struct strvec sources; /* words; inline files are not among them */
    struct copy_inline *inlines;
    size_t n_inlines, inlines_capacity;
    char *destination;            /* word */
    bool is_json;                 /* the arguments were a JSON array */
    char *from;                   /* COPY, as written; NULL: the context */
    char *chown;                  /* word or NULL */
    char *chmod;                  /* word or NULL */
    char *checksum;               /* ADD: word or NULL */
    struct strvec excludes;       /* patterns as written */
    enum flag_state link;         /* */
    enum flag_state parents;      /* COPY */
    enum flag_state keep_git_dir; /* ADD */
    enum flag_state unpack;       /* ADD */
};

/* EXPOSE, VOLUME: words, after expansion split again at blanks by EXPOSE only. */
struct words_body {
    struct strvec words;
    bool is_json; /* VOLUME ["..."] */
};

/* USER, WORKDIR, STOPSIGNAL: one word (may hold blanks). MAINTAINER: text. */
struct value_body {
    char *value;
};

struct healthcheck_body {
    bool none; /* NONE: nothing else is set */
    struct command command;
    int64_t interval, timeout, start_period, start_interval; /* ns; 0: not given, inherit */
    int64_t retries;                                         /* 0: not given */
};

struct instruction;

struct onbuild_body {
    char *text;                  /* as stored in the image config; heredocs included */
    struct instruction *trigger; /* parsed, for checks */
};

struct instruction {
    enum instruction_kind kind;
    struct source_range range; /* heredoc bodies included; {0, 0} for a trigger of a base image */
    char *keyword;             /* as written */
    char *line; /* the whole logical line: continuations joined, comments removed, no heredoc bodies
                 */
    struct strvec flags; /* "--name=value" as written */
    char *rest;          /* the line after keyword and flags */
    struct heredoc_list heredocs;
    char *comment; /* the comment lines just above, without "# ", joined by newlines; NULL: none */
    struct strvec skipped_checks; /* from "# check=skip=..." just above; "all" among them */
    union {
        struct from_body from;
        struct pairs_body pairs; /* ARG, ENV, LABEL */
        struct run_body run;
        struct command command;  /* CMD, ENTRYPOINT */
        struct copy_body copy;   /* ADD, COPY */
        struct words_body words; /* EXPOSE, VOLUME */
        struct value_body value; /* USER, WORKDIR, STOPSIGNAL, MAINTAINER */
        struct healthcheck_body healthcheck;
        struct strvec shell; /* SHELL */
        struct onbuild_body onbuild;
    };
};

/* Upper case: "RUN". */
const char *instruction_name(enum instruction_kind kind);

/*
 * Parses one instruction given as text, heredoc bodies on the following lines: a trigger
 * from a base image's OnBuild. Positions are {0, 0} and errors carry no file: the
 * caller puts the FROM line in front.
 *
 * ERR_SYNTAX: it is malformed, or may not be a trigger (FROM, ONBUILD, MAINTAINER), or text
 * holds more than one instruction.
 */
int instruction_parse_trigger(const char *text, char escape, struct instruction **ret,
                              struct error **err) WARN_UNUSED;
void instruction_free(struct instruction *instruction);
DEFINE_AUTO(struct instruction, instruction_free)
/* Empties what the caller holds by value. */
void instruction_release(struct instruction *instruction);

/* "RUN --mount=... echo hi": upper case name, flags, rest; no heredoc bodies, no credentials in
 * the URLs of ADD. For people. */
char *instruction_format(const struct instruction *instruction) WARN_UNUSED;
/* All of it, with the heredoc bodies after the line: parses to an equal instruction. */
char *instruction_format_full(const struct instruction *instruction) WARN_UNUSED;

/*
 * The description in the comment above a FROM (first word: the stage's name) or an
 * ARG (first word: its name); points into the instruction, NULL: none.
 */
const char *instruction_description(const struct instruction *instruction, const char *name);

#endif
