/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/mem.h"
#include "cli/app.h"
#include "cli/image_info.h"
#include "cli/template.h"
#include "oci/store_tags.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild images [OPTIONS] [REPOSITORY[:TAG]]",
    .summary = "Lists the images of the store.",
    .more = "Filters: dangling=true|false, reference=PATTERN, label=KEY[=VALUE].\n"
            "Template members: Repository Tag Digest ID CreatedAt CreatedSince Size.",
};

struct images_command {
    struct strvec filters;
    const char *format;
    bool quiet, no_trunc, digests, all;
};

static void short_id(const struct digest *digest, bool whole, char out[DIGEST_TEXT_SIZE])
{
    if (whole)
        digest_format(digest, out);
    else {
        digest_format_hex(digest, out);
        out[12] = '\0';
    }
}

static json_t *row_json(const struct images_command *command, const struct store_tag *tag, const struct image *image,
                        uint64_t size)
{
    json_t *row = json_object();
    char text[DIGEST_TEXT_SIZE], size_text[32], age[64];
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *bad = NULL; /* names in the store were parsed when they were written */
    bool named = tag->name && reference_parse(tag->name, &reference, &bad) == 0;
    AUTO(free) char *repository = named ? reference_familiar_repository(&reference) : xstrdup("<none>");
    json_set(row, "Repository", json_from_string(repository));
    json_set(row, "Tag", json_from_string(named && reference.tag ? reference.tag : "<none>"));
    digest_format(&tag->descriptor.digest, text);
    json_set(row, "Digest", json_from_string(text));
    short_id(&tag->descriptor.digest, command->no_trunc, text);
    json_set(row, "ID", json_from_string(text));
    format_age(image->config.created, age);
    json_set(row, "CreatedSince", json_from_string(age));
    json_set(row, "CreatedAt", json_from_string(image->config.created ? image->config.created : ""));
    format_size(size, size_text);
    json_set(row, "Size", json_from_string(size_text));
    return row;
}

static bool label_matches(const struct image *image, const char *filter)
{
    size_t size = strcspn(filter, "=");
    AUTO(free) char *key = xstrndup(filter, size);
    const char *value = image->config.labels ? json_string_value(json_object_get(image->config.labels, key)) : NULL;
    return value && (!filter[size] || !strcmp(value, filter + size + 1));
}

/* A pattern of a repository, or of repository:tag. */
static bool reference_matches(const struct store_tag *tag, const char *pattern)
{
    if (!tag->name)
        return false;
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *bad = NULL; /* see row_json() */
    if (reference_parse(tag->name, &reference, &bad) < 0)
        return false;
    AUTO(free) char *familiar = reference_familiar(&reference);
    AUTO(free) char *repository = reference_familiar_repository(&reference);
    return fnmatch(pattern, familiar, 0) == 0 || fnmatch(pattern, repository, 0) == 0 ||
           fnmatch(pattern, tag->name, 0) == 0;
}

static int filter_matches(const char *filter, const struct store_tag *tag, const struct image *image, bool *ret,
                          struct error **err)
{
    if (!strncmp(filter, "dangling=", 9))
        *ret = (tag->name == NULL) == (!strcmp(filter + 9, "true") || !strcmp(filter + 9, "1"));
    else if (!strncmp(filter, "reference=", 10))
        *ret = reference_matches(tag, filter + 10);
    else if (!strncmp(filter, "label=", 6))
        *ret = label_matches(image, filter + 6);
    else
        return error_set(err, ERR_USAGE, "--filter %s: dangling, reference and label are what there is", filter);
    return 0;
}

static int is_wanted(const struct images_command *command, const char *name, const struct store_tag *tag,
                     const struct image *image, bool *ret, struct error **err)
{
    *ret = !name || reference_matches(tag, name);
    for (size_t i = 0; *ret && i < command->filters.n; i++)
        if (filter_matches(command->filters.items[i], tag, image, ret, err) < 0)
            return -1;
    return 0;
}

