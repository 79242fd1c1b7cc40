/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tree_copy.h"

#include "base/hashmap.h"
#include "base/path.h"
#include "tests/unit/layers_fixture.h"

#include <inttypes.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static struct stat look(struct tree_copy *copy, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(tree_copy_root_fd(copy), path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void it_holds_what_the_chain_shows(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref)
    struct tree *tree =
        tree_of_words(fixture->store, "d a; f a/f=1; h h->a/f; l l->a; p fifo 0600");
    AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, tree, &err);
    assert_ok_ptr(copy, err);
    AUTO(strbuf_release) struct strbuf there = STRBUF_INIT, said = STRBUF_INIT;
    describe_directory(tree_copy_root_fd(copy), "", &there);
    describe_tree(tree, "", &said);
    assert_string_equal(there.data, said.data);
    assert_true(tree_copy_had(copy, "a/f"));
    assert_false(tree_copy_had(copy, "a/g"));
    assert_ok(tree_copy_seal(copy, &err), err);
}

/* Whether files that nobody touched are known without their content. */
static bool is_told_by_times(struct tree_copy *copy)
{
    struct statfs fs;
    assert_int_equal(fstatfs(tree_copy_root_fd(copy), &fs), 0);
    return fs.f_type != TMPFS_MAGIC;
}

/* Same size, same time: only its change time tells. */
static void a_file_written_at_once_after_the_copy_is_not_untouched(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1; f b=2; f c=3");
    AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, tree, &err);
    assert_ok_ptr(copy, err);
    int root = tree_copy_root_fd(copy);
    struct stat before = look(copy, "a");
    AUTO(close) int fd = openat(root, "a", O_WRONLY | O_CLOEXEC);
    const struct timespec times[2] = { before.st_atim, before.st_mtim };
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(renameat2(root, "b", root, "c", RENAME_EXCHANGE), 0);
    struct stat a = look(copy, "a"), b = look(copy, "b");
    assert_false(tree_copy_is_untouched(copy, "a", &a));
    assert_int_equal(tree_copy_is_untouched(copy, "a", &before), is_told_by_times(copy));
    assert_false(tree_copy_is_untouched(copy, "b", &b));
    assert_false(tree_copy_is_untouched(copy, "new", &before));
}

/* In the copy, as a RUN would. */
static void change(struct tree_copy *copy, const char *commands)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fchdir(tree_copy_root_fd(copy)) == 0)
            (void)execl("/bin/sh", "sh", "-euc", commands, (char *)NULL);
        _exit(1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* All that a RUN can see of a thing; names of one file are told by the first of them. */
static void describe_thing(int root_fd, const char *path, struct hashmap *first,
                           struct strbuf *text)
{
    struct stat st;
    char key[64];
    AUTO(free) char *real = xasprintf("/proc/self/fd/%d/%s", root_fd, path);
    assert_int_equal(fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    (void)snprintf(key, sizeof(key), "%ju", (uintmax_t)st.st_ino);
    if (!hashmap_has(first, key))
        hashmap_put(first, key, xstrdup(path));
    strbuf_addf(text, "%s: %o %u:%u %jd.%ld %ju names, as %s, %zd bytes of attributes\n", path,
                st.st_mode, st.st_uid, st.st_gid, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                (uintmax_t)(S_ISDIR(st.st_mode) ? 0 : st.st_nlink),
                (const char *)hashmap_get(first, key), llistxattr(real, NULL, 0));
}

static void describe_all(int root_fd, const char *dir, struct hashmap *first, struct strbuf *text)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(root_fd, *dir ? dir : ".", &names, &err), err);
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free) char *path = path_join(dir, names.items[i]);
        struct stat st;
        describe_thing(root_fd, path, first, text);
        assert_int_equal(fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        if (S_ISDIR(st.st_mode))
            describe_all(root_fd, path, first, text);
    }
}

static char *describe_copy(struct tree_copy *copy)
{
    AUTO(hashmap_release) struct hashmap first = HASHMAP_INIT(free);
    struct strbuf text = STRBUF_INIT;
    describe_thing(tree_copy_root_fd(copy), ".", &first, &text);
    describe_all(tree_copy_root_fd(copy), "", &first, &text);
    describe_directory(tree_copy_root_fd(copy), "", &text);
    return strbuf_detach(&text);
}

static struct tree *push_words(struct fixture *fixture, struct tree *below, const char *words)
{
    AUTO(layer_unref) struct layer *layer = layer_of_words(fixture->store, words);
    return tree_push(below, layer);
}

/* rwx for user 33, too */
#define DEFAULT_LIST                                                                               \
    "0x02000000"                                                                                   \
    "01000700ffffffff0200070021000000"                                                             \
    "04000500ffffffff10000700ffffffff20000500ffffffff"

