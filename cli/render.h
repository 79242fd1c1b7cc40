/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How progress is shown, on stderr. Each style is a table of operations:
 *
 *   render_plain.c   lines in the shape of BuildKit's plain progress
 *   render_tty.c     what runs is redrawn in place, what has ended stays as a line
 *   render_json.c    BuildKit's status objects, one a line: "rawjson"
 *
 * and "quiet" and "none" show nothing. Thread-safe, as progress.h asks for.
 */
#ifndef CBUILD_CLI_RENDER_H
#define CBUILD_CLI_RENDER_H

#include "base/error.h"
#include "base/progress.h"

struct render_ops {
    const char *name; /* --progress=NAME */
    struct progress *(*new)(void);
    void (*free)(struct progress *progress); /* shows what is left to show */
};

struct render {
    const struct render_ops *ops;
    struct progress *progress; /* NULL: quiet */
};

extern const struct render_ops render_plain, render_tty, render_json;

/*
 * "auto" is tty on a terminal that can, else plain. `origin` is for messages: "--progress".
 * ERR_USAGE: no such style.
 */
int render_init(struct render *render, const char *style, const char *origin,
                struct error **err) WARN_UNUSED;
/* Accepts an empty one. */
void render_release(struct render *render);

#define RENDER_SIZE_TEXT 32
/* "1.25MB" */
void render_format_size(char out[RENDER_SIZE_TEXT], uint64_t bytes);

#endif
