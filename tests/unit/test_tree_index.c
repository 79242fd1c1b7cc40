/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tree_index.h"

#include "base/array.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

/* "d a", "f a/b", "w a" (whiteout), "o a" (opaque): entries, separated by commas */
static void parse_list(const char *text, struct entry_list *list)
{
    AUTO(free) char *copy = xstrdup(text);
    for (char *p = copy, *end; p && *p; p = end) {
        end = strchr(p, ',');
        if (end)
            *end++ = '\0';
        struct entry *entry = ARRAY_PUSH(list, entries);
        entry->type = *p == 'd'   ? ENTRY_DIRECTORY
                      : *p == 'w' ? ENTRY_WHITEOUT
                      : *p == 'o' ? ENTRY_OPAQUE
                                  : ENTRY_FILE;
        entry->path = xstrdup(p + 2);
    }
}

/* The index in one line: per record its path, "/" directory, "=" named, "!" hide, "*" opaque. */
static char *describe(const struct tree_index *index)
{
    struct strbuf buf = STRBUF_INIT;
    for (size_t i = 1; i < index->n_records; i++) {
        const struct tree_record *r = &index->records[i];
        strbuf_addf(&buf, "%s%s%s%s%s%s", i > 1 ? " " : "", r->path, r->directory ? "/" : "",
                    r->entry ? "=" : "", r->hide ? "!" : "", r->opaque ? "*" : "");
    }
    return strbuf_detach(&buf);
}

static const struct {
    const char *list, *index;
} cases[] = {
    { "", "" },
    { "d a,f a/b", "a/= a/b=!" },
    { "f a/b/c", "a/ a/b/ a/b/c=!" },
    { "f a/b,d a", "a/= a/b=!" },
    { "f b,f a,f a-b,d a/c", "a/! a/c/= a-b=! b=!" },
    { "d ,f x", "x=!" },
    { "w a", "a!" },
    { "w d/e/a", "d/ d/e/ d/e/a!" },
    { "o d", "d/*" },
    { "o ,f x", "x=!" },
    { "w a,d a,f a/b", "a/=! a/b=!" },
    { "d a,f a/b,w a", "a/=! a/b=!" },
    { "w a,f a/b", "a/! a/b=!" },
    { "w a,f a", "a=!" },
    { "f a,w a", "a=!" },
    { "f a,f a", "a=!" },
    { "f a,d a", "a/=!" },
    { "d a,f a/b,f a", "a=!" },
    { "d a,f a/b,f a,d a", "a/=!" },
    { "d a,f a/b,f a,f a/c", "a/! a/c=!" },
    { "f a,f a/b/c,f a/b", "a/! a/b=!" },
    { "d a,d a/b,f a/b/c,f a,f a/b", "a/! a/b=!" },
};

static void entries_combine_in_their_order(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
        parse_list(cases[i].list, &list);
        AUTO(tree_index_free) struct tree_index *index = tree_index_new(&list, 0);
        AUTO(free) char *text = describe(index);
        assert_string_equal(text, cases[i].index);
        assert_string_equal(index->records[0].path, "");
        assert_int_equal(index->records[0].end, index->n_records);
    }
}

static const struct {
    const char *upper, *lower, *index;
} merges[] = {
    { "f a", "f b", "a=! b=!" },
    { "f d/x", "d d,f d/y", "d/= d/x=! d/y=!" },
    { "w d/y", "d d,f d/y", "d/= d/y!" },
    { "w d", "d d,f d/y", "d!" },
    { "w d,d d,f d/x", "d d,f d/y", "d/=! d/x=!" },
    { "o d,f d/x", "d d,f d/y", "d/=* d/x=!" },
    { "f d", "d d,f d/y", "d=!" },
    { "d d", "f d", "d/=!" },
    { "f d/x", "w d", "d/! d/x=!" },
    { "f d/x", "w d,d d,f d/y", "d/=! d/x=! d/y=!" },
    { "", "f a", "a=!" },
    { "f a", "", "a=!" },
};

