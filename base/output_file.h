/* SPDX-License-Identifier: Apache-2.0 */
/* Where a command's -o leads: a file that appears under its name only complete, a pipe, a device or
 * an open file (/dev/stdout) that is written as it is, or standard output. Links stay. */
#ifndef CBUILD_BASE_OUTPUT_FILE_H
#define CBUILD_BASE_OUTPUT_FILE_H

#include "base/error.h"
#include "base/sink.h"

/*
 * path NULL or "-": standard output. `write` fills `to`, which is finished afterwards. After a
 * failure a file of that name is what it was. A file gets the mode that umask leaves.
 */
int output_file_write(const char *path,
                      int (*write)(void *data, struct sink *to, struct error **err), void *data,
                      struct error **err) WARN_UNUSED;

/* The same for a short text; "-" is a file's name. */
int output_file_put(const char *path, const char *data, size_t size,
                    struct error **err) WARN_UNUSED;

/*
 * A file that an earlier run wrote there goes, so that nobody takes it for the answer of a run that
 * fails; behind a link it becomes empty. Pipes, devices and open files stay as they are.
 */
int output_file_clear(const char *path, struct error **err) WARN_UNUSED;

#endif
