/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/rune.h"

#include "tests/unit/test.h"

static void utf8_is_decoded_strictly(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint32_t rune;
        size_t size;
    } cases[] = {
        { "a", 'a', 1 },
        { "\u00e9", 0xe9, 2 },
        { "\u2665", 0x2665, 3 },
        { "\U0001f600", 0x1f600, 4 },
        { "\xc3", RUNE_ERROR, 1 },             /* cut short */
        { "\xc0\x80", RUNE_ERROR, 1 },         /* overlong */
        { "\xe0\x80\x80", RUNE_ERROR, 1 },     /* overlong */
        { "\xed\xa0\x80", RUNE_ERROR, 1 },     /* surrogate */
        { "\xf4\x90\x80\x80", RUNE_ERROR, 1 }, /* beyond Unicode */
        { "\x80", RUNE_ERROR, 1 },
        { "", 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t rune = 0;
        assert_int_equal(rune_decode(cases[i].text, strlen(cases[i].text), &rune), cases[i].size);
        assert_int_equal(rune, cases[i].rune);
    }
}

static void characters_are_classed(void **state UNUSED)
{
    static const uint32_t spaces[] = { ' ', '\t', '\n', '\r', 0x85, 0xa0, 0x2003, 0x3000 };
    static const uint32_t letters[] = { 'a', 'Z', 0xe9, 0x3b1, 0x444, 0xd55c, 0x4e2d };
    static const uint32_t others[] = { '0', '_', '-', 0xd7, 0x2014, 0x2665, 0x1f600, 0x3002 };
    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++)
        assert_true(rune_is_space(spaces[i]));
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        assert_true(rune_is_letter(letters[i]) && !rune_is_space(letters[i]));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(rune_is_letter(others[i]) || rune_is_space(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_decoded_strictly),
        cmocka_unit_test(characters_are_classed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
