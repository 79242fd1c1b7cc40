/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that carry out a build share. Internal to builder/.
 *
 * One struct build per build_run(); one struct stage_run per stage and platform, worked on by one
 * thread (schedule.c). A stage_run's state is that thread's own until `done`, and immutable
 * afterwards; then stages that need it read it. Config, environment and arguments are read by
 * stages FROM it alone; where that is only one, it takes them.
 *
 * What several platforms have in common of a stage (share.h) is a stage_run of its own, the stage's
 * `common`: it goes as far as all of them go together, and theirs go on from copies of its state.
 *
 *   build.c      the entry: Dockerfile, context, graph; at the end image and tags
 *   plan.c       Dockerfile to graph, and the checks of it
 *   target.c     the platforms: each one's graph and runs
 *   build_input.c where Dockerfile and context come from
 *   schedule.c   threads of stages, waiting for each other, the first error
 *   stage_run.c  one stage: its base, then instruction after instruction
 *   stage_common.c what several platforms have in common of one
 *   step_meta.c  instructions that change the config only
 *   step_run.c   RUN           step_copy.c   COPY, ADD, WORKDIR
 *   step.c       a step that makes a layer: keys, cache, making, recording
 *   step_share.c equal layers of several stages or platforms, made once
 *   step_source.c  other trees that a step takes files of
 *   step_explain.c  why a step was found or not
 *   recorder.c   waits for layers in the background and writes their cache records
 *   base_image.c FROM image    image_write.c config and manifest
 *   ladder.c  how RUN is isolated on this machine
 *   emulation.c  RUN for other platforms
 *   privilege.c  an ordinary user's namespace for RUN
 */
#ifndef CBUILD_BUILDER_EXECUTOR_H
#define CBUILD_BUILDER_EXECUTOR_H

#include "base/pool.h"
#include "builder/build.h"
#include "builder/cache.h"
#include "builder/context.h"
#include "builder/dockerfile.h"
#include "builder/globals.h"
#include "builder/share.h"
#include "builder/shell_point.h"
#include "builder/stage.h"
#include "builder/trail.h"
#include "layers/tree_copy.h"
#include "oci/image_config.h"

#include <pthread.h>
#include <stdatomic.h>

struct forecast;
struct sandbox;
struct network;
struct ssh_agent;
struct recorder;
struct foreign;
struct push_ahead;
struct fetch_ahead;
struct image;

/* A base image, resolved: shared by the stages that name it. */
struct store_naming;

struct base_image {
    enum { BASE_WORKING, BASE_READY, BASE_FAILED } state; /* under build->base_lock */
    char *name;                                           /* as written */
    char *platform;                                       /* that was asked for */
    struct reference reference;
    struct digest digest; /* of the manifest */
    struct image_config config;
    struct tree *tree;
    struct digest recipe; /* the key that steps on it start from */
    bool is_lost;         /* of a forecast: it isn't in the store, nothing of it is known */

    /* Of one whose layers stay at the registry until somebody needs them. */
    struct build *build;        /* NULL: they are in the store */
    struct descriptor target;   /* what the name will point to */
    bool is_foreign;            /* for another platform than this machine's */
    pthread_mutex_t fetch_lock; /* while they are fetched, all at once */
    bool is_fetched;            /* or it was tried; under fetch_lock, as fetch_error */
    struct error *fetch_error;
    atomic_bool is_new;     /* all of it came, and its name is to be given at the end */
    atomic_bool is_mounted; /* some stage on it has a RUN: forms are made on the way */
    struct thread *thread;  /* that fetches ahead; or NULL */
};

void base_image_free(struct base_image *base);
DEFINE_AUTO(struct base_image, base_image_free)

/* A platform that is built. */
struct build_target {
    char *name; /* "linux/arm64" */
    struct globals *globals;
    struct stage_graph *graph;
    struct stage_run *runs;    /* one per stage */
    struct stage_run *commons; /* of those stages that it leads, one per stage */
};

