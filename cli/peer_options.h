/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of docker, buildx and buildah that scripts give to build, and that it doesn't have. What
 * they ask for that is so anyway is taken; anything else is refused by name, with the way out.
 */
#ifndef CBUILD_CLI_PEER_OPTIONS_H
#define CBUILD_CLI_PEER_OPTIONS_H

#include "base/error.h"
#include "base/strvec.h"
#include "cli/options.h"

#include <stdbool.h>

struct peer_options {
    bool harmless, layers, squash;
    const char *builder, *format, *provenance, *sbom;
    struct strvec attests, cache_from, cache_to;
};

#define PEER_OPTIONS_INIT                                                                          \
    {                                                                                              \
        .layers = true                                                                             \
    }

/* In a table of options; in no help. */
#define PEER_OPTIONS(peer)                                                                         \
    OPT_FLAG(0, "load", &(peer)->harmless, NULL), OPT_FLAG(0, "rm", &(peer)->harmless, NULL),      \
        OPT_FLAG(0, "force-rm", &(peer)->harmless, NULL),                                          \
        OPT_FLAG(0, "compress", &(peer)->harmless, NULL),                                          \
        OPT_FLAG(0, "disable-content-trust", &(peer)->harmless, NULL),                             \
        OPT_FLAG(0, "layers", &(peer)->layers, NULL),                                              \
        OPT_FLAG(0, "squash", &(peer)->squash, NULL),                                              \
        OPT_STRING(0, "builder", "NAME", &(peer)->builder, NULL),                                  \
        OPT_STRING(0, "format", "FORMAT", &(peer)->format, NULL),                                  \
        OPT_STRING(0, "provenance", "VALUE", &(peer)->provenance, NULL),                           \
        OPT_STRING(0, "sbom", "VALUE", &(peer)->sbom, NULL),                                       \
        OPT_LIST(0, "attest", "type=TYPE,...", &(peer)->attests, NULL),                            \
        OPT_LIST(0, "cache-from", "PLACE", &(peer)->cache_from, NULL),                             \
        OPT_LIST(0, "cache-to", "PLACE", &(peer)->cache_to, NULL)

void peer_options_release(struct peer_options *peer);
DEFINE_AUTO_STRUCT(struct peer_options, peer_options_release)

/* ERR_USAGE: one asks for what isn't so. */
int peer_options_check(const struct peer_options *peer, struct error **err) WARN_UNUSED;

#endif
