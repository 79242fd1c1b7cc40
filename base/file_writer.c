/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_writer.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/tempfile.h"

#include <sys/stat.h>

#define WRITE_SIZE ((size_t)64 << 10)

struct file_writer {
    struct strbuf buf;
    struct tempfile *file;
    struct sha256 *hash; /* NULL: no check is wanted */
    int dir_fd;
    char *name;
};

struct file_writer *file_writer_new(int dir_fd, const char *name, bool with_check,
                                    struct error **err)
{
    AUTO(file_writer_free) struct file_writer *writer = NEW(struct file_writer);
    writer->buf = (struct strbuf)STRBUF_INIT;
    writer->name = xstrdup(name);
    writer->hash = with_check ? sha256_new() : NULL;
    writer->dir_fd = io_dup(dir_fd, err);
    if (writer->dir_fd < 0)
        return NULL;
    writer->file = tempfile_new(dir_fd, FS_TEMP_PREFIX, err);
    return writer->file ? TAKE(writer) : NULL;
}

void file_writer_free(struct file_writer *writer)
{
    if (!writer)
        return;
    strbuf_release(&writer->buf);
    tempfile_free(writer->file);
    sha256_free(writer->hash);
    close_auto(&writer->dir_fd);
    free(writer->name);
    free(writer);
}

struct strbuf *file_writer_buf(struct file_writer *writer)
{
    return &writer->buf;
}

static int write_all(struct file_writer *writer, struct error **err)
{
    if (writer->hash)
        sha256_update(writer->hash, writer->buf.data, writer->buf.size);
    if (io_write_full(tempfile_fd(writer->file), writer->buf.data, writer->buf.size, writer->name,
                      err) < 0)
        return -1;
    strbuf_reset(&writer->buf);
    return 0;
}

int file_writer_flush(struct file_writer *writer, struct error **err)
{
    return writer->buf.size < WRITE_SIZE ? 0 : write_all(writer, err);
}

int file_writer_commit(struct file_writer *writer, mode_t mode, struct error **err)
{
    if (write_all(writer, err) < 0)
        return -1;
    if (writer->hash) {
        uint8_t check[SHA256_SIZE];
        sha256_finish(writer->hash, check);
        if (io_write_full(tempfile_fd(writer->file), check, sizeof(check), writer->name, err) < 0)
            return -1;
    }
    if (fchmod(tempfile_fd(writer->file), mode) < 0)
        return error_errno(err, "setting the mode of %s", writer->name);
    return tempfile_commit(writer->file, writer->dir_fd, writer->name, err);
}
