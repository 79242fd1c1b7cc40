/* SPDX-License-Identifier: Apache-2.0 */
/* prune, df, fsck: care of the store as a whole. */
#include "base/clock.h"
#include "base/fs.h"
#include "base/path.h"
#include "builder/values.h"
#include "cli/app.h"
#include "cli/image_info.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "oci/store_gc.h"
#include "oci/store_mounts.h"
#include "oci/store_tags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct command_help prune_help = {
    .usage = "cbuild prune [OPTIONS]",
    .summary = "Removes images without a name and everything that nothing refers to.",
};
static const struct command_help df_help = {
    .usage = "cbuild df [OPTIONS]",
    .summary = "Shows what the store takes on disk.",
};
static const struct command_help fsck_help = {
    .usage = "cbuild fsck [OPTIONS]",
    .summary =
        "Verifies the store: every blob by its digest, every tag, and that its image is whole.",
};

static int remove_untagged(struct store *store, struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (store_tags_list(store, &tags, err) < 0)
        return -1;
    for (size_t i = 0; i < tags.n_tags; i++)
        if (!tags.tags[i].name &&
            store_tag_remove_untagged(store, &tags.tags[i].descriptor.digest, err) < 0)
            return -1;
    return 0;
}

static int parse_limits(const struct strvec *filters, const char *max_size,
                        struct store_gc_limits *limits, struct error **err)
{
    for (size_t i = 0; i < filters->n; i++) {
        const char *filter = filters->items[i];
        if (strncmp(filter, "until=", 6) != 0)
            return error_set(err, ERR_USAGE, "--filter %s: until=TIME is what there is", filter);
        if (!(limits->flags & STORE_GC_RECORDS))
            return error_set(err, ERR_USAGE, "--filter %s: only with --all", filter);
        if (moment_parse(filter + 6, &limits->used_before, err) < 0)
            return -1;
    }
    if (!max_size)
        return 0;
    if (size_parse(max_size, &limits->max_size, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "--max-used-space");
    }
    limits->max_size = limits->max_size ? limits->max_size : 1;
    return 0;
}

int cmd_prune(struct app *app, char *const *argv, struct error **err)
{
    bool all = false, force = false;
    const char *max_size = NULL;
    AUTO(strvec_release) struct strvec filters = STRVEC_INIT;
    const struct option options[] = {
        OPT_FLAG('a', "all", &all,
                 "forget the build cache too, directories of cache mounts included"),
        OPT_LIST(0, "filter", "until=TIME", &filters,
                 "with --all: only what of the cache wasn't used since (24h, 2026-01-31)"),
        OPT_STRING(0, "max-used-space", "SIZE", &max_size,
                   "shrink the cache to this, least recently used first out"),
        OPT_STRING(0, "keep-storage", "SIZE", &max_size, NULL), /* the older name */
        OPT_FLAG('f', "force", &force, NULL),                   /* nothing is asked anyway */
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &prune_help, argv, &operands, 0, 0, err);
    if (parsed <= 0)
        return parsed;
    struct store_gc_result result = { 0 };
    AUTO(error_free) struct error *out_of_reach = NULL;
    struct store_gc_limits limits = { .flags = all ? STORE_GC_RECORDS : 0 };
    if (parse_limits(&filters, max_size, &limits, err) < 0 || !app_store(app, err))
        return -1;
    int owned = app_own_forms(app, &out_of_reach);
    if (remove_untagged(app->store, err) < 0 ||
        store_gc_limited(app->store, &limits, &result, err) < 0)
        return -1;
    char size[32];
    format_size(result.size, size);
    printf("Removed %llu blobs, %llu directory forms, %llu cache records, %llu cache mounts\n"
           "Total reclaimed space: %s\n",
           (unsigned long long)result.n_blobs, (unsigned long long)result.n_forms,
           (unsigned long long)result.n_records, (unsigned long long)result.n_mounts, size);
    if (owned < 0 && result.n_left) {
        error_move(err, TAKE(out_of_reach));
        return error_wrap(err, "%llu directory forms are left on disk",
                          (unsigned long long)result.n_left);
    }
    return 0;
}

#define DF_MAX_DEPTH                                                                               \
    200 /* a form may be deeper than there are descriptors: not counted from there */

/* Bytes on disk below a folder; a hard link counts each time. */
static int add_tree_size(int dir_fd, const char *path, int depth, uint64_t *size, uint64_t *n,
                         struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(error_free) struct error *gone = NULL;
    AUTO(close) int fd = fs_open(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &gone);
    if (fd < 0 || fs_list_fd(fd, &names, path, &gone) < 0) {
        if (error_is(gone, ERR_NOT_FOUND)) /* removed by another process meanwhile */
            return 0;
        error_move(err, TAKE(gone));
        return -1;
    }
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        int found = fs_stat(fd, names.items[i], &st, err);
        if (found < 0)
            return -1;
        if (!found)
            continue;
        *size += (uint64_t)st.st_blocks * 512;
        (*n)++;
        if (S_ISDIR(st.st_mode) && depth < DF_MAX_DEPTH &&
            add_tree_size(fd, names.items[i], depth + 1, size, n, err) < 0)
            return -1;
    }
    return 0;
}

