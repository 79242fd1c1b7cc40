/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/context_git.h"
#include "builder/context_remote.h"
#include "builder/copy.h"
#include "builder/copy_remote.h"
#include "builder/epoch.h"
#include "builder/executor.h"
#include "builder/forecast_internal.h"
#include "builder/step_source.h"
#include "builder/words.h"
#include "registry/url.h"
#include "runner/user.h"

#include <string.h>

struct copy_step {
    struct layer_step step;
    struct stage_run *run;
    const struct copy_body *body;
    struct strvec sources; /* local words, expanded */
    struct strvec urls;
    struct strvec git_urls;
    struct source_order {
        size_t *positions; /* of urls or git_urls among all words */
        size_t n_positions, positions_capacity;
    } url_order, git_order;
    char *destination, *chown, *chmod, *checksum;
    struct copy_file *files;
    size_t n_files, files_capacity;
    struct strvec texts; /* what files point to */
    struct url_file *downloads;
    size_t n_downloads, downloads_capacity;
    struct context_git **gits; /* resolved: one per git_urls */
    size_t n_gits, gits_capacity;
    struct step_source source;
    struct copy *copy;
};

static void copy_step_release(struct copy_step *step)
{
    copy_free(step->copy);
    layer_step_release(&step->step);
    step_source_release(&step->source);
    strvec_release(&step->sources);
    strvec_release(&step->urls);
    strvec_release(&step->git_urls);
    free(step->url_order.positions);
    free(step->git_order.positions);
    strvec_release(&step->texts);
    free(step->destination);
    free(step->chown);
    free(step->chmod);
    free(step->checksum);
    for (size_t i = 0; i < step->n_files; i++)
        free(step->files[i].name);
    free(step->files);
    for (size_t i = 0; i < step->n_downloads; i++)
        url_file_release(&step->downloads[i]);
    free(step->downloads);
    for (size_t i = 0; i < step->n_gits; i++) {
        context_git_release(step->gits[i]);
        free(step->gits[i]);
    }
    free(step->gits);
}
DEFINE_AUTO_STRUCT(struct copy_step, copy_step_release)

static int sort_sources(struct copy_step *step, const struct strvec *words, struct error **err)
{
    for (size_t i = 0; i < words->n; i++) {
        const char *word = words->items[i];
        if (copy_check_source(step->step.instruction->kind, word, err) < 0)
            return -1;
        struct strvec *lists[] = { [COPY_SOURCE_LOCAL] = &step->sources,
                                   [COPY_SOURCE_HTTP] = &step->urls,
                                   [COPY_SOURCE_GIT] = &step->git_urls };
        struct source_order *orders[] = {
            [COPY_SOURCE_HTTP] = &step->url_order, [COPY_SOURCE_GIT] = &step->git_order
        };
        enum copy_source_kind kind = copy_source_kind(word);
        strvec_push(lists[kind], word);
        if (kind != COPY_SOURCE_LOCAL)
            *ARRAY_PUSH(orders[kind], positions) = i;
    }
    return 0;
}

static int expand_optional(struct stage_run *run, const char *word, char **ret, struct error **err)
{
    return word ? stage_run_expand(run, word, 0, ret, err) : 0;
}

/* As in a shell's heredoc quotes are ordinary characters. A backslash escapes whatever "# escape="
 * says. */
static int expand_body(struct stage_run *run, const char *body, char **ret, struct error **err)
{
    struct words_expander expander = {
        .escape = '\\', .flags = WORDS_NO_QUOTES, .lookup = words_lookup_env, .context = &run->env
    };
    return words_expand(&expander, body, ret, err);
}

static int add_inline_files(struct copy_step *step, struct error **err)
{
    struct stage_run *run = step->run;
    for (size_t i = 0; i < step->body->n_inlines; i++) {
        const struct copy_inline *inline_file = &step->body->inlines[i];
        AUTO(free) char *content = NULL;
        if (!inline_file->expand)
            content = xstrdup(inline_file->content);
        else if (expand_body(run, inline_file->content, &content, err) < 0)
            return -1;
        strvec_push(&step->texts, content);
        struct copy_file *file = ARRAY_PUSH(step, files);
        file->name = xstrdup(inline_file->name);
        file->data = step->texts.items[step->texts.n - 1];
        file->size = strlen(content);
        file->fd = -1;
        file->mode = 0644;
        file->mtime = run->build->now;
    }
    return 0;
}

