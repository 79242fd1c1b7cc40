/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "builder/values.h"
#include "cli/app.h"
#include "cli/image_info.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "oci/store_tags.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild images [OPTIONS] [REPOSITORY[:TAG]]",
    .summary = "Lists the images of the store.",
    .more = "Filters: dangling=true|false, reference=PATTERN, label=KEY[=VALUE], before=IMAGE, "
            "since=IMAGE,\n"
            "until=TIME (RFC 3339, seconds since 1970, or a duration before now: 24h).\n"
            "Template members: Repository Tag Digest ID CreatedAt CreatedSince Size.",
};

enum filter_kind {
    FILTER_DANGLING,
    FILTER_REFERENCE,
    FILTER_LABEL,
    FILTER_BEFORE,
    FILTER_SINCE,
    FILTER_UNTIL
};

struct filter {
    enum filter_kind kind;
    const char *value;
    int64_t time; /* before, since, until: seconds */
};

struct images_command {
    struct strvec filters;
    struct filter *parsed;
    size_t n_parsed, parsed_capacity;
    const char *format;
    bool quiet, no_trunc, digests, all;
};

static void images_command_release(struct images_command *command)
{
    strvec_release(&command->filters);
    free(command->parsed);
}
DEFINE_AUTO_STRUCT(struct images_command, images_command_release)

static void short_id(const struct digest *digest, bool whole, char out[DIGEST_TEXT_SIZE])
{
    if (whole)
        digest_format(digest, out);
    else {
        digest_format_hex(digest, out);
        out[12] = '\0';
    }
}

static json_t *row_json(const struct images_command *command, const struct store_tag *tag,
                        const struct image *image, uint64_t size)
{
    json_t *row = json_object();
    char text[DIGEST_TEXT_SIZE], size_text[32], age[64];
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free)
    struct error *bad = NULL; /* names in the store were parsed when they were written */
    bool named = tag->name && reference_parse(tag->name, &reference, &bad) == 0;
    AUTO(free)
    char *repository = named ? reference_familiar_repository(&reference) : xstrdup("<none>");
    json_set(row, "Repository", json_from_string(repository));
    json_set(row, "Tag", json_from_string(named && reference.tag ? reference.tag : "<none>"));
    digest_format(&tag->descriptor.digest, text);
    json_set(row, "Digest", json_from_string(text));
    short_id(&tag->descriptor.digest, command->no_trunc, text);
    json_set(row, "ID", json_from_string(text));
    format_age(image->config.created, age);
    json_set(row, "CreatedSince", json_from_string(age));
    json_set(row, "CreatedAt",
             json_from_string(image->config.created ? image->config.created : ""));
    format_size(size, size_text);
    json_set(row, "Size", json_from_string(size_text));
    return row;
}

static bool label_matches(const struct image *image, const char *filter)
{
    size_t size = strcspn(filter, "=");
    AUTO(free) char *key = xstrndup(filter, size);
    const char *value =
        image->config.labels ? json_string_value(json_object_get(image->config.labels, key)) : NULL;
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
    return fnmatch(pattern, familiar, FNM_PATHNAME) == 0 ||
           fnmatch(pattern, repository, FNM_PATHNAME) == 0 ||
           fnmatch(pattern, tag->name, FNM_PATHNAME) == 0;
}

static bool is_true(const char *text)
{
    return !strcmp(text, "true") || !strcmp(text, "1");
}

/* Creation time in nanoseconds would be finer than what images of one build differ in: seconds, as
 * docker compares. */
static int64_t created_of(const struct image *image)
{
    int64_t seconds = 0;
    AUTO(error_free) struct error *bad = NULL; /* without a time it counts as old */
    if (image->config.created && clock_parse(image->config.created, &seconds, NULL, &bad) < 0)
        seconds = 0;
    return seconds;
}

static int created_of_name(struct app *app, const char *name, int64_t *ret, struct error **err)
{
    AUTO(descriptor_release) struct descriptor target = { 0 };
    AUTO(image_release) struct image image = { 0 };
    if (store_resolve(app->store, name, &target, NULL, err) < 0 ||
        image_read(app->store, &target, NULL, &image, err) < 0)
        return -1;
    *ret = created_of(&image);
    return 0;
}

