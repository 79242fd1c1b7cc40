/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "builder/copy.h"
#include "builder/executor.h"
#include "builder/words.h"
#include "registry/download.h"
#include "runner/user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct download {
    char *url;
    struct tempfile *file;
};

struct copy_step {
    struct layer_step step;
    struct stage_run *run;
    const struct copy_body *body;
    struct strvec sources; /* local words, expanded */
    struct strvec urls;
    char *destination, *chown, *chmod, *checksum;
    struct copy_file *files;
    size_t n_files, files_capacity;
    struct strvec texts; /* what files point to */
    struct tempfile **downloads;
    size_t n_downloads, downloads_capacity;
    struct context *context; /* borrowed */
    struct copy *copy;
};

static void copy_step_release(struct copy_step *step)
{
    copy_free(step->copy);
    layer_step_release(&step->step);
    strvec_release(&step->sources);
    strvec_release(&step->urls);
    strvec_release(&step->texts);
    free(step->destination);
    free(step->chown);
    free(step->chmod);
    free(step->checksum);
    for (size_t i = 0; i < step->n_files; i++)
        free(step->files[i].name);
    free(step->files);
    for (size_t i = 0; i < step->n_downloads; i++)
        tempfile_free(step->downloads[i]);
    free(step->downloads);
}
DEFINE_AUTO_STRUCT(struct copy_step, copy_step_release)

