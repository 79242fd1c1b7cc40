/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands in a sandbox made of busybox, as root: that of a user namespace where an ordinary user
 * with subordinate ids runs the test. Other users skip.
 *
 *     SANDBOX_TEST(name)
 *     static void name(void **state) { struct box *box = *state; box_sh(box, "id -u"); ...
 * box->out.data ... }
 */
#ifndef CBUILD_TESTS_UNIT_SANDBOX_FIXTURE_H
#define CBUILD_TESTS_UNIT_SANDBOX_FIXTURE_H

#include "runner/sandbox.h"
#include "tests/unit/temp_dir.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOX_MAX_LOWERS 600

struct box {
    struct temp_dir *dir;
    const char *lowers[BOX_MAX_LOWERS]; /* owned; the last is busybox */
    size_t n_lowers;
    struct sandbox_spec spec; /* change it before a run; root and scratch are set by the run */
    const char *argv[4];
    struct sandbox_result result;
    struct strbuf out;  /* both streams of the last run */
    struct strbuf tree; /* names in the last upper, sorted, one a line */
    char *upper, *scratch;
    unsigned n_runs;
};

static inline char *box_path(const struct box *box, const char *name)
{
    return xasprintf("%s/%s", box->dir->path, name);
}

/* A new directory in the test's own, as a path to keep. */
static inline char *box_mkdir(const struct box *box, const char *name)
{
    struct error *err = NULL;
    assert_ok(fs_mkdirs(box->dir->fd, name, 0755, &err), err);
    return box_path(box, name);
}

static inline void box_write(const struct box *box, const char *name, const char *text)
{
    struct error *err = NULL;
    AUTO(free) char *dir = xstrdup(name);
    char *slash = strrchr(dir, '/');
    if (slash) {
        *slash = '\0';
        assert_ok(fs_mkdirs(box->dir->fd, dir, 0755, &err), err);
    }
    assert_ok(fs_write_file(box->dir->fd, name, text, strlen(text), 0644, &err), err);
}

static inline void box_symlink(const struct box *box, const char *target, const char *name)
{
    if (symlinkat(target, box->dir->fd, name) < 0)
        fail_msg("symlink %s", name);
}

/* The next layer above those that are there. */
static inline void box_add_lower(struct box *box, const char *name)
{
    for (size_t i = box->n_lowers++; i > 0; i--)
        box->lowers[i] = box->lowers[i - 1];
    box->lowers[0] = box_mkdir(box, name);
}

static inline void box_make_busybox(struct box *box)
{
    static const char *const applets[] = {
        "sh",       "cat",   "ls",    "id",    "env",   "hostname", "ps",      "true",  "false",
        "sleep",    "mknod", "mkdir", "rm",    "touch", "stat",     "head",    "wc",    "grep",
        "sort",     "dd",    "chmod", "chown", "mount", "umount",   "kill",    "pwd",   "setsid",
        "readlink", "ip",    "seq",   "find",  "echo",  "tr",       "unshare", "rmdir", "mv",
        "ln",       "su",    "awk",   "sed",   "od",    "df"
    };
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf program = STRBUF_INIT;
    box_add_lower(box, "busybox");
    assert_ok(fs_mkdirs(box->dir->fd, "busybox/bin", 0755, &err), err);
    assert_ok(fs_read_file(AT_FDCWD, "/bin/busybox", &program, 16 << 20, &err), err);
    assert_ok(
        fs_write_file(box->dir->fd, "busybox/bin/busybox", program.data, program.size, 0755, &err),
        err);
    for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
        AUTO(free) char *name = xasprintf("busybox/bin/%s", applets[i]);
        box_symlink(box, "busybox", name);
    }
}

static inline void box_log(void *data, const void *bytes, size_t size, bool error_stream)
{
    struct box *box = data;
    (void)error_stream;
    strbuf_add(&box->out, bytes, size);
}

