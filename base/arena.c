/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_LEAST ((size_t)1 << 10)
#define BLOCK_MOST ((size_t)256 << 10)
#define BLOCK_IN_FILE ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t size;
    max_align_t data[];
};

void arena_release(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        spill_free(arena->spill, block);
    }
    *arena = (struct arena){ .spill = arena->spill };
}

static void add_block(struct arena *arena, size_t size)
{
    size_t last = arena->blocks ? arena->blocks->size : 0;
    size_t usual = !last ? BLOCK_LEAST : last < BLOCK_MOST ? last * 2 : BLOCK_MOST;
    if (usual == BLOCK_MOST && spill_is_full(arena->spill, BLOCK_MOST))
        usual = BLOCK_IN_FILE;
    if (size < usual)
        size = usual;
    struct arena_block *block = spill_alloc(arena->spill, sizeof(*block) + size);
    block->next = arena->blocks;
    block->size = size < BLOCK_MOST ? size : BLOCK_MOST; /* one large thing says nothing */
    arena->blocks = block;
    arena->at = (char *)block->data;
    arena->end = arena->at + size;
}

char *arena_room(struct arena *arena, size_t size)
{
    if (size > (size_t)(arena->end - arena->at))
        add_block(arena, size);
    char *room = arena->at;
    arena->at += size;
    return room;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t skip = -(uintptr_t)arena->at % _Alignof(max_align_t);
    if (arena->at && skip <= (size_t)(arena->end - arena->at))
        arena->at += skip;
    else
        arena->at = arena->end; /* a new block is aligned */
    return memset(arena_room(arena, size), 0, size);
}

char *arena_text(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_room(arena, size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}
