/* SPDX-License-Identifier: Apache-2.0 */
/* What the documents' readers share: maps of strings, and members that a reader doesn't know. */
#ifndef CBUILD_OCI_MEMBERS_H
#define CBUILD_OCI_MEMBERS_H

#include "base/json.h"

/* jansson iterates only over what isn't const; we don't change it. */
json_t *members_iterable(const json_t *object);

/* A deep copy of all members but those named: NULL when there are none. */
json_t *members_unknown(const json_t *object, const char *const *known, size_t n);

/* Member `key`, an object of strings: a deep copy in *ret; absent, null or empty leave it NULL. */
int members_get_map(const json_t *object, const char *pointer, const char *key, json_t **ret,
                    struct error **err) WARN_UNUSED;

/* *text = a copy of the string member; absent, null and "" leave it alone. */
int members_get_text(const json_t *object, const char *pointer, const char *key, char **text,
                     struct error **err) WARN_UNUSED;

/* Sets object[key] where text is there. */
void members_set_text(json_t *object, const char *key, const char *text);

/* map[key] = text; makes the map when NULL. */
void members_map_set(json_t **map, const char *key, const char *text);

#endif
