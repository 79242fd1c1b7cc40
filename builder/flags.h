/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of an instruction, checked against its table. Pure. */
#ifndef CBUILD_BUILDER_FLAGS_H
#define CBUILD_BUILDER_FLAGS_H

#include "base/error.h"
#include "base/strvec.h"

#include <stddef.h>

enum flag_type {
    FLAG_TYPE_TEXT, /* char *: once; an empty value leaves NULL */
    FLAG_TYPE_BOOL, /* enum flag_state: --x, --x=true, --x=false, once */
    FLAG_TYPE_LIST, /* struct strvec: may repeat */
};

struct flag_spec {
    const char *name;
    enum flag_type type;
    size_t offset; /* of the member in the body that `base` points to */
};

/*
 * Sets the members of `base` from "--name=value" words. ERR_SYNTAX for an unknown flag (the hint
 * names its neighbour), one given twice, a missing or wrong value. What was set before a
 * failure stays, for the owner of `base` to release.
 */
int flags_parse(const struct strvec *flags, const struct flag_spec *specs, size_t n_specs,
                const char *instruction, void *base, struct error **err) WARN_UNUSED;

#endif
