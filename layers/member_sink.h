/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a layer's tar into members and compresses them on all cores, in order, in
 * bounded memory. docs/FORMAT.md, "Members", version 1:
 *
 * A new member begins
 * - before an entry, when the current one has at least 512 KiB and the hash of the
 *   entry's path says so (1 in 64), so that one changed file changes one or two members;
 * - at 4 MiB, also inside an entry.
 *
 * So the bytes depend on the input alone, never on threads.
 */
#ifndef CBUILD_LAYERS_MEMBER_SINK_H
#define CBUILD_LAYERS_MEMBER_SINK_H

#include "base/pool.h"
#include "base/sink.h"
#include "layers/compress.h"
#include "layers/member_cache.h"

struct member_list {
    struct member *members;
    size_t n_members, members_capacity;
};

struct member_options {
    struct compression compression;
    /*
     * Where helpers are submitted. NULL: everything is done by the writer, who also helps when
     * no worker is free: so the writer may itself be a task of that pool.
     */
    struct pool_group *group;
    unsigned n_threads; /* of its pool: 4 MiB of members for each are in memory, 12 MiB at most, and
                           the one that is filled */
    const struct member_cache
        *cache; /* compressed members that are there already, or NULL; borrowed */
};

/*
 * Owns next, which is written to by any thread, one at a time. `list` (borrowed) is filled in
 * order; complete after finish.
 */
struct sink *member_sink_new(struct sink *next, const struct member_options *options,
                             struct member_list *list);
/* The bytes that follow are those of the entry with this path. */
int member_sink_entry(struct sink *sink, const char *path, struct error **err) WARN_UNUSED;

#endif
