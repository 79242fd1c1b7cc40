/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jansson behind strict getters. Documents come from outside: size and depth
 * are limited, duplicate keys refused, numbers must fit. Errors name the place
 * as a JSON pointer: "/layers/2/size: expected an integer".
 *
 * json_t references: a getter's result is borrowed from its parent.
 */
#ifndef CBUILD_BASE_JSON_H
#define CBUILD_BASE_JSON_H

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strvec.h"

#include <jansson.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 64

static inline void json_decref_auto(json_t **p)
{
    json_decref(*p);
}

/*
 * A new reference. ERR_INVALID with line and column, never with text of the document (it may be a
 * credential); ERR_LIMIT when nested deeper than JSON_MAX_DEPTH. Top level: object or array. A NUL
 * in a string is an error, so values serve as C strings.
 */
json_t *json_parse(const char *data, size_t size, struct error **err) WARN_UNUSED;
/* As json_parse, and the top level must be an object. */
json_t *json_parse_object(const char *data, size_t size, struct error **err) WARN_UNUSED;

/*
 * Canonical bytes: keys sorted by bytes, no blanks, "/" not escaped, UTF-8 as it is.
 * The same value always gives the same bytes.
 */
void json_format_canonical(const json_t *value, struct strbuf *buf);
void json_format_pretty(const json_t *value, struct strbuf *buf);

enum json_presence { JSON_REQUIRED, JSON_OPTIONAL };

/*
 * Getters of member `key` of `object` (whose place is `pointer`, e.g. "/config").
 * Optional and absent (or null): 0, output untouched. Wrong type: ERR_INVALID.
 */
int json_get_string(const json_t *object, const char *pointer, const char *key,
                    enum json_presence presence, const char **ret, struct error **err) WARN_UNUSED;
int json_get_uint64(const json_t *object, const char *pointer, const char *key,
                    enum json_presence presence, uint64_t *ret, struct error **err) WARN_UNUSED;
int json_get_int64(const json_t *object, const char *pointer, const char *key,
                   enum json_presence presence, int64_t *ret, struct error **err) WARN_UNUSED;
int json_get_bool(const json_t *object, const char *pointer, const char *key,
                  enum json_presence presence, bool *ret, struct error **err) WARN_UNUSED;
int json_get_object(const json_t *object, const char *pointer, const char *key,
                    enum json_presence presence, const json_t **ret,
                    struct error **err) WARN_UNUSED;
int json_get_array(const json_t *object, const char *pointer, const char *key,
                   enum json_presence presence, const json_t **ret, struct error **err) WARN_UNUSED;
/* An array of strings, appended to vec. */
int json_get_strings(const json_t *object, const char *pointer, const char *key,
                     enum json_presence presence, struct strvec *vec,
                     struct error **err) WARN_UNUSED;

/* Builders: a new reference; text must be UTF-8 (invalid bytes are replaced by U+FFFD). */
json_t *json_from_string(const char *text) WARN_UNUSED;
json_t *json_from_strvec(const struct strvec *vec) WARN_UNUSED;
/* object[key] = value (consumed); a NULL value is skipped. */
void json_set(json_t *object, const char *key, json_t *value);

#endif
