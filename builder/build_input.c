/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_input.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/pool.h"
#include "builder/context_remote.h"
#include "builder/dockerignore.h"
#include "layers/tar_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define DOCKERFILE_MAX ((size_t)16 << 20)
#define IGNORE_MAX ((size_t)4 << 20)

static const char *const default_names[] = { "Dockerfile", "dockerfile", "Containerfile" };

void build_input_release(struct build_input *input)
{
    strbuf_release(&input->text);
    free(input->name);
    free(input->path);
}

static int no_dockerfile(const char *where, struct error **err)
{
    error_set_(err, ERR_NOT_FOUND, "no Dockerfile in %s", where);
    error_hint(err, "name the file with -f, or another context");
    return -1;
}

/* --- in a directory -------------------------------------------------------------------------- */

static int open_dockerfile(struct build *build, const char *path, struct build_input *input,
                           struct error **err)
{
    if (fs_read_file(AT_FDCWD, path, &input->text, DOCKERFILE_MAX, err) < 0)
        return -1;
    input->path = xstrdup(path);
    /* as the user would write it: relative to the context when it lies there */
    const char *context = build->options->context;
    size_t size = strlen(context);
    while (size > 1 && context[size - 1] == '/')
        size--;
    if (strncmp(path, context, size) == 0 && path[size] == '/')
        path += size + 1;
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    input->name = xstrdup(path);
    return 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

/* -f URL: text from elsewhere, with the context that was given. */
static bool is_url(const char *text)
{
    return text && context_place_kind(text) == PLACE_HTTP;
}

static int read_url(struct build *build, struct build_input *input, struct error **err)
{
    strbuf_reset(&input->text);
    if (context_remote_text(build, build->options->dockerfile, &input->text, err) < 0)
        return error_wrap(err, "reading the Dockerfile");
    input->name = xstrdup("Dockerfile");
    return 0;
}

static int find_dockerfile(struct build *build, struct build_input *input, struct error **err)
{
    const struct build_options *options = build->options;
    if (options->dockerfile) {
        AUTO(free) char *inside = path_join(options->context, options->dockerfile);
        /* relative to the current directory, as docker has it; else to the context, as others do */
        if (!is_file(options->dockerfile) && is_file(inside))
            return open_dockerfile(build, inside, input, err);
        if (open_dockerfile(build, options->dockerfile, input, err) < 0)
            return error_wrap(err, "reading the Dockerfile");
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(default_names); i++) {
        AUTO(free) char *path = path_join(options->context, default_names[i]);
        if (is_file(path))
            return open_dockerfile(build, path, input, err);
    }
    return no_dockerfile(options->context, err);
}

static int check_directory(const char *path, struct error **err)
{
    struct stat st;
    if (strstr(path, "://")) {
        error_set_(err, ERR_UNSUPPORTED, "build context %s: unknown kind of URL", path);
        error_hint(err, "git://, ssh://, http:// and https:// are known");
        return -1;
    }
    if (stat(path, &st) < 0)
        return error_errno(err, "build context %s", path);
    if (!S_ISDIR(st.st_mode)) {
        error_set_(err, ERR_INVALID, "build context %s: not a directory", path);
        error_hint(err, "an archive is read from standard input: cbuild ... - <%s", path);
        return -1;
    }
    return 0;
}

/* --- in what came from elsewhere ------------------------------------------------------------- */

/* 1 read, 0 not there. */
static int read_inside(struct build *build, const char *path, struct build_input *input,
                       struct error **err)
{
    AUTO(error_free) struct error *error = NULL;
    if (context_remote_read(build->context, path, &input->text, DOCKERFILE_MAX, &error) == 0) {
        input->name = path_clean_rooted(path);
        return 1;
    }
    if (error_is(error, ERR_NOT_FOUND))
        return 0;
    error_move(err, TAKE(error));
    return error_wrap(err, "reading the Dockerfile");
}

static int find_inside(struct build *build, struct build_input *input, struct error **err)
{
    const char *given = build->options->dockerfile;
    if (is_url(given))
        return read_url(build, input, err);
    for (size_t i = 0; i < ARRAY_SIZE(default_names) && !given; i++) {
        int found = read_inside(build, default_names[i], input, err);
        if (found != 0)
            return found < 0 ? -1 : 0;
    }
    int found = given ? read_inside(build, given, input, err) : 0;
    if (found != 0)
        return found < 0 ? -1 : 0;
    if (!given)
        return no_dockerfile(context_path(build->context), err);
    return error_set(err, ERR_NOT_FOUND, "no file %s in %s", given, context_path(build->context));
}

/* --- on standard input ----------------------------------------------------------------------- */

/* What was read of it already, then the rest. */
struct stdin_source {
    struct source source;
    const struct strbuf *head; /* borrowed */
    size_t at;
    struct source *rest;
};

static ssize_t stdin_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct stdin_source *self = (struct stdin_source *)source;
    size_t left = self->head->size - self->at;
    if (!left)
        return source_read(self->rest, data, size, err);
    if (size > left)
        size = left;
    memcpy(data, self->head->data + self->at, size);
    self->at += size;
    return (ssize_t)size;
}

static void stdin_free(struct source *source)
{
    struct stdin_source *self = (struct stdin_source *)source;
    source_free(self->rest);
    free(self);
}

static struct source *stdin_source_new(int fd, const struct strbuf *head)
{
    static const struct source_ops ops = { "standard input", stdin_read, stdin_free };
    struct stdin_source *self = NEW(struct stdin_source);
    self->source.ops = &ops;
    self->head = head;
    self->rest = source_fd_new(fd, false, "standard input");
    return &self->source;
}

