/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/copy_dest.h"
#include "builder/copy_internal.h"

#include <string.h>

void copy_free(struct copy *copy)
{
    if (!copy)
        return;
    copy_sources_release(&copy->sources);
    for (size_t i = 0; i < copy->n_directories; i++)
        copy_sources_release(&copy->directories[i].sources);
    free(copy->directories);
    free(copy->word_ends);
    tree_unref(copy->from);
    strvec_release(&copy->words);
    strvec_release(&copy->excludes);
    pattern_list_free(copy->exclude_list);
    for (size_t i = 0; i < copy->n_files; i++)
        free(copy->files[i].name);
    free(copy->files);
    free(copy->destination);
    free(copy->chown);
    free(copy->chmod_text);
    chmod_spec_release(&copy->chmod);
    free(copy);
}

void copy_warn(struct copy *copy, const char *format, ...)
{
    if (!copy->warn)
        return;
    va_list args;
    va_start(args, format);
    AUTO(free) char *text = xvasprintf(format, args);
    va_end(args);
    copy->warn(copy->warn_data, text);
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* DOCKERFILE.md section 6, "Destination" */
static void set_destination(struct copy *copy, const char *written, const char *working_dir)
{
    AUTO(free) char *joined = path_join(working_dir, written);
    copy->destination = path_clean_rooted(joined);
    copy->to_directory = !copy->destination[0] || !written[0] || strcmp(written, ".") == 0 ||
                         ends_with(written, "/") || ends_with(written, "/.");
}

static int set_options(struct copy *copy, const struct copy_spec *spec, struct error **err)
{
    copy->chown = xstrdup(spec->chown && spec->chown[0] ? spec->chown : NULL);
    if (spec->chmod && spec->chmod[0]) {
        if (chmod_spec_parse(spec->chmod, &copy->chmod, err) < 0)
            return error_wrap(err, "--chmod");
        copy->chmod_text = xstrdup(spec->chmod);
    }
    if (spec->excludes && spec->excludes->n) {
        strvec_copy(&copy->excludes, spec->excludes);
        if (pattern_list_new(&copy->excludes, &copy->exclude_list, err) < 0)
            return error_wrap(err, "--exclude");
    }
    return 0;
}

static void set_files(struct copy *copy, const struct copy_spec *spec)
{
    copy->n_files = spec->n_files;
    copy->files = xcalloc(spec->n_files + 1, sizeof(*copy->files));
    for (size_t i = 0; i < spec->n_files; i++) {
        copy->files[i] = spec->files[i];
        copy->files[i].name = xstrdup(spec->files[i].name);
    }
}

int copy_find_sources(struct copy *copy, struct error **err)
{
    if (copy->has_sources)
        return 0;
    struct copy_view view =
        copy->context ? copy_view_of_context(copy->context) : copy_view_of_tree(copy->from);
    copy->word_ends = xcalloc(copy->words.n + 1, sizeof(*copy->word_ends));
    for (size_t i = 0; i < copy->words.n; i++) {
        if (copy_sources_find(&view, copy->words.items[i], copy->parents, copy->exclude_list,
                              &copy->sources, err) < 0)
            return -1;
        copy->word_ends[i] = copy->sources.n_list;
    }
    copy->has_sources = true;
    return 0;
}

struct copy *copy_new(const struct copy_spec *spec, struct error **err)
{
    AUTO(copy_free) struct copy *copy = NEW(struct copy);
    copy->is_add = spec->is_add;
    copy->parents = spec->parents;
    copy->link = spec->link;
    copy->mounted = spec->mounted;
    copy->no_unpack = spec->no_unpack;
    copy->times = spec->times;
    copy->now = spec->now;
    copy->warn = spec->warn;
    copy->warn_data = spec->warn_data;
    copy->context = spec->from ? NULL : spec->context;
    copy->from = spec->from ? tree_ref(spec->from) : NULL;
    copy->store = spec->store ? spec->store : spec->context ? context_store(spec->context) : NULL;
    if (spec->sources)
        strvec_copy(&copy->words, spec->sources);
    if (copy->words.n && !copy->context && !copy->from)
        return error_set_null(err, ERR_NOT_FOUND, "source %s: there is no build context",
                              copy->words.items[0]);
    set_files(copy, spec);
    set_destination(copy, spec->destination, spec->working_dir);
    if (set_options(copy, spec, err) < 0)
        return NULL;
    if (copy->context && copy_find_sources(copy, err) < 0)
        return NULL;
    return TAKE(copy);
}

int copy_add_directory(struct copy *copy, struct context *context, size_t position,
                       struct error **err)
{
    struct copy_view view = copy_view_of_context(context);
    struct copy_directory *directory = ARRAY_PUSH(copy, directories);
    directory->context = context;
    directory->position = position;
    return copy_sources_find(&view, ".", false, copy->exclude_list, &directory->sources, err);
}

int copy_workdir_changeset(struct tree *below, const char *path, uint32_t uid, uint32_t gid,
                           int64_t now, struct changeset *ret, struct error **err)
{
    AUTO(copy_content_free) struct copy_content *content = copy_content_new();
    AUTO(copy_dest_free) struct copy_dest *dest = copy_dest_new(below, content, now, NULL);
    AUTO(free) char *clean = path_clean_rooted(path);
    AUTO(free) char *real = NULL;
    struct copy_made made = { .mode = 0755, .uid = uid, .gid = gid };
    if (copy_dest_real_path(dest, clean, true, &real, err) < 0 ||
        copy_dest_make_dirs(dest, real, &made, err) < 0 ||
        copy_dest_finish(dest, &(struct file_times){ FILE_TIMES_KEEP, 0 }, &ret->list, err) < 0)
        return -1;
    ret->ops = &copy_content_ops;
    ret->data = TAKE(content);
    return 0;
}