/* What other processes have in the works: all of tmp/ but our own folder. */
static int add_work_size(struct store *store, uint64_t *size, uint64_t *n, struct error **err)
{
    struct stat own, all;
    AUTO(free) char *tmp = path_join(store_path(store), "tmp");
    if (add_tree_size(AT_FDCWD, tmp, 0, size, n, err) < 0)
        return -1;
    if (stat(tmp, &all) < 0 || fstat(store_dir_fd(store, STORE_TMP), &own) < 0)
        return error_errno(err, "%s", tmp);
    if (own.st_ino != all.st_ino) { /* where none could be made it's tmp/ itself */
        *size -= (uint64_t)own.st_blocks * 512;
        (*n)--;
    }
    return 0;
}

static int print_mounts(struct store *store, struct error **err)
{
    AUTO(store_mounts_release) struct store_mounts mounts = { .items = NULL };
    AUTO(table_release) struct table table = { .n_columns = 3 };
    if (store_mounts_list(store, &mounts, err) < 0)
        return -1;
    strvec_push(&table.cells, "CACHE MOUNT");
    strvec_push(&table.cells, "USED");
    strvec_push(&table.cells, "SIZE");
    for (size_t i = 0; i < mounts.n_items; i++) {
        const struct store_mount *mount = &mounts.items[i];
        char size[32], time[CLOCK_TEXT_SIZE], age[64];
        AUTO(strbuf_release) struct strbuf id = STRBUF_INIT;
        clock_format(mount->used_ns / 1000000000, time);
        format_age(time, age);
        format_size(mount->size, size);
        strbuf_add_printable(&id, *mount->id ? mount->id : mount->name);
        strvec_push(&table.cells, id.data);
        strvec_push(&table.cells, age);
        strvec_push(&table.cells, size);
    }
    printf("\n");
    table_print(&table);
    return 0;
}

int cmd_df(struct app *app, char *const *argv, struct error **err)
{
    static const struct {
        const char *name;
        enum store_dir dir;
    } rows[] = {
        { "Blobs", STORE_BLOBS },
        { "Directory forms", STORE_LAYERS },
        { "Entry lists", STORE_ENTRIES },
        { "Cache records", STORE_CACHE_RECORDS },
        { "Context records", STORE_CACHE_CONTEXTS },
        { "Cache mounts", STORE_CACHE_MOUNTS },
        { "Unfinished", STORE_PARTIAL },
        { "Work in progress", STORE_TMP },
    };
    bool verbose = false;
    const struct option options[] = {
        OPT_FLAG('v', "verbose", &verbose, "list the directories of cache mounts"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &df_help, argv, &operands, 0, 0, err);
    if (parsed <= 0)
        return parsed;
    if (!app_store(app, err) || app_own_forms(app, err) < 0)
        return -1;
    AUTO(table_release) struct table table = { .n_columns = 3 };
    strvec_push(&table.cells, "TYPE");
    strvec_push(&table.cells, "TOTAL");
    strvec_push(&table.cells, "SIZE");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t size = 0, n = 0;
        char text[32];
        int added = rows[i].dir == STORE_TMP ? add_work_size(app->store, &size, &n, err)
                                             : add_tree_size(store_dir_fd(app->store, rows[i].dir),
                                                             ".", 0, &size, &n, err);
        if (added < 0)
            return -1;
        format_size(size, text);
        strvec_push(&table.cells, rows[i].name);
        strvec_pushf(&table.cells, "%llu", (unsigned long long)n);
        strvec_push(&table.cells, text);
    }
    table_print(&table);
    return verbose ? print_mounts(app->store, err) : 0;
}

static void report_bad(void *data UNUSED, const struct digest *digest, const char *why)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    printf("%s: %s\n", text, why);
}

int cmd_fsck(struct app *app, char *const *argv, struct error **err)
{
    bool repair = false;
    const struct option options[] = {
        OPT_FLAG(0, "repair", &repair, "remove what is damaged: it can be pulled or built again"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &fsck_help, argv, &operands, 0, 0, err);
    if (parsed <= 0)
        return parsed;
    struct store_fsck_result result = { 0 };
    if (!app_store(app, err) || store_fsck(app->store, repair, report_bad, NULL, &result, err) < 0)
        return -1;
    printf("%llu checked, %llu bad, %llu repaired\n", (unsigned long long)result.n_checked,
           (unsigned long long)result.n_bad, (unsigned long long)result.n_repaired);
    if (result.n_bad > result.n_repaired) {
        error_set_(err, ERR_STORE, "%llu things in the store are damaged",
                   (unsigned long long)result.n_bad);
        error_hint(err, "run cbuild fsck --repair, then pull or build again");
        return -1;
    }
    return 0;
}
