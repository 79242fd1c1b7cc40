/* SPDX-License-Identifier: Apache-2.0 */
/* `inspect` of what isn't an image of the store: with skopeo's member names, and its options. */
#ifndef CBUILD_CLI_INSPECT_PLACE_H
#define CBUILD_CLI_INSPECT_PLACE_H

#include "cli/place.h"

struct inspect_options {
    const char *format, *platform;
    bool raw, config, no_tags;
};

/* Whether these options, or the name's transport, ask for it. */
bool inspect_is_of_place(const struct inspect_options *options, const char *text);
/*
 * Name Digest RepoTags Created Labels Architecture Os Layers LayersData Env as JSON; with raw the
 * manifest's bytes, with config the config (with both: its bytes). `place`: unopened.
 */
int inspect_place(struct app *app, const char *text, const struct inspect_options *options,
                  struct place *place, struct error **err) WARN_UNUSED;

#endif