static void layers_merge(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(merges); i++) {
        AUTO(entry_list_release) struct entry_list upper = ENTRY_LIST_INIT, lower = ENTRY_LIST_INIT;
        parse_list(merges[i].upper, &upper);
        parse_list(merges[i].lower, &lower);
        AUTO(tree_index_free) struct tree_index *u = tree_index_new(&upper, 1);
        AUTO(tree_index_free) struct tree_index *l = tree_index_new(&lower, 0);
        AUTO(tree_index_free) struct tree_index *merged = tree_index_merge(u, l);
        AUTO(free) char *text = describe(merged);
        assert_string_equal(text, merges[i].index);
    }
}

static void children_are_found(void **state UNUSED)
{
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    parse_list("f a/b/c,f a/b-c,f a/bc,f a/B,f ab,f a/b/d/e", &list);
    AUTO(tree_index_free) struct tree_index *index = tree_index_new(&list, 0);
    const struct tree_record *a = tree_index_child(index, &index->records[0], "a", 1);
    assert_non_null(a);
    assert_string_equal(a->path, "a");
    static const char *const names[] = { "b", "b-c", "bc", "B" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct tree_record *child = tree_index_child(index, a, names[i], strlen(names[i]));
        assert_non_null(child);
        assert_string_equal(child->path + 2, names[i]);
    }
    assert_null(tree_index_child(index, a, "c", 1));
    assert_null(tree_index_child(index, a, "b/c", 3));
    assert_null(tree_index_child(index, &index->records[0], "b", 1));
}

/* A slow model of the same rules: layers as lists of paths, changed one entry after the other. */

#define MODEL_MAX 64

struct model {
    struct model_path {
        char path[16];
        const struct entry *entry;
        bool directory, hide, opaque;
    } paths[MODEL_MAX];
    size_t n;
};

static struct model_path *model_find(struct model *model, const char *path)
{
    for (size_t i = 0; i < model->n; i++)
        if (strcmp(model->paths[i].path, path) == 0)
            return &model->paths[i];
    return NULL;
}

static struct model_path *model_get(struct model *model, const char *path)
{
    struct model_path *found = model_find(model, path);
    if (found)
        return found;
    assert_true(model->n < MODEL_MAX);
    found = &model->paths[model->n++];
    memset(found, 0, sizeof(*found));
    (void)snprintf(found->path, sizeof(found->path), "%s", path);
    return found;
}

static void model_remove_children(struct model *model, const char *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->n; i++)
        if (strcmp(model->paths[i].path, path) == 0 || !path_is_within(model->paths[i].path, path))
            model->paths[kept++] = model->paths[i];
    model->n = kept;
}

static void model_mkdirs(struct model *model, const char *path)
{
    if (path[0]) {
        AUTO(free) char *parent = path_dir(path);
        model_mkdirs(model, parent);
    }
    struct model_path *at = model_get(model, path);
    if (!at->directory) {
        at->hide |= at->entry != NULL;
        at->entry = NULL;
        at->directory = true;
    }
}

static void model_apply(struct model *model, const struct entry *entry)
{
    AUTO(free) char *parent = path_dir(entry->path);
    model_mkdirs(model, parent);
    if (entry->type == ENTRY_WHITEOUT) {
        model_get(model, entry->path)->hide = true;
    } else if (entry->type == ENTRY_FILE) {
        model_remove_children(model, entry->path);
        struct model_path *at = model_get(model, entry->path);
        at->entry = entry;
        at->directory = false;
        at->hide = true;
    } else {
        model_mkdirs(model, entry->path);
        struct model_path *at = model_get(model, entry->path);
        at->opaque |= entry->type == ENTRY_OPAQUE;
        if (entry->type == ENTRY_DIRECTORY)
            at->entry = entry;
    }
}

/* 'd', 'f' or 0, and the entry, of a path in a stack of models; [0] is the top. */
static char model_look(struct model *models, size_t n, const char *path, const struct entry **entry)
{
    char found = 0;
    *entry = NULL;
    for (size_t i = 0; i < n; i++) {
        struct model_path *at = model_find(&models[i], path);
        if (at && at->directory) {
            found = 'd';
            *entry = *entry ? *entry : at->entry;
        } else if (at && at->entry) {
            if (!found) {
                *entry = at->entry;
                found = 'f';
            }
        }
        if (at && at->hide)
            break;
        AUTO(free) char *parent = xstrdup(path);
        bool hidden = false;
        while (parent[0] && !hidden) {
            char *up = path_dir(parent);
            free(parent);
            parent = up;
            const struct model_path *above = model_find(&models[i], parent);
            hidden = above && (above->hide || above->opaque);
        }
        if (hidden)
            break;
    }
    return found;
}

