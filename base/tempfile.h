/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that appear under their final name only complete.
 *
 * A temp file lives under a unique name in its directory (same file system as
 * the final place). tempfile_free() without commit removes it; so do exit() and
 * the signal path (cancel.h): a list of open temp files is the one global that
 * both share. Thread-safe between objects.
 */
#ifndef CBUILD_BASE_TEMPFILE_H
#define CBUILD_BASE_TEMPFILE_H

#include "base/error.h"

struct tempfile;

/* dir_fd is duplicated. `prefix` starts the name: "PREFIX.PID.RANDOM". */
struct tempfile *tempfile_new(int dir_fd, const char *prefix, struct error **err);
int tempfile_fd(const struct tempfile *tempfile); /* read and write; belongs to the tempfile */
const char *tempfile_name(const struct tempfile *tempfile);
/* Renames to name beneath to_dir_fd, replacing what is there; then only free may follow. */
int tempfile_commit(struct tempfile *tempfile, int to_dir_fd, const char *name,
                    struct error **err) WARN_UNUSED;
void tempfile_free(struct tempfile *tempfile);
DEFINE_AUTO(struct tempfile, tempfile_free)

/* A unique, new, empty directory, mode 0700; name is returned (free it). Removed at exit unless
 * forgotten. */
char *tempdir_new(int dir_fd, const char *prefix, struct error **err);
void tempdir_forget(const char *name);

/* Removes all temp files (not trees) of this process; async-signal-safe, safe to call twice. */
void tempfile_remove_all(void);

#endif
