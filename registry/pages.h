/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists that come page by page: each answer's Link says where the next is. Fewer
 * names than were asked for don't mean the end, and neither does an empty page.
 *
 * A list that never ends is cut: a page that was there already, PAGES_MAX pages, or
 * PAGES_MAX_SIZE bytes are an error.
 *
 * distribution-spec v1.1, "Listing tags", "Listing referrers"; RFC 8288
 */
#ifndef CBUILD_REGISTRY_PAGES_H
#define CBUILD_REGISTRY_PAGES_H

#include "registry/request.h"

#define PAGE_NAMES 1000 /* asked for; some registries refuse to be asked for more */
#define PAGE_MAX_SIZE (16u << 20)
#define PAGES_MAX_SIZE ((uint64_t)64 << 20)
#define PAGES_MAX 2000u

struct pages {
    struct registry_session *session;
    struct host *host;
    struct scope scope;
    const struct strvec *headers; /* or NULL */
    struct url url;               /* of the first page; then of the one that is read */
    /* Each page, whose status is 200 */
    int (*read)(void *data, const struct reply *reply, struct error **err);
    void *data;
};

void pages_release(struct pages *pages);
DEFINE_AUTO_STRUCT(struct pages, pages_release)

/*
 * Reads all of them. A first answer other than 200 is no failure: look at reply_status(), and
 * pages_error() makes an error of it. ERR_LIMIT, ERR_INVALID: an endless list.
 */
int pages_run(struct pages *pages, struct reply *reply, struct error **err) WARN_UNUSED;
int pages_error(const struct pages *pages, const struct reply *reply, struct error **err);

#endif
