/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/url.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

void url_release(struct url *url)
{
    free(url->scheme);
    free(url->userinfo);
    free(url->host);
    free(url->target);
    *url = (struct url){ 0 };
}

void url_copy(struct url *to, const struct url *from)
{
    struct url copy = { .scheme = xstrdup(from->scheme),
                        .userinfo = xstrdup(from->userinfo),
                        .host = xstrdup(from->host),
                        .port = from->port,
                        .target = xstrdup(from->target) };
    url_release(to);
    *to = copy;
}

static unsigned default_port(const char *scheme)
{
    return strcmp(scheme, "https") == 0 ? 443 : 80;
}

/* Bytes that a request line can't hold are encoded; all others, '%' too, stay as they are. */
static char *clean_target(const char *text, size_t size)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    if (!size || text[0] != '/')
        strbuf_addc(&buf, '/');
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
            strbuf_addf(&buf, "%%%02X", c);
        else
            strbuf_addc(&buf, (char)c);
    }
    return strbuf_detach(&buf);
}

static bool host_is_valid(const char *host, size_t size)
{
    if (size > 2 && host[0] == '[') {
        char literal[64];
        struct in6_addr ignored;
        if (host[size - 1] != ']' || size - 2 >= sizeof(literal))
            return false;
        memcpy(literal, host + 1, size - 2);
        literal[size - 2] = '\0';
        return inet_pton(AF_INET6, literal, &ignored) == 1;
    }
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr("-._", host[i]))
            return false;
    return size && size <= 253;
}

static bool port_parse(const char *text, size_t size, unsigned *port)
{
    unsigned value = 0;
    if (!size || size > 5)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *port = value;
    return value >= 1 && value <= 65535;
}

/* [userinfo@]host[:port] */
static bool authority_parse(const char *text, size_t size, struct url *url)
{
    const char *at = memrchr(text, '@', size);
    if (memchr(text, '\\', size)) /* browsers take it for a slash: host\@evil */
        return false;
    if (at) {
        url->userinfo = xstrndup(text, (size_t)(at - text));
        size -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    size_t host = size;
    const char *bracket = memrchr(text, ']', size);
    const char *from = bracket ? bracket : text;
    const char *colon = memchr(from, ':', size - (size_t)(from - text));
    url->port = default_port(url->scheme);
    if (colon) {
        host = (size_t)(colon - text);
        size_t port_size = size - host - 1;
        if (port_size && !port_parse(colon + 1, port_size, &url->port))
            return false;
    }
    if (!host_is_valid(text, host))
        return false;
    url->host = xstrndup(text, host);
    for (char *p = url->host; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return true;
}

static const char *scheme_of(const char *text, size_t *size)
{
    static const char *const schemes[] = { "https", "http" };
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (strncasecmp(text, schemes[i], n) == 0 && strncmp(text + n, "://", 3) == 0) {
            *size = n + 3;
            return schemes[i];
        }
    }
    return NULL;
}

int url_parse(const char *text, struct url *ret, struct error **err)
{
    AUTO(free) char *shown = url_redact(text);
    if (strlen(text) > URL_MAX_SIZE)
        return error_set(err, ERR_INVALID, "URL %.60s...: longer than %d bytes", shown,
                         URL_MAX_SIZE);
    size_t skip;
    const char *scheme = scheme_of(text, &skip);
    if (!scheme)
        return error_set(err, ERR_INVALID, "URL %.200s: expected http:// or https://", shown);
    AUTO(url_release) struct url url = { .scheme = xstrdup(scheme) };
    const char *authority = text + skip;
    size_t size = strcspn(authority, "/?#");
    if (!authority_parse(authority, size, &url))
        return error_set(err, ERR_INVALID, "URL %.200s: expected a host and an optional port",
                         shown);
    const char *target = authority + size;
    url.target = clean_target(target, strcspn(target, "#"));
    url_release(ret);
    *ret = url;
    url = (struct url){ 0 };
    return 0;
}

/* RFC 3986, 5.2.4, on the path only: "." and ".." of a relative reference */
static void remove_dots(struct strbuf *path)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    for (const char *p = path->data; *p;) {
        size_t n = 1 + strcspn(p + 1, "/");
        bool dot = n == 2 && p[1] == '.', dots = n == 3 && p[1] == '.' && p[2] == '.';
        bool last = p[n] == '\0';
        if (dots) {
            const char *slash = memrchr(out.data, '/', out.size);
            strbuf_set_size(&out, slash ? (size_t)(slash - out.data) : 0);
        }
        if (!dot && !dots)
            strbuf_add(&out, p, n);
        else if (last)
            strbuf_addc(&out, '/');
        p += n;
    }
    strbuf_reset(path);
    strbuf_add(path, out.data, out.size);
}

