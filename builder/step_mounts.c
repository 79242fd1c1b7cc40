/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/step_mounts.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/copy.h"
#include "builder/run_mount.h"
#include "builder/secret.h"
#include "builder/ssh_agents.h"
#include "builder/ssh_forward.h"
#include "builder/step_source.h"
#include "layers/apply.h"
#include "layers/snapshot.h"

#include "oci/store_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct step_mount {
    struct run_mount def;
    char *target;            /* absolute */
    struct step_source from; /* of a bind mount, or of a cache's first content */
    struct copy *copy;       /* its files */
    struct tree *tree;       /* owned: what is mounted */
    struct snapshot *upper;  /* rw: thrown away */
    struct sandbox_tree sandbox_tree;
    struct strvec lowers;
    char *upper_path, *source_path, *subpath;
    struct strbuf secret;
    char *cache_name;      /* of a cache: its directory */
    struct lockfile *lock; /* of that */
    struct lockfile *use;  /* the same: nobody takes it away */
    struct ssh_forward *forward;
};

static void mount_release(struct step_mount *mount)
{
    run_mount_release(&mount->def);
    copy_free(mount->copy);
    step_source_release(&mount->from);
    tree_unref(mount->tree);
    snapshot_free(mount->upper);
    strvec_release(&mount->lowers);
    free(mount->target);
    free(mount->upper_path);
    free(mount->source_path);
    free(mount->subpath);
    free(mount->cache_name);
    if (mount->secret.size)
        explicit_bzero(mount->secret.data, mount->secret.size);
    strbuf_release(&mount->secret);
    lockfile_release(mount->lock);
    lockfile_release(mount->use);
    ssh_forward_free(mount->forward);
}

void step_mounts_release(struct step_mounts *mounts)
{
    for (size_t i = 0; i < mounts->n_mounts; i++)
        mount_release(&mounts->mounts[i]);
    free(mounts->mounts);
    free(mounts->specs);
    for (size_t i = 0; i < mounts->env.vars.n; i++)
        explicit_bzero(mounts->env.vars.items[i], strlen(mounts->env.vars.items[i]));
    env_release(&mounts->env);
    memset(mounts, 0, sizeof(*mounts));
}

/* --- phase 1 --------------------------------------------------------------------------------- */

static struct copy *open_copy(struct stage_run *run, const struct step_source *from,
                              const char *source, struct error **err)
{
    AUTO(strvec_release) struct strvec sources = STRVEC_INIT;
    AUTO(strvec_release) struct strvec excludes = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf literal = STRBUF_INIT; /* no pattern: a path */
    for (const char *p = source && *source ? source : "."; *p; p++)
        strbuf_addf(&literal, strchr("*?[\\", *p) ? "\\%c" : "%c", *p);
    strvec_push(&sources, literal.data);
    struct copy_spec spec = { .context = from->context,
                              .from = from->tree,
                              .sources = &sources,
                              .destination = "/",
                              .working_dir = "/",
                              .excludes = &excludes,
                              .mounted = true,
                              .now = run->build->now };
    return copy_new(&spec, err);
}

static int resolve_from(struct stage_run *run, struct layer_step *step, struct step_mount *mount,
                        struct error **err)
{
    if (step_source_find(run, mount->def.from, true, step->vertex, &mount->from, err) < 0)
        return -1;
    mount->copy = open_copy(run, &mount->from, mount->def.source, err);
    return mount->copy
               ? step_source_add_inputs(run, step, &mount->from, mount->copy, mount->target, err)
               : -1;
}

static const char *default_target(const struct run_mount *def, size_t n_ssh, char **owned)
{
    if (def->target)
        return def->target;
    if (def->type == RUN_MOUNT_SECRET)
        return *owned = xasprintf("/run/secrets/%s", path_base(def->id));
    return *owned = xasprintf("/run/buildkit/ssh_agent.%zu", n_ssh);
}

/* Everything of the definition but what can't matter: no value of a secret, no content of a cache.
 */
static void add_inputs(const struct step_mount *mount, struct layer_step *step)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    run_mount_format(&mount->def, &text);
    inputs_add(&step->inputs, "mount", mount->target, text.data);
}

