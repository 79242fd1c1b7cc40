/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of its own for each test, removed with what is in it:
 *
 *     cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
 *     static void name(void **state) { struct temp_dir *dir = *state; ... dir->fd ... }
 */
#ifndef CBUILD_TESTS_UNIT_TEMP_DIR_H
#define CBUILD_TESTS_UNIT_TEMP_DIR_H

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/test.h"

#include <fcntl.h>

struct temp_dir {
    int fd;
    char *path; /* absolute */
};

static inline int temp_dir_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    struct temp_dir *dir = NEW(struct temp_dir);
    dir->path = xasprintf("%s/cbuild-unit.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir->path))
        return -1;
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = dir;
    return dir->fd < 0 ? -1 : 0;
}

static inline int temp_dir_teardown(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    int result = fs_remove_tree(AT_FDCWD, dir->path, &err);
    if (result < 0)
        print_error("%s\n", error_message(err));
    error_free(err);
    close_auto(&dir->fd);
    free(dir->path);
    free(dir);
    return result;
}

#define TEMP_DIR_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)

#endif