struct stage_run {
    struct build *build;
    struct build_target *target; /* of a common, the leader */
    const struct stage *stage;
    struct thread *thread;
    bool started, done, failed; /* under build->lock */
    pthread_cond_t ended;       /* done has become true */
    bool no_cache;              /* its steps are run again */

    struct stage_run *common; /* where it begins; NULL: at its FROM */
    bool is_common;
    size_t end; /* it goes up to this instruction */
    /* a common: what was found out when it ran, of triggers of base images, ends it earlier */
    bool is_cut;
    bool has_base, has_triggered; /* the FROM is done, and what it triggers */
    size_t n_done;                /* instructions */

    struct base_image *base; /* of the chain's first FROM; borrowed; NULL: scratch */
    struct image_config config;
    struct tree *tree;
    struct digest recipe;       /* of the tree */
    struct digest history_key;  /* of the tree and the metadata since */
    struct digest first_recipe; /* of what the stage is FROM */
    struct trail trail;         /* its steps so far */
    bool ran;               /* a step of it, or of a stage it is FROM, was made by this build, or
                             * would be: `tree` has new layers, in a forecast lacks some */
    char *top_form;         /* of the topmost layer, if it may be pending: ran_record.h; or NULL */
    char *lost;             /* of a forecast: why keys aren't known from here on; NULL: they are */
    struct tree_copy *copy; /* that its last RUN worked on, for the next; or NULL */
    struct env env;         /* what RUN and expansion see: ENV and ARG, the later one wins */
    struct hashmap args;    /* declared, in order, for history: NAME → its text, NULL: unset */
    bool cmd_is_ours;       /* CMD was set in this stage: ENTRYPOINT leaves it */
    size_t n_dated;         /* history entries that have their time */
    size_t n_base_layers;   /* of config's layers, those of the base image */
    size_t n_base_history;

    const struct instruction *current; /* for messages: inside a trigger, the FROM */
    unsigned n_steps, step;            /* steps shown: FROM and those that make layers */
};

struct build {
    struct store *store;
    struct registry_session *session;
    const struct build_options *options;
    struct progress *progress;

    struct dockerfile *dockerfile;
    struct build_target *targets; /* the platforms */
    size_t n_targets;
    struct share share;                /* graphs of the targets; with several */
    struct globals *globals;           /* of the first, for what is the same in all; borrowed */
    struct stage_graph *graph;         /* likewise */
    struct check_options own_check;    /* of a build argument */
    const struct check_options *check; /* that, or the Dockerfile's */
    struct context *context;
    struct pool *pool;
    struct pool_group *group; /* layer streams */
    struct recorder *recorder;
    struct push_ahead *ahead; /* NULL: nothing is pushed */
    char *created;            /* text of the epoch, or NULL */
    int64_t now;              /* the epoch, else when the build began */

    pthread_mutex_t lock;
    struct error *error; /* the first */
    bool failed;
    struct sandbox **sandboxes; /* running: killed when a stage fails */
    size_t n_sandboxes, sandboxes_capacity;
    pthread_cond_t sandbox_ended; /* or the build has failed */
    /* recipe keys of steps that were made here: with --no-cache these alone are found */
    struct hashmap made;

