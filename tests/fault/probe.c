/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_fault.sh lets fail: replaces DIR/file by CONTENT through base/fs, as the store does.
 * Exit status 0, or that of the error, printed.
 */
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    AUTO(error_free) struct error *err = NULL;
    if (argc != 3)
        return 2;
    AUTO(close) int dir = fs_open(AT_FDCWD, argv[1], O_RDONLY | O_DIRECTORY, 0, &err);
    if (dir < 0 || fs_mkdirs(dir, "sub/dir", 0755, &err) < 0 ||
        fs_write_file_synced(dir, "file", argv[2], strlen(argv[2]), 0644, &err) < 0) {
        (void)fprintf(stderr, "%s\n", error_message(err));
        return error_exit_status(err);
    }
    return 0;
}
