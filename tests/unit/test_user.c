/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/user.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "# a comment: not an entry:0:0\n"
                             "daemon:*:1:1::/usr/sbin:/bin/false\n"
                             "\n"
                             "short:x:5\n"
                             "negative:x:-1:0::/:\n"
                             "huge:x:4294967295:0::/:\n"
                             "minimal:x:7:8\n"
                             "alice:x:1000:1001:Alice,,,:/home/alice:/bin/sh\n"
                             "alice:x:9999:9999::/second:\n"
                             "uidtwin:x:1000:77::/twin:/bin/sh\n"
                             "last:x:2147483647:5::/last";
static const char group[] = "root:x:0:\n"
                            "wheel:x:10:alice,root\n"
                            "audio:x:29:bob,alice\n"
                            "again:x:10:alice\n"
                            "malice:x:30:malice,xalice,alicex\n"
                            "staff:x:50:\n"
                            "broken:x:ten:alice\n"
                            "bare:x:60\n";

static const struct user_files files = { passwd, sizeof(passwd) - 1, group, sizeof(group) - 1 };

static char *describe(const struct user *user)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "%u:%u %s", user->uid, user->gid, user->home);
    for (size_t i = 0; i < user->n_groups; i++)
        strbuf_addf(&text, "%c%u", i ? ',' : ' ', user->groups[i]);
    return strbuf_detach(&text);
}

static const struct {
    const char *spec, *expected, *error;
    enum error_code code;
} cases[] = {
    { "", "0:0 /root 0,10", NULL, 0 },
    { "root", "0:0 /root 0,10", NULL, 0 },
    { "0", "0:0 /root 0,10", NULL, 0 },
    { "alice", "1000:1001 /home/alice 10,29,1001", NULL, 0 },
    { "1000", "1000:1001 /home/alice 10,29,1001", NULL, 0 }, /* an id is looked up, too */
    { "1000:staff", "1000:50 /home/alice 50", NULL, 0 },
    { "1000:0", "1000:0 /home/alice 0", NULL, 0 },
    { "alice:staff", "1000:50 /home/alice 50", NULL, 0 },
    { "alice:1234", "1000:1234 /home/alice 1234", NULL, 0 },
    { "4242", "4242:0 / 0", NULL, 0 },
    { "4242:4243", "4242:4243 / 4243", NULL, 0 },
    { "4242:bare", "4242:60 / 60", NULL, 0 },
    { "minimal", "7:8 / 8", NULL, 0 },
    { "uidtwin", "1000:77 /home/alice 77", NULL, 0 },
    { "last", "2147483647:5 /last 5", NULL, 0 },
    { "2147483647", "2147483647:5 /last 5", NULL, 0 },
    { "2147483648", NULL, "user id 2147483648: more than 2147483647", ERR_INVALID },
    { "99999999999", NULL, "user id 99999999999: more than 2147483647", ERR_INVALID },
    { "alice:2147483648", NULL, "group id 2147483648: more than", ERR_INVALID },
    { "alise", NULL, "user \"alise\": not in the image's /etc/passwd", ERR_NOT_FOUND },
    { "short", NULL, "user \"short\"", ERR_NOT_FOUND },
    { "negative", NULL, "user \"negative\"", ERR_NOT_FOUND },
    { "huge", NULL, "user \"huge\"", ERR_NOT_FOUND },
    { "-1", NULL, "user \"-1\"", ERR_NOT_FOUND },
    { "alice:nogroup", NULL, "group \"nogroup\": not in the image's /etc/group", ERR_NOT_FOUND },
    { "alice:broken", NULL, "group \"broken\"", ERR_NOT_FOUND },
    { ":staff", NULL, "an empty part", ERR_INVALID },
    { "alice:", NULL, "an empty part", ERR_INVALID },
};

static void user_resolves_as_other_builders_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(user_release) struct user user = { 0 };
        struct error *err = NULL;
        int result = user_resolve(cases[i].spec, &files, &user, &err);
        if (cases[i].error) {
            assert_fails(result, err, cases[i].code, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        AUTO(free) char *text = describe(&user);
        assert_string_equal(text, cases[i].expected);
    }
}

