/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer_options.h"

#include <string.h>

void peer_options_release(struct peer_options *peer)
{
    strvec_release(&peer->attests);
    strvec_release(&peer->cache_from);
    strvec_release(&peer->cache_to);
}

static int refuse(const char *option, const char *value, const char *what, const char *hint,
                  struct error **err)
{
    if (value)
        error_set_(err, ERR_USAGE, "--%s=%s: %s", option, value, what);
    else
        error_set_(err, ERR_USAGE, "--%s: %s", option, what);
    error_hint(err, "%s", hint);
    return -1;
}

/* "false", as buildx reads it, or a list with "disabled=true" */
static bool is_off(const char *value)
{
    static const char *const off[] = { "false", "0", "f", "F", "FALSE", "False" };
    static const char disabled[] = "disabled=true";
    for (size_t i = 0; i < ARRAY_SIZE(off); i++)
        if (!strcmp(value, off[i]))
            return true;
    for (const char *p = value; *p;) {
        size_t size = strcspn(p, ",");
        if (size == strlen(disabled) && !strncmp(p, disabled, size))
            return true;
        p += size + (p[size] == ',');
    }
    return false;
}

static int check_attestation(const char *option, const char *value, struct error **err)
{
    if (!value || is_off(value))
        return 0;
    return refuse(option, value, "builds make no attestations",
                  "leave it out; `cbuild attach` puts an SBOM or another file beside an image",
                  err);
}

/* Its value may hold the keys of a bucket: it isn't repeated. */
static int check_cache(const char *option, const struct strvec *places, struct error **err)
{
    if (!places->n)
        return 0;
    return refuse(option, NULL, "the cache isn't exchanged with other places",
                  "leave it out: the cache is in the store ($CBUILD_ROOT, --root), and there again "
                  "where that is kept between builds",
                  err);
}

int peer_options_check(const struct peer_options *peer, struct error **err)
{
    if (peer->squash)
        return refuse("squash", NULL, "layers aren't put together",
                      "leave it out; a last stage that copies from the others has few layers", err);
    if (!peer->layers)
        return refuse("layers", "false", "each step makes a layer", "leave it out", err);
    if (peer->format && strcmp(peer->format, "oci") != 0)
        return refuse(
            "format", peer->format, "images are made as oci",
            "`cbuild copy --format v2s2` changes one; push does where a registry needs it", err);
    if (check_attestation("provenance", peer->provenance, err) < 0 ||
        check_attestation("sbom", peer->sbom, err) < 0)
        return -1;
    for (size_t i = 0; i < peer->attests.n; i++)
        if (check_attestation("attest", peer->attests.items[i], err) < 0)
            return -1;
    return check_cache("cache-from", &peer->cache_from, err) < 0
               ? -1
               : check_cache("cache-to", &peer->cache_to, err);
}
