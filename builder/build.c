/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "builder/build_input.h"
#include "builder/emulation.h"
#include "builder/epoch.h"
#include "builder/executor.h"
#include "builder/forecast_internal.h"
#include "builder/push_ahead.h"
#include "builder/ssh_agents.h"
#include "builder/step_explain.h"
#include "builder/step_source.h"
#include "oci/store_gc.h"
#include "oci/store_tags.h"
#include "registry/push_compatible.h"
#include "runner/foreign.h"
#include "runner/network.h"

#include <string.h>

void build_result_release(struct build_result *result)
{
    descriptor_release(&result->image);
    for (size_t i = 0; i < result->n_warnings; i++) {
        free(result->warnings[i].rule);
        free(result->warnings[i].text);
    }
    free(result->warnings);
    memset(result, 0, sizeof(*result));
}

/* --- the build ------------------------------------------------------------------------------- */

static void build_release(struct build *build)
{
    targets_release(build);
    recorder_free(build->recorder);
    pool_group_free(build->group);
    push_ahead_free(build->ahead);
    for (size_t i = 0; i < build->n_bases; i++)
        base_image_free(build->bases[i]);
    free(build->bases);
    for (size_t i = 0; i < build->n_contexts; i++) {
        free(build->contexts[i]->name);
        free(build->contexts[i]->image);
        context_free(build->contexts[i]->context);
        free(build->contexts[i]);
    }
    free(build->contexts);
    step_source_forget(build);
    step_share_release(build);
    for (size_t i = 0; i < build->n_kept; i++)
        context_free(build->kept[i]);
    free(build->kept);
    context_free(build->context);
    pool_free(build->pool);
    network_free(build->network);
    foreign_free(build->foreign);
    strvec_release(&build->limit_warnings);
    ssh_agents_release(build);
    dockerfile_free(build->dockerfile);
    error_free(build->error);
    error_free(build->no_privilege);
    error_free(build->single_id);
    free(build->sandboxes);
    check_options_release(&build->own_check);
    trail_release(&build->earlier);
    hashmap_release(&build->made);
    free(build->created);
    pthread_mutex_destroy(&build->lock);
    pthread_mutex_destroy(&build->base_lock);
    pthread_mutex_destroy(&build->agents_lock);
    pthread_mutex_destroy(&build->times_lock);
    pthread_mutex_destroy(&build->layers_lock);
    pthread_cond_destroy(&build->base_changed);
    pthread_cond_destroy(&build->sandbox_ended);
}
DEFINE_AUTO_STRUCT(struct build, build_release)

/* What is built on a layer that can't be written is in vain. */
static void stream_failed(void *data, struct error *error)
{
    schedule_fail(data, error);
}

static void build_init(struct build *build)
{
    const struct build_options *options = build->options;
    pthread_mutex_init(&build->lock, NULL);
    pthread_mutex_init(&build->base_lock, NULL);
    pthread_mutex_init(&build->agents_lock, NULL);
    pthread_mutex_init(&build->times_lock, NULL);
    pthread_mutex_init(&build->layers_lock, NULL);
    pthread_cond_init(&build->base_changed, NULL);
    pthread_cond_init(&build->sandbox_ended, NULL);
    epoch_begin(build);
    hashmap_init(&build->made, NULL);
    build->pool = pool_new(0);
    build->group = pool_group_new(build->pool);
    build->recorder = recorder_new(build->store, &options->compression, stream_failed, build);
    build->ahead = push_ahead_new(build);
}

/* All at once, and after all else: what a name needs is waited for on disk. */
static int write_tags(struct build *build, const struct descriptor *image, struct error **err)
{
    const struct build_options *options = build->options;
    AUTO(free)
    struct store_naming *names = xcalloc(build->n_bases + options->n_tags + 1, sizeof(*names));
    size_t n = base_images_namings(build, names);
    for (size_t i = 0; !options->push_only && i < options->n_tags; i++)
        names[n++] = (struct store_naming){ &options->tags[i], image };
    if (!options->push_only && !options->n_tags)
        names[n++] = (struct store_naming){ NULL, image };
    return store_tags_set(build->store, names, n, err);
}

/* What came whole before something else failed needn't be asked for again. */
static void name_bases(struct build *build)
{
    AUTO(free)
    struct store_naming *names = xcalloc(build->n_bases + 1, sizeof(*names));
    AUTO(error_free) struct error *ignored = NULL; /* there is an error that counts more */
    size_t n = base_images_namings(build, names);
    if (!cancel_requested())
        (void)!store_tags_set(build->store, names, n, &ignored);
}

static bool same_repository(const struct reference *a, const struct reference *b)
{
    return strcmp(a->domain, b->domain) == 0 && strcmp(a->path, b->path) == 0;
}

/* The tags of the first tag's repository in one push; true for those in `done`. */
static int push_repository(struct build *build, size_t first, bool *done,
                           const struct descriptor *image, struct error **err)
{
    const struct reference *tags = build->options->tags;
    size_t n_tags = build->options->n_tags, n = 0;
    /* borrowed: the tags stay the options' */
    AUTO(free) struct reference *extra = xcalloc(n_tags, sizeof(*extra));
    for (size_t i = first; i < n_tags; i++) {
        if (!same_repository(&tags[i], &tags[first]))
            continue;
        done[i] = true;
        if (i > first)
            extra[n++] = tags[i];
    }
    const struct push_request request = {
        .reference = &tags[first], .image = image, .extra = extra, .n_extra = n
    };
    if (registry_push_compatible(build->session, build->store, &request, NULL, err) < 0) {
        AUTO(free) char *name = reference_familiar(&tags[first]);
        return error_wrap(err, "pushing %s", name);
    }
    return 0;
}

