/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_chown.h"

#include "tests/unit/copy_fixture.h"

#define ETC "d etc - - -\n"
#define PASSWD "f etc/passwd - - - guest:x:405:100::/:/bin/sh\n"
#define GROUP "f etc/group - - - users:x:100:\n"

static void names_are_the_stages_and_unknown_ones_fail(void **state)
{
    static const struct {
        const char *spec, *below; /* below NULL: --link */
        unsigned uid, gid;
        const char *error, *hint;
    } cases[] = {
        { "7:8", "", 7, 8, NULL, NULL },
        { "7", "", 7, 7, NULL, NULL },
        { "guest", ETC PASSWD GROUP, 405, 100, NULL, NULL },
        { "guest", ETC PASSWD, 405, 100, NULL, NULL },
        { "guest:users", ETC PASSWD GROUP, 405, 100, NULL, NULL },
        { "guest:9", ETC PASSWD GROUP, 405, 9, NULL, NULL },
        { "9:users", ETC PASSWD GROUP, 9, 100, NULL, NULL },
        { "gest", ETC PASSWD GROUP, 0, 0, "--chown: user gest: not in /etc/passwd",
          "/etc/passwd has guest" },
        { "guest:user", ETC PASSWD GROUP, 0, 0, "--chown: group user: not in /etc/group",
          "/etc/group has users" },
        { "guest:users", ETC PASSWD, 0, 0,
          "--chown: group users: there is no /etc/group to look it up", NULL },
        { "guest", "", 0, 0, "--chown: user guest: there is no /etc/passwd to look it up", NULL },
        { "7:8", NULL, 7, 8, NULL, NULL },
        { "guest", NULL, 0, 0, "--chown=guest: with --link only numbers",
          "write the ids, as in --chown=1000:1000, or leave out --link" },
        { "7:users", NULL, 0, 0, "--chown=7:users: with --link only numbers",
          "write the ids, as in --chown=1000:1000, or leave out --link" },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(tree_unref) struct tree *below = NULL;
        if (cases[i].below)
            below = *cases[i].below ? fixture_tree(fixture, NULL, cases[i].below)
                                    : tree_new(fixture->store);
        struct copy_owner owner = { 0, 0 };
        AUTO(error_free) struct error *err = NULL;
        int result = copy_chown_resolve(cases[i].spec, below, &owner, &err);
        if ((result < 0) != (cases[i].error != NULL))
            fail_msg("%s: %s", cases[i].spec, err ? error_message(err) : "succeeded");
        if (result < 0) {
            assert_non_null(strstr(error_message(err), cases[i].error));
            const char *hint = error_hint_text(err);
            assert_string_equal(hint ? hint : "", cases[i].hint ? cases[i].hint : "");
        }
        assert_int_equal(owner.uid, cases[i].uid);
        assert_int_equal(owner.gid, cases[i].gid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(names_are_the_stages_and_unknown_ones_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