    pthread_cond_t base_changed;
    pthread_mutex_t base_lock; /* base images and named contexts, network: made once */
    struct base_image **bases;
    size_t n_bases, bases_capacity;
    struct named_context {
        char *name;
        enum { CONTEXT_WORKING, CONTEXT_READY, CONTEXT_FAILED } state; /* under base_lock */
        struct context *context;                                       /* or */
        char *image;
    } * *contexts;
    size_t n_contexts, contexts_capacity;
    struct read_content *read; /* of trees, by step_source.c; under lock */
    size_t n_read, read_capacity;
    pthread_mutex_t layers_lock;
    struct made_layer *layers; /* of COPY, by what they are made of: step_share.c; under that */
    size_t n_layers, layers_capacity;
    struct fetch_ahead **fetches; /* fetch_ahead.h; under base_lock */
    size_t n_fetches, fetches_capacity;
    struct context **kept; /* of ADD git: layers stream from them until the end */
    size_t n_kept, kept_capacity;
    pthread_mutex_t times_lock; /* the time of metadata is looked for and kept by one at a time */
    struct network *network;
    bool own_userns;              /* it was entered for this build */
    struct foreign *foreign;      /* programs of other platforms; from privilege_enter() on */
    struct strvec limit_warnings; /* told already; under base_lock */
    pthread_mutex_t agents_lock;
    struct ssh_agent **agents; /* ssh_agents.h */
    size_t n_agents, agents_capacity;
    bool is_chosen, copies;     /* ladder.c, under base_lock: RUN works on a copy of the tree */
    struct error *no_privilege; /* why RUN can't work here; NULL: it can, or nothing runs */
    struct error *single_id;    /* why RUN has one user id (own_ids.h); NULL: it has more */
    bool told_single_id;        /* under base_lock */
    atomic_bool has_late;       /* a step whose layer comes before its key: step_copy.c */

    char trail_name[TRAIL_NAME_SIZE];
    struct trail earlier; /* of the build before; read, under lock, when somebody asks */
    bool has_earlier;
    struct shell_point shell_point;
    bool shell_ended; /* that of --shell-at: there is nothing more to do; under lock */

    struct forecast *forecast; /* not NULL: nothing is run or fetched, this is filled */

    struct build_result *result; /* warnings and counts are added under lock */
};

/* plan.c */
struct build_input;
/* Dockerfile, globals and graph of each platform. */
int build_parse(struct build *build, const struct build_input *input,
                struct error **err) WARN_UNUSED;
/* The same, all that can be found wrong without network, and the stages' runs. */
int build_plan(struct build *build, const struct build_input *input,
               struct error **err) WARN_UNUSED;
/* ERR_CHECKS: there are findings, and the Dockerfile has "check=error=true". */
int build_lint_before(struct build *build, struct error **err) WARN_UNUSED;
/* When the bases are known: findings become warnings; ERR_CHECKS as before. */
int build_lint_after(struct build *build, struct error **err) WARN_UNUSED;

/* target.c */
/* Globals and graphs, for the platforms of the options. */
int targets_init(struct build *build, struct error **err) WARN_UNUSED;
/* The runs of all stages. */
void targets_init_runs(struct build *build);
void targets_release(struct build *build);
/* "linux/arm64 " or, when the step makes something for another one, "linux/amd64->arm64 ", as
 * BuildKit writes it; nothing where there is one platform only. */
void target_format_step(const struct stage_run *run, struct strbuf *buf);
/* "linux/arm64: " in front, where there are several platforms. Yields -1. */
int target_wrap(const struct build_target *target, const struct build *build, struct error **err);
/* Calls for each run of the build until one returns false; those that never start, too. */
void targets_each_run(struct build *build, bool (*visit)(struct stage_run *run, void *data),
                      void *data);

/* privilege.c, each before the first thread */
/* Where the Dockerfile comes by HTTP, which takes threads: enters a user namespace unseen. */
int privilege_enter_unseen(struct build *build, struct error **err) WARN_UNUSED;
/* When it is planned: enters one when an ordinary user's build may run something. */
int privilege_enter(struct build *build, struct error **err) WARN_UNUSED;
/* Any time: whether RUN can work. ERR_UNSUPPORTED with the way out. */
int privilege_check(const struct build *build, struct error **err) WARN_UNUSED;
/* Before a RUN: says once per build that there is a single id, if so. */
void privilege_warn(struct build *build);
/* To the error of a RUN: that this may be why, with the way out. Yields -1. */
int privilege_explain(const struct build *build, struct error **err) WARN_UNUSED;

