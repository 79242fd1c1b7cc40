/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session knows of one registry: where it answers and how (https, or http
 * where that is allowed), its last challenge, tokens, habits, and the blobs that
 * are known to be in its repositories.
 *
 * Fields are under `mutex`, except those marked immutable and those that are atomic.
 */
#ifndef CBUILD_REGISTRY_HOST_H
#define CBUILD_REGISTRY_HOST_H

#include "base/hashmap.h"
#include "oci/digest.h"
#include "registry/challenge.h"
#include "registry/endpoint.h"
#include "registry/url.h"

#include <pthread.h>
#include <stdatomic.h>

struct registry_session;

/* How a registry takes a blob: each is tried when the one before was refused. */
enum upload_mode { UPLOAD_PUT, UPLOAD_STREAM, UPLOAD_CHUNKS };

struct host {
    struct registry_session *session; /* immutable */
    struct endpoint endpoint;         /* immutable */

    pthread_mutex_t mutex;
    bool is_probed;
    struct url base;            /* scheme, host and port; valid when is_probed */
    struct challenge challenge; /* the last; CHALLENGE_NONE: open so far */
    struct hashmap
        challenges; /* repository → struct challenge, its last; some hosts have a realm for each */

    pthread_mutex_t token_mutex; /* held while a token is fetched: others wait and find it */
    struct hashmap tokens;       /* scope → struct token; under token_mutex */

    pthread_cond_t blob_changed; /* with mutex */
    struct hashmap blobs;        /* "repository@sha256:..." → its state, see host_blob_begin() */

    atomic_int upload_mode;
    atomic_ullong whole_below; /* smaller blobs are sent as UPLOAD_PUT all the same */
    atomic_bool refuses_head;
    atomic_bool takes_no_tags; /* PUT by digest with ?tag= sets none */
    atomic_bool names_inside;  /* upload Locations name a host that only the inside reaches */
    atomic_bool is_lost;       /* a mirror that could not be reached: not asked again */
    atomic_bool is_mirror;     /* stands for another registry, whose --creds it mustn't get */
};

struct host *host_new(struct registry_session *session, const char *domain);
void host_free(struct host *host);
DEFINE_AUTO(struct host, host_free)

/*
 * Where requests go: "https://host", target "/". Where plain http may be (loopback, listed) the
 * first call asks /v2/ to find out; then the answer's challenge is remembered too.
 */
int host_base(struct host *host, struct url *ret, struct error **err) WARN_UNUSED;

/*
 * The challenge to answer before it comes: of the repository (path NULL: the registry itself),
 * else, as a guess, the host's last. CHALLENGE_NONE: nothing is known.
 */
void host_challenge(struct host *host, const char *path, struct challenge *ret, bool *is_guess);
void host_set_challenge(struct host *host, const char *path, const struct challenge *challenge);

/*
 * Serialises the upload of one blob to one repository. True: the caller uploads and then calls
 * host_blob_end(). False: it is there, put or seen by this session. Waits while another thread is
 * at it.
 */
bool host_blob_begin(struct host *host, const char *path, const struct digest *digest);
void host_blob_end(struct host *host, const char *path, const struct digest *digest, bool is_there);
/* It isn't there after all. */
void host_blob_forget(struct host *host, const char *path, const struct digest *digest);

#endif
