/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields of an answer, in order. Names compare without case. RFC 9110, section 5 */
#ifndef CBUILD_REGISTRY_HEADERS_H
#define CBUILD_REGISTRY_HEADERS_H

#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>

#define HEADERS_MAX_SIZE (256u << 10) /* all lines of an answer */

struct headers {
    struct strvec lines; /* "Name: value", trimmed */
};

#define HEADERS_INIT                                                                               \
    {                                                                                              \
        STRVEC_INIT                                                                                \
    }

void headers_release(struct headers *headers);
DEFINE_AUTO_STRUCT(struct headers, headers_release)
/* A line as received; what is no field is dropped. */
void headers_add(struct headers *headers, const char *line, size_t size);
/* The n-th value of a name, from 0; NULL: no more. Borrowed. */
const char *headers_get(const struct headers *headers, const char *name, size_t n);
/* The first value as a decimal number. */
bool headers_get_uint64(const struct headers *headers, const char *name, uint64_t *ret);
/* Content-Range: bytes FIRST-LAST/TOTAL; total UINT64_MAX where it is "*" */
bool headers_content_range(const struct headers *headers, uint64_t *first, uint64_t *last,
                           uint64_t *total);
/* Range: 0-LAST of an upload session, with or without "bytes="; *size is LAST + 1. */
bool headers_upload_range(const struct headers *headers, uint64_t *size);
/*
 * The target of rel="next" in Link headers. free() it; NULL: none. RFC 8288; distribution-spec
 * v1.1, "Listing tags"
 */
char *headers_link_next(const struct headers *headers);
/* The text of a Warning header (299 - "text"), the n-th; free() it; NULL: no more.
 * distribution-spec, "Warnings" */
char *headers_warning(const struct headers *headers, size_t n);

#endif