/* ladder.c */
/* Before anything runs: ERR_UNSUPPORTED, with its line, for what --isolation=chroot can't give. */
int ladder_check(struct build *build, struct error **err) WARN_UNUSED;
/* How RUN steps are isolated here: build->copies, found when the first of them runs. */
int ladder_choose(struct build *build, struct error **err) WARN_UNUSED;

/* schedule.c */
int schedule_run(struct build *build, struct error **err) WARN_UNUSED;
/* The state of a stage, of the platform that `run` is for, when it is done; starts it when nobody
 * did (a trigger's COPY --from). ERR_CANCELLED: it failed. */
struct stage_run *schedule_await(struct stage_run *run, size_t stage, struct error **err);
/* The same of a run. */
struct stage_run *schedule_await_run(struct stage_run *awaited, struct error **err);
/* -1 and ERR_CANCELLED once a stage or a layer's stream has failed. */
int schedule_check(struct build *build, struct error **err) WARN_UNUSED;
/* The same, for who knows of no builds: layer.h's `check`. */
int schedule_check_data(void *build, struct error **err) WARN_UNUSED;
/*
 * Ends the build on behalf of a failure that will be told later; false: it is failing already.
 */
bool schedule_begin_failure(struct build *build);
/* Ends the build with `error` (consumed): running sandboxes are killed, stages end at their next
 * step. */
void schedule_fail(struct build *build, struct error *error);
/* Waits for another process or stage, unless the build fails meanwhile. */
struct lockfile *schedule_lock(struct build *build, const char *name, struct error **err);
/*
 * Waits until it may run (--jobs) and registers it, so that another stage's failure ends it; -1
 * when the build has failed meanwhile. Who is registered waits for nobody else's step.
 */
int schedule_add_sandbox(struct build *build, struct sandbox *sandbox,
                         struct error **err) WARN_UNUSED;
void schedule_remove_sandbox(struct build *build, struct sandbox *sandbox);

/* stage_common.c */
/* 1: what comes next in a common is each platform's own. 0: go on; and in what is no common. */
int stage_common_ends(struct stage_run *run, struct error **err) WARN_UNUSED;
/* The state that its common has come to becomes the run's, if it has one. */
int stage_common_inherit(struct stage_run *run, struct error **err) WARN_UNUSED;

/* stage_run.c */
int stage_run_execute(struct stage_run *run, struct error **err) WARN_UNUSED;
void stage_run_release(struct stage_run *run);
/* Shows that what a vertex stands for failed, or was given up for another failure. */
void build_tell_failure(struct build *build, unsigned vertex, const struct error *error);
/* To an error: the place in the Dockerfile. Any thread; yields -1. */
int stage_run_locate(const struct stage_run *run, const struct instruction *instruction,
                     struct error **err);
/* What the stage is FROM, when that is an image; NULL and *err NULL: a context. Any thread. */
struct base_image *stage_run_find_base(struct stage_run *run, unsigned vertex, struct error **err);
/* Word to value in the environment of before the instruction. */
int stage_run_expand(struct stage_run *run, const char *word, unsigned flags, char **ret,
                     struct error **err) WARN_UNUSED;
int stage_run_expand_all(struct stage_run *run, const struct strvec *words, struct strvec *ret,
                         struct error **err) WARN_UNUSED;
/* Gives the history entries that have no time yet theirs; before a layer's entry, and at the end.
 */
int stage_run_date_history(struct stage_run *run, struct error **err) WARN_UNUSED;
/* "[build 2/4] TEXT", with several platforms "[linux/amd64->arm64 build 2/4] TEXT": counts the
 * step. free() it. */
char *stage_run_step_name(struct stage_run *run, const char *text) WARN_UNUSED;
/* config.working_dir, "/" where it is empty. */
const char *stage_run_cwd(const struct stage_run *run);
void build_warn(struct build *build, const struct instruction *instruction, const char *rule,
                const char *format, ...) PRINTF(4, 5);

/* step_meta.c: false when it isn't one of them */
bool step_meta_handles(enum instruction_kind kind);
int step_meta_execute(struct stage_run *run, const struct instruction *instruction,
                      struct error **err) WARN_UNUSED;
