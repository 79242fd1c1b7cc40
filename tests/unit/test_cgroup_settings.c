/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/cgroup_settings.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

#define MIB ((uint64_t)1 << 20)

/* What is written, in this order: "FILE=TEXT", "?" behind a file that may be missing. */
static const struct {
    struct cgroup_limits limits;
    const char *v1, *v2;
} settings[] = {
    { { .memory = 0 }, "", "" },
    { { .memory = 64 * MIB },
      "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes?=134217728 ",
      "memory.max=67108864 memory.swap.max?=67108864 " },
    { { .memory = 64 * MIB, .memory_swap = 64 * MIB },
      "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=67108864 ",
      "memory.max=67108864 memory.swap.max=0 " },
    { { .memory = 64 * MIB, .memory_swap = 100 * MIB },
      "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=104857600 ",
      "memory.max=67108864 memory.swap.max=37748736 " },
    { { .memory = 64 * MIB, .memory_swap = -1 },
      "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=-1 ",
      "memory.max=67108864 memory.swap.max=max " },
    { { .cpu_quota = 150000 }, "cpu.cfs_quota_us=150000 ", "cpu.max=150000 100000 " },
    { { .cpu_quota = 5000, .cpu_period = 10000 },
      "cpu.cfs_period_us=10000 cpu.cfs_quota_us=5000 ",
      "cpu.max=5000 10000 " },
    { { .cpu_period = 50000 }, "cpu.cfs_period_us=50000 ", "cpu.max=max 50000 " },
    { { .cpu_shares = 1024 }, "cpu.shares=1024 ", "cpu.weight=39 " },
    { { .cpuset_cpus = "0-2,5", .cpuset_mems = "0" },
      "cpuset.cpus=0-2,5 cpuset.mems=0 ",
      "cpuset.cpus=0-2,5 cpuset.mems=0 " },
    { { .pids = 77 }, "pids.max=78 ", "pids.max=78 " },
};

static void assert_settings(const struct cgroup_limits *limits, int version, const char *expected)
{
    AUTO(cgroup_settings_release) struct cgroup_settings all = { .items = NULL };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "");
    for (int i = 0; i < CGROUP_N_CONTROLLERS; i++)
        cgroup_settings_add(limits, (enum cgroup_controller)i, version, &all);
    for (size_t i = 0; i < all.n_items; i++)
        strbuf_addf(&text, "%s%s=%s ", all.items[i].file, all.items[i].is_derived ? "?" : "",
                    all.items[i].text);
    assert_string_equal(text.size ? text.data : "", expected);
}

static void limits_become_files_of_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        assert_settings(&settings[i].limits, 1, settings[i].v1);
        assert_settings(&settings[i].limits, 2, settings[i].v2);
    }
}

static void shares_become_weights(void **state)
{
    static const uint64_t cases[][2] = {
        { 0, 1 }, { 2, 1 }, { 1024, 39 }, { 2048, 79 }, { 262144, 10000 }, { 1000000, 10000 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(cgroup_weight(cases[i][0]), cases[i][1]);
}

/* Recorded on machines: lines that say nothing of cgroups are left out. */
static const char v1_mounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
static const char v1_own[] = "9:name=systemd:/system.slice/ci.service\n"
                             "5:cpuset:/\n"
                             "4:memory:/system.slice/ci.service\n"
                             "2:cpu,cpuacct:/system.slice/ci.service\n"
                             "0::/system.slice/ci.service\n";
static const char v2_mounts[] =
    "24 1 0:22 / /proc rw,nosuid - proc proc rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v2_own[] = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n";
/* docker with version 1: the mount shows the container's part, /proc the whole path */
static const char docker_mounts[] =
    "700 690 0:32 /docker/0123abcd /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n";
static const char docker_own[] = "4:memory:/docker/0123abcd/child\n0::/\n";
static const char outside_own[] = "4:memory:/../other\n";

static const struct {
    const char *mounts, *own;
    enum cgroup_controller controller;
    int version; /* 0: none is found */
    const char *place;
} places[] = {
    { v1_mounts, v1_own, CGROUP_MEMORY, 1, "/sys/fs/cgroup/memory|system.slice/ci.service" },
    { v1_mounts, v1_own, CGROUP_CPU, 1, "/sys/fs/cgroup/cpu,cpuacct|system.slice/ci.service" },
    { v1_mounts, v1_own, CGROUP_CPUSET, 1, "/sys/fs/cgroup/cpuset|" },
    /* mixed: what version 1 hasn't, version 2 may have */
    { v1_mounts, v1_own, CGROUP_PIDS, 2, "/sys/fs/cgroup/unified|system.slice/ci.service" },
    { v2_mounts, v2_own, CGROUP_MEMORY, 2,
      "/sys/fs/cgroup|user.slice/user-1000.slice/user@1000.service/app.slice/x.scope" },
    { v2_mounts, "0::/", CGROUP_CPU, 2, "/sys/fs/cgroup|" },
    { docker_mounts, docker_own, CGROUP_MEMORY, 1, "/sys/fs/cgroup/memory|child" },
    { docker_mounts, outside_own, CGROUP_MEMORY, 1, "/sys/fs/cgroup/memory|" },
    { docker_mounts, docker_own, CGROUP_PIDS, 0, NULL },
    { v2_mounts, "", CGROUP_MEMORY, 0, NULL },
    { "", v2_own, CGROUP_MEMORY, 0, NULL },
    /* what the kernel never writes is read no further than it goes */
    { "1 - cgroup2 x", "0::/", CGROUP_MEMORY, 2, "|" },
    { "1 - cgroup2 x\nnext line is another\n", "0::/", CGROUP_MEMORY, 2, "|" },
    { v2_mounts, "0:://a//b", CGROUP_MEMORY, 2, "/sys/fs/cgroup|a//b" },
};

static void the_place_of_a_controller_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        AUTO(cgroup_place_release) struct cgroup_place place = { .root = NULL };
        bool found =
            cgroup_place_find(places[i].mounts, places[i].own, places[i].controller, &place);
        assert_int_equal(found ? place.version : 0, places[i].version);
        if (!found)
            continue;
        AUTO(free) char *text = xasprintf("%s|%s", place.root, place.own);
        assert_string_equal(text, places[i].place);
    }
}

static void words_of_lists_are_whole(void **state)
{
    (void)state;
    assert_true(cgroup_list_has("cpuset cpu io memory pids\n", "cpu"));
    assert_true(cgroup_list_has("cpuset cpu io memory pids\n", "pids"));
    assert_false(cgroup_list_has("cpuset io memory\n", "cpu"));
    assert_false(cgroup_list_has("", "cpu"));
}

static const struct {
    const char *text;
    bool killed;
} ooms[] = {
    { "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n", true },
    { "low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 0\n", false },
    { "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", true },
    { "oom_kill_disable 1\nunder_oom 0\noom_kill 0\n", false },
    { "oom_kill_disable 1\nunder_oom 0\n", false },
    { "", false },
};

static void oom_kills_are_read_in_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ooms); i++)
        assert_int_equal(cgroup_parse_oom(ooms[i].text), ooms[i].killed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_become_files_of_both_versions),
        cmocka_unit_test(shares_become_weights),
        cmocka_unit_test(the_place_of_a_controller_is_found),
        cmocka_unit_test(words_of_lists_are_whole),
        cmocka_unit_test(oom_kills_are_read_in_both_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
