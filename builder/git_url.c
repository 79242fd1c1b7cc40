/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git_url.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/suggest.h"

#include <ctype.h>
#include <string.h>

#define REF_MAX 1024
#define PREFIX_MIN 7

void git_url_release(struct git_url *url)
{
    free(url->remote);
    if (url->userinfo)
        explicit_bzero(url->userinfo, strlen(url->userinfo));
    free(url->userinfo);
    free(url->host);
    free(url->ref);
    free(url->subdir);
    free(url->checksum);
    *url = (struct git_url){ .remote = NULL };
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_http(const char *text)
{
    return has_prefix(text, "http://") || has_prefix(text, "https://");
}

/* "user@host:path": no slash before the colon. */
static bool is_scp(const char *text)
{
    size_t user = strcspn(text, "@/:?#");
    if (!user || text[user] != '@')
        return false;
    const char *host = text + user + 1;
    size_t size = strcspn(host, "@/:?#");
    return size && host[size] == ':';
}

static bool is_github(const char *text)
{
    static const char prefix[] = "github.com/";
    if (!has_prefix(text, prefix))
        return false;
    const char *owner = text + strlen(prefix);
    size_t size = strcspn(owner, "/?#");
    return size && owner[size] == '/' && strcspn(owner + size + 1, "/?#") > 0;
}

bool git_url_is_git(const char *text, unsigned flags)
{
    if (has_prefix(text, "git://") || has_prefix(text, "ssh://") || is_scp(text))
        return true;
    if (is_http(text)) {
        size_t size = strcspn(text, "#?");
        return size > 4 && strncmp(text + size - 4, ".git", 4) == 0;
    }
    return (flags & GIT_URL_COMMAND_LINE) && (has_prefix(text, "file://") || is_github(text));
}

bool git_url_is_file(const struct git_url *url)
{
    return has_prefix(url->remote, "file://");
}

static bool is_hex(const char *text)
{
    return *text && text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
}

bool git_is_commit(const char *text)
{
    size_t size = strlen(text);
    return (size == 40 || size == 64) && is_hex(text);
}

const char *git_check_commit_prefix(const char *text)
{
    if (!is_hex(text))
        return "a git checksum is a commit's id in hex digits";
    if (strlen(text) < PREFIX_MIN)
        return "a git checksum has at least 7 digits";
    return strlen(text) > 64 ? "a git checksum has at most 64 digits" : "";
}

/* --- the parts ------------------------------------------------------------------------------- */

/* What git itself refuses in names of refs, and what it would take for an option. */
static const char *check_ref(const char *ref)
{
    if (ref[0] == '-')
        return "begins with \"-\"";
    if (ref[0] == '/' || strstr(ref, "..") || strstr(ref, "//") || strstr(ref, "@{"))
        return "is no name of a ref";
    if (strlen(ref) > REF_MAX)
        return "is too long";
    for (const unsigned char *p = (const unsigned char *)ref; *p; p++)
        if (*p <= ' ' || *p == 0x7f || strchr("~^:?*[\\", *p))
            return "holds a character that no ref has";
    return NULL;
}

static int set_ref(struct git_url *url, char *ref /* consumed */, enum git_ref_kind kind,
                   struct error **err)
{
    AUTO(free) char *given = ref;
    if (!given[0])
        return 0;
    const char *problem = check_ref(given);
    if (problem)
        return error_set(err, ERR_SYNTAX, "git URL %s: ref \"%s\" %s", url->remote, given, problem);
    if (url->ref && strcmp(url->ref, given) != 0)
        return error_set(err, ERR_SYNTAX, "git URL %s: two refs: \"%s\" and \"%s\"", url->remote,
                         url->ref, given);
    free(url->ref);
    url->ref = TAKE(given);
    if (kind != GIT_REF_ANY)
        url->ref_kind = kind;
    return 0;
}

static int set_subdir(struct git_url *url, const char *text, struct error **err)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < ' ' || *p == 0x7f)
            return error_set(err, ERR_SYNTAX, "git URL %s: control character in its subdirectory",
                             url->remote);
    AUTO(free) char *clean = path_clean_rooted(text);
    if (url->subdir && strcmp(url->subdir, clean) != 0)
        return error_set(err, ERR_SYNTAX, "git URL %s: two subdirectories: \"%s\" and \"%s\"",
                         url->remote, url->subdir, clean);
    free(url->subdir);
    url->subdir = TAKE(clean);
    return 0;
}

