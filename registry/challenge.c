/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include "base/array.h"
#include "base/strbuf.h"

#include <string.h>

#define CHALLENGES_MAX 16

void challenge_release(struct challenge *challenge)
{
    free(challenge->realm);
    free(challenge->service);
    free(challenge->scope);
    free(challenge->error);
    *challenge = (struct challenge){ 0 };
}

void challenge_copy(struct challenge *to, const struct challenge *from)
{
    struct challenge copy = { from->scheme, xstrdup(from->realm), xstrdup(from->service),
                              xstrdup(from->scope), xstrdup(from->error) };
    challenge_release(to);
    *to = copy;
}

void challenges_release(struct challenges *challenges)
{
    for (size_t i = 0; i < challenges->n_items; i++)
        challenge_release(&challenges->items[i]);
    free(challenges->items);
    *challenges = (struct challenges){ 0 };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_blanks(const char *p)
{
    while (is_blank(*p))
        p++;
    return p;
}

static size_t word_size(const char *p)
{
    return strcspn(p, " \t\r\n,=\"");
}

static enum challenge_scheme scheme_named(const char *name, size_t size)
{
    if (size == 6 && strncasecmp(name, "Bearer", 6) == 0)
        return CHALLENGE_BEARER;
    if (size == 5 && strncasecmp(name, "Basic", 5) == 0)
        return CHALLENGE_BASIC;
    return CHALLENGE_OTHER;
}

/* The place of a parameter that we use; NULL: one that we don't. */
static char **parameter(struct challenge *challenge, const char *name, size_t size)
{
    const struct {
        const char *name;
        char **place;
    } known[] = {
        { "realm", &challenge->realm },
        { "service", &challenge->service },
        { "scope", &challenge->scope },
        { "error", &challenge->error },
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strlen(known[i].name) == size && strncasecmp(known[i].name, name, size) == 0)
            return known[i].place;
    return NULL;
}

/* scope=repository:a:pull,push without quotes: the comma belongs to the value */
static bool is_action(const char *p, size_t size)
{
    static const char *const actions[] = { "pull", "push", "delete", "*" };
    const char *after = skip_blanks(p + size);
    if (*after && *after != ',')
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (strlen(actions[i]) == size && memcmp(actions[i], p, size) == 0)
            return true;
    return false;
}

/* The value after '='; returns where it ends. */
static const char *read_value(const char *p, struct strbuf *value)
{
    if (*p != '"') {
        /* unquoted values hold '=' too: realm=https://host/token?a=b */
        size_t size = strcspn(p, " \t\r\n,");
        strbuf_add(value, p, size);
        return p + size;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        strbuf_addc(value, *p);
    }
    return *p ? p + 1 : p;
}

static const char *unquoted_actions(const char *p, struct strbuf *value)
{
    for (;;) {
        const char *next = skip_blanks(p);
        if (*next != ',')
            return p;
        next = skip_blanks(next + 1);
        size_t size = word_size(next);
        if (!size || !is_action(next, size))
            return p;
        strbuf_addc(value, ',');
        strbuf_add(value, next, size);
        p = next + size;
    }
}

static const char *read_parameter(const char *name, size_t size, const char *equals,
                                  struct challenge *challenge)
{
    AUTO(strbuf_release) struct strbuf value = STRBUF_INIT;
    const char *p = skip_blanks(equals + 1);
    bool quoted = *p == '"';
    char **place = parameter(challenge, name, size);
    p = read_value(p, &value);
    if (place == &challenge->scope && !quoted)
        p = unquoted_actions(p, &value);
    if (place && !*place) /* the first wins */
        *place = strbuf_detach(&value);
    return p;
}

void challenges_parse(const char *header, struct challenges *to)
{
    AUTO(challenge_release) struct challenge nobody = { 0 }; /* parameters before any scheme */
    struct challenge *current = &nobody;
    for (const char *p = header; *p;) {
        if (is_blank(*p) || *p == ',') {
            p++;
            continue;
        }
        size_t size = word_size(p);
        const char *after = skip_blanks(p + size);
        if (size && *after == '=') {
            p = read_parameter(p, size, after, current);
        } else if (size) {
            if (to->n_items == CHALLENGES_MAX)
                return;
            current = ARRAY_PUSH(to, items);
            current->scheme = scheme_named(p, size);
            p += size;
        } else { /* a stray '=' or quote, token68 padding */
            p++;
        }
    }
}

static int rank(const struct challenge *challenge)
{
    switch (challenge->scheme) {
    case CHALLENGE_BEARER:
        return challenge->realm ? 3 : 1;
    case CHALLENGE_BASIC:
        return 2;
    case CHALLENGE_OTHER:
        return 1;
    case CHALLENGE_NONE:
        break;
    }
    return 0;
}

const struct challenge *challenges_choose(const struct challenges *challenges)
{
    const struct challenge *best = NULL;
    for (size_t i = 0; i < challenges->n_items; i++)
        if (!best || rank(&challenges->items[i]) > rank(best))
            best = &challenges->items[i];
    return best;
}

void challenge_from_headers(const struct headers *headers, struct challenge *ret)
{
    AUTO(challenges_release) struct challenges all = { 0 };
    const char *value;
    for (size_t i = 0; (value = headers_get(headers, "WWW-Authenticate", i)); i++)
        challenges_parse(value, &all);
    const struct challenge *best = challenges_choose(&all);
    if (best)
        challenge_copy(ret, best);
    else
        challenge_release(ret);
}
