/* SPDX-License-Identifier: Apache-2.0 */
/* build --output: where the result goes, as buildx writes it. */
#ifndef CBUILD_CLI_OUTPUT_VALUE_H
#define CBUILD_CLI_OUTPUT_VALUE_H

#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>

struct output_value {
    bool push;
    bool is_elsewhere; /* the store gets no name for it */
};

/*
 * "type=image[,name=NAME][,push=BOOL][,store=BOOL]" or "type=registry[,name=NAME]", which is
 * type=image,push=true,store=false. Names are added to `names`. ERR_USAGE; ERR_UNSUPPORTED: a type
 * that buildx has.
 */
int output_value_parse(const char *text, struct output_value *ret, struct strvec *names,
                       struct error **err) WARN_UNUSED;

#endif
