/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a step isn't found in the cache: what went into it, compared with what went into an earlier
 * one. Pure.
 */
#ifndef CBUILD_BUILDER_EXPLAIN_H
#define CBUILD_BUILDER_EXPLAIN_H

#include "base/strvec.h"
#include "builder/inputs.h"

#include <stdbool.h>

/* Reasons beyond this many are counted only. */
#define EXPLAIN_MAX 20

/*
 * Appends a line per difference: "file src/a.c: content changed", "file b: removed",
 * "build argument V: \"1\" became \"2\"". `args` tells ARGs from ENVs: their names.
 */
void explain_inputs(const struct inputs *before, const struct inputs *now,
                    const struct strvec *args, struct strvec *ret);

/* The lines of a rest-HEX file. ERR_INVALID. */
int explain_parse_inputs(const char *data, size_t size, struct inputs *ret,
                         struct error **err) WARN_UNUSED;

#endif
