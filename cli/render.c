/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/render.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct render_ops render_quiet = { "quiet", NULL, NULL };
static const struct render_ops render_none = { "none", NULL, NULL };

static const struct render_ops *const styles[] = { &render_plain, &render_tty, &render_json,
                                                   &render_quiet, &render_none };

void render_format_size(char out[RENDER_SIZE_TEXT], uint64_t bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < ARRAY_SIZE(units); unit++)
        value /= 1000;
    (void)snprintf(out, RENDER_SIZE_TEXT, unit ? "%.2f%s" : "%.0f%s", value, units[unit]);
}

/* The cursor can be moved: not in a file, not on a terminal that says it can't. */
static bool is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static const struct render_ops *find(const char *style)
{
    if (!strcmp(style, "auto"))
        return is_terminal() ? &render_tty : &render_plain;
    for (size_t i = 0; i < ARRAY_SIZE(styles); i++)
        if (!strcmp(styles[i]->name, style))
            return styles[i];
    return NULL;
}

int render_init(struct render *render, const char *style, const char *origin, struct error **err)
{
    const struct render_ops *ops = find(style);
    if (!ops)
        return error_set(err, ERR_USAGE,
                         "%s=%s: auto, plain, tty, rawjson, quiet and none are what there is",
                         origin, style);
    *render = (struct render){ .ops = ops, .progress = ops->new ? ops->new () : NULL };
    return 0;
}

void render_release(struct render *render)
{
    if (render->progress)
        render->ops->free(render->progress);
    *render = (struct render){ .ops = NULL };
}
