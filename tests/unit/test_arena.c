/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/mem.h"
#include "tests/unit/memory_growth.h"
#include "tests/unit/temp_dir.h"

#include <stdint.h>

#define MANY 5000

static void what_was_given_out_stays(void **state UNUSED)
{
    AUTO(arena_release) struct arena arena = ARENA_INIT;
    char *texts[MANY];
    uint64_t *numbers[MANY];
    for (size_t i = 0; i < MANY; i++) {
        AUTO(free) char *text = xasprintf("text %zu, %.*s", i, (int)(i % 7), "xxxxxxx");
        texts[i] = arena_text(&arena, text, strlen(text));
        numbers[i] = arena_alloc(&arena, sizeof(*numbers[i]) * (i % 3 + 1));
        assert_int_equal((uintptr_t)numbers[i] % _Alignof(max_align_t), 0);
        assert_int_equal(*numbers[i], 0);
        *numbers[i] = i;
    }
    for (size_t i = 0; i < MANY; i++) {
        AUTO(free) char *text = xasprintf("text %zu, %.*s", i, (int)(i % 7), "xxxxxxx");
        assert_string_equal(texts[i], text);
        assert_int_equal(*numbers[i], i);
    }
}

static void large_things_get_a_block_of_their_own(void **state UNUSED)
{
    AUTO(arena_release) struct arena arena = ARENA_INIT;
    static const size_t sizes[] = { 0, 1, 1024, 1025, 1 << 20, 3 };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *room = arena_room(&arena, sizes[i]);
        if (sizes[i])
            memset(room, 'x', sizes[i]);
    }
    arena_release(&arena); /* and can be used again */
    assert_string_equal(arena_text(&arena, "abc", 2), "ab");
}

static void released_it_keeps_its_spill(void **state UNUSED)
{
    struct spill spill = SPILL_INIT(-1, 0);
    AUTO(arena_release) struct arena arena = { .spill = &spill };
    for (int i = 0; i < 2; i++) {
        assert_string_equal(arena_text(&arena, "abc", 3), "abc");
        assert_true(spill.in_memory > 0);
        arena_release(&arena);
        assert_int_equal(spill.in_memory, 0);
    }
}

/* Each is a file, and a mapping: of these a process has 65,530. */
static void blocks_from_files_are_of_a_mebibyte(void **state)
{
    const struct temp_dir *dir = *state;
    const size_t mib = (size_t)1 << 20;
    struct spill spill = SPILL_INIT(dir->fd, mib);
    AUTO(arena_release) struct arena arena = { .spill = &spill };
    for (size_t i = 0; i < 8 * mib / 1000; i++) {
        size_t before = spill.in_files;
        *arena_room(&arena, 1000) = 'x';
        size_t block = spill.in_files - before;
        assert_true(block == 0 || block >= mib);
    }
    if (memory_has_files(dir->fd, 64 * mib))
        assert_true(spill.in_files > 4 * mib);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_out_stays),
        cmocka_unit_test(large_things_get_a_block_of_their_own),
        cmocka_unit_test(released_it_keeps_its_spill),
        TEMP_DIR_TEST(blocks_from_files_are_of_a_mebibyte),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