static char *relative_target(const struct url *base, const char *location)
{
    AUTO(strbuf_release) struct strbuf path = STRBUF_INIT;
    size_t base_path = strcspn(base->target, "?");
    size_t path_size = strcspn(location, "?#");
    size_t query_size = strcspn(location + path_size, "#");
    strbuf_add(&path, base->target, base_path);
    if (path_size) {
        const char *slash = memrchr(path.data, '/', path.size);
        strbuf_set_size(&path, slash ? (size_t)(slash + 1 - path.data) : 0);
        strbuf_add(&path, location, path_size);
        remove_dots(&path);
    }
    strbuf_add(&path, location + path_size, query_size);
    return clean_target(path.data, path.size);
}

int url_resolve(const struct url *base, const char *location, struct url *ret, struct error **err)
{
    size_t ignored;
    if (scheme_of(location, &ignored))
        return url_parse(location, ret, err);
    size_t first = strcspn(location, "/?#");
    if (memchr(location, ':', first)) {
        AUTO(free) char *shown = url_redact(location);
        return error_set(err, ERR_INVALID, "URL %.200s: expected http:// or https://", shown);
    }
    if (strncmp(location, "//", 2) == 0) {
        AUTO(free) char *whole = xasprintf("%s:%s", base->scheme, location);
        return url_parse(whole, ret, err);
    }
    if (!*location || strlen(location) > URL_MAX_SIZE)
        return error_set(err, ERR_INVALID, "URL: empty, or longer than %d bytes", URL_MAX_SIZE);
    struct url url = { .scheme = xstrdup(base->scheme),
                       .host = xstrdup(base->host),
                       .port = base->port };
    if (location[0] == '/')
        url.target = clean_target(location, strcspn(location, "#"));
    else
        url.target = relative_target(base, location);
    url_release(ret);
    *ret = url;
    return 0;
}

char *url_authority(const struct url *url)
{
    if (url->port == default_port(url->scheme))
        return xstrdup(url->host);
    return xasprintf("%s:%u", url->host, url->port);
}

char *url_format(const struct url *url)
{
    AUTO(free) char *authority = url_authority(url);
    return xasprintf("%s://%s%s", url->scheme, authority, url->target);
}

bool url_is_https(const struct url *url)
{
    return strcmp(url->scheme, "https") == 0;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 && a->port == b->port;
}

void url_encode(struct strbuf *buf, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-._~", c))
            strbuf_addc(buf, (char)c);
        else
            strbuf_addf(buf, "%%%02X", c);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *url_decode(const char *text, size_t size)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    for (size_t i = 0; i < size; i++) {
        int high = i + 2 < size && text[i] == '%' ? hex_value(text[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text[i + 2]) : -1;
        if (low >= 0) {
            strbuf_addc(&buf, (char)(high * 16 + low));
            i += 2;
        } else {
            strbuf_addc(&buf, text[i]);
        }
    }
    return strbuf_detach(&buf);
}

void url_add_query(struct url *url, const char *name, const char *value)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    strbuf_adds(&buf, url->target);
    char last = url->target[strlen(url->target) - 1];
    if (!strchr(url->target, '?'))
        strbuf_addc(&buf, '?');
    else if (last != '?' && last != '&')
        strbuf_addc(&buf, '&');
    strbuf_addf(&buf, "%s=", name);
    url_encode(&buf, value);
    free(url->target);
    url->target = strbuf_detach(&buf);
}

/* "a=1&sig=2" becomes "a=...&sig=..." */
static void redact_query(struct strbuf *buf, const char *query)
{
    for (const char *p = query; *p;) {
        size_t size = strcspn(p, "&"), name = strcspn(p, "&=");
        strbuf_add(buf, p, name);
        if (name < size)
            strbuf_adds(buf, "=...");
        p += size;
        if (*p)
            strbuf_addc(buf, *p++);
    }
}

