/* SPDX-License-Identifier: Apache-2.0 */
/* The file system of a sandbox: layers, mount points that images lack, listed mounts. */
#include "runner/child_root.h"

#include "tests/unit/sandbox_fixture.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void true_leaves_the_upper_empty(void **state)
{
    box_need_root();
    struct box *box = *state;
    const char *const argv[] = { "/bin/true", NULL };
    /* an image without /proc, /sys, /dev, /etc */
    box_run(box, argv);
    assert_int_equal(box->result.status, 0);
    assert_string_equal(box->tree.data, "");
    /* one with all of them */
    box_add_lower(box, "full");
    box_write(box, "full/etc/hosts", "of the image\n");
    box_write(box, "full/etc/resolv.conf", "of the image\n");
    free(box_mkdir(box, "full/proc"));
    free(box_mkdir(box, "full/sys"));
    free(box_mkdir(box, "full/dev"));
    box_run(box, argv);
    assert_string_equal(box->tree.data, "");
}

static void files_of_the_image_are_covered_and_survive(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_write(box, "busybox/etc/hosts", "of the image\n");
    box_write(box, "busybox/etc/resolv.conf", "of the image\n");
    box_expect(box,
               "grep -c 'of the image' /etc/hosts /etc/resolv.conf; echo new >/etc/other; "
               "(echo x >/etc/hosts) 2>&1; true",
               "/etc/hosts:0\n/etc/resolv.conf:0\n"
               "/bin/sh: can't create /etc/hosts: Read-only file system\n");
    assert_string_equal(box->tree.data, "etc\netc/other\n");
}

static void directories_above_stubs_keep_their_attributes(void **state)
{
    box_need_root_of_the_host();
    struct box *box = *state;
    free(box_mkdir(box, "busybox/etc"));
    assert_int_equal(fchmodat(box->dir->fd, "busybox/etc", 01711, 0), 0);
    assert_int_equal(fchownat(box->dir->fd, "busybox/etc", 12, 34, 0), 0);
    AUTO(free) char *etc = box_path(box, "busybox/etc");
    assert_int_equal(setxattr(etc, "trusted.mine", "value", 5, 0), 0);
    const struct timespec times[2] = { { 1000, 1 }, { 2000000000, 123456789 } };
    assert_int_equal(utimensat(box->dir->fd, "busybox/etc", times, 0), 0);
    box_expect(box, "stat -c '%a %u %g %Y' /etc", "1711 12 34 2000000000\n");
    /* and so does the copy in the upper */
    box_sh(box, "chmod 1710 /etc");
    AUTO(free) char *copy = xasprintf("%s/etc", box->upper);
    struct stat st;
    char value[8];
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mtim.tv_nsec, 123456789);
    assert_int_equal(getxattr(copy, "trusted.mine", value, sizeof(value)), 5);
    assert_string_equal(box->tree.data, "etc\n");
}

static const struct {
    const char *name, *link, *target; /* link in the image's etc */
} links[] = {
    { "relative and dangling", "../run/systemd/resolve/stub-resolv.conf",
      "/run/systemd/resolve/stub-resolv.conf" },
    { "absolute and dangling", "/run/resolv.conf", "/run/resolv.conf" },
    { "out of the root", "../../../../../tmp/resolv.conf", "/tmp/resolv.conf" },
    { "in the same directory", "resolv.real", "/etc/resolv.real" },
};

static void links_of_the_image_are_followed_in_it(void **state)
{
    box_need_root();
    struct box *box = *state;
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        AUTO(free) char *layer = xasprintf("layer%zu", i);
        AUTO(free) char *etc = xasprintf("%s/etc", layer);
        AUTO(free) char *link = xasprintf("%s/etc/resolv.conf", layer);
        AUTO(free)
        char *script = xasprintf("readlink /etc/resolv.conf; grep -c . %s >/dev/null && "
                                 "grep -q nameserver /etc/resolv.conf && echo there",
                                 links[i].target);
        AUTO(free) char *expected = xasprintf("%s\nthere\n", links[i].link);
        box_add_lower(box, layer);
        free(box_mkdir(box, etc));
        box_symlink(box, links[i].link, link);
        box_expect(box, script, expected);
        assert_string_equal(box->tree.data, "");
    }
}

