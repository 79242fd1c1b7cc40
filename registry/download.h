/* SPDX-License-Identifier: Apache-2.0 */
/* A plain http(s) download, for ADD and remote contexts: no registry credentials are ever sent. */
#ifndef CBUILD_REGISTRY_DOWNLOAD_H
#define CBUILD_REGISTRY_DOWNLOAD_H

#include "base/sink.h"
#include "registry/session.h"

struct download_request {
    const char *url;
    const char *authorization; /* value of that header, for the URL's origin alone; NULL: none */
    const char *if_none_match; /* ETag of a copy we have; NULL: none */
    const char *if_modified_since; /* Last-Modified of it, as received; NULL: none */
    uint64_t max_size;             /* 0: 16 GiB */
    unsigned vertex;
};

struct download_result {
    bool not_modified;
    char *etag;          /* NULL: none */
    char *last_modified; /* as received; NULL: none */
    uint64_t size;
};

void download_result_release(struct download_result *result);
DEFINE_AUTO_STRUCT(struct download_result, download_result_release)

/*
 * Follows at most 10 redirects, never from https to http. Retries and resumes as pulls do; so `to`
 * may be written only after a body is under way, and a body that can't be resumed after bytes were
 * written is an error. Doesn't finish `to`. ERR_NOT_FOUND (404, 410), ERR_UNAUTHORIZED,
 * ERR_NETWORK, ERR_LIMIT.
 */
int registry_download(struct registry_session *session, const struct download_request *request,
                      struct sink *to, struct download_result *ret, struct error **err) WARN_UNUSED;

#endif