/* n_ssh: how many of type ssh come before it */
static int resolve_mount(struct stage_run *run, const char *spec, size_t n_ssh,
                         struct layer_step *step, struct step_mount *mount, struct error **err)
{
    struct words_expander expander = { .escape = run->build->dockerfile->escape,
                                       .lookup = words_lookup_env,
                                       .context = &run->env };
    if (run_mount_parse(spec, &expander, &mount->def, err) < 0)
        return -1;
    AUTO(free) char *owned = NULL;
    const char *target = default_target(&mount->def, n_ssh, &owned);
    AUTO(free) char *joined = path_join(stage_run_cwd(run), target);
    AUTO(free) char *relative = path_clean_rooted(joined);
    mount->target = xasprintf("/%s", relative);
    if (!*relative)
        return error_set(err, ERR_SYNTAX, "--mount=%s: the target can't be /", spec);
    add_inputs(mount, step);
    bool has_content = mount->def.type == RUN_MOUNT_BIND ||
                       (mount->def.type == RUN_MOUNT_CACHE && mount->def.from);
    return has_content ? resolve_from(run, step, mount, err) : 0;
}

int step_mounts_resolve(struct stage_run *run, const struct run_body *body, struct layer_step *step,
                        struct step_mounts *ret, struct error **err)
{
    ret->n_mounts = body->mount_specs.n;
    ret->mounts = xcalloc(ret->n_mounts, sizeof(*ret->mounts));
    size_t n_ssh = 0;
    for (size_t i = 0; i < ret->n_mounts; i++) {
        strbuf_init(&ret->mounts[i].secret);
        if (resolve_mount(run, body->mount_specs.items[i], n_ssh, step, &ret->mounts[i], err) < 0)
            return -1;
        n_ssh += ret->mounts[i].def.type == RUN_MOUNT_SSH;
    }
    return 0;
}

/* --- phase 2 --------------------------------------------------------------------------------- */

/* The copied files as a tree of one layer, which has a directory form of its own. */
static struct tree *copied_tree(struct stage_run *run, struct copy *copy, struct error **err)
{
    AUTO(tree_unref) struct tree *empty = tree_new(run->build->store);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    if (copy_changeset(copy, empty, &changeset, err) < 0)
        return NULL;
    struct layer_options options = { .compression.kind = COMPRESSION_NONE, /* it stays here */
                                     .pool = run->build->pool,
                                     .group = run->build->group,
                                     .check = schedule_check_data,
                                     .check_data = run->build };
    AUTO(layer_unref)
    struct layer *layer = copy_make_layer(run->build->store, &options, &changeset);
    if (layer_wait(layer, NULL, NULL, err) < 0)
        return NULL;
    return tree_push(empty, layer);
}

static int fill_lowers(struct stage_run *run, struct step_mount *mount, struct error **err)
{
    AUTO(free) int *fds = NULL;
    size_t n_fds = 0;
    if (tree_lowers(mount->tree, run->build->pool, &fds, &n_fds, err) < 0)
        return -1;
    for (size_t i = 0; i < n_fds; i++)
        strvec_pushf(&mount->lowers, "/proc/self/fd/%d", fds[i]);
    return 0;
}

/* 1: `source` in the tree is a directory, 0: another file; -1: it isn't there. */
static int is_directory(struct tree *tree, const char *source, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry entry = { 0 };
    int found = tree_lookup(tree, source ? source : "", TREE_FOLLOW, &entry, err);
    if (found < 0)
        return -1;
    if (!found)
        return error_set(err, ERR_NOT_FOUND, "mount source %s: there is no such file", source);
    return tree_entry_is_directory(&entry);
}

/* A file lies under its own name in the copy, a directory's content at the root. */
static int find_file(struct step_mount *mount, const char *base, bool *directory,
                     struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(tree_entry_release) struct tree_entry entry = { 0 };
    if (mount->from.context) { /* a directory may hold just a file of its own name */
        AUTO(entry_release) struct entry source = { 0 };
        AUTO(free) char *path = path_clean_rooted(mount->def.source);
        enum context_found found;
        if (context_stat(mount->from.context, path, &found, &source, NULL, err) < 0)
            return -1;
        if (found != CONTEXT_ABSENT && source.type == ENTRY_DIRECTORY)
            return 0;
    }
    if (tree_list(mount->tree, "", &names, err) < 0)
        return -1;
    int found = tree_lookup(mount->tree, base, TREE_NO_LINKS, &entry, err);
    if (found < 0)
        return -1;
    if (found && names.n == 1 && !tree_entry_is_directory(&entry)) {
        *directory = false;
        mount->subpath = xstrdup(base);
    }
    return 0;
}

