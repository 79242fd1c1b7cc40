/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/remote.h"
#include "registry/manifests.h"

#include <stdio.h>

static const struct command_help help = {
    .usage = "cbuild delete [OPTIONS] NAME:TAG|NAME@DIGEST...",
    .summary = "Removes tags or images from a registry.",
    .more = "A tag is removed alone, where the registry knows how to. A digest removes the image "
            "with all tags it has. Nothing is asked before. Blobs go when the registry collects "
            "what nothing refers to.",
};

static int delete_one(struct app *app, const char *text, struct place *place, struct error **err)
{
    if (place_open(app, text, place, err) < 0)
        return -1;
    const struct reference *reference = &place->name.reference;
    if (place->name.kind != TRANSPORT_REGISTRY)
        return error_set(err, ERR_USAGE, "%s: an image of a registry is expected", text);
    if (!reference->tag && !reference->digest.is_set)
        return error_set(err, ERR_USAGE, "%s: name the tag or the digest that is to go", text);
    if (manifest_delete(place->session, reference, err) < 0)
        return error_wrap(err, "deleting %s", text);
    AUTO(free) char *name = reference_familiar(reference);
    printf("Deleted: %s\n", name);
    return 0;
}

int cmd_delete(struct app *app, char *const *argv, struct error **err)
{
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = { REMOTE_OPTIONS(app, &place), OPT_END() };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    for (size_t i = 0; i < operands.n; i++) {
        place_release(&place);
        if (delete_one(app, operands.items[i], &place, err) < 0)
            return -1;
    }
    return 0;
}
