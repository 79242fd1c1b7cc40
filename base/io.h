/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes that are whole or an error. EINTR is retried everywhere. */
#ifndef CBUILD_BASE_IO_H
#define CBUILD_BASE_IO_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdint.h>
#include <sys/types.h>

/* Bytes read: fewer than size only at the end. -1 with errno set. `what` names the place in the
 * error. */
ssize_t io_read_full(int fd, void *data, size_t size, const char *what,
                     struct error **err) WARN_UNUSED;
ssize_t io_pread_full(int fd, void *data, size_t size, uint64_t offset, const char *what,
                      struct error **err) WARN_UNUSED;
int io_write_full(int fd, const void *data, size_t size, const char *what,
                  struct error **err) WARN_UNUSED;
/* Appends all that follows in fd to buf; ERR_LIMIT above max bytes. */
int io_read_all(int fd, struct strbuf *buf, size_t max, const char *what,
                struct error **err) WARN_UNUSED;
/*
 * Copies `size` bytes from in to out at their file positions: copy_file_range,
 * else read and write. Fewer bytes in `in` is ERR_IO.
 */
int io_copy(int in, int out, uint64_t size, const char *what, struct error **err) WARN_UNUSED;
/*
 * Has the kernel begin to write what is dirty there (size 0: to the end), and waits for nothing: so
 * that a later sync finds little to do. A hint; where it isn't taken, the sync does it all.
 */
void io_start_writeback(int fd, uint64_t offset, uint64_t size);
/*
 * The same for a file that grows to `size` and is synced in the end: each time that some MiB have
 * come. `on_the_way`: how much of it has begun to go to the disk, at first 0.
 */
void io_write_behind(int fd, uint64_t size, uint64_t *on_the_way);
/*
 * Waits for what is on the way, and fails where some of the file couldn't be written since it was
 * opened, or before, where nobody was told yet. Syncs nothing.
 */
int io_check_writeback(int fd, struct error **err) WARN_UNUSED;
/* close() by hand for files that matter; *fd becomes -1 whatever happens. */
int io_close(int *fd, const char *what, struct error **err) WARN_UNUSED;
/* fcntl F_DUPFD_CLOEXEC */
int io_dup(int fd, struct error **err) WARN_UNUSED;

#endif
