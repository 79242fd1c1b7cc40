/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/app.h"
#include "oci/store_tags.h"

static const struct command_help help = {
    .usage = "cbuild tag [OPTIONS] SOURCE NAME[:TAG]",
    .summary = "Gives an image of the store (a name or an id) another name.",
};

int cmd_tag(struct app *app, char *const *argv, struct error **err)
{
    const struct option options[] = { APP_OPTIONS(app), OPT_END() };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 2, 2, err);
    if (parsed <= 0)
        return parsed;
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(descriptor_release) struct descriptor image = { 0 };
    if (reference_parse(operands.items[1], &reference, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (reference.digest.is_set)
        return error_set(err, ERR_USAGE, "%s: a tag can't have a digest", operands.items[1]);
    reference_default_tag(&reference);
    if (!app_store(app, err) || store_resolve(app->store, operands.items[0], &image, NULL, err) < 0)
        return -1;
    return store_tag_set(app->store, &reference, &image, err);
}
