/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts and trees from a few lines, and a COPY's changeset as lines, so that a test is what goes
 * in and what comes out. A line:
 *
 *     TYPE PATH MODE OWNER MTIME [REST]
 *
 * TYPE f (REST: content), d, l (REST: target), h (hard link, REST: path), p, c (REST: major,minor),
 * w (whiteout). MTIME "now" is FIXTURE_NOW. Where a value doesn't matter, "-".
 */
#ifndef CBUILD_TESTS_UNIT_COPY_FIXTURE_H
#define CBUILD_TESTS_UNIT_COPY_FIXTURE_H

#include "builder/context.h"
#include "builder/copy.h"
#include "builder/dockerignore.h"
#include "layers/layer.h"
#include "layers/tree.h"
#include "tests/unit/store_fixture.h"

#include <sys/sysmacros.h>
#include <sys/wait.h>

#define FIXTURE_NOW 1700000000
#define FIXTURE_OLD 1600000000 /* mtime "-" */

struct line {
    char type;
    char path[512];
    unsigned mode, uid, gid;
    int64_t mtime;
    char rest[512];
};

/* The next line, or false; *text moves on. */
static inline bool line_next(const char **text, struct line *ret)
{
    while (**text == '\n')
        (*text)++;
    if (!**text)
        return false;
    char mode[16], owner[32], mtime[32];
    size_t n = strcspn(*text, "\n");
    AUTO(free) char *copy = xstrndup(*text, n);
    *text += n;
    ret->rest[0] = '\0';
    if (sscanf(copy, "%c %511s %15s %31s %31s %511[^\n]", &ret->type, ret->path, mode, owner, mtime,
               ret->rest) < 5)
        fail_msg("fixture line: %s", copy);
    ret->mode =
        mode[0] == '-' ? (ret->type == 'd' ? 0755 : 0644) : (unsigned)strtoul(mode, NULL, 8);
    ret->uid = ret->gid = 0;
    if (owner[0] != '-')
        assert_int_equal(sscanf(owner, "%u:%u", &ret->uid, &ret->gid), 2);
    ret->mtime = strcmp(mtime, "now") == 0 ? FIXTURE_NOW
                 : strcmp(mtime, "-") == 0 ? FIXTURE_OLD
                                           : strtoll(mtime, NULL, 10);
    return true;
}

static inline void disk_make(int dir_fd, const struct line *line)
{
    switch (line->type) {
    case 'd':
        assert_int_equal(mkdirat(dir_fd, line->path, 0755), 0);
        break;
    case 'f': {
        AUTO(close) int fd = openat(dir_fd, line->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, line->rest, strlen(line->rest)), strlen(line->rest));
        break;
    }
    case 'l':
        assert_int_equal(symlinkat(line->rest, dir_fd, line->path), 0);
        break;
    case 'h':
        assert_int_equal(linkat(dir_fd, line->rest, dir_fd, line->path, 0), 0);
        break;
    case 'p':
        assert_int_equal(mkfifoat(dir_fd, line->path, 0600), 0);
        break;
    default:
        fail_msg("fixture type %c", line->type);
    }
    if (line->type != 'l' && line->type != 'h')
        assert_int_equal(fchmodat(dir_fd, line->path, line->mode, 0), 0);
    /* a context's owner is not looked at: as whoever runs the test */
}