static int collect(struct app *app, const struct images_command *command, const char *name, json_t *rows,
                   struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (store_tags_list(app->store, &tags, err) < 0)
        return -1;
    for (size_t i = 0; i < tags.n_tags; i++) {
        AUTO(image_release) struct image image = { 0 };
        AUTO(error_free) struct error *unreadable = NULL; /* an artifact, or an index without our platform: no size */
        bool wanted;
        uint64_t size = 0;
        int readable = image_read(app->store, &tags.tags[i].descriptor, NULL, &image, &unreadable);
        if (is_wanted(command, name, &tags.tags[i], &image, &wanted, err) < 0)
            return -1;
        if (!wanted)
            continue;
        if (readable == 0 && !command->quiet && image_unpacked_size(app->store, &image.manifest, &size, err) < 0)
            return -1;
        (void)json_array_append_new(rows, row_json(command, &tags.tags[i], &image, size));
    }
    return 0;
}

static void add_cells(struct strvec *cells, const json_t *row, bool digests)
{
    static const char *const members[] = { "Repository", "Tag", "Digest", "ID", "CreatedSince", "Size" };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (digests || strcmp(members[i], "Digest") != 0)
            strvec_push(cells, json_string_value(json_object_get(row, members[i])));
}

static int print_rows(const struct images_command *command, const json_t *rows, struct error **err)
{
    size_t i;
    json_t *row;
    if (command->quiet) {
        AUTO(strvec_release) struct strvec ids = STRVEC_INIT; /* an image of two names once: rmi takes the list */
        json_array_foreach (rows, i, row) {
            const char *id = json_string_value(json_object_get(row, "ID"));
            if (strvec_has(&ids, id))
                continue;
            strvec_push(&ids, id);
            printf("%s\n", id);
        }
        return 0;
    }
    if (command->format && strcmp(command->format, "table") != 0) {
        json_array_foreach (rows, i, row) {
            AUTO(strbuf_release) struct strbuf line = STRBUF_INIT;
            if (!strcmp(command->format, "json"))
                json_format_canonical(row, &line);
            else if (template_expand(command->format, row, &line, err) < 0)
                return -1;
            printf("%s\n", line.data);
        }
        return 0;
    }
    static const char *const headers[] = { "REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE" };
    struct table table = { .n_columns = command->digests ? 6 : 5 };
    for (i = 0; i < ARRAY_SIZE(headers); i++)
        if (command->digests || i != 2)
            strvec_push(&table.cells, headers[i]);
    json_array_foreach (rows, i, row)
        add_cells(&table.cells, row, command->digests);
    table_print(&table);
    strvec_release(&table.cells);
    return 0;
}

int cmd_images(struct app *app, char *const *argv, struct error **err)
{
    struct images_command command = { 0 };
    const struct option options[] = {
        OPT_FLAG('q', "quiet", &command.quiet, "print ids only"),
        OPT_FLAG(0, "no-trunc", &command.no_trunc, "print whole ids"),
        OPT_FLAG(0, "digests", &command.digests, "show digests"),
        OPT_LIST('f', "filter", "KEY=VALUE", &command.filters, "show only what matches"),
        OPT_STRING(0, "format", "FORMAT", &command.format, "table, json, or a template"),
        OPT_FLAG('a', "all", &command.all, NULL), /* there are no intermediate images to hide */
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    AUTO(json_decref) json_t *rows = json_array();
    int parsed = options_parse(options, &help, argv, &operands, err);
    int result = parsed < 0 ? -1 : 0;
    if (parsed == 0) {
        result = options_check_operands(&help, &operands, 0, 1, err);
        if (result == 0 && !app_store(app, err))
            result = -1;
        if (result == 0)
            result = collect(app, &command, operands.n ? operands.items[0] : NULL, rows, err);
        if (result == 0)
            result = print_rows(&command, rows, err);
    }
    strvec_release(&command.filters);
    return result;
}
