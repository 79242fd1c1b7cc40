/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory is opened, listed, all its names are looked at, and it is closed, by one thread. Who
 * tells is a thread like the others: it takes the directory that it needs next, or, while somebody
 * else is at that one, helps with what comes later.
 *
 * 1. Directories that nobody is through with stand in one list in the order of the walk; one that
 *    was looked at gives its place to its children. So threads work on what is told soonest, and no
 *    sorting is needed.
 * 2. AHEAD_MOST entries at most were looked at and not told yet (by helpers: who tells needs them):
 *    a bound for what is done in vain below a directory that isn't entered.
 * 3. A directory is opened relative to the one that it is in, as long as that is open: HELD_MOST
 *    stay open for that; the others, and what can't be opened so, by their path beneath the root.
 *    So depth costs no descriptors, and PATH_MAX bounds it.
 * 4. Small contexts start no thread: starting one costs as much as looking at some directories.
 */
#include "builder/context_scan.h"

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/pool.h"
#include "builder/context_internal.h"

#include <fcntl.h>
#include <limits.h>

#define AHEAD_MOST ((size_t)16 << 10)
#define HELD_MOST 16
#define MANY_WAITING 8
#define THREADS_MOST 16

/* An open directory, for those in it. The scan's lock. */
struct shared_fd {
    int fd;
    size_t refs;
};

struct scan {
    struct context *context;
    const struct pattern_list *patterns; /* NULL: no rules */
    struct context_viewer *viewer;       /* of who tells */
    struct thread *helpers[THREADS_MOST];
    unsigned n_helpers;
    bool has_helpers; /* or tried to start some */
    struct scan_dir root;

    pthread_mutex_t lock; /* what follows, and the scan's own of directories */
    pthread_cond_t work;  /* helpers: something is to be looked at, or all ends */
    pthread_cond_t done;  /* who tells: a directory was looked at */
    struct scan_dir list; /* its head: next is the first */
    size_t n_waiting, n_idle, n_ahead, n_held;
    bool is_waited_for, ended;
};

void scan_matches_of(const struct pattern_list *patterns, const char *path,
                     struct pattern_state *ret)
{
    AUTO(free) char *prefix = xstrdup(path);
    for (size_t end = 0; path[end];) {
        end += strcspn(path + end + (end > 0), "/") + (end > 0);
        prefix[end] = '\0';
        struct pattern_state state = PATTERN_STATE_INIT;
        bool at_root = !strchr(prefix, '/');
        (void)pattern_list_walk_dir(patterns, at_root ? NULL : ret, prefix, &state);
        pattern_state_release(ret);
        *ret = state;
        prefix[end] = path[end];
    }
}

static const struct pattern_state *matches_of(const struct scan_dir *dir)
{
    return dir->path[0] ? &dir->matches : NULL;
}

/* --- one directory --- */

/* Names as text, one after the other, and where they begin: few allocations a directory. */
struct names {
    struct strbuf text;
    size_t *starts;
    size_t n_starts, starts_capacity;
};

static void names_release(struct names *names)
{
    strbuf_release(&names->text);
    free(names->starts);
}
DEFINE_AUTO_STRUCT(struct names, names_release)

static void add_name(void *data, const char *name, unsigned char type UNUSED)
{
    struct names *names = data;
    *ARRAY_PUSH(names, starts) = names->text.size;
    strbuf_add(&names->text, name, strlen(name) + 1);
}

static int by_text(const void *a, const void *b, void *text)
{
    const size_t *x = a, *y = b;
    return strcmp((const char *)text + *x, (const char *)text + *y);
}

/* What a thread works with on one directory. */
struct look {
    const struct scan *scan;
    struct context_viewer *viewer;
    struct scan_dir *dir;
    int fd;
    struct strbuf path; /* for the rules: of the directory, and of what is looked at */
};

static void look_release(struct look *look)
{
    close_auto(&look->fd);
    strbuf_release(&look->path);
}
DEFINE_AUTO_STRUCT(struct look, look_release)

/* Whether the rules hide it with all that is below it. Of a directory that is entered *child gets
 * what they say. */
static bool is_hidden(struct look *look, const char *name, bool is_directory,
                      struct scan_dir *child)
{
    const struct pattern_list *patterns = look->scan->patterns;
    const struct pattern_state *matches = matches_of(look->dir);
    if (!patterns)
        return false;
    strbuf_reset(&look->path);
    strbuf_adds(&look->path, look->dir->path);
    if (look->path.size)
        strbuf_addc(&look->path, '/');
    strbuf_adds(&look->path, name);
    const char *path = look->path.data;
    if (!is_directory)
        return pattern_list_walk_file(patterns, matches, path).matched;
    child->is_excluded = pattern_list_walk_dir(patterns, matches, path, &child->matches).matched;
    return child->is_excluded && !pattern_list_may_unmatch_below(patterns, &child->matches, path);
}

