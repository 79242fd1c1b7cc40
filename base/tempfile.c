/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list that exit and the signal path walk.
 *
 * A signal handler can take no lock, so the list only ever grows at its head
 * (by compare-and-swap) and its nodes are reused, never freed. A node's state
 * says who may touch the rest of it:
 *
 *     FREE → OWNED → LIVE → OWNED → FREE        the object's thread
 *                    LIVE → REMOVING → GONE     tempfile_remove_all(); the object then frees it
 *
 * 1. dir_fd and name change only in OWNED, so whoever moved LIVE to REMOVING reads them safely.
 * 2. LIVE is entered before the file is made: no instant has a file that the list doesn't know.
 *    Names hold the process id and 64 random bits, so a name in the list is nobody else's.
 * 3. A commit leaves LIVE before it renames: a file is never renamed and then removed.
 */
#include "base/tempfile.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum node_state { NODE_FREE, NODE_OWNED, NODE_LIVE, NODE_REMOVING, NODE_GONE };

struct node {
    _Atomic(enum node_state) state;
    struct node *next;
    pid_t pid; /* a forked child inherits the list, not the files */
    int dir_fd;
    bool is_dir;
    char name[NAME_MAX + 1];
};

struct tempfile {
    struct node *node; /* NULL once committed */
    int fd;
};

static _Atomic(struct node *) nodes;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
/* Names are written and searched under it; the signal path does without, by rule 1. */
static pthread_mutex_t names_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool node_move(struct node *node, enum node_state from, enum node_state to)
{
    return atomic_compare_exchange_strong(&node->state, &from, to);
}

static void node_remove(struct node *node)
{
    if (!node_move(node, NODE_LIVE, NODE_REMOVING))
        return;
    bool gone = true;
    if (node->pid == getpid())
        gone = unlinkat(node->dir_fd, node->name, node->is_dir ? AT_REMOVEDIR : 0) == 0;
    /* a directory in use isn't empty and stays for remove_at_exit() */
    atomic_store(&node->state, gone || !node->is_dir ? NODE_GONE : NODE_LIVE);
}

void tempfile_remove_all(void)
{
    for (struct node *node = atomic_load(&nodes); node; node = node->next)
        node_remove(node);
}

/* exit() may take its time: directories go with what is in them. */
static void remove_at_exit(void)
{
    tempfile_remove_all();
    for (struct node *node = atomic_load(&nodes); node; node = node->next) {
        if (!node_move(node, NODE_LIVE, NODE_REMOVING))
            continue;
        AUTO(error_free) struct error *ignored = NULL; /* nobody is left to hear of it */
        if (node->pid == getpid() && fs_remove_tree(node->dir_fd, node->name, &ignored) < 0)
            error_clear(&ignored);
        atomic_store(&node->state, NODE_GONE);
    }
}

static void exit_register(void)
{
    (void)atexit(remove_at_exit); /* without it, collecting sweeps what stays */
}

static struct node *node_claim(void)
{
    pthread_once(&exit_once, exit_register);
    for (struct node *node = atomic_load(&nodes); node; node = node->next)
        if (node_move(node, NODE_FREE, NODE_OWNED))
            return node;
    struct node *node = NEW(struct node);
    atomic_init(&node->state, NODE_OWNED);
    node->next = atomic_load(&nodes);
    while (!atomic_compare_exchange_weak(&nodes, &node->next, node)) {
    }
    return node;
}

/* Back to the free nodes, from whatever state; true when the name is still ours to handle. */
static bool node_reclaim(struct node *node)
{
    if (node_move(node, NODE_LIVE, NODE_OWNED))
        return true;
    while (atomic_load(&node->state) == NODE_REMOVING)
        sched_yield();
    return false;
}

static void node_release(struct node *node)
{
    pthread_mutex_lock(&names_mutex);
    node->name[0] = '\0';
    pthread_mutex_unlock(&names_mutex);
    close_auto(&node->dir_fd);
    node->dir_fd = -1;
    atomic_store(&node->state, NODE_FREE);
}

static struct node *node_new(int dir_fd, const char *prefix, bool is_dir, struct error **err)
{
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_errno_null(err, "asking for random bytes");
    int fd = dir_fd == AT_FDCWD ? open(".", O_PATH | O_DIRECTORY | O_CLOEXEC) : io_dup(dir_fd, err);
    if (fd < 0 && dir_fd == AT_FDCWD)
        return error_errno_null(err, "opening the working directory");
    if (fd < 0)
        return NULL;
    struct node *node = node_claim();
    node->pid = getpid();
    node->is_dir = is_dir;
    node->dir_fd = fd;
    pthread_mutex_lock(&names_mutex);
    (void)snprintf(node->name, sizeof(node->name), "%.200s.%ld.%016llx", prefix, (long)node->pid,
                   (unsigned long long)random);
    pthread_mutex_unlock(&names_mutex);
    return node;
}

struct tempfile *tempfile_new(int dir_fd, const char *prefix, struct error **err)
{
    struct node *node = node_new(dir_fd, prefix, false, err);
    if (!node)
        return NULL;
    atomic_store(&node->state, NODE_LIVE);
    int fd =
        openat(node->dir_fd, node->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_errno_(err, "making temporary file %s", node->name);
        (void)node_reclaim(node); /* nothing was made */
        node_release(node);
        return NULL;
    }
    struct tempfile *tempfile = NEW(struct tempfile);
    tempfile->node = node;
    tempfile->fd = fd;
    return tempfile;
}

int tempfile_fd(const struct tempfile *tempfile)
{
    return tempfile->fd;
}

const char *tempfile_name(const struct tempfile *tempfile)
{
    return tempfile->node->name;
}

int tempfile_commit(struct tempfile *tempfile, int to_dir_fd, const char *name, struct error **err)
{
    struct node *node = tempfile->node;
    if (!node_reclaim(node))
        return error_set(err, ERR_CANCELLED, "interrupted");
    if (renameat(node->dir_fd, node->name, to_dir_fd, name) < 0) {
        error_errno_(err, "renaming a temporary file to %s", name);
        atomic_store(&node->state, NODE_LIVE);
        return -1;
    }
    tempfile->node = NULL;
    node_release(node);
    return 0;
}

void tempfile_free(struct tempfile *tempfile)
{
    if (!tempfile)
        return;
    struct node *node = tempfile->node;
    if (node) {
        if (node_reclaim(node))
            (void)unlinkat(node->dir_fd, node->name, 0); /* best effort: collecting sweeps it */
        node_release(node);
    }
    close_auto(&tempfile->fd);
    free(tempfile);
}

char *tempdir_new(int dir_fd, const char *prefix, struct error **err)
{
    struct node *node = node_new(dir_fd, prefix, true, err);
    if (!node)
        return NULL;
    AUTO(free) char *name = xstrdup(node->name);
    atomic_store(&node->state, NODE_LIVE);
    if (mkdirat(node->dir_fd, name, 0700) < 0) {
        error_errno_(err, "making temporary directory %s", name);
        (void)node_reclaim(node); /* nothing was made */
        node_release(node);
        return NULL;
    }
    return TAKE(name);
}

void tempdir_forget(const char *name)
{
    struct node *found = NULL;
    pthread_mutex_lock(&names_mutex);
    for (struct node *node = atomic_load(&nodes); node && !found; node = node->next)
        if (!strcmp(node->name, name))
            found = node;
    pthread_mutex_unlock(&names_mutex);
    if (!found)
        return;
    (void)node_reclaim(found); /* removed meanwhile is as good */
    node_release(found);
}