static int read_head(int fd, struct strbuf *head, struct error **err)
{
    char *to = strbuf_grow(head, TAR_BLOCK_SIZE);
    ssize_t n = io_read_full(fd, to, TAR_BLOCK_SIZE, "standard input", err);
    if (n < 0)
        return -1;
    strbuf_set_size(head, (size_t)n);
    return 0;
}

static bool is_archive(const struct strbuf *head)
{
    return compression_detect(head->data, head->size) != FOUND_PLAIN ||
           (head->size == TAR_BLOCK_SIZE && tar_is_header(head->data));
}

/* The rest of a Dockerfile whose beginning is read. */
static int read_text(int fd, struct build_input *input, struct error **err)
{
    if (io_read_all(fd, &input->text, DOCKERFILE_MAX, "standard input", err) < 0)
        return -1;
    input->name = xstrdup("<stdin>");
    return 0;
}

static int read_stdin_dockerfile(struct build *build, struct build_input *input, struct error **err)
{
    int fd = build->options->stdin_fd;
    if (read_head(fd, &input->text, err) < 0)
        return -1;
    if (is_archive(&input->text))
        return error_set(err, ERR_USAGE, "-f -: standard input is an archive, not a Dockerfile");
    return read_text(fd, input, err);
}

static int read_stdin(struct build *build, struct build_input *input, struct error **err)
{
    const char *given = build->options->dockerfile;
    int fd = build->options->stdin_fd;
    if (given && strcmp(given, "-") == 0)
        return error_set(err, ERR_USAGE,
                         "standard input can't be both the context and the Dockerfile");
    if (read_head(fd, &input->text, err) < 0)
        return -1;
    if (is_archive(&input->text)) {
        if (!build->store)
            return error_set(err, ERR_STORE, "no store to unpack standard input into");
        build->context =
            context_remote_tar(build, stdin_source_new(fd, &input->text), "<standard input>", err);
        strbuf_reset(&input->text);
        return build->context ? find_inside(build, input, err) : -1;
    }
    if (given)
        return error_set(err, ERR_USAGE,
                         "-f %s: standard input is a Dockerfile, not an archive that holds one",
                         given);
    build->context = context_empty(build->store);
    return read_text(fd, input, err);
}

/* --- all of them ----------------------------------------------------------------------------- */

static int read_remote(struct build *build, struct build_input *input, struct error **err)
{
    const struct build_options *options = build->options;
    build->context = context_remote_open(build, options->context, &input->text, err);
    if (!build->context)
        return -1;
    bool is_dockerfile = context_fd(build->context) < 0;
    if (is_dockerfile && options->dockerfile)
        return error_set(err, ERR_USAGE, "-f %s: the URL leads to a Dockerfile, not to an archive",
                         options->dockerfile);
    if (!is_dockerfile && options->dockerfile && strcmp(options->dockerfile, "-") == 0)
        return read_stdin_dockerfile(build, input, err);
    if (!is_dockerfile)
        return find_inside(build, input, err);
    input->name = xstrdup("Dockerfile");
    return 0;
}

int build_input_read(struct build *build, struct build_input *input, struct error **err)
{
    const struct build_options *options = build->options;
    if (strcmp(options->context, "-") == 0)
        return read_stdin(build, input, err);
    if (context_place_kind(options->context) != PLACE_DIRECTORY)
        return read_remote(build, input, err);
    if (check_directory(options->context, err) < 0)
        return -1;
    if (options->dockerfile && strcmp(options->dockerfile, "-") == 0)
        return read_stdin_dockerfile(build, input, err);
    if (is_url(options->dockerfile))
        return read_url(build, input, err);
    return find_dockerfile(build, input, err);
}

/* A name that is there counts, whatever it leads to: rules that can't be read hide nothing, and
 * what they were to hide would get into images. */
static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static int read_ignore(const char *path, const char *ignore_path, struct dockerignore **ret,
                       struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(free) char *at_root = path_join(path, ".dockerignore");
    const char *names[] = { ignore_path, at_root };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!names[i] || !is_there(names[i]))
            continue;
        if (fs_read_file(AT_FDCWD, names[i], &text, IGNORE_MAX, err) < 0)
            return error_wrap(err, "reading the ignore rules");
        return dockerignore_parse(path_base(names[i]), text.data, text.size, ret, err);
    }
    return 0;
}

struct context *build_open_context(struct build *build, const char *path, const char *ignore_path,
                                   struct error **err)
{
    AUTO(dockerignore_free) struct dockerignore *ignore = NULL;
    if (read_ignore(path, ignore_path, &ignore, err) < 0)
        return NULL;
    struct dockerignore *consumed = TAKE(ignore);
    struct context *context = context_open(build->store, path, consumed, err);
    if (context && build->options->git_modes)
        context_use_git_modes(context);
    const unsigned jobs = build->options->jobs;
    if (context && jobs && jobs < pool_n_cpus())
        context_set_threads(context, jobs);
    return context;
}

static char *own_ignore_path(const struct build_input *input)
{
    return input->path ? xasprintf("%s.dockerignore", input->path) : NULL;
}

int build_input_read_ignore(struct build *build, const struct build_input *input,
                            struct dockerignore **ret, struct error **err)
{
    AUTO(free) char *ignore_path = own_ignore_path(input);
    return read_ignore(build->options->context, ignore_path, ret, err);
}

int build_input_open_context(struct build *build, const struct build_input *input,
                             struct error **err)
{
    if (build->context)
        return 0;
    AUTO(free) char *ignore_path = own_ignore_path(input);
    build->context = build_open_context(build, build->options->context, ignore_path, err);
    return build->context ? 0 : -1;
}
