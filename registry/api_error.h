/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registry says went wrong, as one clean line. Pure.
 *
 * distribution-spec v1.1, "Error Codes"; token servers write other shapes
 */
#ifndef CBUILD_REGISTRY_API_ERROR_H
#define CBUILD_REGISTRY_API_ERROR_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>

#define API_ERROR_BODY_MAX (64u << 10) /* of a body are read */
#define API_ERROR_TEXT_MAX 1024        /* of it are shown */

/*
 * "manifest unknown", "denied: requested access to the resource is denied (detail)": from
 * {"errors":[...]}, {"details"|"message"|"error_description"|"error": ...}, plain text; of HTML and
 * empty bodies the status's name ("not found"). Control characters are left out, at most
 * API_ERROR_TEXT_MAX bytes.
 */
void api_error_text(int status, const char *body, size_t size, struct strbuf *buf);
/* Whether one of the body's errors has this code ("NAME_UNKNOWN"). */
bool api_error_has_code(const char *body, size_t size, const char *code);
/* ERR_NOT_FOUND 404, ERR_UNAUTHORIZED 401 403, ERR_NETWORK 408 429 5xx, else ERR_REFUSED */
enum error_code api_error_code(int status);
/* Appends text from outside without control characters, at most max bytes, on a character's border.
 */
void api_error_add_clean(struct strbuf *buf, const char *text, size_t size, size_t max);

#endif
