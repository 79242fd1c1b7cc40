/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/nft.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void names_tell_whose_a_table_is(void **state UNUSED)
{
    char name[NFT_NAME_SIZE];
    long pid;
    unsigned long long start, namespace;
    nft_format_name(name, 4194304, 18446744073709551615ull, 4026531836ull);
    assert_string_equal(name, "cbuild-4194304-18446744073709551615-4026531836");
    assert_true(nft_parse_name(name, &pid, &start, &namespace));
    assert_int_equal(pid, 4194304);
    assert_true(start == 18446744073709551615ull);
    assert_true(namespace == 4026531836ull);
}

static void names_of_others_are_let_alone(void **state UNUSED)
{
    static const char *const others[] = {
        "",
        "cbuild",
        "cbuild-",
        "cbuild-1",
        "cbuild-1-2",
        "cbuild-1-2-",
        "cbuild-0-2-3",
        "cbuild--1-2-3",
        "cbuild-1-2-3x",
        "cbuild-01-2-3",
        "cbuild-mine",
        "xcbuild-1-2-3",
        "cbuild-1-2-3-4",
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        long pid;
        unsigned long long start, namespace;
        assert_false(nft_parse_name(others[i], &pid, &start, &namespace));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_whose_a_table_is),
        cmocka_unit_test(names_of_others_are_let_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
