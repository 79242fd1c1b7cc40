/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the user's configuration leads a name: registries.conf with its drop-ins, and Docker's
 * daemon.json, read when first asked.
 *
 * Files, later ones over earlier: ~/.config/containers/registries.conf, else
 * /etc/containers/registries.conf; registries.conf.d of both, /etc first; for Docker Hub alone
 * ~/.config/docker/daemon.json, else /etc/docker/daemon.json. $CONTAINERS_REGISTRIES_CONF names the
 * one file to read instead of all of these; /dev/null: none.
 *
 * Only pulling follows it: names that are pushed, logged in to or kept in the store stay as they
 * are. Thread-safe.
 */
#ifndef CBUILD_REGISTRY_REGISTRIES_H
#define CBUILD_REGISTRY_REGISTRIES_H

#include "oci/reference.h"
#include "registry/session.h"

struct registries;

struct registries *registries_new(void);
void registries_free(struct registries *registries);
DEFINE_AUTO(struct registries, registries_free)

/* References in the order of trying */
struct locations {
    struct reference *items;
    size_t n_items, items_capacity;
};

void locations_release(struct locations *locations);
DEFINE_AUTO_STRUCT(struct locations, locations_release)

/* Plain http or any certificate will do. A file that can't be read says nothing here. */
bool registries_is_insecure(struct registries *registries, const char *host);
/*
 * What a short name (reference->is_short) may mean: its alias, or a name at each search registry;
 * any other name itself. ERR_USAGE: several meanings where the mode is "enforcing"; ERR_SYNTAX,
 * ERR_INVALID: a file.
 */
int registries_meanings(struct registries *registries, const struct reference *reference,
                        struct locations *ret, struct error **err) WARN_UNUSED;
/* Mirrors of a name, then where it is itself. ERR_REFUSED: it is blocked; ERR_SYNTAX, ERR_INVALID.
 */
int registries_locations(struct registries *registries, const struct reference *reference,
                         struct locations *ret, struct error **err) WARN_UNUSED;

/*
 * Calls `call` with each of these until one is content. A mirror's failure is a warning; its being
 * unreachable is remembered for the session. What the last says is the error. At once an error:
 * ERR_CANCELLED.
 */
int registries_try(struct registry_session *session, const struct reference *reference,
                   int (*call)(struct registry_session *session, const struct reference *reference,
                               void *data, struct error **err),
                   void *data, struct error **err) WARN_UNUSED;

/* The same of the last alone: of the registry itself, where its mirrors gave something wrong. */
int registries_try_origin(struct registry_session *session, const struct reference *reference,
                          int (*call)(struct registry_session *session,
                                      const struct reference *reference, void *data,
                                      struct error **err),
                          void *data, struct error **err) WARN_UNUSED;
/* Whether there is a place to try before the registry itself. */
bool registries_has_mirrors(struct registry_session *session, const struct reference *reference);

/* A push goes to the name itself, but not where the configuration blocks it: ERR_REFUSED. */
int registries_check_push(struct registry_session *session, const struct reference *reference,
                          struct error **err) WARN_UNUSED;

#endif