static int check_checksum(const char *expected, const struct digest *have, const char *url,
                          struct error **err)
{
    struct digest want;
    if (digest_parse(expected, &want, err) < 0)
        return error_wrap(err, "--checksum");
    if (digest_equal(&want, have))
        return 0;
    char text[DIGEST_TEXT_SIZE];
    digest_format(have, text);
    return error_set(err, ERR_DIGEST, "ADD %s: digest mismatch: got %s, --checksum says %s", url,
                     text, expected);
}

static int add_download(struct copy_step *step, const char *url, size_t position,
                        struct error **err)
{
    struct build *build = step->run->build;
    AUTO(url_file_release) struct url_file file = URL_FILE_INIT;
    AUTO(free) char *shown = url_redact(url);
    AUTO(free) char *name = url_file_name(url);
    if (copy_check_url_name(url, step->destination, err) < 0)
        return -1;
    if (context_remote_fetch(build, url, step->step.vertex, &file, err) < 0)
        return error_wrap(err, "ADD %s", shown);
    if (step->checksum && check_checksum(step->checksum, &file.digest, shown, err) < 0)
        return -1;
    struct copy_file *entry = ARRAY_PUSH(step, files);
    entry->name = TAKE(name);
    entry->fd = file.fd;
    entry->size = file.size;
    entry->mode = 0600;
    entry->mtime = file.mtime;
    entry->unpack = step->body->unpack == FLAG_ON;
    entry->position = position;
    *ARRAY_PUSH(step, downloads) = file;
    file = (struct url_file)URL_FILE_INIT;
    return 0;
}

/* --- git ------------------------------------------------------------------------------------- */

static bool keeps_git_dir(const struct copy_step *step, const struct context_git *git)
{
    return step->body->keep_git_dir == FLAG_ON || git->url.keep_git_dir == GIT_OPTION_ON;
}

static int check_git_dir(const struct copy_step *step, const struct git_url *url,
                         struct error **err)
{
    bool both = step->body->keep_git_dir != FLAG_UNSET && url->keep_git_dir != GIT_OPTION_UNSET;
    bool flag = step->body->keep_git_dir == FLAG_ON, option = url->keep_git_dir == GIT_OPTION_ON;
    return both && flag != option
               ? error_set(err, ERR_SYNTAX, "--keep-git-dir=%s: the URL says keep-git-dir=%s",
                           flag ? "true" : "false", option ? "true" : "false")
               : 0;
}

/* --checksum says the same as the URL's commit=. */
static int set_git_checksum(const struct copy_step *step, struct git_url *url, struct error **err)
{
    if (!step->checksum)
        return 0;
    if (url->checksum && strcasecmp(url->checksum, step->checksum) != 0)
        return error_set(err, ERR_SYNTAX, "--checksum=%s: the URL says %s", step->checksum,
                         url->checksum);
    free(url->checksum);
    url->checksum = xstrdup(step->checksum);
    for (char *p = url->checksum; *p; p++)
        if (*p >= 'A' && *p <= 'F')
            *p = (char)(*p - 'A' + 'a');
    return 0;
}

/* Which commits the URLs mean now: with the flags they stand for the files in the key. */
static int resolve_gits(struct copy_step *step, struct error **err)
{
    for (size_t i = 0; i < step->git_urls.n; i++) {
        struct context_git *git = *ARRAY_PUSH(step, gits) = NEW(struct context_git);
        *git = (struct context_git)CONTEXT_GIT_INIT;
        if (context_git_init(git, step->run->build, step->git_urls.items[i], false, err) < 0 ||
            check_git_dir(step, &git->url, err) < 0 || set_git_checksum(step, &git->url, err) < 0 ||
            context_git_resolve(git, err) < 0 ||
            context_git_check_access(step->run->build, git, keeps_git_dir(step, git), err) < 0)
            return error_wrap(err, "ADD");
        AUTO(free) char *key = context_git_key(git, keeps_git_dir(step, git));
        inputs_add(&step->step.inputs, "git", git->url.remote, key);
    }
    if (step->body->keep_git_dir == FLAG_ON && !step->git_urls.n)
        build_warn(step->run->build, step->run->current, NULL,
                   "ADD --keep-git-dir: no source is a git repository");
    return 0;
}

