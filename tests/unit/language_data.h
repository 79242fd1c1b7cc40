/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conformance data of the Dockerfile language: $CBUILD_CONFORMANCE, else
 * ../shared/conformance. Where it is absent a test calls skip() with a message.
 */
#ifndef CBUILD_TESTS_UNIT_LANGUAGE_DATA_H
#define CBUILD_TESTS_UNIT_LANGUAGE_DATA_H

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The path of `name` below the conformance data; skips the test when there is none. */
static inline char *conformance_path(const char *name)
{
    const char *root = getenv("CBUILD_CONFORMANCE");
    if (!root)
        root = "../shared/conformance";
    char *path = xasprintf("%s/%s", root, name);
    if (access(path, R_OK) != 0) {
        print_message("no conformance data at %s: set CBUILD_CONFORMANCE\n", path);
        free(path);
        skip();
    }
    return path;
}

static inline void conformance_read(const char *path, struct strbuf *buf)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can't be read", path);
    for (;;) {
        char *room = strbuf_grow(buf, 65536);
        size_t n = fread(room, 1, 65536, file);
        strbuf_set_size(buf, buf->size + n);
        if (!n)
            break;
    }
    (void)fclose(file); /* read only */
}

static inline json_t *conformance_load(const char *name)
{
    AUTO(free) char *path = conformance_path(name);
    json_error_t error;
    json_t *value = json_load_file(path, 0, &error);
    if (!value)
        fail_msg("%s: %s", path, error.text);
    return value;
}

static inline const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

#endif
