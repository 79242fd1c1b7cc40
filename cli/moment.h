/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as filters have them. */
#ifndef CBUILD_CLI_MOMENT_H
#define CBUILD_CLI_MOMENT_H

#include "base/error.h"

#include <stdint.h>

/* A moment in seconds: RFC 3339, a date, seconds since 1970, or a duration before now ("24h").
 * ERR_USAGE, for --filter until=TEXT. */
int moment_parse(const char *text, int64_t *ret, struct error **err) WARN_UNUSED;

#endif