static bool has_prefix(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool is_http(const char *word)
{
    return has_prefix(word, "http://") || has_prefix(word, "https://");
}

/* DOCKERFILE.md section 6: http(s) counts as git only when the path ends in .git. */
static bool is_git(const char *word)
{
    if (has_prefix(word, "git@") || has_prefix(word, "git://") || has_prefix(word, "ssh://"))
        return true;
    size_t size = strcspn(word, "#?");
    return is_http(word) && size > 4 && !strncmp(word + size - 4, ".git", 4);
}

static int sort_sources(struct copy_step *step, const struct strvec *words, const char *name, bool is_add,
                        struct error **err)
{
    for (size_t i = 0; i < words->n; i++) {
        const char *word = words->items[i];
        bool remote = is_http(word) || is_git(word);
        if (!remote) {
            strvec_push(&step->sources, word);
            continue;
        }
        if (!is_add) {
            error_set_(err, ERR_SYNTAX, "%s %s: source can't be a URL for COPY", name, word);
            error_hint(err, "ADD takes URLs");
            return -1;
        }
        if (is_git(word))
            return error_set(err, ERR_UNSUPPORTED, "ADD %s: git sources are not supported yet", word);
        strvec_push(&step->urls, word);
    }
    return 0;
}

static int expand_optional(struct stage_run *run, const char *word, char **ret, struct error **err)
{
    return word ? stage_run_expand(run, word, 0, ret, err) : 0;
}

static int add_inline_files(struct copy_step *step, struct error **err)
{
    struct stage_run *run = step->run;
    for (size_t i = 0; i < step->body->n_inlines; i++) {
        const struct copy_inline *inline_file = &step->body->inlines[i];
        AUTO(free) char *content = NULL;
        if (!inline_file->expand)
            content = xstrdup(inline_file->content);
        else if (stage_run_expand(run, inline_file->content, WORDS_RAW_QUOTES, &content, err) < 0)
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

/* Last element of the URL's path, without query. */
static char *url_file_name(const char *url)
{
    const char *path = strstr(url, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    if (!path)
        return NULL;
    size_t size = strcspn(path, "?#");
    while (size && path[size - 1] == '/')
        size--;
    size_t start = size;
    while (start && path[start - 1] != '/')
        start--;
    return size > start ? xstrndup(path + start, size - start) : NULL;
}

static int check_checksum(const char *expected, const uint8_t got[SHA256_SIZE], const char *url, struct error **err)
{
    struct digest want, have = digest_from_sha256(got);
    if (digest_parse(expected, &want, err) < 0)
        return error_wrap(err, "--checksum");
    if (digest_equal(&want, &have))
        return 0;
    char text[DIGEST_TEXT_SIZE];
    digest_format(&have, text);
    return error_set(err, ERR_DIGEST, "ADD %s: digest mismatch: got %s, --checksum says %s", url, text, expected);
}

static int add_download(struct copy_step *step, const char *url, struct error **err)
{
    struct build *build = step->run->build;
    AUTO(tempfile_free) struct tempfile *file =
        tempfile_new(store_dir_fd(build->store, STORE_TMP), "download", err);
    if (!file)
        return -1;
    uint8_t hash[SHA256_SIZE];
    AUTO(sink_free) struct sink *sink = sink_sha256_new(sink_fd_new(tempfile_fd(file), url), hash, NULL);
    AUTO(download_result_release) struct download_result result = { 0 };
    struct download_request request = { .url = url, .vertex = step->step.vertex };
    if (registry_download(build->session, &request, sink, &result, err) < 0 || sink_finish(sink, err) < 0)
        return error_wrap(err, "ADD %s", url);
    if (step->checksum && check_checksum(step->checksum, hash, url, err) < 0)
        return -1;
    /* no Last-Modified: time 0, so that the same content gives the same layer on any day */
    int64_t mtime = 0;
    AUTO(error_free) struct error *ignored = NULL; /* a date that can't be read counts as none */
    if (result.last_modified && clock_parse_http(result.last_modified, &mtime, &ignored) < 0)
        mtime = 0;
    struct copy_file *entry = ARRAY_PUSH(step, files);
    entry->name = url_file_name(url);
    if (!entry->name && step->destination[strlen(step->destination) - 1] == '/')
        return error_set(err, ERR_SYNTAX, "ADD %s: the URL names no file; give the destination a file name", url);
    entry->fd = tempfile_fd(file);
    entry->size = result.size;
    entry->mode = 0600;
    entry->mtime = mtime;
    entry->unpack = step->body->unpack == FLAG_ON;
    *ARRAY_PUSH(step, downloads) = TAKE(file);
    return 0;
}

static void warn(void *data, const char *text)
{
    struct copy_step *step = data;
    build_warn(step->run->build, step->run->current, NULL, "%s", text);
}

static int open_copy(struct copy_step *step, struct error **err)
{
    struct stage_run *run = step->run;
    for (size_t i = 0; i < step->urls.n; i++)
        if (add_download(step, step->urls.items[i], err) < 0)
            return -1;
    const struct instruction *instruction = step->step.instruction;
    const struct copy_body *body = step->body;
    struct copy_spec spec = { .is_add = instruction->kind == INSTRUCTION_ADD,
                              .context = step->context,
                              .from = step->step.n_sources ? step->step.sources[0].tree : NULL,
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
                              .clamp_times = run->build->options->has_epoch,
                              .warn = warn,
                              .warn_data = step };
    step->copy = copy_new(&spec, err);
    return step->copy ? 0 : -1;
}

static int make(struct stage_run *run, struct layer_step *layer_step, struct layer **ret, struct error **err)
{
    struct copy_step *step = CONTAINER_OF(layer_step, struct copy_step, step);
    if (!step->copy && open_copy(step, err) < 0)
        return -1;
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    if (copy_changeset(step->copy, run->tree, &changeset, err) < 0)
        return -1;
    struct layer_options options;
    layer_step_options(run, &options);
    *ret = layer_make(run->build->store, &options, &changeset, NULL);
    return 0;
}

static int find_source(struct copy_step *step, struct error **err)
{
    struct stage_run *run = step->run;
    struct build *build = run->build;
    if (!step->body->from) {
        step->context = build->context;
        return 0;
    }
    AUTO(stage_source_release) struct stage_source source = { 0 };
    AUTO(free) char *image = NULL;
    if (stage_graph_resolve(build->graph, step->body->from, run->stage->index, &source, err) < 0)
        return -1;
    switch (source.kind) {
    case STAGE_SOURCE_STAGE: {
        struct stage_run *from = schedule_await(build, source.stage, err);
        if (!from)
            return -1;
        layer_step_add_source(&step->step, from->tree, &from->recipe);
        return 0;
    }
    case STAGE_SOURCE_CONTEXT:
        step->context = named_context_get(build, source.name, &image, err);
        if (step->context)
            return 0;
        if (*err)
            return -1;
        break;
    case STAGE_SOURCE_IMAGE:
        image = TAKE(source.name);
        break;
    case STAGE_SOURCE_SCRATCH:
        return error_set(err, ERR_SYNTAX, "COPY --from=scratch: there is nothing in it");
    }
    struct base_image *base = base_image_get(build, image, &run->config.platform, step->step.vertex, err);
    if (!base) {
        AUTO(free) char *near = stage_graph_suggestion(build->graph, image, run->stage->index);
        return error_wrap(err, "COPY --from=%s%s", step->body->from, near);
    }
    layer_step_add_source(&step->step, base->tree, &base->recipe);
    return 0;
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
    for (size_t i = 0; i < step->urls.n; i++)
        strbuf_addf(&text, " %s", step->urls.items[i]);
    for (size_t i = 0; i < step->body->n_inlines; i++)
        strbuf_addf(&text, " <<%s", step->body->inlines[i].name);
    strbuf_addf(&text, " %s", step->destination);
    return strbuf_detach(&text);
}

/* With a checksum the content is known without the download. */
static void add_checksum_inputs(struct copy_step *step)
{
    struct inputs *inputs = &step->step.inputs;
    inputs_add(inputs, "url", "", step->urls.items[0]);
    inputs_add(inputs, "checksum", "", step->checksum);
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
    const char *name = instruction_name(step->step.instruction->kind);
    if (sort_sources(step, &words, name, step->step.instruction->kind == INSTRUCTION_ADD, err) < 0)
        return -1;
    if (step->checksum && (step->urls.n != 1 || step->sources.n))
        return error_set(err, ERR_SYNTAX, "--checksum takes one http(s) source");
    if (body->keep_git_dir == FLAG_ON)
        return error_set(err, ERR_UNSUPPORTED, "ADD --keep-git-dir: git sources are not supported yet");
    return add_inline_files(step, err);
}

int step_copy_execute(struct stage_run *run, const struct instruction *instruction, struct error **err)
{
    AUTO(copy_step_release) struct copy_step step = { .run = run, .body = &instruction->copy };
    step.step.instruction = instruction;
    step.step.make = make;
    if (expand_all(&step, err) < 0)
        return -1;
    step.step.history = history_text(&step);
    layer_step_begin(run, &step.step);
    if (find_source(&step, err) < 0)
        return layer_step_fail(run, &step.step, err);
    inputs_add(&step.step.inputs, "instruction", "", instruction_name(instruction->kind));
    inputs_add(&step.step.inputs, "workdir", "", stage_run_cwd(run));
    if (step.checksum)
        add_checksum_inputs(&step);
    else if (open_copy(&step, err) < 0 || copy_add_inputs(step.copy, &step.step.inputs, err) < 0)
        return layer_step_fail(run, &step.step, err);
    return layer_step_execute(run, &step.step, err);
}

struct workdir_step {
    struct layer_step step;
    const char *path;
};

static int make_workdir(struct stage_run *run, struct layer_step *layer_step, struct layer **ret, struct error **err)
{
    struct workdir_step *step = CONTAINER_OF(layer_step, struct workdir_step, step);
    AUTO(strbuf_release) struct strbuf passwd = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf group = STRBUF_INIT;
    bool has_passwd, has_group;
    AUTO(user_release) struct user user = { 0 };
    if (run->config.user && *run->config.user) {
        if (step_user_files(run, &passwd, &has_passwd, &group, &has_group, err) < 0)
            return -1;
        struct user_files files = { .passwd = has_passwd ? passwd.data : NULL,
                                    .passwd_size = passwd.size,
                                    .group = has_group ? group.data : NULL,
                                    .group_size = group.size };
        if (user_resolve(run->config.user, &files, &user, err) < 0)
            return -1;
    }
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    if (copy_workdir_changeset(run->tree, step->path, user.uid, user.gid, run->build->now, &changeset, err) < 0)
        return -1;
    struct layer_options options;
    layer_step_options(run, &options);
    *ret = layer_make(run->build->store, &options, &changeset, NULL);
    return 0;
}

int step_workdir_execute(struct stage_run *run, const struct instruction *instruction, struct error **err)
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