static int push(struct build *build, const struct descriptor *image, struct error **err)
{
    AUTO(free) bool *done = xcalloc(build->options->n_tags, sizeof(*done));
    for (size_t i = 0; i < build->options->n_tags; i++)
        if (!done[i] && push_repository(build, i, done, image, err) < 0)
            return -1;
    return 0;
}

/* Who waits for a layer may hear that it was given up before he hears of the one that failed. */
static void prefer_reason(struct build *build, struct error **err)
{
    AUTO(error_free) struct error *reason = NULL;
    if (!error_is(*err, ERR_CANCELLED) || cancel_requested() ||
        pool_group_wait(build->group, &reason) == 0 || error_is(reason, ERR_CANCELLED))
        return;
    error_clear(err);
    error_move(err, TAKE(reason));
}

/* Layers stream on after the last step; then the documents, the records, the names. */
static int finish(struct build *build, struct build_result *ret, struct error **err)
{
    unsigned vertex = progress_vertex(build->progress);
    progress_started(build->progress, vertex, "exporting the image");
    if (image_write(build, ret, err) < 0 || pool_group_wait(build->group, err) < 0 ||
        recorder_finish(build->recorder, err) < 0 || build_lint_after(build, err) < 0 ||
        write_tags(build, &ret->image, err) < 0) {
        prefer_reason(build, err);
        progress_failed(build->progress, vertex, error_message(*err));
        return -1;
    }
    progress_simple(build->progress, PROGRESS_DONE, vertex);
    if (!build->options->push)
        return 0;
    return push_ahead_finish(build->ahead, err) < 0 ? -1 : push(build, &ret->image, err);
}

/* What was made on the way stays in the cache; there was no other failure when the shell ended. */
static int finish_shell(struct build *build, struct error **err)
{
    if (cancel_requested())
        return -1;
    error_clear(err);
    return pool_group_wait(build->group, err) < 0 ? -1 : recorder_finish(build->recorder, err);
}

/* When enough has gathered: the image is done, so that what goes wrong here is only said. */
static void collect(struct build *build)
{
    struct store_gc_result collected = { 0 };
    AUTO(error_free) struct error *error = NULL;
    if (store_gc_is_due(build->store) &&
        store_gc(build->store, STORE_GC_TRY, &collected, &error) < 0)
        progress_warning(build->progress, 0, "collecting what nothing refers to: %s",
                         error_message(error));
    error_clear(&error);
    (void)!store_sync_settled(build->store, &error); /* what isn't synced stays listed */
}

/* All that can be wrong before anything is asked for or run. */
static int prepare(struct build *build, struct build_input *input, struct error **err)
{
    if (build_input_read(build, input, err) < 0 || build_plan(build, input, err) < 0 ||
        build_input_open_context(build, input, err) < 0 || build_lint_before(build, err) < 0)
        return -1;
    explain_begin(build, input->name);
    return 0;
}

int build_foresee(struct store *store, struct registry_session *session,
                  const struct build_options *options, struct forecast *ret, struct error **err)
{
    AUTO(build_result_release) struct build_result result = { 0 };
    AUTO(forecast_release) struct forecast forecast = { 0 };
    AUTO(build_release)
    struct build build = { .store = store,
                           .session = session,
                           .options = options,
                           .result = &result,
                           .forecast = &forecast };
    build_init(&build);
    AUTO(build_input_release) struct build_input input = BUILD_INPUT_INIT;
    if (prepare(&build, &input, err) < 0 || epoch_resolve(&build, err) < 0 ||
        schedule_run(&build, err) < 0)
        return -1;
    forecast_finish(&build);
    *ret = forecast;
    forecast = (struct forecast){ 0 };
    return 0;
}

int build_run(struct store *store, struct registry_session *session,
              const struct build_options *options, struct progress *progress,
              struct build_result *ret, struct error **err)
{
    AUTO(build_result_release) struct build_result result = { 0 };
    AUTO(build_release)
    struct build build = { .store = store,
                           .session = session,
                           .options = options,
                           .progress = progress,
                           .result = &result };
    build_init(&build);
    AUTO(build_input_release) struct build_input input = BUILD_INPUT_INIT;
    if (privilege_enter_unseen(&build, err) < 0 || prepare(&build, &input, err) < 0 ||
        ladder_check(&build, err) < 0 || privilege_enter(&build, err) < 0 ||
        emulation_check_ahead(&build, err) < 0 || epoch_resolve(&build, err) < 0)
        return -1;
    int status = schedule_run(&build, err);
    result.has_image = !build.shell_ended;
    if (build.shell_ended)
        status = finish_shell(&build, err);
    else if (status == 0)
        status = finish(&build, &result, err);
    else
        prefer_reason(&build, err);
    if (status < 0) {
        push_ahead_stop(build.ahead);
        registry_session_abort(session); /* what is on the way is for nothing */
    }
    if (status < 0 || build.shell_ended)
        name_bases(&build);
    explain_end(&build);
    if (status < 0)
        return -1;
    step_source_keep(&build);
    collect(&build);
    *ret = result;
    memset(&result, 0, sizeof(result));
    return 0;
}
