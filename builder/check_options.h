/* SPDX-License-Identifier: Apache-2.0 */
/* "# check=skip=A,B;error=true": what the build checks are told. Pure. */
#ifndef CBUILD_BUILDER_CHECK_OPTIONS_H
#define CBUILD_BUILDER_CHECK_OPTIONS_H

#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stddef.h>

struct check_options {
    struct strvec skip; /* rule names, case-sensitive */
    bool skip_all;
    bool error;                 /* findings fail the build */
    struct strvec experimental; /* rule names */
    bool experimental_all;
    size_t line; /* of the directive; 0: there is none */
};

/* Adds to *ret what the text says. ERR_SYNTAX. */
int check_options_parse(const char *text, struct check_options *ret,
                        struct error **err) WARN_UNUSED;
void check_options_release(struct check_options *options);
DEFINE_AUTO_STRUCT(struct check_options, check_options_release)

#endif