static char index_look(const struct tree_index *index, const char *path, const struct entry **entry)
{
    const struct tree_record *record = &index->records[0];
    for (const char *p = path; record && *p; p += *p == '/') {
        size_t size = strcspn(p, "/");
        record = tree_index_child(index, record, p, size);
        p += size;
    }
    *entry = record ? record->entry : NULL;
    if (!record || (!record->directory && !record->entry))
        return 0;
    return record->directory ? 'd' : 'f';
}

static void random_list(struct entry_list *list)
{
    static const char *const paths[] = { "a",     "b",     "a/a",   "a/b", "b/a",     "a/a/a",
                                         "a/a/b", "a/b/a", "b/a/a", "a-",  "a/a/a/a", "" };
    static const enum entry_type types[] = { ENTRY_FILE, ENTRY_DIRECTORY, ENTRY_DIRECTORY,
                                             ENTRY_WHITEOUT, ENTRY_OPAQUE };
    for (int n = rand() % 7; n > 0; n--) {
        const char *path = paths[(size_t)rand() % ARRAY_SIZE(paths)];
        enum entry_type type = types[(size_t)rand() % ARRAY_SIZE(types)];
        if (!path[0] && type != ENTRY_OPAQUE)
            type = ENTRY_DIRECTORY;
        struct entry *entry = ARRAY_PUSH(list, entries);
        entry->path = xstrdup(path);
        entry->type = type;
    }
}

static void compare_with_model(const struct tree_index *index, struct model *models, size_t n)
{
    static const char *const asked[] = { "",      "a",       "b",     "a-",    "a/a",
                                         "a/b",   "b/a",     "a/a/a", "a/a/b", "a/b/a",
                                         "b/a/a", "a/a/a/a", "c" };
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        const struct entry *expected = NULL, *found = NULL;
        char a = model_look(models, n, asked[i], &expected);
        char b = index_look(index, asked[i], &found);
        if (!asked[i][0])
            a = 'd';
        if (a != b || expected != found)
            fail_msg("\"%s\": '%c' %p, expected '%c' %p", asked[i], b ? b : '-',
                     (const void *)found, a ? a : '-', (const void *)expected);
    }
}

static void agrees_with_a_slow_model(void **state UNUSED)
{
    enum { LAYERS = 4 };
    srand(7);
    for (int round = 0; round < 20000; round++) {
        struct entry_list lists[LAYERS] = { 0 };
        struct tree_index *indexes[LAYERS], *merged[LAYERS] = { NULL };
        static struct model models[LAYERS];
        memset(models, 0, sizeof(models));
        for (size_t i = 0; i < LAYERS; i++) {
            random_list(&lists[i]);
            struct model *model = &models[LAYERS - 1 - i];
            for (size_t e = 0; e < lists[i].n_entries; e++)
                model_apply(model, &lists[i].entries[e]);
            indexes[i] = tree_index_new(&lists[i], (uint32_t)i);
            compare_with_model(indexes[i], model, 1);
        }
        /* from the bottom, and in pairs */
        merged[0] = tree_index_merge(indexes[1], indexes[0]);
        merged[1] = tree_index_merge(indexes[2], merged[0]);
        merged[2] = tree_index_merge(indexes[3], indexes[2]);
        merged[3] = tree_index_merge(merged[2], merged[0]);
        compare_with_model(merged[1], models + 1, 3);
        compare_with_model(merged[3], models, 4);
        for (size_t i = 0; i < LAYERS; i++) {
            tree_index_free(merged[i]);
            tree_index_free(indexes[i]);
            entry_list_release(&lists[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_combine_in_their_order),
        cmocka_unit_test(layers_merge),
        cmocka_unit_test(children_are_found),
        cmocka_unit_test(agrees_with_a_slow_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
