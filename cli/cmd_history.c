/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/mem.h"
#include "cli/app.h"
#include "cli/image_info.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "oci/store_tags.h"

#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild history [OPTIONS] IMAGE",
    .summary = "Shows an image's layers and the instructions that made them, newest first.",
    .more = "Template members: ID CreatedAt CreatedSince CreatedBy Size Comment.",
};

struct history_command {
    const char *format;
    bool no_trunc, quiet, bytes;
};

/* "Created by" fits on a line of a terminal unless --no-trunc. */
static char *shorten(const char *text, bool whole)
{
    char *line = xstrdup(text);
    for (char *p = line; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    if (!whole && strlen(line) > 45) {
        char *cut = xasprintf("%.42s...", line);
        free(line);
        return cut;
    }
    return line;
}

static json_t *row_json(const struct history_command *command, const struct history *entry,
                        const char *id, uint64_t size)
{
    json_t *row = json_object();
    char age[64], size_text[32];
    AUTO(free) char *by = shorten(entry->created_by ? entry->created_by : "", command->no_trunc);
    format_age(entry->created, age);
    format_size(size, size_text);
    if (command->bytes)
        (void)snprintf(size_text, sizeof(size_text), "%llu", (unsigned long long)size);
    json_set(row, "ID", json_from_string(id));
    json_set(row, "CreatedAt", json_from_string(entry->created ? entry->created : ""));
    json_set(row, "CreatedSince", json_from_string(age));
    json_set(row, "CreatedBy", json_from_string(by));
    json_set(row, "Size", json_from_string(size_text));
    json_set(row, "Comment", json_from_string(entry->comment ? entry->comment : ""));
    return row;
}

static int collect(struct app *app, const struct history_command *command,
                   const struct image *image, json_t *rows, struct error **err)
{
    char id[DIGEST_TEXT_SIZE];
    digest_format(&image->descriptor.digest, id);
    if (!command->no_trunc) {
        memmove(id, id + 7, 12);
        id[12] = '\0';
    }
    size_t layer = 0;
    for (size_t i = 0; i < image->config.n_history; i++) {
        const struct history *entry = &image->config.history[i];
        uint64_t size = 0;
        if (!entry->empty_layer && layer < image->manifest.n_layers &&
            layer_unpacked_size(app->store, &image->manifest.layers[layer++], &size, err) < 0)
            return -1;
        bool newest = i + 1 == image->config.n_history;
        (void)json_array_insert_new(rows, 0,
                                    row_json(command, entry, newest ? id : "<missing>", size));
    }
    return 0;
}

static int print_rows(const struct history_command *command, const json_t *rows, struct error **err)
{
    static const struct column columns[] = {
        { "ID", "IMAGE", true },
        { "CreatedSince", "CREATED", true },
        { "CreatedAt", "CREATED AT", false },
        { "CreatedBy", "CREATED BY", true },
        { "Size", "SIZE", true },
        { "Comment", "COMMENT", true },
    };
    if (!command->quiet)
        return rows_print(rows, columns, ARRAY_SIZE(columns), command->format, err);
    return rows_print(rows, columns, ARRAY_SIZE(columns), "{{.ID}}", err);
}

int cmd_history(struct app *app, char *const *argv, struct error **err)
{
    struct history_command command = { 0 };
    const char *platform_text = NULL;
    bool human = true;
    const struct option options[] = {
        OPT_FLAG(0, "no-trunc", &command.no_trunc, "print whole texts"),
        OPT_FLAG('q', "quiet", &command.quiet, "print ids only"),
        OPT_FLAG('H', "human", &human, "sizes in units (the default); --human=false prints bytes"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text,
                   "of an index this image, by default this machine's"),
        OPT_STRING(0, "format", "FORMAT", &command.format, "table, json, or a template"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    command.bytes = !human;
    AUTO(descriptor_release) struct descriptor target = { 0 };
    AUTO(image_release) struct image image = { 0 };
    AUTO(platform_release) struct platform platform = { 0 };
    if (remote_parse_platform(platform_text, &platform, err) < 0 || !app_store(app, err) ||
        store_resolve(app->store, operands.items[0], &target, NULL, err) < 0 ||
        image_read(app->store, &target, platform_text ? &platform : NULL, &image, err) < 0)
        return -1;
    AUTO(json_decref) json_t *rows = json_array();
    if (collect(app, &command, &image, rows, err) < 0)
        return -1;
    return print_rows(&command, rows, err);
}
