/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_remote.h"

#include "base/mem.h"
#include "builder/git_url.h"
#include "oci/digest.h"
#include "registry/url.h"

#include <string.h>

enum copy_source_kind copy_source_kind(const char *word)
{
    if (git_url_is_git(word, 0))
        return COPY_SOURCE_GIT;
    bool is_http = !strncmp(word, "http://", 7) || !strncmp(word, "https://", 8);
    return is_http ? COPY_SOURCE_HTTP : COPY_SOURCE_LOCAL;
}

int copy_check_source(enum instruction_kind instruction, const char *word, struct error **err)
{
    enum copy_source_kind kind = copy_source_kind(word);
    if (kind == COPY_SOURCE_LOCAL)
        return 0;
    if (instruction != INSTRUCTION_ADD) {
        AUTO(free) char *shown = url_redact_within(word);
        error_set_(err, ERR_SYNTAX, "%s %s: source can't be a URL for COPY",
                   instruction_name(instruction), shown);
        error_hint(err, "ADD takes URLs");
        return -1;
    }
    AUTO(git_url_release) struct git_url url = { 0 };
    return kind == COPY_SOURCE_GIT ? git_url_parse(word, 0, &url, err) : 0;
}

char *url_file_name(const char *url)
{
    const char *start = strstr(url, "://");
    start = start ? strchr(start + 3, '/') : NULL;
    if (!start)
        return NULL;
    AUTO(free) char *path = url_decode(start, strcspn(start, "?#"));
    size_t size = strlen(path);
    while (size && path[size - 1] == '/')
        path[--size] = '\0';
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 ? xstrdup(name) : NULL;
}

int copy_check_url_name(const char *url, const char *destination, struct error **err)
{
    AUTO(free) char *name = url_file_name(url);
    size_t size = strlen(destination);
    if (name || !size || destination[size - 1] != '/')
        return 0;
    AUTO(free) char *shown = url_redact(url);
    return error_set(err, ERR_SYNTAX,
                     "ADD %s: the URL names no file; give the destination a file name", shown);
}

int copy_check_checksum(const char *checksum, const struct strvec *sources, struct error **err)
{
    struct digest digest;
    if (sources->n != 1 || copy_source_kind(sources->items[0]) == COPY_SOURCE_LOCAL)
        return error_set(err, ERR_SYNTAX, "--checksum takes one http(s) or git source");
    if (copy_source_kind(sources->items[0]) == COPY_SOURCE_HTTP)
        return digest_parse(checksum, &digest, err) < 0 ? error_wrap(err, "--checksum") : 0;
    const char *problem = git_check_commit_prefix(checksum);
    return *problem ? error_set(err, ERR_SYNTAX, "--checksum=%.80s: %s", checksum, problem) : 0;
}
