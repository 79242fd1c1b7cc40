/* SPDX-License-Identifier: Apache-2.0 */
/* What git checked out, made independent of this machine. Internal to git*.c. */
#ifndef CBUILD_BUILDER_GIT_TIDY_H
#define CBUILD_BUILDER_GIT_TIDY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Directories 0755, files 0755 where the owner may execute them, else 0644; all times are mtime;
 * whatever is called .git goes unless keep_git. */
int git_tidy(int dir_fd, bool keep_git, int64_t mtime, struct error **err) WARN_UNUSED;

#endif
