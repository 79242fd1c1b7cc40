/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include "base/force.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define COPY_BUFFER_SIZE ((size_t)256 * 1024)
#define WRITE_BEHIND_SIZE ((uint64_t)8 << 20)

ssize_t io_read_full(int fd, void *data, size_t size, const char *what, struct error **err)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, (char *)data + done, size - done);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return error_errno(err, "reading %s", what);
    }
    return (ssize_t)done;
}

ssize_t io_pread_full(int fd, void *data, size_t size, uint64_t offset, const char *what,
                      struct error **err)
{
    if (offset > INT64_MAX - size) {
        errno = EOVERFLOW;
        return error_errno(err, "reading %s", what);
    }
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return error_errno(err, "reading %s", what);
    }
    return (ssize_t)done;
}

int io_write_full(int fd, const void *data, size_t size, const char *what, struct error **err)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, (const char *)data + done, size - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return error_errno(err, "writing %s", what);
    }
    return 0;
}

int io_read_all(int fd, struct strbuf *buf, size_t max, const char *what, struct error **err)
{
    size_t start = buf->size;
    for (size_t step = 16384;; step = step < 1048576 ? step * 2 : step) {
        size_t have = buf->size - start;
        /* one byte beyond max tells "exactly max" from "more" */
        size_t want = max - have < step ? max - have + 1 : step;
        ssize_t n = io_read_full(fd, strbuf_grow(buf, want), want, what, err);
        if (n < 0) {
            strbuf_set_size(buf, start);
            return -1;
        }
        if ((size_t)n > max - have) {
            strbuf_set_size(buf, start);
            return error_set(err, ERR_LIMIT, "reading %s: more than %zu bytes", what, max);
        }
        strbuf_set_size(buf, buf->size + (size_t)n);
        if ((size_t)n < want)
            return 0;
    }
}

/* The kernel's copy (reflinks where it can). Stops early, without an error, where it can't go on.
 */
static uint64_t copy_in_kernel(int in, int out, uint64_t size)
{
    if (force_has("no-copy-file-range"))
        return 0;
    uint64_t done = 0;
    while (done < size) {
        size_t want = size - done < (1u << 30) ? (size_t)(size - done) : (1u << 30);
        ssize_t n = copy_file_range(in, NULL, out, NULL, want, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* other file systems, pipes, /proc (0 although there is more), or a true error:
                      read and write tell which */
        done += (uint64_t)n;
    }
    return done;
}

int io_copy(int in, int out, uint64_t size, const char *what, struct error **err)
{
    uint64_t done = copy_in_kernel(in, out, size);
    if (done == size)
        return 0;
    uint64_t left = size - done;
    size_t room = left < COPY_BUFFER_SIZE ? (size_t)left : COPY_BUFFER_SIZE;
    AUTO(free) char *buffer = xmalloc(room);
    while (left) {
        size_t want = left < room ? (size_t)left : room;
        ssize_t n = io_read_full(in, buffer, want, what, err);
        if (n < 0)
            return -1;
        if ((size_t)n < want)
            return error_set(err, ERR_IO, "reading %s: ends %llu bytes early", what,
                             (unsigned long long)(left - (uint64_t)n));
        if (io_write_full(out, buffer, want, what, err) < 0)
            return -1;
        left -= want;
    }
    return 0;
}

void io_start_writeback(int fd, uint64_t offset, uint64_t size)
{
    (void)sync_file_range(fd, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

void io_write_behind(int fd, uint64_t size, uint64_t *on_the_way)
{
    if (size < *on_the_way + WRITE_BEHIND_SIZE)
        return;
    io_start_writeback(fd, *on_the_way, size - *on_the_way);
    *on_the_way = size;
}

int io_check_writeback(int fd, struct error **err)
{
    if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) == 0 ||
        (errno != EIO && errno != ENOSPC && errno != EDQUOT))
        return 0;
    return error_errno(err, "writing it");
}

int io_close(int *fd, const char *what, struct error **err)
{
    int closing = take_fd(fd);
    /* Linux has closed it after EINTR too; only the report would be lost */
    if (closing >= 0 && close(closing) < 0 && errno != EINTR)
        return error_errno(err, "closing %s", what);
    return 0;
}

int io_dup(int fd, struct error **err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? error_errno(err, "duplicating a file descriptor") : copy;
}