/* An instruction that changes no files is done: history and key. */
void step_meta_commit(struct stage_run *run, const char *created_by);

/* step_run.c, step_copy.c */
int step_run_execute(struct stage_run *run, const struct instruction *instruction,
                     struct error **err) WARN_UNUSED;
int step_copy_execute(struct stage_run *run, const struct instruction *instruction,
                      struct error **err) WARN_UNUSED;
int step_workdir_execute(struct stage_run *run, const struct instruction *instruction,
                         struct error **err) WARN_UNUSED;
/* USER's ids in the stage as it is now. */
int step_user_files(struct stage_run *run, struct strbuf *passwd, bool *has_passwd,
                    struct strbuf *group, bool *has_group, struct error **err) WARN_UNUSED;

/* Whether the stage's layers are the image's, of its platform: it is the target, or what the target
 * is FROM. */
bool stage_run_is_of_image(const struct stage_run *run);

/* step.c: a step that makes a layer */
struct layer_step {
    const struct instruction *instruction;
    char *history;                /* created_by */
    struct inputs inputs;         /* all that counts but the trees below */
    struct strvec warnings;       /* of its making: told again where the cache has it */
    struct tempfile *inputs_file; /* where they are while the layer is made, when they are many */
    bool is_independent;          /* COPY --link: what lies below is no input */
    bool is_lost;                 /* of a forecast: what it takes of another tree isn't known */
    bool is_outdated;             /* it was made before, on another outcome of the steps below */
    unsigned vertex;
    bool begun;
    bool told_failure;   /* it was shown that it failed */
    struct digest shape; /* of a COPY: cache.h */
    /* No record can match: the layer is made first, and `complete` then adds what of the inputs
     * its making has found out. The lock is held until the record is written. */
    bool is_late;
    struct lockfile *lock;
    int (*complete)(struct stage_run *run, struct layer_step *step, struct layer *layer,
                    struct error **err);
    /* Makes the layer on run->tree; called when the cache has none. */
    int (*make)(struct stage_run *run, struct layer_step *step, struct layer **ret,
                struct error **err);
    /*
     * The same from what a build left in that form when its command had ended: 1, 0: it can't be
     * had. NULL: no step of that kind leaves one.
     */
    int (*take)(struct stage_run *run, struct layer_step *step, const char *form,
                struct layer **ret, struct error **err);
    bool leaves_form; /* of what was made: a later build may `take` it */
    void *data;
};

void layer_step_release(struct layer_step *step);
DEFINE_AUTO_STRUCT(struct layer_step, layer_step_release)
/* Shows that the step has begun; layer_step_execute() does it where nobody did before. */
void layer_step_begin(struct stage_run *run, struct layer_step *step);
/* Shows that it failed, with *err; yields -1. */
int layer_step_fail(struct stage_run *run, struct layer_step *step, struct error **err) WARN_UNUSED;
/* Finds it in the cache or makes it, and moves the stage on. */
int layer_step_execute(struct stage_run *run, struct layer_step *step,
                       struct error **err) WARN_UNUSED;
/* For what `make` puts into the step's layer. */
int layer_step_options(struct stage_run *run, const struct layer_step *step,
                       struct layer_options *ret, struct error **err) WARN_UNUSED;
/*
 * Whether some record may match a step of this shape: looked up under the lock that who makes such
 * a step holds, which `step` keeps when none can. 1, 0, -1.
 */
int layer_step_find_shape(struct stage_run *run, struct layer_step *step, struct error **err);
/* The key of a step with these inputs on what has the recipe `below`. */
struct digest step_recipe(const struct layer_step *step, const struct digest *below,
                          const struct digest *rest);

