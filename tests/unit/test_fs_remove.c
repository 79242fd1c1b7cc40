/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "tests/unit/temp_dir.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In place of the C library's: a file system that tells no types, another process that removes the
 * same files, files that can't be removed. */
static bool has_no_types, others_are_faster, files_stay;

ssize_t getdents64(int fd, void *buffer, size_t size)
{
    ssize_t n = syscall(SYS_getdents64, fd, buffer, size);
    for (char *at = buffer; has_no_types && n > 0 && at < (char *)buffer + n;) {
        struct dirent64 *entry = (struct dirent64 *)(void *)at;
        entry->d_type = DT_UNKNOWN;
        at += entry->d_reclen;
    }
    return n;
}

int unlinkat(int fd, const char *name, int flags)
{
    if (files_stay && name[0] == 'f') {
        errno = EIO;
        return -1;
    }
    if (others_are_faster)
        (void)syscall(SYS_unlinkat, fd, name, flags);
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}

static void put(int dir_fd, const char *path)
{
    struct error *err = NULL;
    assert_ok(fs_write_file(dir_fd, path, "x", 1, 0644, &err), err);
}

static bool is_there(int dir_fd, const char *path)
{
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void trees_files_and_nothing_are_removed(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    assert_ok(fs_mkdirs(dir->fd, "t/a/b", 0755, &err), err);
    assert_ok(fs_mkdirs(dir->fd, "t/c", 0755, &err), err);
    put(dir->fd, "t/a/b/f");
    put(dir->fd, "t/a/f");
    put(dir->fd, "f");
    assert_int_equal(mkfifoat(dir->fd, "t/fifo", 0600), 0);
    assert_ok(fs_remove_tree(dir->fd, "t", &err), err);
    assert_ok(fs_remove_tree(dir->fd, "f", &err), err);
    assert_ok(fs_remove_tree(dir->fd, "absent", &err), err);
    assert_false(is_there(dir->fd, "t"));
    assert_false(is_there(dir->fd, "f"));
}

static void so_they_are_without_types_and_beside_others(void **state)
{
    bool *const odd[] = { &has_no_types, &others_are_faster };
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        *odd[i] = true;
        trees_files_and_nothing_are_removed(state);
        *odd[i] = false;
    }
}

static void the_first_file_that_stays_is_named(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    assert_ok(fs_mkdirs(dir->fd, "t", 0755, &err), err);
    put(dir->fd, "t/f1");
    put(dir->fd, "t/f2");
    put(dir->fd, "t/other");
    files_stay = true;
    assert_fails(fs_remove_tree(dir->fd, "t", &err), err, ERR_IO, "removing t: removing f");
    files_stay = false;
    assert_true(is_there(dir->fd, "t/f1") && is_there(dir->fd, "t/f2"));
}

static void links_are_removed_not_followed(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    assert_ok(fs_mkdirs(dir->fd, "t/d", 0755, &err), err);
    assert_ok(fs_mkdirs(dir->fd, "outside", 0755, &err), err);
    put(dir->fd, "outside/canary");
    assert_int_equal(symlinkat("../../outside", dir->fd, "t/d/link"), 0);
    assert_int_equal(symlinkat("outside", dir->fd, "link"), 0);
    assert_ok(fs_remove_tree(dir->fd, "t", &err), err);
    assert_ok(fs_remove_tree(dir->fd, "link", &err), err);
    assert_true(is_there(dir->fd, "outside/canary"));
}

static void depth_has_no_limit(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(close) int here = dup(dir->fd);
    for (int i = 0; i < 5000; i++) { /* far beyond PATH_MAX and the limit of descriptors */
        assert_int_equal(mkdirat(here, "d", 0755), 0);
        int next = openat(here, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close_auto(&here);
        here = next;
    }
    assert_ok(fs_remove_tree(dir->fd, "d", &err), err);
    assert_false(is_there(dir->fd, "d"));
}

static void many_files_are_removed(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    assert_int_equal(mkdirat(dir->fd, "t", 0755), 0);
    for (int i = 0; i < 3000; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "t/%d", i);
        assert_int_equal(mknodat(dir->fd, name, S_IFREG | 0644, 0), 0);
    }
    assert_ok(fs_remove_tree(dir->fd, "t", &err), err);
    assert_false(is_there(dir->fd, "t"));
}

static void fill(const struct temp_dir *dir, const char *path, size_t n)
{
    struct error *err = NULL;
    assert_ok(fs_mkdirs(dir->fd, path, 0755, &err), err);
    for (size_t i = 0; i < n; i++) {
        AUTO(free) char *name = xasprintf("%s/%zu", path, i);
        assert_int_equal(mknodat(dir->fd, name, S_IFREG | 0644, 0), 0);
    }
}

