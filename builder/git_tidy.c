/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git_tidy.h"

#include "base/cancel.h"
#include "base/fs.h"
#include "base/strvec.h"

#include <fcntl.h>
#include <string.h>

#define MAX_DEPTH 1000

struct tidy {
    bool keep_git;
    struct timespec times[2];
};

static int tidy_directory(const struct tidy *tidy, int fd, int depth, struct error **err);

static int tidy_entry(const struct tidy *tidy, int dir_fd, const char *name, int depth,
                      struct error **err)
{
    struct stat st;
    if (!tidy->keep_git && strcmp(name, ".git") == 0)
        return fs_remove_tree(dir_fd, name, err);
    if (fs_stat(dir_fd, name, &st, err) <= 0)
        return *err ? -1 : 0;
    if (S_ISDIR(st.st_mode)) {
        AUTO(close)
        int fd = fs_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
        return fd < 0 ? -1 : tidy_directory(tidy, fd, depth + 1, err);
    }
    if (S_ISREG(st.st_mode) && fchmodat(dir_fd, name, st.st_mode & 0100 ? 0755 : 0644, 0) < 0)
        return error_errno(err, "setting the mode of %s", name);
    if (utimensat(dir_fd, name, tidy->times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "setting the time of %s", name);
    return 0;
}

static int tidy_directory(const struct tidy *tidy, int fd, int depth, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (depth > MAX_DEPTH)
        return error_set(err, ERR_LIMIT, "directories nested more than %d deep", MAX_DEPTH);
    if (cancel_check(err) < 0 || fs_list_fd(fd, &names, "the checkout", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (tidy_entry(tidy, fd, names.items[i], depth, err) < 0)
            return -1;
    if (fchmod(fd, 0755) < 0 || futimens(fd, tidy->times) < 0)
        return error_errno(err, "setting the mode of a directory");
    return 0;
}

int git_tidy(int dir_fd, bool keep_git, int64_t mtime, struct error **err)
{
    struct tidy tidy = { .keep_git = keep_git };
    tidy.times[0].tv_sec = tidy.times[1].tv_sec = mtime;
    return tidy_directory(&tidy, dir_fd, 0, err);
}
