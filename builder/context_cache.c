/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_cache.h"

#include "base/array.h"
#include "base/file_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define TICK_NS 20000000LL          /* twice the slowest tick (HZ=100) */
#define COARSE_TICK_NS 2000000000LL /* FAT and old NFS */
#define RECORDS_MAX (1u << 24)
#define UNUSED_KEPT 65536 /* records that this build didn't ask for (another target's) */

struct header {
    char magic[16];
    uint32_t byte_order;
    uint32_t record_size;
    uint64_t n_records;
};

static const struct header header_now = { "cbuild-context\n", 0x01020304, 0, 0 };

struct record {
    struct file_identity file;
    uint8_t digest[SHA256_SIZE];
    uint64_t check;
};

struct context_cache {
    int dir_fd;
    char *name;
    void *map;
    size_t map_size;
    const struct record *old; /* in the map */
    size_t n_old;
    atomic_bool *used; /* per old record */
    void (*get_content)(void *data, const void *item, struct file_content *ret);
    void *data;
    pthread_mutex_t lock; /* what follows; has_added is read without it */
    const void **added;   /* borrowed */
    size_t n_added, added_capacity;
    atomic_bool has_added;
    uint32_t *slots; /* open addressing by device and inode: index into added + 1, 0: free */
    size_t n_slots;  /* a power of two, twice n_added at least */
};

int64_t file_time_ns(int64_t seconds, long nanoseconds)
{
    return (int64_t)((uint64_t)seconds * 1000000000 + (uint64_t)nanoseconds);
}

struct file_identity file_identity_of(const struct stat *st)
{
    return (struct file_identity){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = file_time_ns(st->st_mtim.tv_sec, st->st_mtim.tv_nsec),
        .ctime_ns = file_time_ns(st->st_ctim.tv_sec, st->st_ctim.tv_nsec),
    };
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* FNV-1a, by 64-bit words, over all but the check itself */
static uint64_t record_check(const struct record *record)
{
    uint64_t hash = 0xcbf29ce484222325, words[offsetof(struct record, check) / sizeof(uint64_t)];
    memcpy(words, record, sizeof(words));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        hash = (hash ^ words[i]) * 0x100000001b3;
    return hash ^ hash >> 32;
}

static int compare_files(const struct file_identity *x, const struct file_identity *y)
{
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return 0;
}

static void map_file(struct context_cache *cache)
{
    AUTO(close) int fd = openat(cache->dir_fd, cache->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size < sizeof(struct header))
        return;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    const struct header *header = map;
    if (memcmp(header->magic, header_now.magic, sizeof(header->magic)) != 0 ||
        header->byte_order != header_now.byte_order ||
        header->record_size != sizeof(struct record) || header->n_records > RECORDS_MAX ||
        (uint64_t)st.st_size != sizeof(*header) + header->n_records * sizeof(struct record)) {
        (void)munmap(map, (size_t)st.st_size); /* not one of ours: as if it weren't there */
        return;
    }
    cache->map = map;
    cache->map_size = (size_t)st.st_size;
    cache->old = (const struct record *)(header + 1);
    cache->n_old = header->n_records;
    cache->used = xcalloc(cache->n_old + 1, sizeof(*cache->used));
}

struct context_cache *context_cache_open(int dir_fd, const char *name,
                                         void (*get_content)(void *data, const void *item,
                                                             struct file_content *ret),
                                         void *data)
{
    struct context_cache *cache = NEW(struct context_cache);
    cache->dir_fd = dir_fd;
    cache->name = xstrdup(name);
    cache->get_content = get_content;
    cache->data = data;
    pthread_mutex_init(&cache->lock, NULL);
    map_file(cache);
    return cache;
}

void context_cache_free(struct context_cache *cache)
{
    if (!cache)
        return;
    if (cache->map)
        (void)munmap(cache->map, cache->map_size); /* can't fail: it is ours */
    pthread_mutex_destroy(&cache->lock);
    free(cache->added);
    free(cache->slots);
    free(cache->used);
    free(cache->name);
    free(cache);
}

static struct file_content added_at(const struct context_cache *cache, size_t index)
{
    struct file_content content;
    cache->get_content(cache->data, cache->added[index], &content);
    return content;
}

/* The slot of a file, or the free one where it would stand. Inodes are given by the file system:
 * no names that somebody could choose so that they meet. */
static uint32_t *slot_of(const struct context_cache *cache, const struct file_identity *file)
{
    uint64_t hash = (file->inode + (file->device << 40)) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = hash >> 32;; i++) {
        uint32_t *slot = &cache->slots[i & (cache->n_slots - 1)];
        if (!*slot)
            return slot;
        struct file_content there = added_at(cache, *slot - 1);
        if (there.file.device == file->device && there.file.inode == file->inode)
            return slot;
    }
}

