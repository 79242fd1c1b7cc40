/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include "base/mem.h"

#include <string.h>

/* Start of the last component of text[base..size). */
static size_t last_component(const char *text, size_t base, size_t size)
{
    while (size > base && text[size - 1] != '/')
        size--;
    return size;
}

/*
 * Writes the cleaned form of `path` to out (at least strlen + 1 bytes), without a leading slash.
 * rooted: ".." at the front is dropped. Returns the size.
 */
static size_t clean(const char *path, bool rooted, char *out)
{
    size_t size = 0;
    size_t floor = 0; /* end of the leading "../.." that can't be taken back */
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.') {
            if (size > floor) {
                size = last_component(out, floor, size);
                size -= size > 0; /* the slash before it */
            } else if (!rooted) {
                if (size)
                    out[size++] = '/';
                out[size++] = '.';
                out[size++] = '.';
                floor = size;
            }
        } else if (n && !(n == 1 && path[0] == '.')) {
            if (size)
                out[size++] = '/';
            memcpy(out + size, path, n);
            size += n;
        }
        path += n;
        path += *path == '/';
    }
    out[size] = '\0';
    return size;
}

char *path_clean(const char *path)
{
    bool rooted = path[0] == '/';
    char *out = xmalloc(strlen(path) + 2);
    if (rooted)
        out[0] = '/';
    if (clean(path, rooted, out + rooted) == 0 && !rooted)
        memcpy(out, ".", 2);
    return out;
}

char *path_clean_rooted(const char *path)
{
    char *out = xmalloc(strlen(path) + 1);
    (void)clean(path, true, out); /* the size isn't wanted */
    return out;
}

char *path_join(const char *a, const char *b)
{
    if (b[0] == '/' || !a[0])
        return xstrdup(b);
    if (!b[0])
        return xstrdup(a);
    return xasprintf("%s%s%s", a, a[strlen(a) - 1] == '/' ? "" : "/", b);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_dir(const char *path)
{
    return xstrndup(path, (size_t)(path_base(path) - path) - (path_base(path) > path));
}

bool path_is_within(const char *path, const char *dir)
{
    size_t size = strlen(dir);
    if (!size)
        return true;
    if (strncmp(path, dir, size) != 0)
        return false;
    return path[size] == '\0' || path[size] == '/' || dir[size - 1] == '/';
}

static int rank(char c)
{
    if (c == '\0')
        return 0;
    return c == '/' ? 1 : (unsigned char)c + 1;
}

int path_compare(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return rank(*a) - rank(*b);
}

bool path_is_clean_relative(const char *path)
{
    for (;;) {
        size_t n = strcspn(path, "/");
        if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (!path[n])
            return true;
        path += n + 1;
    }
}
