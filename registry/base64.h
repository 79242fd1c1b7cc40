/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, RFC 4648 section 4. Pure. */
#ifndef CBUILD_REGISTRY_BASE64_H
#define CBUILD_REGISTRY_BASE64_H

#include "base/strbuf.h"

#include <stdbool.h>

void base64_encode(struct strbuf *buf, const void *data, size_t size);
/* Appends the bytes. Padding may be missing (people cut it off), blanks at the ends are ignored. */
bool base64_decode(struct strbuf *buf, const char *text);

#endif