static int open_gits(struct copy_step *step, struct error **err)
{
    struct build *build = step->run->build;
    for (size_t i = 0; i < step->n_gits; i++) {
        const struct context_git *git = step->gits[i];
        struct context *context = context_git_open(build, git, keeps_git_dir(step, git), err);
        if (!context)
            return error_wrap(err, "ADD");
        pthread_mutex_lock(&build->base_lock);
        *ARRAY_PUSH(build, kept) = context;
        pthread_mutex_unlock(&build->base_lock);
        if (copy_add_directory(step->copy, context, step->git_order.positions[i], err) < 0)
            return -1;
    }
    return 0;
}

/* --- the step -------------------------------------------------------------------------------- */

static void warn(void *data, const char *text)
{
    struct copy_step *step = data;
    strvec_push(&step->step.warnings, text);
    build_warn(step->run->build, step->run->current, NULL, "%s", text);
}

static int open_copy(struct copy_step *step, struct error **err)
{
    struct stage_run *run = step->run;
    for (size_t i = 0; i < step->urls.n; i++)
        if (add_download(step, step->urls.items[i], step->url_order.positions[i], err) < 0)
            return -1;
    const struct instruction *instruction = step->step.instruction;
    const struct copy_body *body = step->body;
    struct copy_spec spec = { .is_add = instruction->kind == INSTRUCTION_ADD,
                              .context = step->source.context,
                              .from = step->source.tree,
                              .sources = &step->sources,
                              .files = step->files,
                              .n_files = step->n_files,
                              .destination = step->destination,
                              .working_dir = stage_run_cwd(run),
                              .chown = step->chown,
                              .chmod = step->chmod,
                              .excludes = &body->excludes,
                              .parents = body->parents == FLAG_ON,
                              .link = body->link == FLAG_ON,
                              .no_unpack = body->unpack == FLAG_OFF,
                              .now = run->build->now,
                              .times = epoch_file_times(run->build),
                              .warn = warn,
                              .warn_data = step };
    step->copy = copy_new(&spec, err);
    return step->copy ? 0 : -1;
}

/* Whether a later instruction of the stage runs something on the files. */
static bool is_run_on(const struct stage_run *run)
{
    for (size_t i = run->n_done; i < run->stage->n_instructions; i++)
        if (run->stage->instructions[i].kind == INSTRUCTION_RUN)
            return true;
    return false;
}

static int make(struct stage_run *run, struct layer_step *layer_step, struct layer **ret,
                struct error **err)
{
    struct copy_step *step = CONTAINER_OF(layer_step, struct copy_step, step);
    if ((!step->copy && open_copy(step, err) < 0) || open_gits(step, err) < 0)
        return -1;
    if (layer_step->is_late)
        copy_learn(step->copy);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    if (copy_changeset(step->copy, run->tree, &changeset, err) < 0)
        return -1;
    struct layer_options options;
    if (layer_step_options(run, layer_step, &options, err) < 0)
        return -1;
    options.wants_form = is_run_on(run);
    *ret = step_share_layer(run, &options, &changeset, step->source.tree);
    if (!layer_step->is_late && step->source.context && step->sources.n)
        layer_step->shape = copy_shape(step->copy); /* while the layer is on its way */
    return 0;
}

/* The layer's stream has read the files: the inputs are known without reading them again. */
static int complete(struct stage_run *run, struct layer_step *layer_step, struct layer *layer,
                    struct error **err)
{
    struct copy_step *step = CONTAINER_OF(layer_step, struct copy_step, step);
    copy_teach_layer(step->source.context, layer);
    return step_source_add_inputs(run, layer_step, &step->source, step->copy, "", err);
}

/*
 * Whether the files are read for the layer at once: much is to be read, and no record can match.
 * Where an equal step of another stage has read them for its layer, its record is waited for.
 */
static int find_lateness(struct copy_step *step, struct error **err)
{
    struct build *build = step->run->build;
    if (!step->source.context || step->urls.n || step->git_urls.n || build->forecast)
        return 0;
    bool has_unread = copy_has_unread(step->copy);
    if (!has_unread && !atomic_load(&build->has_late))
        return 0;
    step->step.shape = copy_shape(step->copy);
    int found = layer_step_find_shape(step->run, &step->step, err);
    if (found < 0)
        return -1;
    step->step.is_late = !found && has_unread;
    step->step.complete = complete;
    if (step->step.is_late)
        atomic_store(&build->has_late, true);
    return 0;
}

