/* SPDX-License-Identifier: Apache-2.0 */
/* The mode of COPY and ADD --chmod: octal, or symbolic as chmod(1) has it. Pure. */
#ifndef CBUILD_BUILDER_CHMOD_SPEC_H
#define CBUILD_BUILDER_CHMOD_SPEC_H

#include "base/auto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct chmod_spec {
    bool is_octal;
    uint32_t mode;  /* octal: 0 to 07777 */
    char *symbolic; /* else: "u=rwX,go=rX" */
};

/* ERR_SYNTAX */
int chmod_spec_parse(const char *text, struct chmod_spec *ret, struct error **err) WARN_UNUSED;
void chmod_spec_release(struct chmod_spec *spec);
DEFINE_AUTO_STRUCT(struct chmod_spec, chmod_spec_release)

/* The permission bits (07777) that a file or directory of `mode` gets. The umask counts as 0. */
uint32_t chmod_spec_apply(const struct chmod_spec *spec, uint32_t mode, bool is_directory);

#endif
