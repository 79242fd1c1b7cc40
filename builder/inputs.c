/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/inputs.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <string.h>

#define FIELD_HEAD 8 /* a field's length stands before it */
#define HASHED_AT_ONCE ((size_t)64 << 10)

void inputs_release(struct inputs *inputs)
{
    free(inputs->items);
    arena_release(&inputs->texts);
    *inputs = (struct inputs){ 0 };
}

void inputs_add(struct inputs *inputs, const char *kind, const char *name, const char *value)
{
    struct input *item = ARRAY_PUSH(inputs, items);
    const struct input *before = inputs->n_items > 1 ? item - 1 : NULL;
    bool same_kind = before && !strcmp(before->kind, kind); /* thousands of files */
    item->kind = same_kind ? before->kind : arena_text(&inputs->texts, kind, strlen(kind));
    item->name = arena_text(&inputs->texts, name, strlen(name));
    item->value = arena_text(&inputs->texts, value, strlen(value));
}

static void add_field(struct strbuf *bytes, const char *text)
{
    size_t size = strlen(text);
    char *at = strbuf_grow(bytes, FIELD_HEAD + size);
    for (int i = 0; i < FIELD_HEAD; i++) /* big-endian, so that keys travel between machines */
        at[i] = (char)((uint64_t)size >> (56 - 8 * i));
    memcpy(at + FIELD_HEAD, text, size);
    strbuf_set_size(bytes, bytes->size + FIELD_HEAD + size);
}

struct digest inputs_digest(const struct inputs *inputs)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    AUTO(strbuf_release) struct strbuf bytes = STRBUF_INIT;
    for (size_t i = 0; i < inputs->n_items; i++) {
        add_field(&bytes, inputs->items[i].kind);
        add_field(&bytes, inputs->items[i].name);
        add_field(&bytes, inputs->items[i].value);
        if (bytes.size < HASHED_AT_ONCE && i + 1 < inputs->n_items)
            continue;
        sha256_update(hash, bytes.data, bytes.size);
        strbuf_reset(&bytes);
    }
    uint8_t digest[SHA256_SIZE];
    sha256_finish(hash, digest);
    return digest_from_sha256(digest);
}
