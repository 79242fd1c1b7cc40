/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/owner_name.h"

#include "base/mem.h"
#include "tests/unit/test.h"

#include <sys/wait.h>
#include <unistd.h>

static void names_tell_whose_a_thing_is(void **state UNUSED)
{
    static const char *const names[] = {
        "cbuild-4194304-18446744073709551615-4026531836",
        "cbuild-4194304-18446744073709551615-4026531836-",
        "cbuild-4194304-18446744073709551615-4026531836-17",
    };
    const struct owner owner = { 4194304, 18446744073709551615ull, 4026531836ull };
    char name[OWNER_NAME_SIZE];
    owner_format(&owner, name);
    assert_string_equal(name, names[0]);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct owner parsed;
        assert_true(owner_parse(names[i], &parsed));
        assert_int_equal(parsed.pid, owner.pid);
        assert_true(parsed.start == owner.start);
        assert_true(parsed.pid_namespace == owner.pid_namespace);
    }
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
        "cbuild-+1-2-3",
        "cbuild- 1-2-3",
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct owner owner;
        assert_false(owner_parse(others[i], &owner));
        assert_false(owner_is_dead(others[i]));
    }
}

static void a_process_is_dead_when_it_is_gone_or_its_pid_is_anothers(void **state UNUSED)
{
    char name[OWNER_NAME_SIZE];
    struct owner owner = owner_self();
    owner_format(&owner, name);
    assert_false(owner_is_dead(name));
    owner.start++; /* the pid came again */
    owner_format(&owner, name);
    assert_true(owner_is_dead(name));
    owner.pid_namespace++; /* who knows */
    owner_format(&owner, name);
    assert_false(owner_is_dead(name));
    owner = owner_self();
    owner.pid = fork();
    if (!owner.pid)
        _exit(0);
    assert_int_equal(waitpid((pid_t)owner.pid, NULL, 0), owner.pid);
    owner_format(&owner, name);
    assert_true(owner_is_dead(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_whose_a_thing_is),
        cmocka_unit_test(names_of_others_are_let_alone),
        cmocka_unit_test(a_process_is_dead_when_it_is_gone_or_its_pid_is_anothers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