static int set_checksum(struct git_url *url, const char *text, struct error **err)
{
    const char *problem = git_check_commit_prefix(text);
    if (*problem)
        return error_set(err, ERR_SYNTAX, "git URL %s: commit=%.80s: %s", url->remote, text,
                         problem);
    if (url->checksum)
        return error_set(err, ERR_SYNTAX, "git URL %s: two commits", url->remote);
    url->checksum = xstrdup(text);
    for (char *p = url->checksum; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return 0;
}

/* --- the query ------------------------------------------------------------------------------- */

enum query_key { REF, TAG, BRANCH, SUBDIR, CHECKSUM, COMMIT, KEEP, SUBMODULES, FETCH, MTIME };

static const char *const query_names[] = {
    [REF] = "ref",
    [TAG] = "tag",
    [BRANCH] = "branch",
    [SUBDIR] = "subdir",
    [CHECKSUM] = "checksum",
    [COMMIT] = "commit",
    [KEEP] = "keep-git-dir",
    [SUBMODULES] = "submodules",
    [FETCH] = "fetch-by-commit",
    [MTIME] = "mtime",
};

/* %XX and "+"; malformed ones stay. A NUL ends the text, so it is left as it is written. */
static char *decode(const char *text, size_t size)
{
    char *out = xmalloc(size + 1);
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '+')
            c = ' ';
        if (c == '%' && i + 2 < size && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            const char digits[] = { text[i + 1], text[i + 2], '\0' };
            char value = (char)strtoul(digits, NULL, 16);
            if (value) {
                c = value;
                i += 2;
            }
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

static int set_option(const struct git_url *url, enum query_key key, const char *value,
                      enum git_option *ret, struct error **err)
{
    if (!*value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *ret = GIT_OPTION_ON;
    else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        *ret = GIT_OPTION_OFF;
    else
        return error_set(err, ERR_SYNTAX, "git URL %s: %s=%.80s: true or false", url->remote,
                         query_names[key], value);
    return 0;
}

static int set_mtime(struct git_url *url, const char *value, struct error **err)
{
    bool checkout = strcmp(value, "checkout") == 0;
    if (!checkout && strcmp(value, "commit") != 0)
        return error_set(err, ERR_SYNTAX, "git URL %s: mtime=%.80s: checkout or commit",
                         url->remote, value);
    url->mtime_checkout = checkout ? GIT_OPTION_ON : GIT_OPTION_OFF;
    return 0;
}

static int set_query(struct git_url *url, enum query_key key, char *value, struct error **err)
{
    AUTO(free) char *text = value;
    switch (key) {
    case REF:
        return set_ref(url, TAKE(text), GIT_REF_ANY, err);
    case TAG:
        return set_ref(url, TAKE(text), GIT_REF_TAG, err);
    case BRANCH:
        return set_ref(url, TAKE(text), GIT_REF_BRANCH, err);
    case SUBDIR:
        return set_subdir(url, text, err);
    case CHECKSUM:
    case COMMIT:
        return set_checksum(url, text, err);
    case KEEP:
        return set_option(url, key, text, &url->keep_git_dir, err);
    case SUBMODULES:
        return set_option(url, key, text, &url->submodules, err);
    case FETCH:
        return set_option(url, key, text, &url->fetch_by_commit, err);
    case MTIME:
        return set_mtime(url, text, err);
    }
    return 0;
}

static int parse_query(struct git_url *url, const char *query, size_t size, struct error **err)
{
    for (const char *p = query; p < query + size;) {
        size_t left = (size_t)(query + size - p);
        const char *end = memchr(p, '&', left);
        size_t item = end ? (size_t)(end - p) : left;
        const char *equals = memchr(p, '=', item);
        size_t key_size = equals ? (size_t)(equals - p) : item;
        AUTO(free) char *name = decode(p, key_size);
        AUTO(free)
        char *value = equals ? decode(equals + 1, item - key_size - 1) : xstrdup("");
        size_t key = 0;
        while (key < ARRAY_SIZE(query_names) && strcmp(name, query_names[key]) != 0)
            key++;
        if (item && key == ARRAY_SIZE(query_names)) {
            const char *near = suggest_nearest(name, query_names, ARRAY_SIZE(query_names));
            error_set_(err, ERR_SYNTAX, "git URL %s: unknown option \"%.80s\"", url->remote, name);
            if (near)
                error_hint(err, "is it %s?", near);
            return -1;
        }
        if (item && set_query(url, (enum query_key)key, TAKE(value), err) < 0)
            return -1;
        p += item + 1;
    }
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Where the host begins, and what is before it. */
static int set_remote(struct git_url *url, const char *text, size_t size, struct error **err)
{
    AUTO(free) char *remote = xstrndup(text, size);
    const char *scheme_end = strstr(remote, "://");
    char *authority = scheme_end ? remote + (scheme_end - remote) + 3 : remote;
    size_t authority_size = strcspn(authority, scheme_end ? "/" : ":");
    char *at = memrchr(authority, '@', authority_size);
    char *host = at ? at + 1 : authority;
    url->host = xstrndup(host, authority_size - (size_t)(host - authority));
    for (char *p = url->host; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (at && is_http(remote)) {
        url->userinfo = xstrndup(authority, (size_t)(at - authority));
        memmove(authority, at + 1, strlen(at + 1) + 1);
    }
    url->remote = TAKE(remote);
    for (const unsigned char *p = (const unsigned char *)url->remote; *p; p++)
        if (*p <= ' ' || *p == 0x7f)
            return error_set(err, ERR_SYNTAX, "git URL: blank or control character in it");
    if (url->host[0] == '-' || url->remote[0] == '-')
        return error_set(err, ERR_SYNTAX, "git URL %s: begins with \"-\"", url->remote);
    if (!url->host[0] && !git_url_is_file(url))
        return error_set(err, ERR_SYNTAX, "git URL %s: no host", url->remote);
    return 0;
}

static int parse_fragment(struct git_url *url, const char *fragment, struct error **err)
{
    size_t size = strcspn(fragment, ":");
    if (set_ref(url, xstrndup(fragment, size), GIT_REF_ANY, err) < 0)
        return -1;
    return fragment[size] && fragment[size + 1] ? set_subdir(url, fragment + size + 1, err) : 0;
}

static int check(const struct git_url *url, struct error **err)
{
    bool by_commit = url->fetch_by_commit == GIT_OPTION_ON;
    if (by_commit && !(url->checksum && git_is_commit(url->checksum)))
        return error_set(err, ERR_SYNTAX,
                         "git URL %s: fetch-by-commit needs commit= with all its digits",
                         url->remote);
    return 0;
}

int git_url_parse(const char *text, unsigned flags, struct git_url *ret, struct error **err)
{
    AUTO(git_url_release) struct git_url url = { .remote = NULL };
    bool short_github = (flags & GIT_URL_COMMAND_LINE) && is_github(text);
    size_t size = strcspn(text, "?#");
    bool has_suffix = size > 4 && strncmp(text + size - 4, ".git", 4) == 0;
    AUTO(free)
    char *full = short_github
                     ? xasprintf("https://%.*s%s", (int)size, text, has_suffix ? "" : ".git")
                     : xstrndup(text, size);
    if (set_remote(&url, full, strlen(full), err) < 0)
        return -1;
    const char *fragment = strchr(text, '#');
    const char *query = text[size] == '?' ? text + size + 1 : NULL;
    if (query && parse_query(&url, query, strcspn(query, "#"), err) < 0)
        return -1;
    if ((fragment && parse_fragment(&url, fragment + 1, err) < 0) || check(&url, err) < 0)
        return -1;
    if (!url.subdir)
        url.subdir = xstrdup("");
    git_url_release(ret);
    *ret = url;
    url = (struct git_url){ .remote = NULL };
    return 0;
}
