/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of a registry: tags, repositories. */
#include "base/mem.h"
#include "cli/remote.h"
#include "cli/template.h"
#include "registry/lists.h"

#include <stdio.h>
#include <string.h>

#define DIGEST_TAG "sha256-" /* the referrers tag schema's, and cosign's */

static const struct command_help ls_help = {
    .usage = "cbuild ls [OPTIONS] REPOSITORY\n"
             "       cbuild list-tags [OPTIONS] REPOSITORY",
    .summary = "Lists the tags of a repository, in the registry's order.",
    .more = "list-tags prints JSON, as skopeo's does. A template gets .Repository, .Tag and .Name.",
};

static const struct command_help catalog_help = {
    .usage = "cbuild catalog [OPTIONS] HOST",
    .summary = "Lists the repositories of a registry, where it tells them.",
    .more = "A template gets .Host, .Repository and .Name.",
};

/* Names below something, and how to show them */
struct listing {
    const char *of_member, *of, *names_member, *name_member; /* "Host", "h:5000", ... */
    const char *separator;                                   /* between both in a full name */
    bool full_names;
    const char *format;
};

static int print_template(const struct listing *listing, const char *name, struct error **err)
{
    AUTO(strbuf_release) struct strbuf line = STRBUF_INIT;
    AUTO(json_decref) json_t *row = json_object();
    AUTO(free) char *full = xasprintf("%s%s%s", listing->of, listing->separator, name);
    json_set(row, listing->of_member, json_from_string(listing->of));
    json_set(row, listing->name_member, json_from_string(name));
    json_set(row, "Name", json_from_string(full));
    if (template_expand(listing->format, row, &line, err) < 0)
        return -1;
    printf("%s\n", line.data);
    return 0;
}

static int print_name(const struct listing *listing, const char *name, struct error **err)
{
    AUTO(free) char *clean = remote_clean(name);
    if (listing->format)
        return print_template(listing, clean, err);
    printf("%s%s%s\n", listing->full_names ? listing->of : "",
           listing->full_names ? listing->separator : "", clean);
    return 0;
}

static int print_names(const struct listing *listing, const struct strvec *names,
                       struct error **err)
{
    if (listing->format && strcmp(listing->format, "json") == 0) {
        AUTO(json_decref) json_t *object = json_object();
        json_set(object, listing->of_member, json_from_string(listing->of));
        json_set(object, listing->names_member, json_from_strvec(names));
        return remote_print_value(object, NULL, err);
    }
    for (size_t i = 0; i < names->n; i++)
        if (print_name(listing, names->items[i], err) < 0)
            return -1;
    return 0;
}

static int ls(struct app *app, char *const *argv, const char *format, struct error **err)
{
    AUTO(place_release) struct place place = PLACE_INIT;
    struct listing listing = { .of_member = "Repository",
                               .names_member = "Tags",
                               .name_member = "Tag",
                               .separator = ":",
                               .format = format };
    bool omit_digest_tags = false;
    const struct option options[] = {
        OPT_FLAG('O', "omit-digest-tags", &omit_digest_tags,
                 "leave out tags that stand for digests: " DIGEST_TAG "..."),
        OPT_FLAG(0, "full-ref", &listing.full_names, "print whole names"),
        OPT_STRING(0, "format", "FORMAT", &listing.format, "json, or a template for each tag"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT, tags = STRVEC_INIT;
    int parsed = options_parse_operands(options, &ls_help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    const char *name = operands.items[0];
    if (remote_open_repository(app, name, &place, err) < 0 ||
        tags_list(place.session, &place.name.reference, &tags, err) < 0)
        return error_wrap(err, "tags of %s", name);
    for (size_t i = tags.n; omit_digest_tags && i-- > 0;)
        if (strncmp(tags.items[i], DIGEST_TAG, strlen(DIGEST_TAG)) == 0)
            strvec_remove(&tags, i);
    AUTO(free) char *repository = reference_repository(&place.name.reference);
    listing.of = repository;
    return print_names(&listing, &tags, err);
}

int cmd_ls(struct app *app, char *const *argv, struct error **err)
{
    return ls(app, argv, NULL, err);
}

int cmd_list_tags(struct app *app, char *const *argv, struct error **err)
{
    return ls(app, argv, "json", err);
}

/* HOST[:PORT], or docker://HOST: what stands before the first / of names there */
static int parse_host(const char *text, struct reference *ret, struct error **err)
{
    static const char prefix[] = "docker://";
    const char *host = strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
    AUTO(free) char *name = xasprintf("%s/x", host);
    AUTO(error_free) struct error *ignored = NULL; /* one message for all that is no host */
    if (strchr(host, '/') || reference_parse(name, ret, &ignored) < 0 || ret->is_short)
        return error_set(err, ERR_USAGE, "%s: a registry's host is expected, as host.example:5000",
                         text);
    return 0;
}

int cmd_catalog(struct app *app, char *const *argv, struct error **err)
{
    AUTO(place_release) struct place place = PLACE_INIT;
    AUTO(reference_release) struct reference host = { 0 };
    struct listing listing = { .of_member = "Host",
                               .names_member = "Repositories",
                               .name_member = "Repository",
                               .separator = "/" };
    const struct option options[] = {
        OPT_FLAG(0, "full-ref", &listing.full_names, "print whole names"),
        OPT_STRING(0, "format", "FORMAT", &listing.format,
                   "json, or a template for each repository"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT, names = STRVEC_INIT;
    int parsed = options_parse_operands(options, &catalog_help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    if (parse_host(operands.items[0], &host, err) < 0 || place_open_session(app, &place, err) < 0)
        return -1;
    if (catalog_list(place.session, host.domain, &names, err) < 0)
        return error_wrap(err, "repositories of %s", host.domain);
    listing.of = host.domain;
    return print_names(&listing, &names, err);
}
