/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_remote.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/tempfile.h"
#include "builder/build_args.h"
#include "builder/context_git.h"
#include "builder/context_tar.h"
#include "builder/secret.h"
#include "layers/tar_read.h"
#include "registry/url.h"

#include <fcntl.h>
#include <string.h>

#define DOCKERFILE_MAX ((size_t)16 << 20)

enum place_kind context_place_kind(const char *text)
{
    if (git_url_is_git(text, GIT_URL_COMMAND_LINE)) {
        /* what is there as a file is meant as one: "github.com/o/r" may be a directory */
        struct stat st;
        bool has_scheme = strstr(text, "://") != NULL;
        return has_scheme || stat(text, &st) < 0 ? PLACE_GIT : PLACE_DIRECTORY;
    }
    if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)
        return PLACE_HTTP;
    return PLACE_DIRECTORY;
}

int context_remote_dir(struct store *store, const char *prefix, struct error **err)
{
    int tmp_fd = store_dir_fd(store, STORE_TMP);
    AUTO(free) char *name = tempdir_new(tmp_fd, prefix, err);
    if (!name)
        return -1;
    return fs_open_beneath(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
}

struct context *context_remote_tar(struct build *build, struct source *tar, const char *name,
                                   struct error **err)
{
    AUTO(source_free) struct source *source = tar;
    AUTO(close) int dir_fd = context_remote_dir(build->store, "context", err);
    if (dir_fd < 0)
        return NULL;
    struct source *consumed = TAKE(source);
    int64_t newest = 0;
    if (context_tar_unpack(consumed, dir_fd, &newest, err) < 0)
        return error_wrap_null(err, "build context %s", name);
    struct context *context = context_adopt(build->store, name, take_fd(&dir_fd));
    context_set_time(context, newest);
    if (build->options->git_modes)
        context_use_git_modes(context);
    return context;
}

static bool keeps_git_dir(const struct build *build, const struct git_url *url)
{
    return url->keep_git_dir == GIT_OPTION_ON ||
           (url->keep_git_dir == GIT_OPTION_UNSET &&
            build_args_is_on(build, "BUILDKIT_CONTEXT_KEEP_GIT_DIR"));
}

static struct context *open_git(struct build *build, const char *place, struct error **err)
{
    AUTO(context_git_release) struct context_git git = CONTEXT_GIT_INIT;
    if (context_git_init(&git, build, place, true, err) < 0 || context_git_resolve(&git, err) < 0)
        return NULL;
    return context_git_open(build, &git, keeps_git_dir(build, &git.url), err);
}

int context_remote_fetch(struct build *build, const char *url, unsigned vertex,
                         struct url_file *ret, struct error **err)
{
    struct strbuf secret = STRBUF_INIT;
    int found = secret_url_authorization(build->options, url, &secret, err);
    const struct url_request what = { .url = url,
                                      .authorization = found > 0 ? secret.data : NULL,
                                      .vertex = vertex };
    int result = found < 0 ? -1 : url_cache_get(build->store, build->session, &what, ret, err);
    secret_wipe(&secret);
    return result;
}

static int newest_entry(const struct url_file *file, const char *name, int64_t *seconds,
                        struct error **err)
{
    AUTO(tar_reader_free)
    struct tar_reader *tar =
        tar_reader_new(source_range_new(file->fd, 0, file->size, name), 0, err);
    if (!tar)
        return -1;
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    int more;
    *seconds = 0;
    while ((more = tar_reader_next(tar, &entry, err)) > 0)
        if (entry.mtime > *seconds)
            *seconds = entry.mtime;
    return more;
}

int context_remote_file_time(struct build *build, const char *url, unsigned vertex,
                             int64_t *seconds, struct error **err)
{
    AUTO(url_file_release) struct url_file file = URL_FILE_INIT;
    AUTO(free) char *name = url_redact(url);
    bool is_tar = false;
    if (context_remote_fetch(build, url, vertex, &file, err) < 0)
        return error_wrap(err, "%s", name);
    *seconds = file.mtime;
    if (file.mtime)
        return 1;
    if (tar_detect(file.fd, &is_tar, err) < 0 ||
        (is_tar && newest_entry(&file, name, seconds, err) < 0))
        return -1;
    return is_tar;
}

static int read_text(const struct url_file *file, const char *name, struct strbuf *ret,
                     struct error **err)
{
    AUTO(source_free) struct source *source = source_range_new(file->fd, 0, file->size, name);
    if (source_read_all(source, ret, DOCKERFILE_MAX, err) < 0)
        return -1;
    if (memchr(ret->data, '\0', ret->size))
        return error_set(err, ERR_INVALID, "%s: neither a tar nor a Dockerfile", name);
    return 0;
}

static struct context *open_text(struct build *build, const struct url_file *file, const char *name,
                                 struct strbuf *dockerfile, struct error **err)
{
    if (!dockerfile)
        return error_set_null(err, ERR_INVALID, "build context %s: not a tar", name);
    return read_text(file, name, dockerfile, err) < 0 ? NULL : context_empty(build->store);
}

int context_remote_text(struct build *build, const char *url, struct strbuf *ret,
                        struct error **err)
{
    AUTO(url_file_release) struct url_file file = URL_FILE_INIT;
    AUTO(free) char *shown = url_redact(url);
    AUTO(free) char *name = xasprintf("[dockerfile] %s", shown);
    unsigned vertex = progress_vertex(build->progress);
    progress_started(build->progress, vertex, name);
    int result = context_remote_fetch(build, url, vertex, &file, err);
    if (result == 0)
        result = read_text(&file, shown, ret, err);
    if (result < 0)
        progress_failed(build->progress, vertex, error_message(*err));
    else
        progress_simple(build->progress, PROGRESS_DONE, vertex);
    return result;
}

/* What the server says comes before what is in the archive. */
static struct context *open_file(struct build *build, const struct url_file *file, const char *name,
                                 struct strbuf *dockerfile, struct error **err)
{
    bool is_tar = false;
    if (tar_detect(file->fd, &is_tar, err) < 0)
        return NULL;
    struct context *context =
        is_tar
            ? context_remote_tar(build, source_range_new(file->fd, 0, file->size, name), name, err)
            : open_text(build, file, name, dockerfile, err);
    if (context && file->mtime)
        context_set_time(context, file->mtime);
    return context;
}

static struct context *open_http(struct build *build, const char *place, unsigned vertex,
                                 struct strbuf *dockerfile, struct error **err)
{
    AUTO(url_file_release) struct url_file file = URL_FILE_INIT;
    AUTO(free) char *name = url_redact(place);
    if (context_remote_fetch(build, place, vertex, &file, err) < 0)
        return error_wrap_null(err, "build context %s", name);
    return open_file(build, &file, name, dockerfile, err);
}

struct context *context_remote_open(struct build *build, const char *place,
                                    struct strbuf *dockerfile, struct error **err)
{
    bool is_git = context_place_kind(place) == PLACE_GIT;
    AUTO(free) char *shown = url_redact(place);
    AUTO(free) char *name = xasprintf("[context] %s", shown);
    unsigned vertex = progress_vertex(build->progress);
    progress_started(build->progress, vertex, name);
    struct context *context =
        is_git ? open_git(build, place, err) : open_http(build, place, vertex, dockerfile, err);
    if (context)
        progress_simple(build->progress, PROGRESS_DONE, vertex);
    else
        progress_failed(build->progress, vertex, error_message(*err));
    return context;
}

int context_remote_read(struct context *context, const char *path, struct strbuf *ret, size_t max,
                        struct error **err)
{
    AUTO(close)
    int fd = fs_open_in_root(context_fd(context), path, O_RDONLY | O_NONBLOCK | O_NOCTTY, err);
    struct stat st;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_INVALID, "%s: not a regular file", path);
    return io_read_all(fd, ret, max, path, err);
}