static inline void disk_set_time(int dir_fd, const struct line *line)
{
    struct timespec times[2] = { { line->mtime, 500000000 }, { line->mtime, 500000000 } };
    assert_int_equal(utimensat(dir_fd, line->path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Files on disk, in a new directory of the fixture; free() the path. */
static inline char *fixture_disk(struct fixture *fixture, const char *name, const char *lines)
{
    char *path = xasprintf("%s/%s", fixture->dir, name);
    assert_int_equal(mkdir(path, 0755), 0);
    AUTO(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct line line;
    for (const char *at = lines; line_next(&at, &line);)
        disk_make(fd, &line);
    for (const char *at = lines; line_next(&at, &line);)
        if (line.type != 'd')
            disk_set_time(fd, &line);
    for (const char *at = lines; line_next(&at, &line);)
        if (line.type == 'd')
            disk_set_time(fd, &line);
    return path;
}

static inline struct context *fixture_context_at(struct fixture *fixture, const char *path,
                                                 const char *ignore_text)
{
    struct error *err = NULL;
    struct dockerignore *ignore = NULL;
    if (ignore_text)
        assert_ok(
            dockerignore_parse(".dockerignore", ignore_text, strlen(ignore_text), &ignore, &err),
            err);
    struct context *context = context_open(fixture->store, path, ignore, &err);
    assert_ok_ptr(context, err);
    return context;
}

static inline struct context *fixture_context(struct fixture *fixture, const char *lines,
                                              const char *ignore_text)
{
    AUTO(free) char *path = fixture_disk(fixture, "context", lines);
    return fixture_context_at(fixture, path, ignore_text);
}

/* --- trees --- */

struct texts {
    struct strvec items; /* content of entry->content - 1 */
};

static inline struct source *texts_open(void *data, const struct entry *entry,
                                        struct error **err UNUSED)
{
    const struct texts *texts = data;
    const char *text = texts->items.items[entry->content - 1];
    return source_memory_new(text, strlen(text));
}

static inline void texts_free(void *data)
{
    struct texts *texts = data;
    strvec_release(&texts->items);
    free(texts);
}

static const struct changeset_ops texts_ops = { texts_open, texts_free, NULL };

static inline void changeset_from_lines(const char *lines, struct changeset *ret)
{
    static const struct {
        char letter;
        enum entry_type type;
    } types[] = { { 'f', ENTRY_FILE },     { 'd', ENTRY_DIRECTORY }, { 'l', ENTRY_SYMLINK },
                  { 'h', ENTRY_HARDLINK }, { 'p', ENTRY_FIFO },      { 'c', ENTRY_CHAR },
                  { 'w', ENTRY_WHITEOUT } };
    struct texts *texts = NEW(struct texts);
    struct line line;
    for (const char *at = lines; line_next(&at, &line);) {
        struct entry *entry = ARRAY_PUSH(&ret->list, entries);
        entry->path = xstrdup(line.path);
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
            if (types[i].letter == line.type)
                entry->type = types[i].type;
        entry->mode = (uint16_t)line.mode;
        entry->uid = line.uid;
        entry->gid = line.gid;
        entry->mtime = line.mtime;
        if (line.type == 'c')
            assert_int_equal(sscanf(line.rest, "%u,%u", &entry->dev_major, &entry->dev_minor), 2);
        if (line.type == 'l' || line.type == 'h')
            entry->link = xstrdup(line.rest);
        if (line.type == 'f') {
            entry->size = strlen(line.rest);
            strvec_push(&texts->items, line.rest);
            entry->content = texts->items.n;
        }
    }
    entry_list_sort(&ret->list);
    ret->ops = &texts_ops;
    ret->data = texts;
}

/* Consumes the changeset and the parent's reference. */
static inline struct tree *fixture_push(struct fixture *fixture, struct tree *parent,
                                        struct changeset *changeset)
{
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(1);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    struct layer_options options = { .pool = pool, .group = group };
    AUTO(layer_unref) struct layer *layer = layer_make(fixture->store, &options, changeset, NULL);
    assert_ok_ptr(layer, err);
    assert_ok(pool_group_wait(group, &err), err);
    struct tree *tree = tree_push(parent, layer);
    tree_unref(parent);
    return tree;
}

static inline struct tree *fixture_tree(struct fixture *fixture, struct tree *parent,
                                        const char *lines)
{
    struct changeset changeset = CHANGESET_INIT;
    changeset_from_lines(lines, &changeset);
    return fixture_push(fixture, parent ? parent : tree_new(fixture->store), &changeset);
}

/* --- what comes out --- */

static inline void dump_content(const struct changeset *changeset, const struct entry *entry,
                                struct strbuf *out)
{
    struct error *err = NULL;
    AUTO(source_free) struct source *source = changeset->ops->open(changeset->data, entry, &err);
    assert_ok_ptr(source, err);
    strbuf_addc(out, ' ');
    assert_ok(source_read_all(source, out, 1 << 20, &err), err);
}

static inline void dump_entry(const struct changeset *changeset, const struct entry *entry,
                              struct strbuf *out)
{
    static const char letters[] = {
        [ENTRY_FILE] = 'f',     [ENTRY_DIRECTORY] = 'd', [ENTRY_SYMLINK] = 'l',
        [ENTRY_HARDLINK] = 'h', [ENTRY_CHAR] = 'c',      [ENTRY_BLOCK] = 'b',
        [ENTRY_FIFO] = 'p',     [ENTRY_WHITEOUT] = 'w',  [ENTRY_OPAQUE] = 'o'
    };
    strbuf_addf(out, "%c %s", letters[entry->type], entry->path);
    if (entry->type == ENTRY_WHITEOUT || entry->type == ENTRY_HARDLINK) {
        strbuf_addf(out, "%s%s\n", entry->link ? " " : "", entry->link ? entry->link : "");
        return;
    }
    strbuf_addf(out, " %04o %u:%u ", entry->mode, entry->uid, entry->gid);
    if (entry->mtime == FIXTURE_NOW)
        strbuf_adds(out, "now");
    else if (entry->mtime == FIXTURE_OLD)
        strbuf_adds(out, "-");
    else
        strbuf_addf(out, "%lld", (long long)entry->mtime);
    if (entry->type == ENTRY_SYMLINK)
        strbuf_addf(out, " %s", entry->link);
    if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK)
        strbuf_addf(out, " %u,%u", entry->dev_major, entry->dev_minor);
    if (entry->type == ENTRY_FILE && entry->size)
        dump_content(changeset, entry, out);
    for (size_t i = 0; i < entry->n_xattrs; i++)
        strbuf_addf(out, " %s", entry->xattrs[i].name);
    strbuf_addc(out, '\n');
}

static inline char *changeset_dump(const struct changeset *changeset)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < changeset->list.n_entries; i++)
        dump_entry(changeset, &changeset->list.entries[i], &out);
    return strbuf_detach(&out);
}

/* The changeset is `layer`, or, where that is NULL, it was an error with that text. Clears *err. */
static inline void check_layer(const char *name, int result, const struct changeset *changeset,
                               const char *layer, const char *error, struct error **err)
{
    if (layer && result < 0)
        fail_msg("%s: %s", name, error_message(*err));
    if (layer) {
        AUTO(free) char *dump = changeset_dump(changeset);
        if (strcmp(dump, layer) != 0)
            fail_msg("%s: layer\n%sexpected\n%s", name, dump, layer);
    } else if (result == 0 || !strstr(error_message(*err), error)) {
        fail_msg("%s: %s; expected an error with \"%s\"", name,
                 result < 0 ? error_message(*err) : "succeeded", error);
    }
    error_clear(err);
}

#endif
