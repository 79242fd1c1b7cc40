/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the git program: its surroundings, and what its failures mean. Internal to git*.c. */
#ifndef CBUILD_BUILDER_GIT_RUN_H
#define CBUILD_BUILDER_GIT_RUN_H

#include "base/strbuf.h"
#include "base/strvec.h"
#include "builder/git.h"

struct git_run {
    const struct git_repository *repository;
    const struct strvec *args; /* after "git" */
    const char *dir;
    int timeout_ms; /* 0: none, but a stalled http transfer ends after a minute */
};

/* A status other than 0 is an error. output (NULL: dropped): what it wrote, at most 1 MiB. */
int git_run(const struct git_run *run, struct strbuf *output, struct error **err) WARN_UNUSED;

/* Servers write to its stderr, too: of that the last lines, without escape codes. Pure. */
void git_clean_output(struct strbuf *output);
/* What git's last words mean, and the line that says it (free it). Pure. */
enum error_code git_explain(const char *output, char **line);

#endif