static int open_tree(struct stage_run *run, struct step_mount *mount, bool *directory,
                     struct error **err)
{
    if (mount->from.tree && !run->build->copies) {
        int is_dir = is_directory(mount->from.tree, mount->def.source, err);
        if (is_dir < 0)
            return -1;
        *directory = is_dir;
        if (is_dir) {
            mount->tree = tree_ref(mount->from.tree);
            mount->subpath = xstrdup(mount->def.source);
            return 0;
        }
    }
    mount->tree = copied_tree(run, mount->copy, err);
    if (!mount->tree)
        return -1;
    *directory = true;
    const char *base = mount->def.source ? path_base(mount->def.source) : "";
    return *base && strcmp(base, ".") != 0 ? find_file(mount, base, directory, err) : 0;
}

/* An overlay without an upper needs two lowers. */
static int add_empty_lower(struct stage_run *run, struct step_mount *mount, struct error **err)
{
    mount->upper = snapshot_new(run->build->store, err);
    if (!mount->upper)
        return -1;
    for (size_t i = mount->lowers.n; i < 2; i++)
        strvec_pushf(&mount->lowers, "/proc/self/fd/%d",
                     i ? snapshot_upper_fd(mount->upper) : snapshot_work_fd(mount->upper));
    return 0;
}

/* Copies of its files in a directory, which may be written to; thrown away with the upper. */
static int copy_files(struct stage_run *run, struct step_mount *mount, struct error **err)
{
    mount->upper = snapshot_new(run->build->store, err);
    if (!mount->upper || apply_tree(mount->tree, snapshot_upper_fd(mount->upper), err) < 0)
        return error_wrap(err, "--mount of %s", mount->def.source ? mount->def.source : ".");
    mount->source_path = snapshot_upper_path(mount->upper);
    return 0;
}

static int prepare_bind(struct stage_run *run, struct step_mount *mount, struct mount_spec *spec,
                        struct error **err)
{
    bool directory;
    const bool copies = run->build->copies; /* nothing can be stacked */
    if (open_tree(run, mount, &directory, err) < 0 || fill_lowers(run, mount, err) < 0)
        return -1;
    spec->subpath = mount->subpath;
    spec->read_only = mount->def.read_only;
    if (!directory || copies) {
        if ((!mount->def.read_only || copies) && copy_files(run, mount, err) < 0)
            return -1;
        spec->may_move = copies;
        spec->kind = MOUNT_BIND;
        spec->source = mount->source_path ? mount->source_path : mount->lowers.items[0];
        return 0;
    }
    spec->kind = MOUNT_TREE;
    if (mount->def.read_only && mount->lowers.n < 2 && add_empty_lower(run, mount, err) < 0)
        return -1;
    mount->sandbox_tree.lowers = (const char *const *)mount->lowers.items;
    mount->sandbox_tree.n_lowers = mount->lowers.n;
    if (!mount->def.read_only) { /* writes work, and are thrown away */
        mount->upper = snapshot_new(run->build->store, err);
        if (!mount->upper)
            return -1;
        mount->upper_path = xasprintf("/proc/self/fd/%d", snapshot_upper_fd(mount->upper));
        mount->sandbox_tree.upper = mount->upper_path;
    }
    spec->tree = &mount->sandbox_tree;
    return 0;
}

/* BUILDKIT_CACHE_MOUNT_NS and the id: hashed, since ids are any text. */
static char *cache_name(const struct build *build, const struct run_mount *def)
{
    const char *space = globals_build_arg(build->globals, "BUILDKIT_CACHE_MOUNT_NS");
    AUTO(free) char *id = path_clean(def->id);
    AUTO(free) char *text = xasprintf("%s\n%s", space ? space : "", id);
    struct digest digest = digest_of(text, strlen(text));
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    return xstrdup(hex);
}

static bool is_locked_by_us(const struct step_mounts *mounts, const char *name)
{
    for (size_t i = 0; i < mounts->n_mounts; i++)
        if (mounts->mounts[i].lock && !strcmp(mounts->mounts[i].cache_name, name))
            return true;
    return false;
}

