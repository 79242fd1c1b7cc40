/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"
#include "tests/unit/test.h"

static void nearest_within_a_third(void **state UNUSED)
{
    static const char *const words[] = { "FROM", "RUN", "COPY", "ADD", "ENTRYPOINT", "WORKDIR" };
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        { "FORM", "FROM" },
        { "from", "FROM" },
        { "RUM", "RUN" },
        { "CPOY", "COPY" },
        { "ENTRYPIONT", "ENTRYPOINT" },
        { "ENTRYPNT", "ENTRYPOINT" },
        { "WRKDR", NULL },
        { "XYZ", NULL },
        { "", NULL },
        { "WORKDI", "WORKDIR" },
        { "AD", "ADD" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *nearest = suggest_nearest(cases[i].word, words, ARRAY_SIZE(words));
        if (cases[i].nearest)
            assert_string_equal(nearest ? nearest : "(none)", cases[i].nearest);
        else
            assert_null(nearest);
    }
}

static void first_wins_a_tie_and_long_words_are_ignored(void **state UNUSED)
{
    static const char *const words[] = { "cat", "bat" };
    assert_string_equal(suggest_nearest("rat", words, 2), "cat");
    assert_null(suggest_nearest("rat", NULL, 0));
    char word[1000];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    const char *const same[] = { word };
    assert_null(suggest_nearest(word, same, 1));
    assert_null(suggest_nearest("a", same, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_within_a_third),
        cmocka_unit_test(first_wins_a_tie_and_long_words_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
