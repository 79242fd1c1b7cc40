/* SPDX-License-Identifier: Apache-2.0 */
#include "base/idmap.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

static const struct {
    const char *text, *name;
    uint32_t id;
    const char *args; /* of a map that begins with the id itself */
} maps[] = {
    { "", "me", 1000, "0 1000 1" },
    { "me:100000:65536\n", "me", 1000, "0 1000 1 1 100000 65536" },
    { "me:100000:65536", "me", 1000, "0 1000 1 1 100000 65536" },
    { "1000:100000:65536\n", "me", 1000, "0 1000 1 1 100000 65536" },
    { "1000:100000:65536\n", NULL, 1000, "0 1000 1 1 100000 65536" },
    { "10001:100000:65536\nmee:1:2\nm:1:2\n", "me", 1000, "0 1000 1" },
    { "you:100000:65536\nme:165536:10\nyou:1:1\nme:7:1\n", "me", 1000,
      "0 1000 1 1 165536 10 11 7 1" },
    { "me:5:10\n1000:50:10\n", "me", 1000, "0 1000 1 1 5 10 11 50 10" },
    { "# me:1:2\n\nme\nme:\nme:1\nme:1:\nme:x:2\nme:1:2x\nme:1:2:3\nme: 1:2\nme:-1:2\nme:9:9\n",
      "me", 1000, "0 1000 1 1 9 9" },
    { "me:1:0\nme:99999999999:1\nme:1:99999999999\nme:4294967295:1\nme:4294967294:2\n", "me", 1000,
      "0 1000 1" },
    { "me:4294967294:1\n", "me", 1000, "0 1000 1 1 4294967294 1" },
    { "me:5:4294967290\n", "me", 1000, "0 1000 1 1 5 4294967290" },
    /* no more ids inside than there are */
    { "me:1:4294967290\nme:100:4294967290\n", "me", 1000,
      "0 1000 1 1 1 4294967290 4294967291 100 3" },
};

static void ranges_of_a_user_follow_the_user(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        AUTO(idmap_release) struct idmap map = IDMAP_INIT;
        AUTO(strvec_release) struct strvec args = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        idmap_add(&map, maps[i].id, 1);
        size_t n = idmap_add_subids(&map, maps[i].text, maps[i].name, maps[i].id);
        assert_int_equal(n, map.n_ranges - 1);
        idmap_format_args(&map, &args);
        for (size_t j = 0; j < args.n; j++)
            strbuf_addf(&text, "%s%s", j ? " " : "", args.items[j]);
        assert_string_equal(text.data, maps[i].args);
    }
}

static void no_more_ranges_than_the_kernel_takes(void **state)
{
    (void)state;
    AUTO(idmap_release) struct idmap map = IDMAP_INIT;
    for (uint32_t i = 0; i < 1000; i++)
        idmap_add(&map, i * 10, 5);
    assert_int_equal(map.n_ranges, IDMAP_MAX_RANGES);
    assert_int_equal(idmap_size(&map), IDMAP_MAX_RANGES * 5);
}

static const struct {
    const char *text;
    uint32_t start;
} starts[] = {
    { "", 100000 },
    { "a:10:20\n", 100000 },
    { "a:100000:65536\nb:165536:65536\n", 231072 },
    { "b:165536:65536\na:100000:65536\n", 231072 },
    { "a:4294967290:5\n", 100000 },
    { "rubbish\na:200000:1\n", 200001 },
};

static void a_new_range_begins_above_all_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
        assert_int_equal(idmap_free_start(starts[i].text), starts[i].start);
}

static const struct {
    uint32_t id;
    const char *name; /* NULL: none */
} names[] = {
    { 0, "root" }, { 1000, "me" }, { 1001, "other" }, { 5, NULL }, { 100, NULL }, { 7, "last" },
};

static void names_come_from_passwd(void **state)
{
    (void)state;
    static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n:x:5:0::/:\nbroken\nx:5\n\n"
                                 "me:x:1000:1000::/home/me:/bin/sh\nother::1001:1::/:/\n"
                                 "second:x:1000:1000::/:\nlast:x:7:7";
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(free) char *name = idmap_find_name(passwd, names[i].id);
        if (names[i].name)
            assert_string_equal(name, names[i].name);
        else
            assert_null(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_a_user_follow_the_user),
        cmocka_unit_test(no_more_ranges_than_the_kernel_takes),
        cmocka_unit_test(a_new_range_begins_above_all_others),
        cmocka_unit_test(names_come_from_passwd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
