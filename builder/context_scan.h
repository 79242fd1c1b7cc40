/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at the directories of a context, ahead of a walk that tells of them, by several threads
 * where there are many. What the walk sees is the same with any number of threads, errors included:
 * an error stands with its directory until the walk comes there.
 *
 *     AUTO(scan_free) struct scan *scan = scan_new(context, path);
 *     const struct scan_dir *dir = scan_root(scan);
 *     if (scan_await(scan, dir, err) < 0) ...
 *     for each number in dir->seen: its entry; a directory's own scan_dir is the next of
 *         dir->children; scan_drop() those that aren't entered, scan_leave() the others at the end
 *
 * One thread calls. Internal to context_*.c.
 */
#ifndef CBUILD_BUILDER_CONTEXT_SCAN_H
#define CBUILD_BUILDER_CONTEXT_SCAN_H

#include "builder/context.h"
#include "builder/pattern.h"

struct scan;
struct shared_fd;

enum scan_state { SCAN_WAITING, SCAN_TAKEN, SCAN_DONE };

struct scan_dir {
    const char *path; /* the context's; "" is the root */
    bool is_excluded; /* by the rules, but something below it may not be */
    uint64_t *seen;   /* numbers of the context, in order; what the rules hide is absent */
    size_t n_seen, seen_capacity;
    struct scan_dir *children; /* of the directories among them */
    size_t n_children, children_capacity;

    /* the scan's own */
    struct scan_dir *previous, *next; /* of those that nobody is through with */
    enum scan_state state;
    struct pattern_state matches; /* for its children; none at the root */
    struct shared_fd *above;      /* the directory that it is in, while that is open */
    struct error *error;
};

struct scan *scan_new(struct context *context, const char *path);
/* Waits for threads that look at something. */
void scan_free(struct scan *scan);
DEFINE_AUTO(struct scan, scan_free)

struct scan_dir *scan_root(struct scan *scan);
/* Until it was looked at; the error that was met. */
int scan_await(struct scan *scan, struct scan_dir *dir, struct error **err) WARN_UNUSED;
/* Nobody will ask for what is below it. */
void scan_drop(struct scan *scan, struct scan_dir *dir);
/* All of it was told, or dropped. */
void scan_leave(struct scan_dir *dir);

/* Which patterns match the directory `path`, for its children; "" is the root: none. */
void scan_matches_of(const struct pattern_list *patterns, const char *path,
                     struct pattern_state *ret);

#endif
