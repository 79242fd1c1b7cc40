/* SPDX-License-Identifier: Apache-2.0 */
/* Values of Dockerfile instructions that are neither words nor paths. Pure. */
#ifndef CBUILD_BUILDER_VALUES_H
#define CBUILD_BUILDER_VALUES_H

#include "base/auto.h"
#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>

/* A Go duration ("1m30s", "1.5h", "-2ms", "0") in nanoseconds. ERR_SYNTAX. */
int duration_parse(const char *text, int64_t *ret, struct error **err) WARN_UNUSED;
/* As Go prints it: "1m30s", "0s". */
char *duration_format(int64_t nanoseconds) WARN_UNUSED;

/* STOPSIGNAL: a number from 1 to 64, or a Linux name with or without SIG, RTMIN+n, RTMAX-n. */
int stop_signal_parse(const char *text, int *number, struct error **err) WARN_UNUSED;

/*
 * One word of EXPOSE, expanded: appends "PORT/proto" for each port it names.
 * "8000-8002/TCP" → 8000/tcp 8001/tcp 8002/tcp. `ip:host:container` counts for its container part.
 */
int expose_parse(const char *word, struct strvec *ports, struct error **err) WARN_UNUSED;

/* "10m", "1GiB", "4096": bytes. ERR_SYNTAX. */
int size_parse(const char *text, uint64_t *ret, struct error **err) WARN_UNUSED;

/* As Go's strconv.ParseBool: 1 t T TRUE true True, 0 f F FALSE false False. */
int bool_parse(const char *text, bool *ret, struct error **err) WARN_UNUSED;

#endif
