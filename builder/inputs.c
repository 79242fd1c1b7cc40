/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/inputs.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#include <assert.h>
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

void inputs_add_more(struct inputs *inputs,
                     void (*each)(const void *data, inputs_visit visit, void *visit_data),
                     const void *data, size_t n)
{
    assert(!inputs->more.each);
    inputs->more = (struct inputs_more){ each, data, n, inputs->n_items };
}

void inputs_each(const struct inputs *inputs, inputs_visit visit, void *data)
{
    const struct inputs_more *more = &inputs->more;
    size_t first = more->each ? more->at : inputs->n_items;
    for (size_t i = 0; i < first; i++)
        visit(data, &inputs->items[i]);
    if (more->each)
        more->each(more->data, visit, data);
    for (size_t i = first; i < inputs->n_items; i++)
        visit(data, &inputs->items[i]);
}

size_t inputs_count(const struct inputs *inputs)
{
    return inputs->n_items + (inputs->more.each ? inputs->more.n : 0);
}

static void keep_item(void *data, const struct input *item)
{
    inputs_add(data, item->kind, item->name, item->value);
}

void inputs_keep(struct inputs *inputs)
{
    if (!inputs->more.each)
        return;
    struct inputs all = { 0 };
    inputs_each(inputs, keep_item, &all);
    inputs_release(inputs);
    *inputs = all;
}

/* Items on their way into a hash. */
struct hashing {
    struct sha256 *hash;
    struct strbuf bytes;
};

static void flush(struct hashing *hashing)
{
    sha256_update(hashing->hash, hashing->bytes.data, hashing->bytes.size);
    strbuf_reset(&hashing->bytes);
}

static void add_field(struct strbuf *bytes, const char *text)
{
    size_t size = strlen(text);
    char *at = strbuf_grow(bytes, FIELD_HEAD + size);
    for (int i = 0; i < FIELD_HEAD; i++) /* big-endian, so that keys travel between machines */
        at[i] = (char)((uint64_t)size >> (56 - 8 * i));
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its size stands before it */
    memcpy(at + FIELD_HEAD, text, size);
    strbuf_set_size(bytes, bytes->size + FIELD_HEAD + size);
}

static void hash_item(void *data, const struct input *item)
{
    struct hashing *hashing = data;
    add_field(&hashing->bytes, item->kind);
    add_field(&hashing->bytes, item->name);
    add_field(&hashing->bytes, item->value);
    if (hashing->bytes.size >= HASHED_AT_ONCE)
        flush(hashing);
}

struct digest inputs_digest(const struct inputs *inputs)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    struct hashing hashing = { hash, STRBUF_INIT };
    inputs_each(inputs, hash_item, &hashing);
    flush(&hashing);
    strbuf_release(&hashing.bytes);
    uint8_t digest[SHA256_SIZE];
    sha256_finish(hash, digest);
    return digest_from_sha256(digest);
}
