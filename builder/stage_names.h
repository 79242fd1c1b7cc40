/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which stages have which name, found in logarithmic time. Several may have one: then it depends
 * on where one asks from. Names are compared without case. Pure.
 */
#ifndef CBUILD_BUILDER_STAGE_NAMES_H
#define CBUILD_BUILDER_STAGE_NAMES_H

#include "base/hashmap.h"

#include <sys/types.h>

struct stage_names {
    struct hashmap map; /* name in lower case → its stages, ascending */
};

void stage_names_init(struct stage_names *names);
void stage_names_release(struct stage_names *names);
DEFINE_AUTO_STRUCT(struct stage_names, stage_names_release)

/* Stages are added in ascending order. */
void stage_names_add(struct stage_names *names, const char *name, size_t stage);
/* The last stage of this name before `before`; -1: none. */
ssize_t stage_names_before(const struct stage_names *names, const char *name, size_t before);
/* The first stage of this name from `from` on; -1: none. */
ssize_t stage_names_from(const struct stage_names *names, const char *name, size_t from);

#endif