char *url_redact(const char *text)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    size_t skip = 0;
    const char *authority = strstr(text, "://");
    authority = authority ? authority + 3 : text;
    size_t size = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', size);
    if (at)
        skip = (size_t)(at + 1 - authority);
    strbuf_add(&buf, text, (size_t)(authority - text));
    size_t plain = strcspn(authority + skip, "?#");
    strbuf_add(&buf, authority + skip, plain);
    const char *rest = authority + skip + plain;
    if (*rest == '?') {
        strbuf_addc(&buf, '?');
        AUTO(free) char *query = xstrndup(rest + 1, strcspn(rest + 1, "#"));
        redact_query(&buf, query);
    }
    for (size_t i = 0; i < buf.size; i++)
        if ((unsigned char)buf.data[i] < ' ' || buf.data[i] == 0x7f)
            buf.data[i] = '?';
    return strbuf_detach(&buf);
}

static bool is_signed(const char *url)
{
    static const char *const words[] = { "sig",  "token", "secret", "credential",
                                         "auth", "pass",  "key" };
    const char *query = strchr(url, '?');
    for (size_t i = 0; query && i < ARRAY_SIZE(words); i++)
        if (strcasestr(query, words[i]))
            return true;
    return false;
}

/* One URL, from its "://" on; returns how much of the text it is. */
static size_t redact_one(struct strbuf *buf, const char *text)
{
    size_t size = strcspn(text, " \t\n\"'");
    AUTO(free) char *url = xstrndup(text, size);
    if (is_signed(url)) {
        AUTO(free) char *redacted = url_redact(url);
        strbuf_adds(buf, redacted);
        return size;
    }
    size_t authority = 3 + strcspn(url + 3, "/?#");
    const char *at = memrchr(url + 3, '@', authority - 3);
    strbuf_addf(buf, "://%s", at ? at + 1 : url + 3);
    return size;
}

char *url_redact_within(const char *text)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    const char *next;
    while ((next = strstr(text, "://"))) {
        strbuf_add(&buf, text, (size_t)(next - text));
        text = next + redact_one(&buf, next);
    }
    strbuf_adds(&buf, text);
    return strbuf_detach(&buf);
}

/* The host of host[:port], brackets taken off. */
static void bare_host(const char *host, char out[256])
{
    size_t size;
    if (*host == '[') {
        host++;
        size = strcspn(host, "]");
    } else {
        const char *colon = strchr(host, ':');
        size = colon && !strchr(colon + 1, ':') ? (size_t)(colon - host) : strlen(host);
    }
    if (size > 255)
        size = 255;
    memcpy(out, host, size);
    out[size] = '\0';
}

bool url_host_is_loopback(const char *host)
{
    char bare[256];
    bare_host(host, bare);
    size_t size = strlen(bare);
    if (strcasecmp(bare, "localhost") == 0 ||
        (size > 10 && strcasecmp(bare + size - 10, ".localhost") == 0))
        return true;
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, bare, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool v4_is_private(uint32_t ip)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = {
        { 0x00000000, 8 },  /* this network */
        { 0x0a000000, 8 },  /* private */
        { 0x64400000, 10 }, /* shared, RFC 6598 */
        { 0x7f000000, 8 },  /* loopback */
        { 0xa9fe0000, 16 }, /* link-local: cloud metadata lives there */
        { 0xac100000, 12 }, /* private */
        { 0xc0a80000, 16 }, /* private */
    };
    for (size_t i = 0; i < ARRAY_SIZE(nets); i++)
        if ((ip ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return true;
    return false;
}

bool url_host_is_private(const char *host)
{
    char bare[256];
    bare_host(host, bare);
    struct in_addr v4;
    struct in6_addr v6;
    /* inet_aton also reads 2130706433 and 0x7f.1, as resolvers do */
    if (inet_aton(bare, &v4))
        return v4_is_private(ntohl(v4.s_addr));
    if (inet_pton(AF_INET6, bare, &v6) != 1)
        return url_host_is_loopback(host);
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        uint32_t mapped;
        memcpy(&mapped, v6.s6_addr + 12, 4);
        return v4_is_private(ntohl(mapped));
    }
    return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) ||
           IN6_IS_ADDR_LINKLOCAL(&v6) || (v6.s6_addr[0] & 0xfe) == 0xfc;
}

int url_check_hop(const struct url *from, const char *from_ip, const struct url *to,
                  struct error **err)
{
    AUTO(free) char *target = url_format(to);
    AUTO(free) char *shown = url_redact(target);
    if (url_is_https(from) && !url_is_https(to))
        return error_set(err, ERR_REFUSED, "%s points to %.300s: from https to http", from->host,
                         shown);
    bool local = url_host_is_private(to->host) && strcmp(from->host, to->host) != 0;
    if (local && from_ip && !url_host_is_private(from_ip))
        return error_set(err, ERR_REFUSED,
                         "%s points to %.300s: from a public server into the local network",
                         from->host, shown);
    return 0;
}
