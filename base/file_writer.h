/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is written piece by piece and appears under its name complete: of a million records
 * only some lie in memory.
 *
 *     AUTO(file_writer_free) struct file_writer *writer = file_writer_new(dir_fd, name, true, err);
 *     struct strbuf *buf = file_writer_buf(writer);
 *     each: strbuf_add(buf, ...); file_writer_flush(writer, err)
 *     file_writer_commit(writer, 0600, err)
 */
#ifndef CBUILD_BASE_FILE_WRITER_H
#define CBUILD_BASE_FILE_WRITER_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <sys/types.h>

struct file_writer;

/* `name` beneath dir_fd (duplicated). with_check: SHA-256 of all stands at the end. */
struct file_writer *file_writer_new(int dir_fd, const char *name, bool with_check,
                                    struct error **err);
/* Without commit: nothing was written. */
void file_writer_free(struct file_writer *writer);
DEFINE_AUTO(struct file_writer, file_writer_free)

/* What comes next is appended to it. */
struct strbuf *file_writer_buf(struct file_writer *writer);
/* Between two pieces: writes what has come together, if that is much. */
int file_writer_flush(struct file_writer *writer, struct error **err) WARN_UNUSED;
/* The rest; replaces what has the name. Then only free may follow. */
int file_writer_commit(struct file_writer *writer, mode_t mode, struct error **err) WARN_UNUSED;

#endif