static int look_at(struct look *look, const char *name, struct error **err)
{
    struct stat st;
    uint64_t number;
    int found = fs_stat(look->fd, name, &st, err);
    if (found < 0)
        return error_wrap(err, "build context");
    if (!found || S_ISSOCK(st.st_mode)) /* gone meanwhile, or nothing that a layer can hold */
        return 0;
    struct scan_dir child = { .path = NULL };
    if (is_hidden(look, name, S_ISDIR(st.st_mode), &child)) {
        pattern_state_release(&child.matches);
        return 0;
    }
    if (context_see(look->viewer, look->fd, look->dir->path, name, &st, &number, err) < 0) {
        pattern_state_release(&child.matches);
        return -1;
    }
    *ARRAY_PUSH(look->dir, seen) = number;
    if (!S_ISDIR(st.st_mode))
        return 0;
    struct entry entry;
    context_entry(look->scan->context, number, &entry);
    child.path = entry.path;
    *ARRAY_PUSH(look->dir, children) = child;
    return 0;
}

static int open_dir(struct look *look, struct error **err)
{
    const struct scan_dir *dir = look->dir;
    int fd = -1;
    /* a name without a slash, and no link: it can't lead elsewhere; too long a path is an error
     * whoever opens it */
    if (dir->above && strlen(dir->path) < PATH_MAX)
        fd = openat(dir->above->fd, path_base(dir->path),
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : context_open_dir(look->scan->context, dir->path, err);
}

static int look_into(struct look *look, struct error **err)
{
    const char *path = look->dir->path;
    AUTO(names_release) struct names names = { .text = STRBUF_INIT };
    if (cancel_check(err) < 0)
        return -1;
    look->fd = open_dir(look, err);
    if (look->fd < 0 || fs_each_name(look->fd, add_name, &names, path[0] ? path : ".", err) < 0)
        return error_wrap(err, "build context");
    if (names.n_starts)
        qsort_r(names.starts, names.n_starts, sizeof(*names.starts), by_text, names.text.data);
    for (size_t i = 0; i < names.n_starts; i++)
        if (look_at(look, names.text.data + names.starts[i], err) < 0)
            return -1;
    return 0;
}

/* --- the list: all with the lock held --- */

static void unlink_dir(struct scan_dir *dir)
{
    dir->previous->next = dir->next;
    if (dir->next)
        dir->next->previous = dir->previous;
}

static void link_dir(struct scan_dir *dir, struct scan_dir *after)
{
    dir->previous = after;
    dir->next = after->next;
    if (dir->next)
        dir->next->previous = dir;
    after->next = dir;
}

static void drop_above(struct scan *scan, struct scan_dir *dir)
{
    struct shared_fd *above = TAKE(dir->above);
    if (!above || --above->refs)
        return;
    close_auto(&above->fd);
    free(above);
    scan->n_held--;
}

/* The children take its place; *fd, when taken, serves to open them. */
static void give_place(struct scan *scan, struct scan_dir *dir, int *fd)
{
    struct shared_fd *shared = NULL;
    if (dir->n_children && *fd >= 0 && scan->n_held < HELD_MOST) {
        shared = NEW(struct shared_fd);
        shared->fd = take_fd(fd);
        shared->refs = dir->n_children;
        scan->n_held++;
    }
    struct scan_dir *after = dir->previous;
    unlink_dir(dir);
    for (size_t i = dir->n_children; i > 0; i--) {
        dir->children[i - 1].above = shared;
        link_dir(&dir->children[i - 1], after);
    }
    scan->n_waiting += dir->n_children;
}

/* The first that nobody looks at. */
static struct scan_dir *find_waiting(struct scan *scan)
{
    if (!scan->n_waiting || scan->n_ahead >= AHEAD_MOST)
        return NULL;
    struct scan_dir *dir = scan->list.next;
    while (dir && dir->state != SCAN_WAITING)
        dir = dir->next;
    return dir;
}

static void work_on(struct scan *scan, struct context_viewer *viewer, struct scan_dir *dir)
{
    AUTO(look_release)
    struct look look = {
        .scan = scan, .viewer = viewer, .dir = dir, .fd = -1, .path = STRBUF_INIT
    };
    dir->state = SCAN_TAKEN;
    scan->n_waiting--;
    pthread_mutex_unlock(&scan->lock);
    (void)look_into(&look, &dir->error); /* found there by who tells */
    pthread_mutex_lock(&scan->lock);
    dir->state = SCAN_DONE;
    drop_above(scan, dir);
    give_place(scan, dir, &look.fd);
    scan->n_ahead += dir->n_seen + 1;
    if (scan->is_waited_for)
        pthread_cond_signal(&scan->done);
    if (scan->n_idle && scan->n_waiting > 1)
        pthread_cond_broadcast(&scan->work);
}

static void *help(void *data)
{
    struct scan *scan = data;
    struct context_viewer *viewer = context_viewer_take(scan->context);
    pthread_mutex_lock(&scan->lock);
    while (!scan->ended) {
        struct scan_dir *dir = find_waiting(scan);
        if (dir) {
            work_on(scan, viewer, dir);
            continue;
        }
        scan->n_idle++;
        pthread_cond_wait(&scan->work, &scan->lock);
        scan->n_idle--;
    }
    pthread_mutex_unlock(&scan->lock);
    context_viewer_return(viewer);
    return NULL;
}

/* --- for who tells --- */

struct scan *scan_new(struct context *context, const char *path)
{
    struct scan *scan = NEW(struct scan);
    scan->context = context;
    scan->patterns = context->ignore ? context->ignore->patterns : NULL;
    scan->viewer = context_viewer_take(context);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP); /* held for a moment only */
    pthread_mutex_init(&scan->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_cond_init(&scan->work, NULL);
    pthread_cond_init(&scan->done, NULL);
    scan->root.path = path;
    if (scan->patterns)
        scan_matches_of(scan->patterns, path, &scan->root.matches);
    link_dir(&scan->root, &scan->list);
    scan->n_waiting = 1;
    return scan;
}

static void start_helpers(struct scan *scan)
{
    unsigned n = scan->context->n_threads ? scan->context->n_threads : pool_n_cpus();
    scan->has_helpers = true;
    for (unsigned i = 1; i < n && i < THREADS_MOST; i++) {
        AUTO(error_free) struct error *ignored = NULL; /* fewer threads do the same work */
        struct thread *helper = thread_start(help, scan, &ignored);
        if (!helper)
            return;
        scan->helpers[scan->n_helpers++] = helper;
    }
}

struct scan_dir *scan_root(struct scan *scan)
{
    return &scan->root;
}

int scan_await(struct scan *scan, struct scan_dir *dir, struct error **err)
{
    pthread_mutex_lock(&scan->lock);
    while (dir->state != SCAN_DONE) {
        struct scan_dir *next = dir->state == SCAN_WAITING ? dir : find_waiting(scan);
        if (next) {
            work_on(scan, scan->viewer, next);
            continue;
        }
        scan->is_waited_for = true;
        pthread_cond_wait(&scan->done, &scan->lock);
        scan->is_waited_for = false;
    }
    bool was_full = scan->n_ahead >= AHEAD_MOST;
    scan->n_ahead -= dir->n_seen + 1;
    if (was_full && scan->n_ahead < AHEAD_MOST && scan->n_idle)
        pthread_cond_broadcast(&scan->work);
    bool is_large = !scan->has_helpers && scan->n_waiting >= MANY_WAITING;
    pthread_mutex_unlock(&scan->lock);
    if (is_large)
        start_helpers(scan);
    if (dir->error) {
        error_move(err, TAKE(dir->error));
        return -1;
    }
    return 0;
}

/* The lock is held. */
static void drop(struct scan *scan, struct scan_dir *dir)
{
    while (dir->state == SCAN_TAKEN) {
        scan->is_waited_for = true;
        pthread_cond_wait(&scan->done, &scan->lock);
        scan->is_waited_for = false;
    }
    if (dir->state == SCAN_WAITING) {
        drop_above(scan, dir);
        unlink_dir(dir);
        scan->n_waiting--;
        dir->state = SCAN_DONE;
        return;
    }
    scan->n_ahead -= dir->n_seen + 1;
    for (size_t i = 0; i < dir->n_children; i++)
        drop(scan, &dir->children[i]);
}

void scan_drop(struct scan *scan, struct scan_dir *dir)
{
    pthread_mutex_lock(&scan->lock);
    drop(scan, dir);
    pthread_mutex_unlock(&scan->lock);
    scan_leave(dir);
}

void scan_leave(struct scan_dir *dir)
{
    for (size_t i = 0; i < dir->n_children; i++)
        scan_leave(&dir->children[i]);
    free(dir->children);
    free(dir->seen);
    pattern_state_release(&dir->matches);
    error_free(dir->error);
    dir->children = NULL;
    dir->seen = NULL;
    dir->n_children = dir->n_seen = 0;
    dir->error = NULL;
}

static void release_all_above(struct scan *scan)
{
    for (struct scan_dir *dir = scan->list.next; dir; dir = dir->next)
        drop_above(scan, dir);
}

void scan_free(struct scan *scan)
{
    if (!scan)
        return;
    pthread_mutex_lock(&scan->lock);
    scan->ended = true;
    pthread_cond_broadcast(&scan->work);
    pthread_mutex_unlock(&scan->lock);
    for (unsigned i = 0; i < scan->n_helpers; i++)
        (void)thread_join(scan->helpers[i]);
    release_all_above(scan);
    scan_leave(&scan->root);
    context_viewer_return(scan->viewer);
    pthread_mutex_destroy(&scan->lock);
    pthread_cond_destroy(&scan->work);
    pthread_cond_destroy(&scan->done);
    free(scan);
}