static int add_filter(struct app *app, struct images_command *command, const char *text,
                      struct error **err)
{
    static const char *const keys[] = {
        [FILTER_DANGLING] = "dangling=", [FILTER_REFERENCE] = "reference=",
        [FILTER_LABEL] = "label=",       [FILTER_BEFORE] = "before=",
        [FILTER_SINCE] = "since=",       [FILTER_UNTIL] = "until=",
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strncmp(text, keys[i], strlen(keys[i])) != 0)
            continue;
        struct filter *filter = ARRAY_PUSH(command, parsed);
        filter->kind = (enum filter_kind)i;
        filter->value = text + strlen(keys[i]);
        if (i == FILTER_BEFORE || i == FILTER_SINCE)
            return created_of_name(app, filter->value, &filter->time, err);
        return i == FILTER_UNTIL ? moment_parse(filter->value, &filter->time, err) : 0;
    }
    error_set_(err, ERR_USAGE, "--filter %s: no such filter", text);
    error_hint(err, "dangling, reference, label, before, since and until are what there is");
    return -1;
}

static bool filter_matches(const struct filter *filter, const struct store_tag *tag,
                           const struct image *image)
{
    switch (filter->kind) {
    case FILTER_DANGLING:
        return (tag->name == NULL) == is_true(filter->value);
    case FILTER_REFERENCE:
        return reference_matches(tag, filter->value);
    case FILTER_LABEL:
        return label_matches(image, filter->value);
    case FILTER_BEFORE:
    case FILTER_UNTIL:
        return created_of(image) < filter->time;
    case FILTER_SINCE:
        return created_of(image) > filter->time;
    }
    return false;
}

/* All must hold; but of several reference= one suffices, since nothing has two names. */
static bool is_wanted(const struct images_command *command, const char *name,
                      const struct store_tag *tag, const struct image *image)
{
    bool has_reference = false, is_referred = false;
    for (size_t i = 0; i < command->n_parsed; i++) {
        bool matches = filter_matches(&command->parsed[i], tag, image);
        if (command->parsed[i].kind == FILTER_REFERENCE) {
            has_reference = true;
            is_referred = is_referred || matches;
        } else if (!matches) {
            return false;
        }
    }
    return (!has_reference || is_referred) && (!name || reference_matches(tag, name));
}

static int collect(struct app *app, const struct images_command *command, const char *name,
                   json_t *rows, struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (store_tags_list(app->store, &tags, err) < 0)
        return -1;
    for (size_t i = 0; i < tags.n_tags; i++) {
        AUTO(image_release) struct image image = { 0 };
        AUTO(error_free)
        struct error *unreadable =
            NULL; /* an artifact, or an index without our platform: no size */
        uint64_t size = 0;
        int readable = image_read(app->store, &tags.tags[i].descriptor, NULL, &image, &unreadable);
        if (!is_wanted(command, name, &tags.tags[i], &image))
            continue;
        if (readable == 0 && !command->quiet &&
            image_unpacked_size(app->store, &image.manifest, &size, err) < 0)
            return -1;
        (void)json_array_append_new(rows, row_json(command, &tags.tags[i], &image, size));
    }
    return 0;
}

static int print_rows(const struct images_command *command, const json_t *rows, struct error **err)
{
    const struct column columns[] = {
        { "Repository", "REPOSITORY", true },
        { "Tag", "TAG", true },
        { "Digest", "DIGEST", command->digests },
        { "ID", "IMAGE ID", true },
        { "CreatedSince", "CREATED", true },
        { "CreatedAt", "CREATED AT", false },
        { "Size", "SIZE", true },
    };
    if (!command->quiet)
        return rows_print(rows, columns, ARRAY_SIZE(columns), command->format, err);
    AUTO(strvec_release)
    struct strvec ids = STRVEC_INIT; /* an image of two names once: rmi takes the list */
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "ID"));
        if (strvec_has(&ids, id))
            continue;
        strvec_push(&ids, id);
        printf("%s\n", id);
    }
    return 0;
}

int cmd_images(struct app *app, char *const *argv, struct error **err)
{
    AUTO(images_command_release) struct images_command command = { 0 };
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
    int parsed = options_parse_operands(options, &help, argv, &operands, 0, 1, err);
    if (parsed <= 0)
        return parsed;
    if (!app_store(app, err))
        return -1;
    for (size_t i = 0; i < command.filters.n; i++)
        if (add_filter(app, &command, command.filters.items[i], err) < 0)
            return -1;
    if (collect(app, &command, operands.n ? operands.items[0] : NULL, rows, err) < 0)
        return -1;
    return print_rows(&command, rows, err);
}
