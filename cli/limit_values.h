/* SPDX-License-Identifier: Apache-2.0 */
/* Options of build that limit what RUN may take of the machine. */
#ifndef CBUILD_CLI_LIMIT_VALUES_H
#define CBUILD_CLI_LIMIT_VALUES_H

#include "base/error.h"
#include "base/strvec.h"
#include "runner/limits.h"

/* As they stand on the command line. */
struct limit_texts {
    struct strvec ulimits;
    const char *shm_size, *mode;
};

void limit_texts_release(struct limit_texts *texts);

/* To list in an option table. */
#define LIMIT_OPTIONS(texts)                                                                       \
    OPT_LIST(0, "ulimit", "NAME=SOFT[:HARD]", &(texts)->ulimits,                                   \
             "resource limit of RUN, -1: none; nofile is 1024:524288 by default"),                 \
        OPT_STRING(0, "shm-size", "SIZE", &(texts)->shm_size,                                      \
                   "size of RUN's /dev/shm, 64m by default"),                                      \
        OPT_STRING(0, "limits", "MODE", &(texts)->mode,                                            \
                   "best-effort: warn of limits that can't be set here, instead of failing")

/* What `ret` points to belongs to the texts, but for ulimits. ERR_USAGE. */
int limits_parse(const struct limit_texts *texts, struct sandbox_limits *ret,
                 struct error **err) WARN_UNUSED;
void limits_release(struct sandbox_limits *limits);

#endif
