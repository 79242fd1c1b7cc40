/* SPDX-License-Identifier: Apache-2.0 */
#include "base/output_file.h"

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/tempfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINKS 40
#define PIPE_WAIT_MS 20

struct output {
    int (*write)(void *data, struct sink *to, struct error **err);
    void *data;
};

static int write_to(const struct output *output, int fd, const char *what, struct error **err)
{
    AUTO(sink_free) struct sink *sink = sink_fd_new(fd, what);
    if (output->write(output->data, sink, err) < 0)
        return -1;
    return sink_finish(sink, err);
}

static int write_file(const struct output *output, const char *path, struct error **err)
{
    AUTO(free) char *directory = path_dir(path);
    const char *where = *directory ? directory : *path == '/' ? "/" : ".";
    AUTO(close) int dir_fd = fs_open(AT_FDCWD, where, O_RDONLY | O_DIRECTORY, 0, err);
    if (dir_fd < 0)
        return -1;
    AUTO(tempfile_free) struct tempfile *file = tempfile_new(dir_fd, ".cbuild-save", err);
    if (!file || write_to(output, tempfile_fd(file), path, err) < 0)
        return -1;
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)fchmod(tempfile_fd(file), 0666 & ~mask);
    return tempfile_commit(file, dir_fd, path_base(path), err);
}

static bool is_own_descriptors(const char *directory)
{
    struct stat st, own;
    return stat(directory, &st) == 0 && stat("/proc/self/fd", &own) == 0 &&
           st.st_dev == own.st_dev && st.st_ino == own.st_ino;
}

/* An open file of ours by its number, as /dev/stdout is: that again, with its offset; else -1. */
static int open_again(const char *path)
{
    AUTO(free) char *here = xstrdup(path);
    for (unsigned i = 0; i < MAX_LINKS; i++) {
        AUTO(error_free) struct error *ignored = NULL; /* no link: what it names is a file */
        AUTO(free) char *directory = path_dir(here);
        const char *base = path_base(here);
        if (is_own_descriptors(directory) && *base && strspn(base, "0123456789") == strlen(base))
            return fcntl((int)strtol(base, NULL, 10), F_DUPFD_CLOEXEC, 3);
        AUTO(free) char *target = fs_read_link(AT_FDCWD, here, &ignored);
        if (!target)
            return -1;
        free(here);
        here = *target == '/' ? TAKE(target) : path_join(directory, target);
    }
    return -1;
}

/* A link stays one: the file that it leads to is written, and made where it isn't there. free() */
static char *file_behind(const char *path, struct error **err)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
        return xstrdup(path);
    char *real = realpath(path, NULL);
    if (real)
        return real;
    AUTO(close) int made = fs_open(AT_FDCWD, path, O_WRONLY | O_CREAT, 0666, err);
    real = made < 0 ? NULL : realpath(path, NULL);
    return real || made < 0 ? real : error_errno_null(err, "%s", path);
}

/* open() of a pipe that nobody reads yet would wait where no signal ends it. */
static int open_pipe(const char *path, struct error **err)
{
    AUTO(close) int fd = -1;
    while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
        if (errno != ENXIO)
            return error_errno(err, "%s", path);
        if (cancel_sleep_ms(PIPE_WAIT_MS, err) < 0)
            return -1;
    }
    /* what its reader is slow to take is waited for again */
    return fcntl(fd, F_SETFL, O_WRONLY) < 0 ? error_errno(err, "%s", path) : take_fd(&fd);
}

static int write_path(const struct output *output, const char *path, struct error **err)
{
    struct stat st;
    AUTO(close) int again = open_again(path);
    if (again >= 0)
        return write_to(output, again, path, err);
    if (stat(path, &st) < 0 || S_ISREG(st.st_mode)) {
        AUTO(free) char *file = file_behind(path, err);
        return file ? write_file(output, file, err) : -1;
    }
    AUTO(close)
    int fd =
        S_ISFIFO(st.st_mode) ? open_pipe(path, err) : fs_open(AT_FDCWD, path, O_WRONLY, 0, err);
    return fd < 0 ? -1 : write_to(output, fd, path, err);
}

int output_file_write(const char *path,
                      int (*write)(void *data, struct sink *to, struct error **err), void *data,
                      struct error **err)
{
    const struct output output = { write, data };
    if (!path || strcmp(path, "-") == 0)
        return write_to(&output, STDOUT_FILENO, "standard output", err);
    return write_path(&output, path, err);
}

struct text {
    const char *data;
    size_t size;
};

static int write_text(void *data, struct sink *to, struct error **err)
{
    const struct text *text = data;
    return sink_write(to, text->data, text->size, err);
}

int output_file_put(const char *path, const char *data, size_t size, struct error **err)
{
    struct text text = { data, size };
    const struct output output = { write_text, &text };
    if (write_path(&output, path, err) < 0)
        return error_wrap(err, "writing %s", path);
    return 0;
}

int output_file_clear(const char *path, struct error **err)
{
    struct stat st;
    AUTO(close) int again = open_again(path);
    if (again >= 0 || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    bool is_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
    int result = is_link ? truncate(path, 0) : unlink(path);
    if (result < 0 && errno != ENOENT)
        return error_errno(err, "removing what an earlier run wrote to %s", path);
    return 0;
}
