/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tree_index.h"

#include "base/array.h"
#include "base/path.h"

#include <assert.h>
#include <string.h>

/* Appending records in order: the directories that are still open, outermost first. */
struct appender {
    struct tree_index *index;
    struct open_directory {
        uint32_t record;
        uint32_t cut; /* entries before this one were replaced with an ancestor */
    } * open;
    size_t n_open, open_capacity;
};

static void appender_release(struct appender *appender)
{
    free(appender->open);
}

DEFINE_AUTO_STRUCT(struct appender, appender_release)

void tree_index_free(struct tree_index *index)
{
    if (!index)
        return;
    free(index->records);
    strvec_release(&index->names);
    free(index);
}

/* Closes the directories that path isn't beneath. */
static void close_until(struct appender *to, const char *path)
{
    while (to->n_open) {
        struct tree_record *record = &to->index->records[to->open[to->n_open - 1].record];
        if (path && path_is_within(path, record->path))
            return;
        record->end = (uint32_t)to->index->n_records;
        to->n_open--;
    }
}

static uint32_t current_cut(const struct appender *to)
{
    return to->n_open ? to->open[to->n_open - 1].cut : 0;
}

static void append(struct appender *to, const struct tree_record *record, uint32_t cut)
{
    assert(to->index->n_records < UINT32_MAX);
    struct open_directory *open = ARRAY_PUSH(to, open);
    open->record = (uint32_t)to->index->n_records;
    open->cut = cut;
    *ARRAY_PUSH(to->index, records) = *record;
}

/* Directories between the innermost open one and path. */
static void append_parents(struct appender *to, const char *path, uint32_t layer)
{
    size_t known =
        to->n_open ? strlen(to->index->records[to->open[to->n_open - 1].record].path) : 0;
    if (!to->n_open && path[0]) {
        struct tree_record root = { .path = "", .layer = layer, .directory = true };
        append(to, &root, 0);
    }
    const char *from = path + known + (known > 0);
    for (const char *slash; (slash = strchr(from, '/')); from = slash + 1) {
        strvec_pushn(&to->index->names, path, (size_t)(slash - path));
        struct tree_record parent = { .path = to->index->names.items[to->index->names.n - 1],
                                      .layer = layer,
                                      .directory = true };
        append(to, &parent, current_cut(to));
    }
}

/* One layer */

struct event {
    const struct entry *entry;
    uint32_t order; /* in the list, from 1 */
};

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    int order = path_compare(x->entry->path, y->entry->path);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static struct event *sorted_events(const struct entry_list *list)
{
    struct event *events = xcalloc(list->n_entries + 1, sizeof(*events));
    bool sorted = true;
    for (size_t i = 0; i < list->n_entries; i++) {
        events[i] = (struct event){ &list->entries[i], (uint32_t)i + 1 };
        sorted = sorted && (i == 0 || compare_events(&events[i - 1], &events[i]) < 0);
    }
    if (!sorted)
        qsort(events, list->n_entries, sizeof(*events), compare_events);
    return events;
}

static bool is_mark(const struct entry *entry)
{
    return entry->type == ENTRY_WHITEOUT || entry->type == ENTRY_OPAQUE;
}

/* Whether something is put beneath the path of events[0..n) after `order`. */
static bool has_later_child(const struct event *events, size_t n, const struct event *end,
                            uint32_t order)
{
    const char *path = events[0].entry->path;
    for (const struct event *e = events + n; e < end && path_is_within(e->entry->path, path); e++)
        if (e->order > order)
            return true;
    return false;
}

/* What events[0..n), all of one path, and those behind them come to. False: nothing is left. */
static bool combine_events(const struct event *events, size_t n, const struct event *end,
                           uint32_t cut, struct tree_record *record, uint32_t *own_cut)
{
    const struct event *other = NULL, *directory = NULL; /* the last of each */
    bool alive = false, opaque_later = false;
    for (const struct event *e = events; e < events + n; e++) {
        if (e->order < cut)
            continue;
        alive = true;
        record->hide |= e->entry->type == ENTRY_WHITEOUT;
        record->opaque |= e->entry->type == ENTRY_OPAQUE;
        opaque_later |= e->entry->type == ENTRY_OPAQUE;
        if (e->entry->type == ENTRY_DIRECTORY) {
            directory = e;
        } else if (!is_mark(e->entry)) {
            other = e;
            opaque_later = false;
        }
        record->directory |= e->entry->type == ENTRY_DIRECTORY || e->entry->type == ENTRY_OPAQUE;
    }
    *own_cut = other ? other->order : cut;
    if (!alive)
        return false;
    record->path = events[0].entry->path;
    if (!other) {
        record->entry = directory ? directory->entry : NULL;
        return true;
    }
    record->hide = true;
    bool directory_later = directory && directory->order > other->order;
    record->directory =
        directory_later || opaque_later || has_later_child(events, n, end, other->order);
    record->entry = directory_later ? directory->entry : record->directory ? NULL : other->entry;
    return true;
}