static int find_inputs(struct copy_step *step, struct error **err)
{
    if (open_copy(step, err) < 0 || find_lateness(step, err) < 0)
        return -1;
    if (step->step.is_late)
        return 0;
    return step_source_add_inputs(step->run, &step->step, &step->source, step->copy, "", err);
}

static int find_source(struct copy_step *step, struct error **err)
{
    if (step_source_find(step->run, step->body->from, false, step->step.vertex, &step->source,
                         err) < 0)
        return -1;
    if (step->source.is_scratch)
        return error_set(err, ERR_SYNTAX, "COPY --from=scratch: there is nothing in it");
    return 0;
}

/* Of a signed URL not the signature: history goes wherever the image does. */
static void add_urls(struct strbuf *text, const struct strvec *urls)
{
    for (size_t i = 0; i < urls->n; i++) {
        AUTO(free) char *shown = url_redact_within(urls->items[i]);
        strbuf_addf(text, " %s", shown);
    }
}

/* "COPY --chown=a:b src <<EOF /dest/", as BuildKit writes it */
static char *history_text(const struct copy_step *step)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, instruction_name(step->step.instruction->kind));
    if (step->body->parents == FLAG_ON)
        strbuf_adds(&text, " --parents");
    if (step->chown)
        strbuf_addf(&text, " --chown=%s", step->chown);
    if (step->chmod)
        strbuf_addf(&text, " --chmod=%s", step->chmod);
    for (size_t i = 0; i < step->sources.n; i++)
        strbuf_addf(&text, " %s", step->sources.items[i]);
    add_urls(&text, &step->urls);
    add_urls(&text, &step->git_urls);
    for (size_t i = 0; i < step->body->n_inlines; i++)
        strbuf_addf(&text, " <<%s", step->body->inlines[i].name);
    strbuf_addf(&text, " %s", step->destination);
    return strbuf_detach(&text);
}

/* Which of several kinds comes first shows where they have files of one name. */
static void add_order_input(struct copy_step *step)
{
    AUTO(strbuf_release) struct strbuf order = STRBUF_INIT;
    const size_t n[] = { step->sources.n, step->urls.n, step->git_urls.n };
    if ((n[0] != 0) + (n[1] != 0) + (n[2] != 0) < 2)
        return;
    for (size_t i = 0; i < step->urls.n; i++)
        strbuf_addf(&order, "url %zu ", step->url_order.positions[i]);
    for (size_t i = 0; i < step->git_urls.n; i++)
        strbuf_addf(&order, "git %zu ", step->git_order.positions[i]);
    inputs_add(&step->step.inputs, "order of sources", "", order.data);
}

/* Heredocs, before anything is downloaded. */
static void add_inline_inputs(struct copy_step *step)
{
    for (size_t i = 0; i < step->n_files; i++) {
        const struct copy_file *file = &step->files[i];
        struct digest digest = digest_of(file->data, file->size);
        char text[DIGEST_TEXT_SIZE];
        digest_format(&digest, text);
        AUTO(free) char *value = xasprintf("f %04o 0:0 %s", file->mode, text);
        inputs_add(&step->step.inputs, "inline", file->name, value);
    }
}

/* With a checksum the content is known without the download. */
static void add_checksum_inputs(struct copy_step *step)
{
    struct inputs *inputs = &step->step.inputs;
    AUTO(free) char *url = url_redact_within(step->urls.items[0]);
    inputs_add(inputs, "url", "", url);
    inputs_add(inputs, "checksum", "", step->checksum);
    add_inline_inputs(step);
    inputs_add(inputs, "destination", "", step->destination);
    inputs_add(inputs, "chown", "", step->chown ? step->chown : "");
    inputs_add(inputs, "chmod", "", step->chmod ? step->chmod : "");
    inputs_add(inputs, "unpack", "", step->body->unpack == FLAG_ON ? "yes" : "no");
    inputs_add(inputs, "link", "", step->body->link == FLAG_ON ? "yes" : "no");
}