static bool is_used_by_us(const struct step_mounts *mounts, const char *name)
{
    for (size_t i = 0; i < mounts->n_mounts; i++)
        if (mounts->mounts[i].use && !strcmp(mounts->mounts[i].cache_name, name))
            return true;
    return false;
}

static int check_build(void *data, struct error **err)
{
    return schedule_check(data, err);
}

/* The first directory of a private cache that nobody uses. */
static int lock_another(struct build *build, struct step_mount *mount, struct error **err)
{
    for (unsigned i = 1;; i++) {
        AUTO(free) char *name = xasprintf("%s.%u", mount->cache_name, i);
        AUTO(free) char *lock_name = xasprintf("mount-%s", name);
        if (store_try_lock(build->store, lock_name, &mount->lock, err) < 0)
            return -1;
        if (!mount->lock)
            continue;
        free(mount->cache_name);
        mount->cache_name = TAKE(name);
        return 0;
    }
}

/* Shared: anybody at once; locked: one after the other; private: another directory while one is in
 * use. */
static int lock_cache(struct build *build, const struct step_mounts *mounts,
                      struct step_mount *mount, struct error **err)
{
    AUTO(free) char *lock_name = xasprintf("mount-%s", mount->cache_name);
    enum run_mount_sharing sharing = mount->def.sharing;
    if (build->options->isolation == ISOLATION_CHROOT && sharing == RUN_MOUNT_SHARED)
        sharing = RUN_MOUNT_LOCKED; /* it is moved into the tree */
    switch (sharing) {
    case RUN_MOUNT_SHARED:
        return 0;
    case RUN_MOUNT_LOCKED:
        if (is_locked_by_us(mounts, mount->cache_name)) /* one cache at two places */
            return 0;
        mount->lock = schedule_lock(build, lock_name, err);
        return mount->lock ? 0 : -1;
    case RUN_MOUNT_PRIVATE:
        if (store_try_lock(build->store, lock_name, &mount->lock, err) < 0)
            return -1;
        return mount->lock ? 0 : lock_another(build, mount, err);
    }
    return 0;
}

static int fill_cache_dir(struct stage_run *run, const struct step_mount *mount, int fd,
                          struct error **err)
{
    const struct run_mount *def = &mount->def;
    if (def->from) {
        AUTO(tree_unref) struct tree *content = NULL;
        if (!(content = copied_tree(run, mount->copy, err)) || apply_tree(content, fd, err) < 0)
            return error_wrap(err, "first content of cache mount %s", def->id);
    }
    if ((!run->build->single_id &&
         fchown(fd, def->has_uid ? def->uid : 0, def->has_gid ? def->gid : 0) < 0) ||
        fchmod(fd, def->has_mode ? def->mode : 0755) < 0)
        return error_errno(err, "cache mount %s", def->id);
    return 0;
}

/* Owner, mode and first content count at creation only. It appears under its name complete. */
static int make_cache_dir(struct stage_run *run, struct step_mount *mount, struct error **err)
{
    const struct run_mount *def = &mount->def;
    const char *name = mount->cache_name;
    int caches = store_dir_fd(run->build->store, STORE_CACHE_MOUNTS);
    struct stat st;
    int found = fs_stat(caches, name, &st, err);
    if (found < 0 || (found && S_ISDIR(st.st_mode)))
        return found < 0 ? -1 : 0;
    /* of two that want it the other finds it made */
    AUTO(free) char *lock_name = xasprintf("make-mount-%s", name);
    AUTO(lockfile_remove) struct lockfile *lock = schedule_lock(run->build, lock_name, err);
    if (!lock)
        return -1;
    found = fs_stat(caches, name, &st, err);
    if (found < 0 || (found && S_ISDIR(st.st_mode)))
        return found < 0 ? -1 : 0;
    /* anything else is no mount of ours: a link would lead to files of the host */
    if (found && fs_remove_tree(caches, name, err) < 0)
        return -1;
    AUTO(free) char *temporary = xasprintf("%s.new", name);
    if (fs_remove_tree(caches, temporary, err) < 0)
        return -1;
    if (mkdirat(caches, temporary, 0700) < 0)
        return error_errno(err, "making cache mount %s", def->id);
    AUTO(close) int fd = fs_open_beneath(caches, temporary, O_RDONLY | O_DIRECTORY, err);
    if (fd < 0)
        return -1;
    if (fill_cache_dir(run, mount, fd, err) < 0)
        return -1;
    if (renameat(caches, temporary, caches, name) < 0)
        return error_errno(err, "cache mount %s", def->id);
    return 0;
}