struct tree_index *tree_index_new(const struct entry_list *list, uint32_t layer)
{
    struct tree_index *index = NEW(struct tree_index);
    AUTO(appender_release) struct appender to = { .index = index };
    AUTO(free) struct event *events = sorted_events(list);
    const struct event *end = events + list->n_entries;
    size_t n;
    for (const struct event *e = events; e < end; e += n) {
        const char *path = e->entry->path;
        for (n = 1; e + n < end && strcmp(e[n].entry->path, path) == 0;)
            n++;
        close_until(&to, path);
        struct tree_record record = { .layer = layer };
        uint32_t cut;
        if (!combine_events(e, n, end, current_cut(&to), &record, &cut))
            continue;
        record.directory |= !path[0];
        append_parents(&to, path, layer);
        append(&to, &record, cut);
    }
    close_until(&to, NULL);
    if (!index->n_records) {
        struct tree_record root = { .path = "", .layer = layer, .directory = true };
        append(&to, &root, 0);
        close_until(&to, NULL);
    }
    /* a whiteout beneath which the same layer puts something is a directory all the same */
    for (size_t i = 0; i < index->n_records; i++)
        index->records[i].directory |= index->records[i].end > i + 1;
    return index;
}

/* Several layers */

static bool shows_below(const struct tree_record *record)
{
    return record->directory && !record->hide;
}

/* `upper` and `lower` tell of the same path. *descend: what `lower` has beneath it counts. */
static struct tree_record combine_records(const struct tree_record *upper,
                                          const struct tree_record *lower, bool *descend)
{
    struct tree_record record = *upper;
    *descend = false;
    if (!shows_below(upper))
        return record;
    if (!lower->directory) {
        record.hide = true;
        return record;
    }
    *descend = !upper->opaque;
    if (!record.entry && lower->entry) {
        record.entry = lower->entry;
        record.layer = lower->layer;
    }
    record.hide = lower->hide;
    record.opaque = upper->opaque || lower->opaque;
    return record;
}

struct tree_index *tree_index_merge(const struct tree_index *upper, const struct tree_index *lower)
{
    struct tree_index *index = NEW(struct tree_index);
    AUTO(appender_release) struct appender to = { .index = index };
    size_t i = 0, j = 0;
    while (i < upper->n_records || j < lower->n_records) {
        const struct tree_record *u = &upper->records[i], *l = &lower->records[j];
        int order = i == upper->n_records   ? 1
                    : j == lower->n_records ? -1
                                            : path_compare(u->path, l->path);
        struct tree_record record = order > 0 ? *l : *u;
        bool descend = true;
        if (order == 0)
            record = combine_records(u, l, &descend);
        i += order <= 0;
        if (order >= 0)
            j = descend ? j + 1 : l->end;
        close_until(&to, record.path);
        append(&to, &record, 0);
    }
    close_until(&to, NULL);
    return index;
}

/* Order of the component at `record` against name[0..size): path_compare()'s. */
static int compare_component(const char *record, const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char a = (unsigned char)record[i], b = (unsigned char)name[i];
        if (a == '\0' || a == '/')
            return -1;
        if (a != b)
            return a < b ? -1 : 1;
    }
    return record[size] == '\0' ? 0 : 1; /* beneath it, or another that begins like it */
}

const struct tree_record *tree_index_child(const struct tree_index *index,
                                           const struct tree_record *parent, const char *name,
                                           size_t size)
{
    size_t known = strlen(parent->path);
    known += known > 0;
    size_t low = (size_t)(parent - index->records) + 1, high = parent->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct tree_record *record = &index->records[middle];
        int order = compare_component(record->path + known, name, size);
        if (order == 0)
            return record;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