static int expand_all(struct copy_step *step, struct error **err)
{
    struct stage_run *run = step->run;
    const struct copy_body *body = step->body;
    AUTO(strvec_release) struct strvec words = STRVEC_INIT;
    if (stage_run_expand_all(run, &body->sources, &words, err) < 0 ||
        stage_run_expand(run, body->destination, 0, &step->destination, err) < 0 ||
        expand_optional(run, body->chown, &step->chown, err) < 0 ||
        expand_optional(run, body->chmod, &step->chmod, err) < 0 ||
        expand_optional(run, body->checksum, &step->checksum, err) < 0)
        return -1;
    if (sort_sources(step, &words, err) < 0 ||
        (step->checksum && copy_check_checksum(step->checksum, &words, err) < 0))
        return -1;
    return add_inline_files(step, err);
}

int step_copy_execute(struct stage_run *run, const struct instruction *instruction,
                      struct error **err)
{
    AUTO(copy_step_release) struct copy_step step = { .run = run, .body = &instruction->copy };
    step.step.instruction = instruction;
    step.step.make = make;
    step.step.is_independent = step.body->link == FLAG_ON;
    if (expand_all(&step, err) < 0)
        return -1;
    step.step.history = history_text(&step);
    layer_step_begin(run, &step.step);
    if (run->build->forecast && (step.git_urls.n || (step.urls.n && !step.checksum))) {
        forecast_lose(run, xstrdup("what a URL gives is asked for when it runs"));
        forecast_add_lost(run, instruction);
        return 0;
    }
    if (find_source(&step, err) < 0)
        return layer_step_fail(run, &step.step, err);
    inputs_add(&step.step.inputs, "instruction", "", instruction_name(instruction->kind));
    inputs_add(&step.step.inputs, "workdir", "", stage_run_cwd(run));
    add_order_input(&step);
    if (resolve_gits(&step, err) < 0)
        return layer_step_fail(run, &step.step, err);
    if (step.checksum && step.urls.n)
        add_checksum_inputs(&step);
    else if (find_inputs(&step, err) < 0)
        return layer_step_fail(run, &step.step, err);
    return layer_step_execute(run, &step.step, err);
}

struct workdir_step {
    struct layer_step step;
    const char *path;
};

static int make_workdir(struct stage_run *run, struct layer_step *layer_step, struct layer **ret,
                        struct error **err)
{
    struct workdir_step *step = CONTAINER_OF(layer_step, struct workdir_step, step);
    AUTO(strbuf_release) struct strbuf passwd = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf group = STRBUF_INIT;
    bool has_passwd, has_group;
    uid_t uid = 0;
    gid_t gid = 0;
    if (run->config.user && *run->config.user) {
        if (step_user_files(run, &passwd, &has_passwd, &group, &has_group, err) < 0)
            return -1;
        struct user_files files = { .passwd = has_passwd ? passwd.data : NULL,
                                    .passwd_size = passwd.size,
                                    .group = has_group ? group.data : NULL,
                                    .group_size = group.size };
        if (user_resolve_owner(run->config.user, &files, &uid, &gid, err) < 0)
            return -1;
    }
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    if (copy_workdir_changeset(run->tree, step->path, uid, gid, run->build->now, &changeset, err) <
        0)
        return -1;
    struct layer_options options;
    if (layer_step_options(run, layer_step, &options, err) < 0)
        return -1;
    *ret = layer_make(run->build->store, &options, &changeset, NULL);
    return 0;
}

int step_workdir_execute(struct stage_run *run, const struct instruction *instruction,
                         struct error **err)
{
    AUTO(free) char *word = NULL;
    if (stage_run_expand(run, instruction->value.value, 0, &word, err) < 0)
        return -1;
    AUTO(free) char *joined = path_join(stage_run_cwd(run), word);
    AUTO(free) char *relative = path_clean_rooted(joined);
    AUTO(free) char *path = xasprintf("/%s", relative);
    free(run->config.working_dir);
    run->config.working_dir = xstrdup(path);

    /* the history has an absolute path as it was written */
    AUTO(free) char *text = xasprintf("WORKDIR %s", *word == '/' ? word : path);
    if (!strcmp(path, "/")) { /* is there always */
        step_meta_commit(run, text);
        return 0;
    }
    struct workdir_step step = { .path = path };
    step.step.instruction = instruction;
    step.step.history = xstrdup(text);
    step.step.make = make_workdir;
    inputs_add(&step.step.inputs, "workdir", "", path);
    inputs_add(&step.step.inputs, "user", "", run->config.user ? run->config.user : "");
    int result = layer_step_execute(run, &step.step, err);
    layer_step_release(&step.step);
    return result;
}