static int prepare_cache(struct stage_run *run, const struct step_mounts *mounts,
                         struct step_mount *mount, struct mount_spec *spec, struct error **err)
{
    /* without mounts it is moved into the tree: who has it mounted would lose it */
    bool moves = run->build->options->isolation == ISOLATION_CHROOT;
    if (lock_cache(run->build, mounts, mount, err) < 0)
        return -1;
    if (moves && is_used_by_us(mounts, mount->cache_name))
        return error_set(err, ERR_UNSUPPORTED,
                         "cache mount %s: at two places of a step it can't be had without mounts "
                         "(--isolation=chroot)",
                         mount->def.id);
    const struct store_mount_request request = { .name = mount->cache_name,
                                                 .id = mount->def.id,
                                                 .alone = moves,
                                                 .check = check_build,
                                                 .check_data = run->build };
    mount->use = store_mount_use(run->build->store, &request, err);
    if (!mount->use || make_cache_dir(run, mount, err) < 0)
        return -1;
    AUTO(free) char *absolute = realpath(store_path(run->build->store), NULL);
    if (!absolute)
        return error_errno(err, "%s", store_path(run->build->store));
    mount->source_path = xasprintf("%s/cache/mounts/%s", absolute, mount->cache_name);
    spec->kind = MOUNT_BIND;
    spec->source = mount->source_path;
    spec->may_move = true;
    spec->read_only = mount->def.read_only;
    return 0;
}

/* 1 when it is there. */
static int read_secret(const struct build *build, struct step_mount *mount, struct error **err)
{
    int found = secret_read(build->options, mount->def.id, &mount->secret, err);
    if (found || !mount->def.required)
        return found;
    const char *near = secret_nearest(build->options, mount->def.id);
    if (near && !strcmp(near, mount->def.id))
        return error_set(err, ERR_NOT_FOUND,
                         "secret %s is required, and its environment variable isn't set", near);
    error_set_(err, ERR_NOT_FOUND, "secret %s is required and was not given", mount->def.id);
    if (near)
        error_hint(err, "%s was given: did you mean id=%s?", near, near);
    error_hint(err, "pass it with --secret id=%s,src=FILE or --secret id=%s,env=NAME",
               mount->def.id, mount->def.id);
    return -1;
}

/* 1: spec is filled; 0: nothing to mount. */
static int prepare_secret(struct stage_run *run, struct step_mounts *mounts,
                          struct step_mount *mount, struct mount_spec *spec, struct error **err)
{
    int found = read_secret(run->build, mount, err);
    if (found == 0 && mount->def.env) /* empty, not unset: as BuildKit has it */
        env_set(&mounts->env, mount->def.env, "");
    if (found <= 0)
        return found;
    if (mount->def.env) {
        if (memchr(mount->secret.data, '\0', mount->secret.size))
            return error_set(err, ERR_INVALID,
                             "secret %s holds a NUL: it can't be an environment variable",
                             mount->def.id);
        env_set(&mounts->env, mount->def.env, mount->secret.data);
        if (!mount->def.target) /* with env alone there is no file */
            return 0;
    }
    spec->kind = MOUNT_FILE;
    spec->is_secret = true;
    spec->content = mount->secret.data;
    spec->size = mount->secret.size;
    spec->uid = mount->def.has_uid ? mount->def.uid : 0;
    spec->gid = mount->def.has_gid ? mount->def.gid : 0;
    spec->mode = mount->def.has_mode ? mount->def.mode : 0400;
    return 1;
}