static void unknown_user_hints_at_a_similar_one(void **state)
{
    (void)state;
    struct user user = { 0 };
    AUTO(error_free) struct error *err = NULL;
    assert_int_equal(user_resolve("alise", &files, &user, &err), -1);
    assert_string_equal(error_hint_text(err), "did you mean \"alice\"?");
}

static void missing_files_know_ids_only(void **state)
{
    (void)state;
    const struct user_files none = { NULL, 0, NULL, 0 };
    AUTO(user_release) struct user user = { 0 };
    struct error *err = NULL;
    assert_ok(user_resolve("5:6", &none, &user, &err), err);
    AUTO(free) char *text = describe(&user);
    assert_string_equal(text, "5:6 / 6");
    assert_fails(user_resolve("alice", &none, &user, &err), err, ERR_NOT_FOUND,
                 "the image has no /etc/passwd");
    assert_fails(user_resolve("5:staff", &none, &user, &err), err, ERR_NOT_FOUND,
                 "the image has no /etc/group");
}

static void hostile_files_are_read_to_the_end(void **state)
{
    (void)state;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (int i = 0; i < 100000; i++)
        strbuf_addc(&text, 'x'); /* a line over the limit */
    strbuf_adds(&text, ":x:1:1::/:\n:x:2:2::/:\n::::::::::::\n");
    strbuf_add(&text, "nul\0:x:3:3::/:\n", 15);
    strbuf_adds(&text, "\xff\xfe:x:4:4::/bytes:\ngood:x:5:5::/good:");
    const struct user_files hostile = { text.data, text.size, text.data, text.size };
    AUTO(user_release) struct user user = { 0 };
    struct error *err = NULL;
    assert_ok(user_resolve("good", &hostile, &user, &err), err);
    assert_int_equal(user.uid, 5);
    assert_string_equal(user.home, "/good");
    assert_fails(user_resolve("nul", &hostile, &user, &err), err, ERR_NOT_FOUND, "nul");
}

static void groups_are_bounded(void **state)
{
    (void)state;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (unsigned i = 1; i < 5000; i++)
        strbuf_addf(&text, "g%u:x:%u:alice\n", i, i);
    const struct user_files many = { passwd, sizeof(passwd) - 1, text.data, text.size };
    AUTO(user_release) struct user user = { 0 };
    struct error *err = NULL;
    assert_ok(user_resolve("alice", &many, &user, &err), err);
    assert_in_range(user.n_groups, USER_MAX_GROUPS - 1, USER_MAX_GROUPS);
}

static const struct {
    const char *spec;
    uid_t uid;
    gid_t gid;
} owners[] = {
    { "alice", 1000, 1001 },   { "1000", 1000, 1000 }, { "55", 55, 55 },
    { "alice:root", 1000, 0 }, { "55:66", 55, 66 },    { "0:staff", 0, 50 },
};

static void owner_without_group_takes_the_users(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        uid_t uid = 12345;
        gid_t gid = 12345;
        struct error *err = NULL;
        assert_ok(user_resolve_owner(owners[i].spec, &files, &uid, &gid, &err), err);
        assert_int_equal(uid, owners[i].uid);
        assert_int_equal(gid, owners[i].gid);
    }
    uid_t uid;
    gid_t gid;
    struct error *err = NULL;
    assert_fails(user_resolve_owner("nobody", &files, &uid, &gid, &err), err, ERR_NOT_FOUND,
                 "nobody");
    assert_fails(user_resolve_owner("", &files, &uid, &gid, &err), err, ERR_INVALID, "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_resolves_as_other_builders_do),
        cmocka_unit_test(unknown_user_hints_at_a_similar_one),
        cmocka_unit_test(missing_files_know_ids_only),
        cmocka_unit_test(hostile_files_are_read_to_the_end),
        cmocka_unit_test(groups_are_bounded),
        cmocka_unit_test(owner_without_group_takes_the_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