/* What a RUN did, and the layer that it gave: which needn't tell all of it. */
static const struct {
    const char *commands, *layer;
} renewals[] = {
    { ":", "f new=n" },
    { "echo 22 >d/a", "f d/a=22\n" },
    { "touch -d @7 d/a; chmod 600 d/b; touch d e", "f x=1" }, /* that is told of none of it */
    { "rm d/a; rmdir e; mknod sock p", "w d/a; w e" },
    { "rm -r d; mkdir d; echo 1 >d/new", "o d; f d/new=1\n" },
    { "rm -r d; ln -s e d", "w d; l d->e" },
    { "rm l; mkdir l; echo 1 >l/x", "d l; f l/x=1\n" },
    { "mv d e/d; mv e/d d", "f x=1" },
    { "mv d/sub e/sub", "w d/sub; d e/sub; f e/sub/s=s" },
    /* names of one file */
    { "ln d/a d/c", "f d/c=1" },
    { "rm d/b; ln d/a d/b", "f x=1" },
    { "rm h; cp d/a h", "f x=1" },
    { "rm d/a; cp h d/a", "f x=1" },
    { "echo 3 >h", "f h=3\n" },
    { "rm d/a", "w d/a" },
    { "mv t v; mkdir t; cp -p v/s t/s", "d v; f v/s=s" },
    /* of directories */
    { "chmod 700 . d; setfattr -n user.x -v 1 d; chown 5:6 e", "f x=1" },
    { ":", "d d 0700,3,4,99" },
    /* what is made in them gets nothing of them */
    { "chgrp 6 . d; chmod 2775 . d; echo 3 >d/a", "d d 02775,0,6,99; f d/a=3\n; d d/new" },
    { "setfattr -n system.posix_acl_default -v " DEFAULT_LIST " d; echo 3 >d/a", "f d/a=3\n" },
    /* of a COPY since */
    { ":", "f d/a=3; w d/b" },
};

static void a_copy_that_was_renewed_is_as_a_new_one(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    for (size_t i = 0; i < sizeof(renewals) / sizeof(renewals[0]); i++) {
        print_message("%s\n", renewals[i].commands);
        AUTO(tree_unref)
        struct tree *below = tree_of_words(
            fixture->store,
            "d d; f d/a=1; f d/b=1; d d/sub; f d/sub/s=s; d e 01777; l l->d/a; "
            "h h->d/a; d t; f t/s=s; d u; h u/s->t/s | f other=o; f kept=k 0600,1,2,3");
        AUTO(tree_unref) struct tree *above = push_words(fixture, below, renewals[i].layer);
        AUTO(tree_unref) struct tree *tree = push_words(fixture, above, "d z; f z/later=1");
        AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, below, &err);
        assert_ok_ptr(copy, err);
        const ino_t kept = look(copy, "kept").st_ino;
        change(copy, renewals[i].commands);
        assert_ok(tree_copy_seal(copy, &err), err);
        assert_true(tree_copy_serves(copy, tree));
        assert_ok(tree_copy_renew(copy, tree, &err), err);
        AUTO(tree_copy_free) struct tree_copy *fresh = tree_copy_new(fixture->store, tree, &err);
        assert_ok_ptr(fresh, err);
        AUTO(free) char *is = describe_copy(copy), *wanted = describe_copy(fresh);
        assert_string_equal(is, wanted);
        if (is_told_by_times(copy))
            assert_int_equal(look(copy, "kept").st_ino, kept);
        struct stat now = look(copy, "z/later");
        assert_int_equal(tree_copy_is_untouched(copy, "z/later", &now), is_told_by_times(copy));
        assert_false(tree_copy_serves(copy, above));
    }
}

/* A page that was mapped by reading it is written to without the kernel's notice on tmpfs. */
static void writes_through_memory_are_seen(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1");
    AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, tree, &err);
    assert_ok_ptr(copy, err);
    AUTO(close) int fd = openat(tree_copy_root_fd(copy), "a", O_RDWR | O_CLOEXEC);
    char *mapped = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
    volatile char *page = mapped;
    assert_int_equal(page[0], '1');
    page[0] = '2';
    assert_int_equal(munmap(mapped, 1), 0);
    struct stat now = look(copy, "a");
    assert_false(tree_copy_is_untouched(copy, "a", &now));
    assert_ok(tree_copy_seal(copy, &err), err);
    assert_ok(tree_copy_renew(copy, tree, &err), err);
    AUTO(strbuf_release) struct strbuf there = STRBUF_INIT;
    describe_directory(tree_copy_root_fd(copy), "", &there);
    assert_string_equal(there.data, "a=1");
}

static int setup_in_memory(void **state)
{
    AUTO(free) char *before = getenv("TMPDIR") ? xstrdup(getenv("TMPDIR")) : NULL;
    if (access("/dev/shm", W_OK) == 0) /* else where we are */
        (void)setenv("TMPDIR", "/dev/shm", 1);
    int result = fixture_setup(state);
    (void)(before ? setenv("TMPDIR", before, 1) : unsetenv("TMPDIR"));
    return result;
}

static void *let_go(void *copy)
{
    change(copy, "echo 2 >a"); /* its content is still read: it mustn't be renewed yet */
    tree_copy_free(copy);
    return NULL;
}

static void it_is_renewed_when_nobody_else_reads_it(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    pthread_t thread;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1");
    AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, tree, &err);
    assert_ok_ptr(copy, err);
    assert_ok(tree_copy_seal(copy, &err), err);
    assert_int_equal(pthread_create(&thread, NULL, let_go, tree_copy_ref(copy)), 0);
    assert_ok(tree_copy_renew(copy, tree, &err), err);
    assert_int_equal(look(copy, "a").st_size, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    AUTO(strbuf_release) struct strbuf there = STRBUF_INIT;
    describe_directory(tree_copy_root_fd(copy), "", &there);
    assert_string_equal(there.data, "a=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(it_holds_what_the_chain_shows),
        fixture_test(a_file_written_at_once_after_the_copy_is_not_untouched),
        fixture_test(a_copy_that_was_renewed_is_as_a_new_one),
        fixture_test(writes_through_memory_are_seen),
        cmocka_unit_test_setup_teardown(writes_through_memory_are_seen, setup_in_memory,
                                        fixture_teardown),
        fixture_test(it_is_renewed_when_nobody_else_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
