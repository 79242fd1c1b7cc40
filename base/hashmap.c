/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hashmap.h"

#include "base/array.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

static uint64_t seeds[2];
static pthread_once_t seeds_once = PTHREAD_ONCE_INIT;

static void make_seeds(void)
{
    static const uint64_t constant[2] = { 0x9e3779b97f4a7c15, 0xff51afd7ed558ccd };
    if (getrandom(seeds, sizeof(seeds), GRND_NONBLOCK) != (ssize_t)sizeof(seeds))
        memcpy(seeds, constant, sizeof(seeds)); /* early boot: a constant is still correct */
    seeds[1] |= 1;
}

/* All bits of both count in each bit of the result. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hashmap_hash(const void *data, size_t size)
{
    const uint64_t step = 0xa0761d6478bd642f;
    const unsigned char *p = data;
    uint64_t word;
    pthread_once(&seeds_once, make_seeds);
    uint64_t hash = seeds[0] ^ size;
    for (; size >= sizeof(word); size -= sizeof(word), p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = mix(hash ^ word, step);
    }
    word = 0;
    if (size)
        memcpy(&word, p, size);
    return mix(mix(hash ^ word, step) ^ seeds[0], seeds[1]);
}

void hashmap_init(struct hashmap *map, void (*free_value)(void *value))
{
    *map = (struct hashmap)HASHMAP_INIT(free_value);
}

static void free_key(const struct hashmap *map, struct hashmap_entry *entry)
{
    if (!map->borrows_keys)
        free(entry->key);
    entry->key = NULL;
}

static char *take_key(const struct hashmap *map, const void *key, size_t size)
{
    if (map->borrows_keys)
        return (char *)(uintptr_t)key;
    char *copy = xmalloc(size + 1);
    if (size)
        memcpy(copy, key, size);
    copy[size] = '\0';
    return copy;
}

void hashmap_release(struct hashmap *map)
{
    for (size_t i = 0; i < map->n_entries; i++) {
        struct hashmap_entry *entry = &map->entries[i];
        if (!entry->key)
            continue;
        free_key(map, entry);
        if (map->free_value && entry->value)
            map->free_value(entry->value);
    }
    free(map->entries);
    free(map->slots);
    bool borrows_keys = map->borrows_keys;
    hashmap_init(map, map->free_value);
    map->borrows_keys = borrows_keys;
}

static void slot_insert(struct hashmap *map, uint32_t index)
{
    size_t mask = map->n_slots - 1;
    size_t i = map->entries[index].hash & mask;
    while (map->slots[i])
        i = (i + 1) & mask;
    map->slots[i] = index + 1;
}

/* Also drops the removed entries, so that slots never point at them. */
static void rebuild(struct hashmap *map)
{
    size_t live = 0;
    for (size_t i = 0; i < map->n_entries; i++)
        if (map->entries[i].key)
            map->entries[live++] = map->entries[i];
    map->n_entries = live;
    size_t n_slots = 16;
    while (n_slots < live * 3)
        n_slots *= 2;
    free(map->slots);
    map->slots = xcalloc(n_slots, sizeof(*map->slots));
    map->n_slots = n_slots;
    for (size_t i = 0; i < live; i++)
        slot_insert(map, (uint32_t)i);
}

static struct hashmap_entry *find(const struct hashmap *map, const void *key, size_t size,
                                  uint64_t hash)
{
    if (!map->n_slots)
        return NULL;
    size_t mask = map->n_slots - 1;
    for (size_t i = hash & mask; map->slots[i]; i = (i + 1) & mask) {
        struct hashmap_entry *entry = &map->entries[map->slots[i] - 1];
        if (entry->key && entry->hash == hash && entry->key_size == size &&
            (size == 0 || !memcmp(entry->key, key, size)))
            return entry;
    }
    return NULL;
}

void *hashmap_getn(const struct hashmap *map, const void *key, size_t size)
{
    struct hashmap_entry *entry = find(map, key, size, hashmap_hash(key, size));
    return entry ? entry->value : NULL;
}

void *hashmap_get(const struct hashmap *map, const char *key)
{
    return hashmap_getn(map, key, strlen(key));
}

bool hashmap_has(const struct hashmap *map, const char *key)
{
    return find(map, key, strlen(key), hashmap_hash(key, strlen(key))) != NULL;
}

void hashmap_putn(struct hashmap *map, const void *key, size_t size, void *value)
{
    uint64_t hash = hashmap_hash(key, size);
    struct hashmap_entry *entry = find(map, key, size, hash);
    if (entry) {
        if (map->free_value && entry->value && entry->value != value)
            map->free_value(entry->value);
        entry->value = value;
        return;
    }
    assert(map->n_entries < UINT32_MAX - 1);
    entry = ARRAY_PUSH(map, entries);
    entry->key = take_key(map, key, size);
    entry->key_size = size;
    entry->hash = hash;
    entry->value = value;
    map->n++;
    if (map->n_entries * 3 >= map->n_slots * 2)
        rebuild(map);
    else
        slot_insert(map, (uint32_t)(map->n_entries - 1));
}

void hashmap_put(struct hashmap *map, const char *key, void *value)
{
    hashmap_putn(map, key, strlen(key), value);
}

bool hashmap_remove(struct hashmap *map, const char *key)
{
    struct hashmap_entry *entry = find(map, key, strlen(key), hashmap_hash(key, strlen(key)));
    if (!entry)
        return false;
    free_key(map, entry); /* its slot stays as a tombstone until the next rebuild */
    if (map->free_value && entry->value)
        map->free_value(entry->value);
    entry->value = NULL;
    map->n--;
    return true;
}

struct hashmap_entry *hashmap_next(const struct hashmap *map, const struct hashmap_entry *after)
{
    size_t i = after ? (size_t)(after - map->entries) + 1 : 0;
    for (; i < map->n_entries; i++)
        if (map->entries[i].key)
            return &map->entries[i];
    return NULL;
}