static int prepare_ssh(struct stage_run *run, struct step_mounts *mounts, struct step_mount *mount,
                       struct mount_spec *spec, struct error **err)
{
    const char *path = NULL;
    int found = ssh_agents_socket(run->build, mount->def.id, &path, err);
    if (found < 0)
        return -1;
    if (!found) {
        if (!mount->def.required)
            return 0;
        error_set_(err, ERR_NOT_FOUND, "ssh agent %s is required and was not given", mount->def.id);
        error_hint(err, "pass it with --ssh %s", mount->def.id);
        return -1;
    }
    const struct run_mount *def = &mount->def;
    const struct ssh_forward_options options = {
        .agent = path,
        .dir_fd = store_dir_fd(run->build->store, STORE_TMP),
        .uid = def->has_uid && !run->build->single_id ? def->uid : 0,
        .gid = def->has_gid && !run->build->single_id ? def->gid : 0,
        .mode = def->has_mode ? def->mode : 0600,
    };
    mount->forward = ssh_forward_start(&options, err);
    if (!mount->forward)
        return -1;
    spec->kind = MOUNT_BIND;
    spec->source = ssh_forward_path(mount->forward);
    spec->may_move = true;
    /* the first one's; the image's own stays */
    if (!env_get(&run->env, "SSH_AUTH_SOCK") && !env_get(&mounts->env, "SSH_AUTH_SOCK"))
        env_set(&mounts->env, "SSH_AUTH_SOCK", mount->target);
    return 1;
}

/* 1: spec is filled; 0: nothing to mount; -1. */
static int prepare_one(struct stage_run *run, struct step_mounts *mounts, struct step_mount *mount,
                       struct mount_spec *spec, struct error **err)
{
    switch (mount->def.type) {
    case RUN_MOUNT_BIND:
        return prepare_bind(run, mount, spec, err) < 0 ? -1 : 1;
    case RUN_MOUNT_CACHE:
        return prepare_cache(run, mounts, mount, spec, err) < 0 ? -1 : 1;
    case RUN_MOUNT_TMPFS:
        spec->kind = MOUNT_TMPFS;
        spec->size = mount->def.size;
        spec->mode = 01777;
        return 1;
    case RUN_MOUNT_SECRET:
        return prepare_secret(run, mounts, mount, spec, err);
    case RUN_MOUNT_SSH:
        return prepare_ssh(run, mounts, mount, spec, err);
    }
    return 0;
}

static int by_cache_name(const void *a, const void *b)
{
    const struct step_mount *x = *(struct step_mount *const *)a,
                            *y = *(struct step_mount *const *)b;
    int order = (x->def.type == RUN_MOUNT_CACHE) - (y->def.type == RUN_MOUNT_CACHE);
    if (order || x->def.type != RUN_MOUNT_CACHE)
        return order ? order : (x > y) - (x < y);
    order = strcmp(x->cache_name, y->cache_name);
    return order ? order : (x > y) - (x < y);
}

/* As BuildKit has it: what is mounted below another target isn't hidden by that. */
static int by_target(const void *a, const void *b)
{
    const struct step_mount *x = *(struct step_mount *const *)a,
                            *y = *(struct step_mount *const *)b;
    int order = strcmp(x->target, y->target);
    return order ? order : (x > y) - (x < y);
}

/*
 * Locks of cache mounts are taken sorted by name, so that two builds can't wait for each other in a
 * circle; the sandbox gets the mounts sorted by target.
 */
int step_mounts_prepare(struct stage_run *run, struct step_mounts *mounts, struct error **err)
{
    struct step_mount **order = xcalloc(mounts->n_mounts, sizeof(*order));
    struct mount_spec *specs = xcalloc(mounts->n_mounts, sizeof(*specs));
    bool *used = xcalloc(mounts->n_mounts, sizeof(*used));
    for (size_t i = 0; i < mounts->n_mounts; i++) {
        order[i] = &mounts->mounts[i];
        if (order[i]->def.type == RUN_MOUNT_CACHE)
            order[i]->cache_name = cache_name(run->build, &order[i]->def);
    }
    if (mounts->n_mounts > 1)
        qsort(order, mounts->n_mounts, sizeof(*order), by_cache_name);
    int result = 0;
    for (size_t i = 0; i < mounts->n_mounts && result >= 0; i++) {
        size_t index = (size_t)(order[i] - mounts->mounts);
        specs[index].target = order[i]->target;
        result = prepare_one(run, mounts, order[i], &specs[index], err);
        used[index] = result > 0;
    }
    if (mounts->n_mounts > 1)
        qsort(order, mounts->n_mounts, sizeof(*order), by_target);
    for (size_t i = 0; i < mounts->n_mounts && result >= 0; i++) {
        size_t index = (size_t)(order[i] - mounts->mounts);
        if (used[index])
            *ARRAY_PUSH(mounts, specs) = specs[index];
    }
    free(order);
    free(specs);
    free(used);
    return result < 0 ? -1 : 0;
}
