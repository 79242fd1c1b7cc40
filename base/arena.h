/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many small things that go away together: memory that is only given out, in blocks that grow from
 * 1 to 256 KiB, or, where they come from a spill's files, of 1 MiB. A thing stays where it is until
 * the arena is released. Not thread-safe.
 *
 *     AUTO(arena_release) struct arena arena = ARENA_INIT;
 *     const char *name = arena_text(&arena, entry->d_name, strlen(entry->d_name));
 */
#ifndef CBUILD_BASE_ARENA_H
#define CBUILD_BASE_ARENA_H

#include "base/auto.h"
#include "base/spill.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    char *at, *end;      /* what is free of the last one */
    struct spill *spill; /* that blocks come from, borrowed; NULL: ordinary memory */
};

#define ARENA_INIT                                                                                 \
    {                                                                                              \
        NULL, NULL, NULL, NULL                                                                     \
    }

/* It keeps its spill. */
void arena_release(struct arena *arena);
DEFINE_AUTO_STRUCT(struct arena, arena_release)

/* Zeroed, aligned for any struct. */
void *arena_alloc(struct arena *arena, size_t size) WARN_UNUSED;
/* Room for `size` bytes of text, neither aligned nor zeroed. */
char *arena_room(struct arena *arena, size_t size) WARN_UNUSED;
/* A copy of `size` bytes, terminated. */
char *arena_text(struct arena *arena, const char *text, size_t size) WARN_UNUSED;

#endif
