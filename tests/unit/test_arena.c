/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/mem.h"
#include "tests/unit/test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_out_stays),
        cmocka_unit_test(large_things_get_a_block_of_their_own),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