static inline int box_setup(void **state)
{
    void *dir = NULL;
    if (temp_dir_setup(&dir) < 0)
        return -1;
    struct box *box = NEW(struct box);
    box->dir = dir;
    strbuf_init(&box->out);
    strbuf_init(&box->tree);
    static const char *const env[] = { "PATH=/bin", NULL };
    box->spec = (struct sandbox_spec)SANDBOX_SPEC_INIT;
    box->spec.env = env;
    box->spec.network_mode = NETWORK_HOST;
    box->spec.log = box_log;
    box->spec.log_data = box;
    *state = box;
    if (geteuid() == 0)
        box_make_busybox(box);
    return 0;
}

static inline int box_teardown(void **state)
{
    struct box *box = *state;
    void *dir = box->dir;
    for (size_t i = 0; i < box->n_lowers; i++)
        free((void *)(uintptr_t)box->lowers[i]);
    sandbox_result_release(&box->result);
    strbuf_release(&box->out);
    strbuf_release(&box->tree);
    free(box->upper);
    free(box->scratch);
    free(box);
    return temp_dir_teardown(&dir);
}

static struct box *box_walked;

static inline int box_add_name(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    if (at->level)
        strbuf_addf(&box_walked->tree, "%s\n", path + strlen(box_walked->upper) + 1);
    return 0;
}

static inline void box_walk(struct box *box)
{
    strbuf_reset(&box->tree);
    box_walked = box;
    (void)nftw(box->upper, box_add_name, 16, FTW_PHYS);
}

/* Fresh directories for the next run. */
static inline void box_prepare(struct box *box)
{
    AUTO(free) char *upper = xasprintf("upper%u", box->n_runs);
    AUTO(free) char *scratch = xasprintf("scratch%u", box->n_runs++);
    free(box->upper);
    free(box->scratch);
    box->upper = box_mkdir(box, upper);
    box->scratch = box_mkdir(box, scratch);
    box->spec.root.lowers = box->lowers;
    box->spec.root.n_lowers = box->n_lowers;
    box->spec.root.upper = box->upper;
    box->spec.scratch = box->scratch;
    strbuf_reset(&box->out);
    sandbox_result_release(&box->result);
}

static inline int box_try(struct box *box, const char *const *argv, struct error **err)
{
    box_prepare(box);
    box->spec.argv = argv;
    int result = sandbox_run(&box->spec, &box->result, err);
    box_walk(box);
    return result;
}

static inline void box_run(struct box *box, const char *const *argv)
{
    struct error *err = NULL;
    assert_ok(box_try(box, argv, &err), err);
}

/* Runs a script; its status is in result. */
static inline void box_sh(struct box *box, const char *script)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    box_run(box, argv);
}

/* The script's output, and status 0. */
#define box_expect(box, script, expected)                                                          \
    do {                                                                                           \
        box_sh((box), (script));                                                                   \
        assert_string_equal((box)->out.data, (expected));                                          \
        assert_int_equal((box)->result.status, 0);                                                 \
    } while (0)

/* First in main(): an ordinary user becomes root of a user namespace, if he has the ids for one. */
static inline void box_become_root(char **argv)
{
    static const char *const script = "u='unshare --user --map-auto --map-root-user --mount'; "
                                      "$u -- true 2>/dev/null && exec $u -- \"$0\"; exec \"$0\"";
    if (geteuid() != 0 && !getenv("BOX_TRIED") && setenv("BOX_TRIED", "1", 1) == 0)
        (void)execlp("sh", "sh", "-c", script, argv[0], (char *)NULL);
}

static inline void box_need_root(void)
{
    if (geteuid() != 0) {
        print_message("# needs root\n");
        skip();
    }
}

/* Who can make devices and set attributes trusted.*: not root of a user namespace. */
static inline void box_need_root_of_the_host(void)
{
    AUTO(strbuf_release) struct strbuf map = STRBUF_INIT;
    struct error *err = NULL;
    box_need_root();
    assert_ok(fs_read_file(AT_FDCWD, "/proc/self/uid_map", &map, 4096, &err), err);
    if (!strstr(map.data, " 4294967295\n")) {
        print_message("# needs root of the host\n");
        skip();
    }
}

#define SANDBOX_TEST(name) cmocka_unit_test_setup_teardown(name, box_setup, box_teardown)

#endif
