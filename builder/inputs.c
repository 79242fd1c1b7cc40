/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/inputs.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <string.h>

void inputs_release(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->n_items; i++)
        free(inputs->items[i].kind);
    free(inputs->items);
    *inputs = (struct inputs){ NULL, 0, 0 };
}

void inputs_add(struct inputs *inputs, const char *kind, const char *name, const char *value)
{
    struct input *item = ARRAY_PUSH(inputs, items);
    size_t kind_size = strlen(kind) + 1, name_size = strlen(name) + 1;
    size_t value_size = strlen(value) + 1;
    item->kind = xmalloc(kind_size + name_size + value_size);
    item->name = item->kind + kind_size;
    item->value = item->name + name_size;
    memcpy(item->kind, kind, kind_size);
    memcpy(item->name, name, name_size);
    memcpy(item->value, value, value_size);
}

static void hash_text(struct sha256 *hash, const char *text)
{
    uint64_t size = strlen(text);
    uint8_t bytes[8]; /* big-endian, so that keys travel between machines */
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(size >> (56 - 8 * i));
    sha256_update(hash, bytes, sizeof(bytes));
    sha256_update(hash, text, size);
}

struct digest inputs_digest(const struct inputs *inputs)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    for (size_t i = 0; i < inputs->n_items; i++) {
        hash_text(hash, inputs->items[i].kind);
        hash_text(hash, inputs->items[i].name);
        hash_text(hash, inputs->items[i].value);
    }
    uint8_t bytes[SHA256_SIZE];
    sha256_finish(hash, bytes);
    return digest_from_sha256(bytes);
}
