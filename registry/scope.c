/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/scope.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <string.h>

#define SCOPES_MAX 16
#define SCOPE_MAX_SIZE 1024

void scope_format(const struct scope *scope, struct strvec *scopes)
{
    static const char *const names[] = { "pull", "push", "delete" };
    if (scope->path) {
        AUTO(strbuf_release) struct strbuf actions = STRBUF_INIT;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            if (scope->actions & 1u << i)
                strbuf_addf(&actions, "%s%s", actions.size ? "," : "", names[i]);
        strvec_pushf(scopes, "repository:%s:%s", scope->path, actions.data);
    }
    if (scope->from)
        strvec_pushf(scopes, "repository:%s:pull", scope->from);
    if (scope->catalog)
        strvec_push(scopes, "registry:catalog:*");
}

/* Whether a comma list holds a word */
static bool has_action(const char *list, const char *action, size_t size)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        if (n == size && memcmp(p, action, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* Adds actions that aren't there; true when there were some. */
static bool add_actions(char **scope, const char *actions)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    size_t before = strlen(*scope);
    strbuf_adds(&buf, *scope);
    for (const char *p = actions; *p;) {
        size_t n = strcspn(p, ",");
        const char *have = strrchr(buf.data, ':') + 1;
        if (n && !has_action(have, p, n)) {
            if (*have)
                strbuf_addc(&buf, ',');
            strbuf_add(&buf, p, n);
        }
        p += n + (p[n] == ',');
    }
    if (buf.size == before)
        return false;
    free(*scope);
    *scope = strbuf_detach(&buf);
    return true;
}

static bool merge_one(struct strvec *scopes, const char *text, bool widen)
{
    const char *colon = strrchr(text, ':'); /* names may hold colons, actions don't */
    if (!colon || strchr(text, ':') == colon)
        return false;
    size_t resource = (size_t)(colon - text) + 1;
    for (size_t i = 0; i < scopes->n; i++)
        if (strncmp(scopes->items[i], text, resource) == 0)
            return widen && add_actions(&scopes->items[i], colon + 1);
    if (scopes->n == SCOPES_MAX)
        return false;
    strvec_push(scopes, text);
    return true;
}

bool scope_merge(struct strvec *scopes, const char *challenge, bool widen)
{
    bool grew = false;
    for (const char *p = challenge ? challenge : ""; *p;) {
        size_t n = strcspn(p, " ");
        AUTO(free) char *one = xstrndup(p, n);
        if (n && n <= SCOPE_MAX_SIZE && merge_one(scopes, one, widen))
            grew = true;
        p += n + (p[n] == ' ');
    }
    return grew;
}
