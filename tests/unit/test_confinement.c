/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/confinement.h"

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/test.h"

#include <fcntl.h>

/* Trees as kernels show them; NULL: no such file. */
static const struct {
    const char *name, *enabled, *profiles, *enforce;
    enum confinement expected;
} cases[] = {
    { "no module", NULL, NULL, NULL, CONFINEMENT_NONE },
    { "switched off", "N\n", NULL, NULL, CONFINEMENT_NONE },
    { "loaded", "Y\n", "/usr/bin/man (enforce)\ncbuild-default (enforce)\nlsb_release (enforce)\n",
      NULL, CONFINEMENT_LOADED },
    { "the last line", "Y\n", "cbuild-default (enforce)", NULL, CONFINEMENT_LOADED },
    { "others only", "Y\n", "docker-default (enforce)\n", NULL, CONFINEMENT_NOT_LOADED },
    { "a longer name", "Y\n", "my-cbuild-default (enforce)\ncbuild-default-2 (enforce)\n", NULL,
      CONFINEMENT_NOT_LOADED },
    { "it only complains", "Y\n", "cbuild-default (complain)\n", NULL, CONFINEMENT_NOT_LOADED },
    { "a part of it", "Y\n", "cbuild-default (enforce)//child (enforce)\n", NULL,
      CONFINEMENT_NOT_LOADED },
    { "none loaded", "Y\n", "", NULL, CONFINEMENT_NOT_LOADED },
    { "securityfs isn't mounted", "Y\n", NULL, NULL, CONFINEMENT_UNKNOWN },
    { "SELinux", NULL, NULL, "1", CONFINEMENT_SELINUX },
    { "SELinux beside", "N\n", NULL, "0", CONFINEMENT_SELINUX },
};

static void put(int fd, const char *dir, const char *file, const char *text)
{
    struct error *err = NULL;
    AUTO(free) char *path = xasprintf("%s/%s", dir, file);
    if (!text)
        return;
    assert_ok(fs_mkdirs(fd, dir, 0755, &err), err);
    assert_ok(fs_write_file(fd, path, text, strlen(text), 0644, &err), err);
}

static void what_a_kernel_has_is_found(void **state)
{
    struct temp_dir *dir = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *sys = xasprintf("%s/%zu", dir->path, i);
        struct error *err = NULL;
        assert_ok(fs_mkdirs_following(AT_FDCWD, sys, 0755, &err), err);
        AUTO(close) int fd = fs_open(AT_FDCWD, sys, O_RDONLY | O_DIRECTORY, 0, &err);
        assert_true(fd >= 0);
        put(fd, "module/apparmor/parameters", "enabled", cases[i].enabled);
        put(fd, "kernel/security/apparmor", "profiles", cases[i].profiles);
        put(fd, "fs/selinux", "enforce", cases[i].enforce);
        if (confinement_find(sys) != cases[i].expected)
            fail_msg("%s: %d", cases[i].name, confinement_find(sys));
    }
}

static void the_domain_of_steps_is_said_where_selinux_is(void **state)
{
    static const char label[] = "system_u:system_r:unconfined_t:s0-s0:c0.c1023"; /* and its NUL */
    static const struct {
        const char *enforce, *label, *expected;
        size_t size;
    } selinux[] = {
        { "1", label,
          "SELinux (enforcing): steps stay in cbuild's own domain, "
          "system_u:system_r:unconfined_t:s0-s0:c0.c1023",
          sizeof(label) },
        { "0", "kernel", "SELinux (permissive): steps stay in cbuild's own domain, kernel", 7 },
        { "0", NULL, "SELinux (permissive): steps stay in cbuild's own domain, which can't be read",
          0 },
    };
    struct temp_dir *dir = *state;
    for (size_t i = 0; i < ARRAY_SIZE(selinux); i++) {
        AUTO(free) char *root = xasprintf("%s/%zu", dir->path, i);
        struct error *err = NULL;
        assert_ok(fs_mkdirs_following(AT_FDCWD, root, 0755, &err), err);
        AUTO(close) int fd = fs_open(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0, &err);
        assert_true(fd >= 0);
        put(fd, "fs/selinux", "enforce", selinux[i].enforce);
        assert_ok(fs_mkdirs(fd, "self/attr", 0755, &err), err);
        if (selinux[i].label)
            assert_ok(fs_write_file(fd, "self/attr/current", selinux[i].label, selinux[i].size,
                                    0644, &err),
                      err);
        AUTO(free) char *text = confinement_selinux(root, root);
        assert_string_equal(text, selinux[i].expected);
    }
}

static void the_next_program_is_to_be_confined(void **state)
{
    struct temp_dir *dir = *state;
    static const char *const dirs[] = { "new/self/attr/apparmor", "old/self/attr" };
    AUTO(free) char *none = xasprintf("%s/none", dir->path);
    assert_false(confinement_enter(none));
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        AUTO(free) char *proc = xasprintf("%s/%.3s", dir->path, dirs[i]);
        AUTO(free) char *folder = xasprintf("%s/%s", dir->path, dirs[i]);
        AUTO(free) char *file = xasprintf("%s/exec", folder);
        assert_ok(fs_mkdirs_following(AT_FDCWD, folder, 0755, &err), err);
        assert_ok(fs_write_file(AT_FDCWD, file, "", 0, 0644, &err), err);
        assert_true(confinement_enter(proc));
        assert_ok(fs_read_file(AT_FDCWD, file, &text, 100, &err), err);
        assert_string_equal(text.data, "exec cbuild-default");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(what_a_kernel_has_is_found),
        TEMP_DIR_TEST(the_domain_of_steps_is_said_where_selinux_is),
        TEMP_DIR_TEST(the_next_program_is_to_be_confined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