/* recorder.c */
struct record_job {
    struct layer *layer; /* owned */
    struct tree *tree;   /* owned: with the layer on top */
    struct digest recipe, rest, shape;
    bool is_independent; /* of what lies below */
    /* a ran_record.h is written while the layer isn't finished: its form, or NULL; that of the
     * layer below, if it is pending, or NULL. Owned. */
    char *form, *upon;
    bool has_ran; /* it was written, by what is below; or by `upon` */
    bool has_ran_upon;
    struct cache_record record;   /* owned; digests are filled in */
    struct inputs inputs;         /* owned */
    struct tempfile *inputs_file; /* owned: what of them isn't there any more; or NULL */
    struct lockfile *lock;        /* owned: released when the record is written */
    struct progress *progress;    /* told how much of an earlier layer was taken; NULL: nobody */
    unsigned vertex;
};

/* `failed` (may be NULL) is told of the first failure, with a copy of its error (it frees it), at
 * once. */
struct recorder *recorder_new(struct store *store, const struct compression *compression,
                              void (*failed)(void *data, struct error *error), void *data);
/* Consumes what the job holds. Its lock is held: nobody else writes records of its recipe. */
void recorder_add(struct recorder *recorder, struct record_job *job);
/* Until all are written; the first failure. */
int recorder_finish(struct recorder *recorder, struct error **err) WARN_UNUSED;
void recorder_free(struct recorder *recorder);
DEFINE_AUTO(struct recorder, recorder_free)
/* Result key of a step on `parent`. Waits for its chain_id. */
int recorder_result_key(struct tree *parent, const struct digest *rest, struct digest *ret,
                        struct error **err) WARN_UNUSED;

/* step_share.c */
/*
 * copy_make_layer() for a step. Where another stage or platform has made, or is making, a layer of
 * the same things, that one. `from` (may be NULL): the tree that the changeset takes files of.
 */
struct layer *step_share_layer(struct stage_run *run, const struct layer_options *options,
                               struct changeset *changeset, struct tree *from);
void step_share_release(struct build *build);

/* step_context.c: FROM of a named context that has files; `vertex` has been shown and is ended. */
int step_context_execute(struct stage_run *run, const struct instruction *from,
                         struct context *context, unsigned vertex, struct error **err) WARN_UNUSED;

/* base_image.c, named_context.c: borrowed from the build */
struct base_image *base_image_get(struct build *build, const char *name,
                                  const struct platform *platform, unsigned vertex,
                                  struct error **err);
/* 1: manifest and config are in the store (of the platform, where it is an index); 0 not. */
int base_image_read_local(struct store *store, const struct reference *reference,
                          const struct platform *platform, struct image *ret,
                          struct error **err) WARN_UNUSED;
/*
 * A stage is FROM it: what the stage will do with its layers decides how they are fetched, and
 * whether that begins before somebody asks: where the image needs them and no RUN will ask soon,
 * and where a step will see their files that can't be cached, since they were never here.
 */
int base_image_is_used(struct base_image *base, const struct stage_run *run,
                       struct error **err) WARN_UNUSED;
/* A step takes files of it, or mounts it: fetches the layers here if they were never here. */
int base_image_is_taken(struct base_image *base, bool is_mount, struct error **err) WARN_UNUSED;
/* Whether it may bring triggers: it does, or it isn't here yet. Asks no registry. */
/* The names of those that came whole by now: at most build->n_bases; borrowed from them. */
size_t base_images_namings(struct build *build, struct store_naming *ret);
bool base_image_may_trigger(struct build *build, const char *name, const struct platform *platform);
/* A named context that has files; NULL and *err NULL: it stands for an image, named in *image (free
 * it). */
struct context *named_context_get(struct build *build, const char *name, char **image,
                                  struct error **err);

/* build_input.c: a directory with the ignore rules at its root (or of `ignore_name` beside the
 * Dockerfile) */
struct context *build_open_context(struct build *build, const char *path, const char *ignore_path,
                                   struct error **err);

/* image_write.c: config and manifest of each platform, and the index */
int image_write(struct build *build, struct build_result *ret, struct error **err) WARN_UNUSED;

#endif