/* Where a file stands among those added, from 1; 0: nowhere. */
static uint32_t find_added(const struct context_cache *cache, const struct file_identity *file)
{
    return cache->n_slots ? *slot_of(cache, file) : 0;
}

static void add_item(struct context_cache *cache, const void *item,
                     const struct file_identity *file)
{
    *ARRAY_PUSH(cache, added) = item;
    if (cache->n_added * 2 <= cache->n_slots) {
        *slot_of(cache, file) = (uint32_t)cache->n_added;
        return;
    }
    free(cache->slots);
    cache->n_slots = cache->n_slots ? cache->n_slots * 2 : 64;
    cache->slots = xcalloc(cache->n_slots, sizeof(*cache->slots));
    for (size_t i = 0; i < cache->n_added; i++) {
        struct file_content content = added_at(cache, i);
        *slot_of(cache, &content.file) = (uint32_t)i + 1;
    }
}

static bool is_before(const struct context_cache *cache, size_t index, const struct record *key)
{
    return compare_files(&cache->old[index].file, &key->file) < 0;
}

/* The first record that isn't before `key`: in steps that double, from `near` on, then between. */
static size_t find_place(const struct context_cache *cache, const struct record *key, size_t near)
{
    size_t low = 0, high = cache->n_old, step = 1;
    if (near < high && is_before(cache, near, key)) {
        for (low = near + 1; low + step < high && is_before(cache, low + step, key); step *= 2)
            low += step + 1;
        if (low + step < high)
            high = low + step;
    } else if (near < high) {
        for (high = near; high >= step && !is_before(cache, high - step, key); step *= 2)
            high -= step;
        if (high >= step)
            low = high - step + 1;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_before(cache, middle, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct record *find_old(const struct context_cache *cache,
                                     const struct file_identity *file, size_t *near)
{
    if (!cache->n_old)
        return NULL;
    struct record key = { .file = *file };
    *near = find_place(cache, &key, *near);
    const struct record *record = &cache->old[*near];
    if (*near == cache->n_old || compare_files(&record->file, &key.file) != 0)
        return NULL;
    return record->check == record_check(record) ? record : NULL;
}

/* Those that were added count before those in the file. */
static bool get_added(struct context_cache *cache, const struct file_identity *file,
                      struct file_content *ret)
{
    if (!atomic_load(&cache->has_added)) /* as long as nothing was read: no lock */
        return false;
    pthread_mutex_lock(&cache->lock);
    uint32_t place = find_added(cache, file);
    if (place)
        *ret = added_at(cache, place - 1);
    pthread_mutex_unlock(&cache->lock);
    return place != 0;
}

const uint8_t *context_cache_get(struct context_cache *cache, const struct file_identity *file,
                                 size_t *near)
{
    struct file_content added;
    if (get_added(cache, file, &added))
        return file_identity_equal(&added.file, file) ? added.digest : NULL;
    const struct record *old = find_old(cache, file, near);
    if (!old)
        return NULL;
    atomic_store_explicit(&cache->used[old - cache->old], true, memory_order_relaxed);
    return file_identity_equal(&old->file, file) ? old->digest : NULL;
}

static bool is_racy(const struct file_identity *file, int64_t started_ns)
{
    int64_t tick = file->ctime_ns % 1000000000 ? TICK_NS : COARSE_TICK_NS;
    return file->ctime_ns > started_ns - tick;
}

void context_cache_put(struct context_cache *cache, const void *item, int64_t started_ns)
{
    struct file_content content;
    cache->get_content(cache->data, item, &content);
    if (is_racy(&content.file, started_ns))
        return;
    pthread_mutex_lock(&cache->lock);
    uint32_t there = find_added(cache, &content.file);
    if (there)
        cache->added[there - 1] = item;
    else
        add_item(cache, item, &content.file);
    atomic_store(&cache->has_added, true);
    pthread_mutex_unlock(&cache->lock);
}

/* Of the records in the file, those that stay. */
struct old_records {
    const struct context_cache *cache;
    bool keeps_unused; /* they are few */
    size_t next;
};

static struct old_records old_records_of(const struct context_cache *cache)
{
    size_t n_unused = 0;
    for (size_t i = 0; i < cache->n_old; i++)
        n_unused += !cache->used[i];
    return (struct old_records){ cache, n_unused <= UNUSED_KEPT, 0 };
}

/* In their order; NULL: there are no more. */
static const struct record *next_old(struct old_records *records)
{
    const struct context_cache *cache = records->cache;
    while (records->next < cache->n_old) {
        size_t i = records->next++;
        const struct record *record = &cache->old[i];
        if ((cache->used[i] || records->keeps_unused) && !find_added(cache, &record->file) &&
            record->check == record_check(record))
            return record;
    }
    return NULL;
}

static size_t count_old(const struct context_cache *cache)
{
    struct old_records records = old_records_of(cache);
    size_t n = 0;
    while (next_old(&records))
        n++;
    return n;
}

static struct record added_record(const struct context_cache *cache, size_t index)
{
    struct file_content content = added_at(cache, index);
    struct record record = { .file = content.file };
    memcpy(record.digest, content.digest, SHA256_SIZE);
    record.check = record_check(&record);
    return record;
}

static int by_file(const void *a, const void *b, void *data)
{
    const struct context_cache *cache = data;
    const struct file_content x = added_at(cache, *(const uint32_t *)a);
    const struct file_content y = added_at(cache, *(const uint32_t *)b);
    return compare_files(&x.file, &y.file);
}

/* Their numbers in the order of the records; free() it. Records themselves would take twenty times
 * the memory. */
static uint32_t *sort_added(struct context_cache *cache)
{
    uint32_t *order = xreallocarray(NULL, cache->n_added, sizeof(*order));
    for (size_t i = 0; i < cache->n_added; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, cache->n_added, sizeof(*order), by_file, cache);
    return order;
}

/* Both in order, so one after the other. */
static int put_records(struct file_writer *file, struct context_cache *cache, struct error **err)
{
    AUTO(free) uint32_t *order = sort_added(cache);
    struct old_records records = old_records_of(cache);
    const struct record *old = next_old(&records);
    for (size_t i = 0; i < cache->n_added || old;) {
        struct record added;
        if (i < cache->n_added)
            added = added_record(cache, order[i]);
        bool is_old = old && (i == cache->n_added || compare_files(&old->file, &added.file) < 0);
        strbuf_add(file_writer_buf(file), is_old ? old : &added, sizeof(added));
        if (is_old)
            old = next_old(&records);
        else
            i++;
        if (file_writer_flush(file, err) < 0)
            return -1;
    }
    return 0;
}

int context_cache_write(struct context_cache *cache, struct error **err)
{
    if (!cache->n_added)
        return 0;
    AUTO(file_writer_free)
    struct file_writer *file = file_writer_new(cache->dir_fd, cache->name, false, err);
    if (!file)
        return -1;
    struct header header = header_now;
    header.record_size = sizeof(struct record);
    header.n_records = cache->n_added + count_old(cache);
    strbuf_add(file_writer_buf(file), &header, sizeof(header));
    if (put_records(file, cache, err) < 0)
        return -1;
    return file_writer_commit(file, 0600, err);
}
