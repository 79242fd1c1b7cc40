/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/exec_guard.h"

#include "tests/unit/temp_dir.h"

#include <elf.h>
#include <sys/stat.h>

static char *write_script(const struct temp_dir *dir, const char *name, const void *data,
                          size_t size)
{
    struct error *err = NULL;
    assert_ok(fs_write_file(dir->fd, name, data, size, 0755, &err), err);
    return xasprintf("%s/%s", dir->path, name);
}

static const struct {
    const char *text;
    bool refused;
} scripts[] = {
    { "#!/bin/sh\n", false },
    { "#!/proc/self/exe\n", true },
    { "#! \t/proc/self/exe arg\n", true },
    { "#!/proc/self/exe", true },
    { "#!/proc/self/../self/exe\n", true },
    { "#!\n", false },
    { "#!", false },
    { "", false },
    { "#!/no/such/file\n", false },
    { "echo /proc/self/exe\n", false },
};

static void scripts_that_name_us_are_refused(void **state)
{
    const struct temp_dir *dir = *state;
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        AUTO(free)
        char *path = write_script(dir, "script", scripts[i].text, strlen(scripts[i].text));
        if (exec_guard_refuses(path) != scripts[i].refused)
            fail_msg("\"%s\": %d", scripts[i].text, !scripts[i].refused);
    }
    assert_true(exec_guard_refuses("/proc/self/exe"));
    assert_false(exec_guard_refuses("/bin/sh"));
    assert_false(exec_guard_refuses("/no/such/file"));
    assert_false(exec_guard_refuses("/"));
}

static void links_and_scripts_of_scripts_are_followed(void **state)
{
    const struct temp_dir *dir = *state;
    AUTO(free) char *link = xasprintf("%s/link", dir->path);
    assert_int_equal(symlink("/proc/self/exe", link), 0);
    AUTO(free) char *text = xasprintf("#!%s\n", link);
    AUTO(free) char *inner = write_script(dir, "inner", text, strlen(text));
    AUTO(free) char *outer_text = xasprintf("#!%s\n", inner);
    AUTO(free) char *outer = write_script(dir, "outer", outer_text, strlen(outer_text));
    assert_true(exec_guard_refuses(link));
    assert_true(exec_guard_refuses(outer));
}

static void programs_with_us_as_loader_are_refused(void **state)
{
    const struct temp_dir *dir = *state;
    static const char *const loaders[] = { "/proc/self/exe", "/lib64/ld-linux-x86-64.so.2" };
    for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
        struct {
            Elf64_Ehdr elf;
            Elf64_Phdr headers[2];
            char loader[64];
        } file = { .elf = { .e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 2 },
                   .headers = { { .p_type = PT_LOAD },
                                { .p_type = PT_INTERP,
                                  .p_offset = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr),
                                  .p_filesz = strlen(loaders[i]) + 1 } } };
        memcpy(file.elf.e_ident, ELFMAG, SELFMAG);
        file.elf.e_ident[EI_CLASS] = ELFCLASS64;
        memcpy(file.loader, loaders[i], strlen(loaders[i]) + 1);
        AUTO(free) char *path = write_script(dir, "program", &file, sizeof(file));
        assert_int_equal(exec_guard_refuses(path), i == 0);
        /* cut short or with wild offsets it is the kernel's to refuse */
        file.headers[1].p_offset = UINT64_MAX;
        AUTO(free) char *wild = write_script(dir, "wild", &file, sizeof(file));
        assert_false(exec_guard_refuses(wild));
        AUTO(free) char *cut = write_script(dir, "cut", &file, 70);
        assert_false(exec_guard_refuses(cut));
    }
}

static void fifos_do_not_block(void **state)
{
    const struct temp_dir *dir = *state;
    AUTO(free) char *path = xasprintf("%s/fifo", dir->path);
    assert_int_equal(mkfifo(path, 0755), 0);
    assert_false(exec_guard_refuses(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(scripts_that_name_us_are_refused),
        TEMP_DIR_TEST(links_and_scripts_of_scripts_are_followed),
        TEMP_DIR_TEST(programs_with_us_as_loader_are_refused),
        TEMP_DIR_TEST(fifos_do_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
