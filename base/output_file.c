/* SPDX-License-Identifier: Apache-2.0 */
#include "base/output_file.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/tempfile.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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

int output_file_write(const char *path,
                      int (*write)(void *data, struct sink *to, struct error **err), void *data,
                      struct error **err)
{
    const struct output output = { write, data };
    struct stat st;
    if (!path || strcmp(path, "-") == 0)
        return write_to(&output, STDOUT_FILENO, "standard output", err);
    if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
        return write_file(&output, path, err);
    AUTO(close) int fd = fs_open(AT_FDCWD, path, O_WRONLY, 0, err);
    return fd < 0 ? -1 : write_to(&output, fd, path, err);
}
