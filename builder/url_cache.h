/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files behind URLs, kept between builds: the content as a blob of the store, and beside the cache
 * records what the server said of it (ETag, Last-Modified), so that an unchanged file isn't
 * fetched again. docs/FORMAT.md, "Downloads".
 */
#ifndef CBUILD_BUILDER_URL_CACHE_H
#define CBUILD_BUILDER_URL_CACHE_H

#include "oci/digest.h"
#include "oci/store.h"
#include "registry/session.h"

struct url_file {
    int fd; /* read-only; belongs to this */
    uint64_t size;
    struct digest digest;
    int64_t mtime; /* Last-Modified; 0: none, so that content alone decides on any day */
};

#define URL_FILE_INIT                                                                              \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

void url_file_release(struct url_file *file);
DEFINE_AUTO_STRUCT(struct url_file, url_file_release)

struct url_request {
    const char *url;
    const char *authorization; /* value of that header; NULL: none */
    unsigned vertex;
};

/* Asks the server every time. ERR_NOT_FOUND, ERR_UNAUTHORIZED, ERR_NETWORK, ERR_LIMIT. */
int url_cache_get(struct store *store, struct registry_session *session,
                  const struct url_request *what, struct url_file *ret,
                  struct error **err) WARN_UNUSED;

#endif
