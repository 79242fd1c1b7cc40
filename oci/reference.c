/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN "index.docker.io"
#define OFFICIAL_PREFIX "library/"
#define PATH_MAX_SIZE 255 /* distribution/reference: RepositoryNameTotalLengthMax */
#define TAG_MAX_SIZE 128
#define TEXT_MAX_SIZE 1024

void reference_release(struct reference *reference)
{
    free(reference->domain);
    free(reference->path);
    free(reference->tag);
    *reference = (struct reference){ 0 };
}

void reference_copy(struct reference *to, const struct reference *from)
{
    struct reference copy = {
        .domain = xstrdup(from->domain),
        .path = xstrdup(from->path),
        .tag = xstrdup(from->tag),
        .digest = from->digest,
        .is_short = from->is_short,
    };
    reference_release(to);
    *to = copy;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool has_upper(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (is_upper(text[i]))
            return true;
    return false;
}

static bool is_path_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_host_alnum(char c)
{
    return is_path_alnum(c) || is_upper(c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A first component is a domain by its look; else the name is Docker Hub's. */
static bool looks_like_domain(const char *text, size_t size)
{
    return memchr(text, '.', size) || memchr(text, ':', size) || has_upper(text, size) ||
           (size == 9 && memcmp(text, "localhost", 9) == 0);
}

static bool port_is_valid(const char *text, size_t size)
{
    if (size < 2 || text[0] != ':')
        return false;
    for (size_t i = 1; i < size; i++)
        if (!is_digit(text[i]))
            return false;
    return true;
}

/* "[" hex digits and colons "]" [":" port] */
static bool ipv6_domain_is_valid(const char *text, size_t size)
{
    size_t i = 1;
    while (i < size && (isxdigit((unsigned char)text[i]) || text[i] == ':'))
        i++;
    if (i < 2 || i >= size || text[i] != ']')
        return false;
    i++;
    return i == size || port_is_valid(text + i, size - i);
}

/* Labels of letters, digits and inner hyphens, joined by dots; an optional port. */
static bool domain_is_valid(const char *text, size_t size)
{
    if (size && text[0] == '[')
        return ipv6_domain_is_valid(text, size);
    const char *colon = memchr(text, ':', size);
    size_t host = colon ? (size_t)(colon - text) : size;
    if (colon && !port_is_valid(colon, size - host))
        return false;
    bool alnum = false; /* the character before */
    for (size_t i = 0; i < host; i++) {
        if (is_host_alnum(text[i])) {
            alnum = true;
            continue;
        }
        bool inner = i > 0 && i + 1 < host;
        if (text[i] == '.' && (!alnum || !inner || !is_host_alnum(text[i + 1])))
            return false;
        if (text[i] == '-' && (!inner || text[i - 1] == '.' || text[i + 1] == '.'))
            return false;
        if (text[i] != '.' && text[i] != '-')
            return false;
        alnum = false;
    }
    return host && alnum;
}

/* separator ::= [._] | "__" | "-"+; returns its size, 0 when there is none */
static size_t separator_size(const char *text, const char *end)
{
    if (text < end && text[0] == '-') {
        size_t size = 1;
        while (text + size < end && text[size] == '-')
            size++;
        return size;
    }
    if (text + 1 < end && text[0] == '_' && text[1] == '_')
        return 2;
    return text < end && (text[0] == '.' || text[0] == '_');
}

/* component ("/" component)*; component ::= alnum+ (separator alnum+)* */
static bool path_is_valid(const char *text, size_t size)
{
    const char *p = text, *end = text + size;
    for (;;) {
        const char *start = p;
        while (p < end && is_path_alnum(*p))
            p++;
        if (p == start)
            return false;
        if (p == end)
            return true;
        size_t separator = separator_size(p, end);
        if (!separator && *p != '/')
            return false;
        p += separator ? separator : 1;
    }
}

bool reference_tag_is_valid(const char *tag)
{
    size_t size = 0;
    for (; tag[size]; size++) {
        bool word = is_host_alnum(tag[size]) || tag[size] == '_';
        if (!word && (size == 0 || (tag[size] != '.' && tag[size] != '-')))
            return false;
    }
    return size > 0 && size <= TAG_MAX_SIZE;
}

static bool is_hex_id(const char *text)
{
    uint8_t ignored[SHA256_SIZE];
    return sha256_from_hex(text, strlen(text), ignored);
}

static int path_error(const char *text, const char *path, size_t size, struct error **err)
{
    int shown = (int)(size > 100 ? 100 : size);
    if (!size)
        return error_set(err, ERR_INVALID, "reference \"%.200s\": repository name missing", text);
    if (has_upper(path, size))
        return error_set(err, ERR_INVALID, "repository name \"%.*s\": must be lower case", shown,
                         path);
    return error_set(err, ERR_INVALID,
                     "repository name \"%.*s\": expected letters, digits, single . or _, __ or - "
                     "between them, parts separated by /",
                     shown, path);
}

/* Splits text at the first slash if what stands before is a domain. Returns the path's start; no
 * domain: that is text, and *domain stays. */
static const char *split_domain(const char *text, size_t size, char **domain)
{
    const char *slash = memchr(text, '/', size);
    if (!slash || !looks_like_domain(text, (size_t)(slash - text))) {
        return text;
    }
    *domain = xstrndup(text, (size_t)(slash - text));
    if (strcmp(*domain, LEGACY_DOMAIN) == 0) {
        free(*domain);
        *domain = xstrdup(DEFAULT_DOMAIN);
    }
    return slash + 1;
}

static int parse_digest(const char *text, const char *digest, struct digest *ret,
                        struct error **err)
{
    if (digest_parse(digest, ret, err) < 0)
        return error_wrap(err, "reference \"%.200s\"", text);
    return 0;
}

static int parse_repository(const char *text, const char *end, struct reference *ret,
                            struct error **err)
{
    const char *path = split_domain(text, (size_t)(end - text), &ret->domain);
    ret->is_short = !ret->domain;
    if (ret->is_short)
        ret->domain = xstrdup(DEFAULT_DOMAIN);
    if (!domain_is_valid(ret->domain, strlen(ret->domain)))
        return error_set(err, ERR_INVALID, "registry \"%.100s\": expected HOST[:PORT]",
                         ret->domain);
    size_t size = (size_t)(end - path);
    if (!path_is_valid(path, size))
        return path_error(text, path, size, err);
    bool official = strcmp(ret->domain, DEFAULT_DOMAIN) == 0 && !memchr(path, '/', size);
    ret->path = xasprintf("%s%.*s", official ? OFFICIAL_PREFIX : "", (int)size, path);
    if (strlen(ret->path) > PATH_MAX_SIZE)
        return error_set(err, ERR_INVALID,
                         "repository name \"%.40s...\": longer than %d characters", path,
                         PATH_MAX_SIZE);
    return 0;
}

int reference_parse(const char *text, struct reference *ret, struct error **err)
{
    if (!*text)
        return error_set(err, ERR_INVALID, "reference: empty");
    if (strlen(text) > TEXT_MAX_SIZE)
        return error_set(err, ERR_INVALID, "reference \"%.40s...\": longer than %d characters",
                         text, TEXT_MAX_SIZE);
    if (is_hex_id(text))
        return error_set(err, ERR_INVALID,
                         "reference \"%s\": 64 hex digits are an image id, not a name", text);

    AUTO(reference_release) struct reference reference = { 0 };
    const char *at = strchr(text, '@');
    const char *end = at ? at : text + strlen(text);
    const char *slash = memrchr(text, '/', (size_t)(end - text));
    const char *after = slash ? slash + 1 : text;
    const char *colon = memchr(after, ':', (size_t)(end - after));
    if (parse_repository(text, colon ? colon : end, &reference, err) < 0)
        return -1;
    if (colon) {
        reference.tag = xstrndup(colon + 1, (size_t)(end - colon - 1));
        if (!reference_tag_is_valid(reference.tag))
            return error_set(err, ERR_INVALID,
                             "tag \"%.140s\": expected at most %d letters, digits, _ . -, the "
                             "first no . or -",
                             reference.tag, TAG_MAX_SIZE);
    }
    if (at && parse_digest(text, at + 1, &reference.digest, err) < 0)
        return -1;
    *ret = reference;
    reference = (struct reference){ 0 };
    return 0;
}

void reference_default_tag(struct reference *reference)
{
    if (!reference->tag && !reference->digest.is_set)
        reference->tag = xstrdup("latest");
}

static void add_suffix(const struct reference *reference, struct strbuf *buf)
{
    if (reference->tag)
        strbuf_addf(buf, ":%s", reference->tag);
    if (reference->digest.is_set) {
        char text[DIGEST_TEXT_SIZE];
        digest_format(&reference->digest, text);
        strbuf_addf(buf, "@%s", text);
    }
}

static void add_familiar(const struct reference *reference, struct strbuf *buf)
{
    if (strcmp(reference->domain, DEFAULT_DOMAIN) != 0) {
        strbuf_addf(buf, "%s/%s", reference->domain, reference->path);
        return;
    }
    size_t prefix = strlen(OFFICIAL_PREFIX);
    const char *slash = strchr(reference->path, '/');
    size_t first = slash ? (size_t)(slash - reference->path) : 0;
    if (strncmp(reference->path, OFFICIAL_PREFIX, prefix) == 0 &&
        !strchr(reference->path + prefix, '/') && !is_hex_id(reference->path + prefix))
        strbuf_adds(buf, reference->path + prefix);
    else if (slash && looks_like_domain(reference->path, first))
        /* docker.io/foo.bar/x: short it would be read as host foo.bar */
        strbuf_addf(buf, "%s/%s", reference->domain, reference->path);
    else
        strbuf_adds(buf, reference->path);
}

char *reference_repository(const struct reference *reference)
{
    return xasprintf("%s/%s", reference->domain, reference->path);
}

char *reference_familiar_repository(const struct reference *reference)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    add_familiar(reference, &buf);
    return strbuf_detach(&buf);
}

char *reference_format(const struct reference *reference)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    strbuf_addf(&buf, "%s/%s", reference->domain, reference->path);
    add_suffix(reference, &buf);
    return strbuf_detach(&buf);
}

char *reference_familiar(const struct reference *reference)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    add_familiar(reference, &buf);
    add_suffix(reference, &buf);
    return strbuf_detach(&buf);
}
