/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte-string keys to pointers. Open addressing, hashed by words of 8 bytes
 * with per-process seeds, so that hostile names can't be aimed at one bucket.
 * Iteration order is insertion order (removals keep it), never hash order.
 * Not locked.
 */
#ifndef CBUILD_BASE_HASHMAP_H
#define CBUILD_BASE_HASHMAP_H

#include "base/auto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hashmap_entry {
    char *key; /* NUL-terminated beyond key_size; NULL: removed */
    size_t key_size;
    uint64_t hash;
    void *value;
};

struct hashmap {
    struct hashmap_entry *entries; /* in insertion order */
    size_t n_entries, entries_capacity;
    uint32_t *slots;                 /* index + 1 into entries; 0: free */
    size_t n_slots;                  /* power of two */
    size_t n;                        /* live entries */
    void (*free_value)(void *value); /* NULL: values are not owned */
    bool borrows_keys;               /* who sets it keeps them as long, and as they are */
};

#define HASHMAP_INIT(free_value)                                                                   \
    {                                                                                              \
        NULL, 0, 0, NULL, 0, 0, (free_value), false                                                \
    }

void hashmap_init(struct hashmap *map, void (*free_value)(void *value));
void hashmap_release(struct hashmap *map);
DEFINE_AUTO_STRUCT(struct hashmap, hashmap_release)

/* The hash that maps go by, with this process' seed: for sets that don't keep their keys. */
uint64_t hashmap_hash(const void *data, size_t size);
void *hashmap_get(const struct hashmap *map, const char *key);
void *hashmap_getn(const struct hashmap *map, const void *key, size_t size);
bool hashmap_has(const struct hashmap *map, const char *key);
/* Copies the key unless it borrows them, takes the value (per free_value); an old value of that key
 * is freed. */
void hashmap_put(struct hashmap *map, const char *key, void *value);
void hashmap_putn(struct hashmap *map, const void *key, size_t size, void *value);
/* True when it was there. */
bool hashmap_remove(struct hashmap *map, const char *key);

/* for (struct hashmap_entry *e = NULL; (e = hashmap_next(map, e));) */
struct hashmap_entry *hashmap_next(const struct hashmap *map, const struct hashmap_entry *after);

#endif
