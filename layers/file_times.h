/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the times of files in a new layer: SOURCE_DATE_EPOCH and its kin. Pure. */
#ifndef CBUILD_LAYERS_FILE_TIMES_H
#define CBUILD_LAYERS_FILE_TIMES_H

#include <stdint.h>

struct file_times {
    enum {
        FILE_TIMES_KEEP,  /* as they are */
        FILE_TIMES_CLAMP, /* none later than `at` */
        FILE_TIMES_SET,   /* all `at` */
    } kind;
    int64_t at; /* seconds */
};

static inline int64_t file_times_apply(const struct file_times *times, int64_t mtime)
{
    switch (times->kind) {
    case FILE_TIMES_KEEP:
        break;
    case FILE_TIMES_CLAMP:
        return mtime > times->at ? times->at : mtime;
    case FILE_TIMES_SET:
        return times->at;
    }
    return mtime;
}

#endif