/* Runs in a child, so that neither the user nor the mount namespace of the test changes. */
static void in_child(const struct temp_dir *dir, int (*run)(const struct temp_dir *dir))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run(dir));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int remove_as_user(const struct temp_dir *dir)
{
    struct error *err = NULL;
    if (geteuid() == 0 && (fchmod(dir->fd, 0777) < 0 || setresuid(65534, 65534, 65534) < 0))
        return 77;
    if (fs_mkdirs(dir->fd, "t/closed/inner", 0755, &err) < 0)
        return 1;
    if (fchmodat(dir->fd, "t/closed/inner", 0, 0) < 0 || fchmodat(dir->fd, "t/closed", 0500, 0) < 0)
        return 2;
    if (fs_remove_tree(dir->fd, "t", &err) < 0) {
        (void)fprintf(stderr, "%s\n", error_message(err));
        return 3;
    }
    return is_there(dir->fd, "t") ? 4 : 0;
}

static void own_directories_without_permissions_are_removed(void **state)
{
    in_child(*state, remove_as_user);
}

static int remove_with_mount(const struct temp_dir *dir)
{
    struct error *err = NULL;
    if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
        return 77;
    AUTO(free) char *outside = xasprintf("%s/outside", dir->path);
    AUTO(free) char *inside = xasprintf("%s/t/m", dir->path);
    if (mkdirat(dir->fd, "outside", 0755) < 0 || fs_mkdirs(dir->fd, "t/m", 0755, &err) < 0)
        return 1;
    put(dir->fd, "outside/canary");
    if (mount(outside, inside, NULL, MS_BIND, NULL) < 0) /* same device: only the mount differs */
        return 77;
    /* dir->fd is of the old namespace, which doesn't have the mount */
    AUTO(close) int here = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fs_remove_tree(here, "t", &err) == 0 || !strstr(error_message(err), "mounted"))
        return 2;
    if (umount2(inside, MNT_DETACH) < 0)
        return 3;
    return is_there(dir->fd, "outside/canary") ? 0 : 4;
}

static void mounts_are_not_entered(void **state)
{
    in_child(*state, remove_with_mount);
}

static int discard_when_stopped(const struct temp_dir *dir)
{
    struct error *err = NULL;
    cancel_trigger(SIGTERM);
    fill(dir, "few", FS_DISCARD_MOST - 1);
    if (fs_discard_tree(dir->fd, "few", &err) < 0 || is_there(dir->fd, "few"))
        return 1;
    fill(dir, "flat", FS_DISCARD_MOST + 1);
    if (fs_discard_tree(dir->fd, "flat", &err) == 0 || !error_is(err, ERR_CANCELLED))
        return 2;
    error_clear(&err);
    fill(dir, "deep/a", FS_DISCARD_MOST); /* of one it leaves as much as it took of the other */
    fill(dir, "deep/b", FS_DISCARD_MOST);
    if (fs_discard_tree(dir->fd, "deep", &err) == 0 || !error_is(err, ERR_CANCELLED))
        return 3;
    error_clear(&err);
    /* who can't leave it removes it whole, and so does who comes again */
    if (fs_remove_tree(dir->fd, "deep", &err) < 0 || is_there(dir->fd, "deep"))
        return 4;
    return fs_discard_tree(dir->fd, "flat", &err) < 0 || is_there(dir->fd, "flat") ? 5 : 0;
}

static void a_signal_cuts_the_discarding_of_much_short(void **state)
{
    in_child(*state, discard_when_stopped);
}

static int discard_after_a_failure(const struct temp_dir *dir)
{
    struct error *err = NULL;
    fill(dir, "t", FS_DISCARD_MOST + 1);
    cancel_trigger(0);
    return fs_discard_tree(dir->fd, "t", &err) < 0 || is_there(dir->fd, "t") ? 1 : 0;
}

static void without_a_signal_much_is_discarded_whole(void **state)
{
    in_child(*state, discard_after_a_failure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(trees_files_and_nothing_are_removed),
        TEMP_DIR_TEST(so_they_are_without_types_and_beside_others),
        TEMP_DIR_TEST(the_first_file_that_stays_is_named),
        TEMP_DIR_TEST(links_are_removed_not_followed),
        TEMP_DIR_TEST(depth_has_no_limit),
        TEMP_DIR_TEST(many_files_are_removed),
        TEMP_DIR_TEST(own_directories_without_permissions_are_removed),
        TEMP_DIR_TEST(mounts_are_not_entered),
        TEMP_DIR_TEST(a_signal_cuts_the_discarding_of_much_short),
        TEMP_DIR_TEST(without_a_signal_much_is_discarded_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