static void link_of_a_directory_is_followed(void **state)
{
    box_need_root();
    struct box *box = *state;
    free(box_mkdir(box, "busybox/usr/etc"));
    box_symlink(box, "/usr/etc", "busybox/etc");
    box_expect(box, "readlink /etc; ls /usr/etc; grep -c localhost /usr/etc/hosts",
               "/usr/etc\nhosts\nresolv.conf\n2\n");
    assert_string_equal(box->tree.data, "");
}

static void whiteouts_do_not_hide_mount_points(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_write(box, "busybox/etc/hosts", "old\n");
    free(box_mkdir(box, "busybox/proc"));
    box_add_lower(box, "gone");
    free(box_mkdir(box, "gone/etc"));
    assert_int_equal(mknodat(box->dir->fd, "gone/etc/hosts", S_IFCHR, 0), 0);
    assert_int_equal(mknodat(box->dir->fd, "gone/proc", S_IFCHR, 0), 0);
    box_expect(box, "grep -c localhost /etc/hosts; ls /proc/self/ns | wc -l >/dev/null; echo ok",
               "2\nok\n");
    assert_string_equal(box->tree.data, "");
    /* an opaque directory */
    box_add_lower(box, "opaque");
    AUTO(free) char *etc = box_mkdir(box, "opaque/etc");
    assert_int_equal(setxattr(etc, "user.overlay.opaque", "y", 1, 0), 0);
    box_expect(box, "ls /etc", "hosts\nresolv.conf\n");
    assert_string_equal(box->tree.data, "");
}

static void proc_as_a_link_is_refused(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/true", NULL };
    free(box_mkdir(box, "busybox/elsewhere"));
    box_symlink(box, "/elsewhere", "busybox/proc");
    assert_fails(box_try(box, argv, &err), err, ERR_IO,
                 "path /proc: Too many levels of symbolic links");
}

static void hosts_as_a_directory_is_refused(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/true", NULL };
    free(box_mkdir(box, "busybox/etc/hosts"));
    assert_fails(box_try(box, argv, &err), err, ERR_RUN,
                 "mount point is a directory in the image: /etc/hosts");
}

static void changes_are_in_the_upper(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_write(box, "busybox/data/keep", "keep");
    box_write(box, "busybox/data/remove", "remove");
    box_write(box, "busybox/dir/old", "old");
    box_expect(
        box, "rm /data/remove; echo new >/data/new; rm -r /dir; mkdir /dir; echo young >/dir/young",
        "");
    assert_non_null(strstr(box->tree.data, "data/new\n"));
    AUTO(free) char *removed = xasprintf("%s/data/remove", box->upper);
    AUTO(free) char *dir = xasprintf("%s/dir", box->upper);
    struct stat st;
    char value[4];
    assert_int_equal(stat(removed, &st), 0);
    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    assert_int_equal(getxattr(dir, "user.overlay.opaque", value, sizeof(value)), 1);
    assert_int_equal(value[0], 'y');
    assert_int_equal(getxattr(dir, "trusted.overlay.opaque", value, sizeof(value)), -1);
}

static void attributes_planted_in_layers_lead_nowhere(void **state)
{
    box_need_root_of_the_host();
    struct box *box = *state;
    box_write(box, "busybox/secret/file", "secret");
    box_add_lower(box, "planted");
    AUTO(free) char *dir = box_mkdir(box, "planted/open");
    assert_int_equal(setxattr(dir, "user.overlay.redirect", "/secret", 7, 0), 0);
    assert_int_equal(setxattr(dir, "trusted.overlay.redirect", "/secret", 7, 0), 0);
    box_expect(box, "ls /open 2>/dev/null | wc -l", "0\n");
}

