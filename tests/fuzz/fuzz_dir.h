/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for fuzz targets of what reads files: made when first asked for, removed when the
 * program ends. */
#ifndef CBUILD_TESTS_FUZZ_FUZZ_DIR_H
#define CBUILD_TESTS_FUZZ_FUZZ_DIR_H

#include "base/fs.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>

static char *fuzz_dir_path;

static void fuzz_dir_remove(void)
{
    AUTO(error_free) struct error *err = NULL;
    if (fs_remove_tree(AT_FDCWD, fuzz_dir_path, &err) < 0)
        abort();
    free(fuzz_dir_path);
}

static inline const char *fuzz_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    if (fuzz_dir_path)
        return fuzz_dir_path;
    fuzz_dir_path = xasprintf("%s/cbuild-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(fuzz_dir_path) || atexit(fuzz_dir_remove) != 0)
        abort();
    return fuzz_dir_path;
}

/* `name` in the folder, with these bytes. */
static inline void fuzz_dir_write(const char *name, const void *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(close) int fd = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fs_write_file(fd, name, data, size, 0600, &err) < 0)
        abort();
}

#endif
