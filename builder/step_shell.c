/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/step_shell.h"

#include "base/cancel.h"
#include "base/mem.h"
#include "runner/terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SHELLS 3

/* The stage's SHELL, then those that most images have; each once. */
static size_t list_shells(const struct stage_run *run, const char *shells[MAX_SHELLS])
{
    static const char *const usual[] = { "/bin/bash", "/bin/sh" };
    size_t n = 0;
    if (run->config.has_shell && run->config.shell.n)
        shells[n++] = run->config.shell.items[0];
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
        if (!n || strcmp(shells[0], usual[i]) != 0)
            shells[n++] = usual[i];
    return n;
}

/* A struct run_call's; data: whether it could be executed. No other step's failure ends it. */
static int use_terminal(struct stage_run *run UNUSED, struct run_step *step UNUSED,
                        const struct sandbox_spec *spec, void *data, struct error **err)
{
    AUTO(sandbox_result_release) struct sandbox_result result = { 0 };
    bool *executed = data;
    if (sandbox_run(spec, &result, err) < 0)
        return -1;
    *executed = !result.exec_message;
    return 0;
}

/* An upper that was mounted before needs another work directory: each try has its own. */
static int try_shell(struct stage_run *run, struct run_step *step, const struct run_tree *tree,
                     const char *shell, size_t number, bool *executed, struct error **err)
{
    AUTO(free) char *scratch = xasprintf("%s/shell.%zu", tree->scratch, number);
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    if (mkdir(scratch, 0700) < 0)
        return error_errno(err, "work directory of the shell");
    strvec_push(&argv, shell);
    const struct run_call call = { .argv = &argv,
                                   .tree = tree,
                                   .scratch = scratch,
                                   .terminal = run->build->options->terminal,
                                   .use = use_terminal,
                                   .data = executed };
    return run_step_call(run, step, &call, err);
}

static int try_shells(struct stage_run *run, struct run_step *step, const struct run_tree *tree,
                      struct error **err)
{
    const char *shells[MAX_SHELLS];
    const size_t n = list_shells(run, shells);
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    for (size_t i = 0; i < n; i++) {
        bool executed = false;
        if (try_shell(run, step, tree, shells[i], i, &executed, err) < 0)
            return -1;
        if (executed)
            return 0;
        strbuf_addf(&names, "%s%s", i ? ", " : "", shells[i]);
    }
    return error_set(err, ERR_RUN, "no shell in the image: %s can't be executed", names.data);
}

/* The terminal is the shell's as long as it runs. */
static int run_shell(struct stage_run *run, struct run_step *step, const struct run_tree *tree,
                     struct error **err)
{
    const char *type = getenv("TERM");
    if (type && *type && !env_get(&step->env, "TERM"))
        env_set(&step->env, "TERM", type);
    progress_hold(run->build->progress, true);
    int result = try_shells(run, step, tree, err);
    progress_hold(run->build->progress, false);
    return result;
}

void step_shell_after_failure(struct stage_run *run, struct run_step *step,
                              const struct run_tree *tree, const struct error *error)
{
    struct build *build = run->build;
    AUTO(error_free) struct error *no_shell = NULL;
    if (!build->options->shell_on_error || !error_is(error, ERR_RUN) || cancel_requested() ||
        !schedule_begin_failure(build))
        return;
    if (!build->options->terminal) {
        progress_note(build->progress, step->step.vertex,
                      "no shell: standard input and standard error aren't a terminal");
        return;
    }
    progress_failed(build->progress, step->step.vertex, error_message(error));
    step->step.told_failure = true;
    progress_note(build->progress, 0,
                  "a shell in what the step left; the build ends with it, as failed");
    if (run_shell(run, step, tree, &no_shell) < 0)
        progress_warning(build->progress, 0, "shell: %s", error_message(no_shell));
}

bool step_shell_is_at(const struct stage_run *run, const struct instruction *next)
{
    const struct build *build = run->build;
    return build->options->shell_at && !build->forecast &&
           build->shell_point.stage == run->stage->index && build->shell_point.before == next;
}

static void tell_end(struct build *build)
{
    pthread_mutex_lock(&build->lock);
    build->shell_ended = !build->failed;
    pthread_mutex_unlock(&build->lock);
}

int step_shell_at(struct stage_run *run, const struct instruction *next, struct error **err)
{
    static const struct run_body plain = { .network = NULL };
    struct build *build = run->build;
    AUTO(run_step_release) struct run_step step = { .body = &plain };
    if (next && next->kind == INSTRUCTION_RUN)
        step.body = &next->run;
    step.step.instruction = next;
    if (run_step_choose(run, &step, err) < 0 ||
        step_mounts_resolve(run, step.body, &step.step, &step.mounts, err) < 0)
        return -1;
    run_step_set_env(run, &step);
    AUTO(run_tree_release) struct run_tree tree = RUN_TREE_INIT;
    if (privilege_check(build, err) < 0 || run_tree_prepare(run, &tree, err) < 0 ||
        run_step_prepare(run, &step, err) < 0)
        return -1;
    if (next)
        progress_note(build->progress, 0, "a shell before %s:%zu; what it changes is dropped",
                      build->dockerfile->source->name, next->range.first);
    else
        progress_note(build->progress, 0, "a shell after stage %s; what it changes is dropped",
                      run->stage->label);
    if (run_shell(run, &step, &tree, err) < 0)
        return -1;
    tell_end(build);
    return error_set(err, ERR_CANCELLED, "the shell has ended");
}