static void hundreds_of_layers_work(void **state)
{
    box_need_root();
    struct box *box = *state;
    for (int i = 0; i < 300; i++) {
        AUTO(free) char *name = xasprintf("a-layer-with-a-name-of-some-length-%03d", i);
        AUTO(free) char *file = xasprintf("%s/file", name);
        AUTO(free) char *text = xasprintf("%d\n", i);
        box_add_lower(box, name);
        box_write(box, file, text);
    }
    box_expect(box, "cat /file", "299\n");
    assert_string_equal(box->tree.data, "");
}

static void too_many_layers_are_refused_by_number(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/true", NULL };
    while (box->n_lowers <= SANDBOX_MAX_LOWERS)
        box_add_lower(box, "one");
    assert_fails(box_try(box, argv, &err), err, ERR_LIMIT,
                 "499 layers: one mount takes at most 498");
}

static void names_through_descriptors_are_taken(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    box_write(box, "busybox/file", "x\n");
    box_prepare(box);
    AUTO(close) int lower_fd = open(box->lowers[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO(close) int upper_fd = open(box->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(close) int scratch_fd = open(box->scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(close) int source_fd = open(box->dir->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO(free) char *lower = xasprintf("/proc/self/fd/%d", lower_fd);
    AUTO(free) char *upper = xasprintf("/proc/self/fd/%d", upper_fd);
    AUTO(free) char *scratch = xasprintf("/proc/self/fd/%d", scratch_fd);
    AUTO(free) char *source = xasprintf("/proc/self/fd/%d", source_fd);
    const char *const lowers[] = { lower };
    const char *const argv[] = { "/bin/sh", "-c", "cat /file /mnt/file; touch /new", NULL };
    const struct mount_spec mount = { .kind = MOUNT_BIND,
                                      .source = source,
                                      .subpath = "busybox",
                                      .target = "/mnt",
                                      .read_only = true };
    box->spec.argv = argv;
    box->spec.root = (struct sandbox_tree){ lowers, 1, upper, false };
    box->spec.scratch = scratch;
    box->spec.mounts = &mount;
    box->spec.n_mounts = 1;
    assert_ok(sandbox_run(&box->spec, &box->result, &err), err);
    assert_string_equal(box->out.data, "x\nx\n");
    box_walk(box);
    assert_string_equal(box->tree.data, "new\n");
}

static void paths_with_option_characters_work(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_add_lower(box, "a,b:c\\d e");
    box_write(box, "a,b:c\\d e/file", "odd\n");
    AUTO(free) char *deep = xmalloc(400);
    memset(deep, 'n', 399);
    deep[399] = '\0';
    for (size_t i = 50; i < 399; i += 50)
        deep[i] = '/';
    box_add_lower(box, deep); /* over the 255 bytes that fsconfig takes */
    AUTO(free) char *name = xasprintf("%s/deep", deep);
    box_write(box, name, "deep\n");
    box_expect(box, "cat /file /deep", "odd\ndeep\n");
}

static void working_directory_is_made(void **state)
{
    box_need_root();
    struct box *box = *state;
    box->spec.cwd = "/work/deep";
    box_expect(box, "pwd; stat -c '%a %u' /work", "/work/deep\n755 0\n");
    assert_string_equal(box->tree.data, "work\nwork/deep\n");
    box->spec.cwd = "/bin";
    box_expect(box, "pwd", "/bin\n");
    assert_string_equal(box->tree.data, "");
}

static void working_directory_leads_not_out(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/ls", NULL };
    for (int fd = 0; fd < 32; fd++) {
        AUTO(free) char *cwd = xasprintf("/proc/self/fd/%d", fd);
        box->spec.cwd = cwd;
        assert_int_equal(box_try(box, argv, &err), -1);
        error_clear(&err);
    }
    box->spec.cwd = "/bin/sh";
    assert_fails(box_try(box, argv, &err), err, ERR_IO,
                 "working directory /bin/sh: Not a directory");
}

/* -- listed mounts -- */

static void bind_mounts_show_a_part_of_their_source(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_write(box, "source/part/file", "text\n");
    box_write(box, "outside", "outside\n");
    box_symlink(box, "../../outside", "source/part/escape");
    box_symlink(box, "/part", "source/absolute");
    AUTO(free) char *source = box_path(box, "source");
    const struct mount_spec mounts[] = {
        { .kind = MOUNT_BIND,
          .source = source,
          .subpath = "part",
          .target = "/a/b",
          .read_only = true },
        { .kind = MOUNT_BIND, .source = source, .subpath = "absolute/file", .target = "/file" },
        { .kind = MOUNT_BIND, .source = source, .target = "/rw" },
    };
    box->spec.mounts = mounts;
    box->spec.n_mounts = ARRAY_SIZE(mounts);
    box_sh(box, "cat /a/b/file /file; cat /a/b/escape 2>&1; (echo x >/a/b/new) 2>&1; echo written "
                ">/rw/new");
    assert_string_equal(box->out.data,
                        "text\ntext\ncat: can't open '/a/b/escape': No such file or directory\n"
                        "/bin/sh: can't create /a/b/new: Read-only file system\n");
    assert_string_equal(box->tree.data, "");
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    struct error *err = NULL;
    assert_ok(fs_read_file(box->dir->fd, "source/new", &text, 100, &err), err);
    assert_string_equal(text.data, "written\n");
    const char *const argv[] = { "/bin/true", NULL };
    const struct mount_spec missing = {
        .kind = MOUNT_BIND, .source = source, .subpath = "../outside", .target = "/x"
    };
    box->spec.mounts = &missing;
    box->spec.n_mounts = 1;
    assert_fails(box_try(box, argv, &err), err, ERR_NOT_FOUND, "mount source ../outside");
}

static void devices_in_bind_mounts_stay_dead(void **state)
{
    box_need_root_of_the_host();
    struct box *box = *state;
    AUTO(free) char *source = box_mkdir(box, "source");
    assert_int_equal(mknodat(box->dir->fd, "source/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    const struct mount_spec mount = { .kind = MOUNT_BIND, .source = source, .target = "/m" };
    box->spec.mounts = &mount;
    box->spec.n_mounts = 1;
    box_sh(box, "cat /m/null");
    assert_string_equal(box->out.data, "cat: can't open '/m/null': Permission denied\n");
}

static void secrets_are_on_tmpfs_with_their_owner(void **state)
{
    box_need_root();
    struct box *box = *state;
    static const char secret[] = "s3cr3t-value";
    const struct mount_spec mount = { .kind = MOUNT_FILE,
                                      .content = secret,
                                      .size = sizeof(secret) - 1,
                                      .target = "/run/secrets/token",
                                      .uid = 7,
                                      .gid = 8,
                                      .mode = 0400 };
    box->spec.mounts = &mount;
    box->spec.n_mounts = 1;
    box_expect(box,
               "cat /run/secrets/token; stat -c ' %a %u %g' /run/secrets/token; "
               "stat -f -c %T /run/secrets/token",
               "s3cr3t-value 400 7 8\ntmpfs\n");
    assert_string_equal(box->tree.data, "");
    AUTO(free) char *script = xasprintf("! grep -r s3cr3t-val[u]e %s", box->dir->path);
    FILE *grep = popen(script, "r");
    assert_non_null(grep);
    assert_int_equal(pclose(grep), 0);
}

static void tmpfs_has_size_and_mode(void **state)
{
    box_need_root();
    struct box *box = *state;
    const struct mount_spec mount = {
        .kind = MOUNT_TMPFS, .size = 1 << 20, .target = "/t", .uid = 5, .mode = 01770
    };
    box->spec.mounts = &mount;
    box->spec.n_mounts = 1;
    box_expect(box,
               "stat -c '%a %u' /t; df /t | awk 'NR==2{print $2}'; head -c 2000000 /dev/zero "
               "2>/dev/null >/t/f || echo full; "
               "mknod /t/null c 1 3 2>/dev/null; cat /t/null 2>/dev/null || echo dead",
               "1770 5\n1024\nfull\ndead\n");
    assert_string_equal(box->tree.data, "");
}

static void trees_are_mounted_with_writes_apart(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_write(box, "one/dir/file", "one\n");
    box_write(box, "two/dir/other", "two\n");
    AUTO(free) char *one = box_path(box, "one"), *two = box_path(box, "two");
    AUTO(free) char *upper = box_mkdir(box, "tree-upper");
    const char *const lowers[] = { two, one };
    const struct sandbox_tree writable = { lowers, 2, upper, false };
    const struct sandbox_tree read_only = { lowers, 2, NULL, false };
    const struct mount_spec mounts[] = {
        { .kind = MOUNT_TREE, .tree = &writable, .target = "/w" },
        { .kind = MOUNT_TREE, .tree = &read_only, .subpath = "/dir", .target = "/r" },
        { .kind = MOUNT_TREE, .tree = &read_only, .subpath = "dir/file", .target = "/f" },
    };
    box->spec.mounts = mounts;
    box->spec.n_mounts = ARRAY_SIZE(mounts);
    box_expect(box,
               "cat /w/dir/file /r/file /r/other /f; echo new >/w/new; (echo x >/r/x) 2>/dev/null "
               "|| echo ro",
               "one\none\ntwo\none\nro\n");
    assert_string_equal(box->tree.data, "");
    assert_int_equal(faccessat(box->dir->fd, "tree-upper/new", F_OK, 0), 0);
}

static void mounts_nest_in_their_order(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_write(box, "cache/there", "cache\n");
    AUTO(free) char *cache = box_path(box, "cache");
    const struct mount_spec mounts[] = {
        { .kind = MOUNT_BIND, .source = cache, .target = "/c" },
        { .kind = MOUNT_TMPFS, .target = "/c/tmp/deep", .mode = 0755 },
        { .kind = MOUNT_FILE,
          .content = "x",
          .size = 1,
          .target = "/c/tmp/deep/file",
          .mode = 0644 },
        { .kind = MOUNT_FILE, .content = "y", .size = 1, .target = "/dev/extra", .mode = 0644 },
    };
    box->spec.mounts = mounts;
    box->spec.n_mounts = ARRAY_SIZE(mounts);
    box_expect(box, "cat /c/there /c/tmp/deep/file /dev/extra", "cache\nxy");
    assert_string_equal(box->tree.data, "");
}

static const char *const bad_targets[] = { "/",      "/dev",       "/proc",   "/proc/self",
                                           "/sys/x", "/x/../proc", "relative" };

static void targets_over_what_is_protected_are_refused(void **state)
{
    box_need_root();
    struct box *box = *state;
    const char *const argv[] = { "/bin/true", NULL };
    struct error *err = NULL;
    struct mount_spec mount = { .kind = MOUNT_TMPFS, .mode = 0755 };
    box->spec.mounts = &mount;
    box->spec.n_mounts = 1;
    for (size_t i = 0; i < ARRAY_SIZE(bad_targets); i++) {
        mount.target = bad_targets[i];
        assert_fails(box_try(box, argv, &err), err, ERR_USAGE, "mount target");
    }
    box_symlink(box, "/proc", "busybox/link");
    mount.target = "/link/sys";
    assert_fails(box_try(box, argv, &err), err, ERR_RUN, "mounts can't go to /proc or /sys");
}

/* -- older kernels and filters -- */

static const char *const forced[] = {
    "no-lowerdir-add",
    "no-fsopen",
    "no-open-tree",
    "no-clone3",
    "no-lowerdir-add,no-open-tree,no-clone3",
};

/* The list is read once per process: each case is one of its own. */
static void fallbacks_do_the_same(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_add_lower(box, "upper-layer");
    free(box_mkdir(box, "upper-layer/etc"));
    box_symlink(box, "../run/resolv.conf", "upper-layer/etc/resolv.conf");
    for (int i = 0; i < 200; i++) {
        AUTO(free) char *name = xasprintf("layer-with-a-long-name-to-fill-the-page-%03d", i);
        box_add_lower(box, name);
    }
    box_write(box, "source/file", "bound\n");
    AUTO(free) char *source = box_path(box, "source");
    const char *const lowers[] = { source };
    const struct sandbox_tree tree = { lowers, 1, NULL, false };
    const struct mount_spec mounts[] = {
        { .kind = MOUNT_BIND, .source = source, .target = "/b", .read_only = true },
        { .kind = MOUNT_FILE,
          .content = "secret\n",
          .size = 7,
          .target = "/run/secret",
          .mode = 0444 },
        { .kind = MOUNT_TREE, .tree = &tree, .target = "/tree" },
    };
    box->spec.mounts = mounts;
    box->spec.n_mounts = ARRAY_SIZE(mounts);
    const char *const argv[] = {
        "/bin/sh", "-c",
        "cat /b/file /run/secret; grep -c localhost /etc/hosts; "
        "(echo x >/b/x) 2>/dev/null || echo ro; "
        "mknod /n c 1 3 2>/dev/null; cat /n 2>/dev/null || echo dead; echo x >/dev/null; "
        "grep Seccomp: /proc/self/status; rm -f /n; cat /tree/file",
        NULL
    };
    for (size_t i = 0; i < ARRAY_SIZE(forced); i++) {
        box_prepare(box);
        pid_t pid = fork();
        if (pid == 0) { /* no assertion here: it would go on with the other tests */
            struct error *err = NULL;
            box->spec.argv = argv;
            if (setenv("CBUILD_FORCE", forced[i], 1) < 0 ||
                sandbox_run(&box->spec, &box->result, &err) < 0)
                print_error("%s: %s\n", forced[i], error_message(err));
            box_walk(box);

            _exit(strcmp(box->out.data, "bound\nsecret\n2\nro\ndead\nSeccomp:\t2\nbound\n") != 0 ||
                  box->tree.size != 0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status)
            fail_msg("%s: status %#x", forced[i], (unsigned)status);
    }
}

int main(int argc UNUSED, char **argv)
{
    box_become_root(argv);
    const struct CMUnitTest tests[] = {
        SANDBOX_TEST(fallbacks_do_the_same), /* first: it forks before anything is read */
        SANDBOX_TEST(true_leaves_the_upper_empty),
        SANDBOX_TEST(files_of_the_image_are_covered_and_survive),
        SANDBOX_TEST(directories_above_stubs_keep_their_attributes),
        SANDBOX_TEST(links_of_the_image_are_followed_in_it),
        SANDBOX_TEST(link_of_a_directory_is_followed),
        SANDBOX_TEST(whiteouts_do_not_hide_mount_points),
        SANDBOX_TEST(proc_as_a_link_is_refused),
        SANDBOX_TEST(hosts_as_a_directory_is_refused),
        SANDBOX_TEST(changes_are_in_the_upper),
        SANDBOX_TEST(attributes_planted_in_layers_lead_nowhere),
        SANDBOX_TEST(hundreds_of_layers_work),
        SANDBOX_TEST(too_many_layers_are_refused_by_number),
        SANDBOX_TEST(names_through_descriptors_are_taken),
        SANDBOX_TEST(paths_with_option_characters_work),
        SANDBOX_TEST(working_directory_is_made),
        SANDBOX_TEST(working_directory_leads_not_out),
        SANDBOX_TEST(bind_mounts_show_a_part_of_their_source),
        SANDBOX_TEST(devices_in_bind_mounts_stay_dead),
        SANDBOX_TEST(secrets_are_on_tmpfs_with_their_owner),
        SANDBOX_TEST(tmpfs_has_size_and_mode),
        SANDBOX_TEST(trees_are_mounted_with_writes_apart),
        SANDBOX_TEST(mounts_nest_in_their_order),
        SANDBOX_TEST(targets_over_what_is_protected_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
