/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_records.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/json.h"
#include "oci/members.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_MAX_SIZE ((size_t)1 << 20)
#define PRIVATE_PREFIX "p-"
#define TREE_MAX_DEPTH 200 /* deeper ones are counted up to there */

struct record {
    char name[DIGEST_HEX_SIZE];
    struct timespec used;
};

struct records {
    struct record *records;
    size_t n_records, records_capacity;
};

static void records_release(struct records *records)
{
    free(records->records);
}
DEFINE_AUTO_STRUCT(struct records, records_release)

static uint64_t disk_size(const struct stat *st)
{
    return (uint64_t)st->st_blocks * 512 /
           (st->st_nlink > 1 && !S_ISDIR(st->st_mode) ? st->st_nlink : 1);
}

/* What a tree takes on disk. What can't be read counts nothing: the sum only steers a cap. */
static uint64_t tree_size(int dir_fd, const char *name, int depth)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    uint64_t size = disk_size(&st);
    if (!S_ISDIR(st.st_mode) || depth >= TREE_MAX_DEPTH)
        return size;
    AUTO(close) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(error_free) struct error *ignored = NULL;
    if (fd < 0 || fs_list_fd(fd, &names, name, &ignored) < 0)
        return size;
    for (size_t i = 0; i < names.n; i++)
        size += tree_size(fd, names.items[i], depth + 1);
    return size;
}

uint64_t store_tree_size(int dir_fd, const char *name)
{
    return tree_size(dir_fd, name, 0);
}

static void add_size(struct hashmap *sizes, const char *hex, uint64_t size)
{
    const uint64_t *known = hashmap_get(sizes, hex);
    size += known ? *known : 0; /* a blob and a form may share a name: an uncompressed layer */
    hashmap_put(sizes, hex, xmemdup(&size, sizeof(size)));
}

static int add_sizes(int dir_fd, size_t skip, struct hashmap *sizes, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    uint8_t ignored[SHA256_SIZE];
    if (fs_list_fd(dir_fd, &names, "store", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        if (strlen(name) > skip && sha256_from_hex(name + skip, strlen(name + skip), ignored))
            add_size(sizes, name + skip, tree_size(dir_fd, name, 0));
        else if (skip && strncmp(name, PRIVATE_PREFIX, strlen(PRIVATE_PREFIX)) == 0)
            add_size(sizes, name, tree_size(dir_fd, name, 0));
    }
    return 0;
}

int store_sizes(const struct store *store, struct hashmap *sizes, struct error **err)
{
    AUTO(strvec_release) struct strvec forms = STRVEC_INIT;
    int layers = store_dir_fd(store, STORE_LAYERS);
    if (add_sizes(store_dir_fd(store, STORE_BLOBS), 0, sizes, err) < 0 ||
        fs_list_fd(layers, &forms, "layers", err) < 0)
        return -1;
    for (size_t i = 0; i < forms.n; i++) {
        AUTO(close)
        int fd = openat(layers, forms.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && add_sizes(fd, strlen("d-"), sizes, err) < 0)
            return -1;
    }
    return 0;
}

/* Appends the hex of each string "sha256:HEX" in value, at any depth (the reader limits that). */
static void collect_names(const json_t *value, struct strvec *names)
{
    const char *key;
    json_t *member;
    size_t i;
    AUTO(error_free) struct error *ignored = NULL; /* most strings are no digests */
    struct digest digest;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_foreach(members_iterable(value), key, member) collect_names(member, names);
        break;
    case JSON_ARRAY:
        json_array_foreach(value, i, member) collect_names(member, names);
        break;
    case JSON_STRING:
        if (digest_parse(json_string_value(value), &digest, &ignored) == 0) {
            char hex[DIGEST_HEX_SIZE];
            digest_format_hex(&digest, hex);
            strvec_push(names, hex);
        }
        break;
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
}

/*
 * A record of state "ran" stands for a private form of this boot: true, and its name in `names`, or
 * false: there is nothing that it could be good for.
 */
static bool form_name(const struct store *store, const json_t *record, struct strvec *names)
{
    const char *form = json_string_value(json_object_get(record, "form"));
    const char *boot = json_string_value(json_object_get(record, "boot"));
    const char *slash = form ? strrchr(form, '/') : NULL;
    struct stat st;
    if (!slash || !boot || !store_boot(store) || strcmp(boot, store_boot(store)) != 0 ||
        fstatat(store_dir_fd(store, STORE_LAYERS), form, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    strvec_push(names, slash + 1);
    return true;
}

static bool is_ran(const json_t *record)
{
    const char *state = json_string_value(json_object_get(record, "state"));
    return state && strcmp(state, "ran") == 0;
}

/*
 * A record that can't be read keeps nothing: it is a miss for its reader as well. False: what the
 * record stands for is gone.
 */
static bool record_names(const struct store *store, const char *name, struct strvec *names)
{
    int records_fd = store_dir_fd(store, STORE_CACHE_RECORDS);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL;
    if (fs_read_file(records_fd, name, &text, RECORD_MAX_SIZE, &ignored) < 0)
        return true;
    AUTO(json_decref) json_t *value = json_parse(text.data, text.size, &ignored);
    if (value && is_ran(value) && !form_name(store, value, names))
        return false;
    if (value)
        collect_names(value, names);
    return true;
}

static int most_recent_first(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec > y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec > y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int list_records(int fd, struct records *ret, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    uint8_t ignored[SHA256_SIZE];
    if (fs_list_fd(fd, &names, "cache/records", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        if (!sha256_from_hex(names.items[i], strlen(names.items[i]), ignored))
            continue;
        int there = fs_stat(fd, names.items[i], &st, err);
        if (there < 0)
            return -1;
        if (!there)
            continue;
        struct record *record = ARRAY_PUSH(ret, records);
        memcpy(record->name, names.items[i], sizeof(record->name));
        record->used = st.st_mtim;
    }
    if (ret->n_records)
        qsort(ret->records, ret->n_records, sizeof(*ret->records), most_recent_first);
    return 0;
}

static uint64_t cost(const struct strvec *keeps, const struct hashmap *sizes,
                     const struct hashmap *names)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < keeps->n; i++) {
        const uint64_t *size = hashmap_get(sizes, keeps->items[i]);
        if (size && !hashmap_has(names, keeps->items[i]))
            sum += *size;
    }
    return sum;
}

int store_records_mark(const struct store *store, const struct store_records_limits *limits,
                       const struct hashmap *sizes, struct hashmap *names, uint64_t *n_removed,
                       struct error **err)
{
    int fd = store_dir_fd(store, STORE_CACHE_RECORDS);
    AUTO(records_release) struct records records = { 0 };
    if (list_records(fd, &records, err) < 0)
        return -1;
    uint64_t used = 0;
    bool full = false;
    for (size_t i = 0; i < records.n_records; i++) {
        const char *name = records.records[i].name;
        AUTO(strvec_release) struct strvec keeps = STRVEC_INIT;
        bool leased = hashmap_has(names, name), stands = true;
        full = full || (limits->all && records.records[i].used.tv_sec <
                                           (limits->used_before ? limits->used_before : INT64_MAX));
        if (!full || leased)
            stands = record_names(store, name, &keeps);
        used += cost(&keeps, sizes, names);
        full = full || used > limits->cap;
        if ((full || !stands) && !leased) {
            if (fs_unlink(fd, name, err) < 0)
                return -1;
            (*n_removed)++;
            continue;
        }
        hashmap_put(names, name, names);
        for (size_t k = 0; k < keeps.n; k++)
            hashmap_put(names, keeps.items[k], names);
    }
    return 0;
}
