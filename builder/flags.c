/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/flags.h"

#include "base/mem.h"
#include "base/suggest.h"
#include "builder/instruction.h"

#include <string.h>
#include <strings.h>

#define MAX_SPECS 16

/* Where a flag may stand that isn't one here. */
static const char *owner(const char *name)
{
    static const struct {
        const char *flag, *instruction;
    } others[] = {
        { "checksum", "ADD" },       { "keep-git-dir", "ADD" },  { "unpack", "ADD" },
        { "from", "COPY" },          { "parents", "COPY" },      { "chown", "COPY and ADD" },
        { "chmod", "COPY and ADD" }, { "link", "COPY and ADD" }, { "exclude", "COPY and ADD" },
        { "mount", "RUN" },          { "network", "RUN" },       { "security", "RUN" },
        { "device", "RUN" },         { "platform", "FROM" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (!strcmp(others[i].flag, name))
            return others[i].instruction;
    return NULL;
}

static int refuse(const char *name, const struct flag_spec *specs, size_t n_specs,
                  const char *instruction, struct error **err)
{
    const char *names[MAX_SPECS];
    size_t n = 0;
    for (; n < n_specs && n < MAX_SPECS; n++)
        names[n] = specs[n].name;
    const char *near = suggest_nearest(name, names, n);
    (void)error_set(err, ERR_SYNTAX, "%s: unknown flag --%s", instruction, name);
    if (owner(name))
        error_hint(err, "--%s is a flag of %s", name, owner(name));
    else if (near)
        error_hint(err, "did you mean --%s?", near);
    return -1;
}

static int set_bool(enum flag_state *member, const char *name, const char *value,
                    struct error **err)
{
    if (value && strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
        return error_set(err, ERR_SYNTAX, "--%s=%s: neither true nor false", name, value);
    *member = value && strcasecmp(value, "false") == 0 ? FLAG_OFF : FLAG_ON;
    return 0;
}

static int set_member(const struct flag_spec *spec, void *base, const char *value,
                      struct error **err)
{
    void *member = (char *)base + spec->offset;
    switch (spec->type) {
    case FLAG_TYPE_BOOL:
        return set_bool(member, spec->name, value, err);
    case FLAG_TYPE_TEXT:
        if (*value) /* `--from=` is as good as none */
            *(char **)member = xstrdup(value);
        return 0;
    case FLAG_TYPE_LIST:
        strvec_push(member, value);
        return 0;
    }
    return 0;
}

int flags_parse(const struct strvec *flags, const struct flag_spec *specs, size_t n_specs,
                const char *instruction, void *base, struct error **err)
{
    unsigned seen = 0;
    for (size_t i = 0; i < flags->n; i++) {
        const char *flag = flags->items[i] + 2;
        const char *equals = strchr(flag, '=');
        AUTO(free) char *name = xstrndup(flag, equals ? (size_t)(equals - flag) : strlen(flag));
        size_t at = 0;
        while (at < n_specs && strcmp(specs[at].name, name) != 0)
            at++;
        if (at == n_specs)
            return refuse(name, specs, n_specs, instruction, err);
        if (specs[at].type != FLAG_TYPE_LIST && (seen & 1u << at))
            return error_set(err, ERR_SYNTAX, "%s: flag --%s given twice", instruction, name);
        seen |= 1u << at;
        if (!equals && specs[at].type != FLAG_TYPE_BOOL)
            return error_set(err, ERR_SYNTAX, "%s: flag --%s needs a value", instruction, name);
        if (set_member(&specs[at], base, equals ? equals + 1 : NULL, err) < 0)
            return error_wrap(err, "%s", instruction);
    }
    return 0;
}
