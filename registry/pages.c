/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pages.h"

#include "base/hashmap.h"
#include "base/mem.h"

#include <inttypes.h>

void pages_release(struct pages *pages)
{
    url_release(&pages->url);
}

static struct request request_of(const struct pages *pages)
{
    return (struct request){ .method = "GET",
                             .host = pages->host,
                             .url = &pages->url,
                             .scope = pages->scope,
                             .headers = pages->headers,
                             .max_body = PAGE_MAX_SIZE };
}

int pages_error(const struct pages *pages, const struct reply *reply, struct error **err)
{
    struct request request = request_of(pages);
    return request_error(&request, reply, err);
}

/* What was read so far */
struct reading {
    struct hashmap seen; /* URLs */
    uint64_t size;
    unsigned n;
};

static void reading_release(struct reading *done)
{
    hashmap_release(&done->seen);
}
DEFINE_AUTO_STRUCT(struct reading, reading_release)

static int count_page(struct pages *pages, struct reading *done, const struct reply *reply,
                      struct error **err)
{
    done->size += reply->body.size;
    if (++done->n > PAGES_MAX)
        return error_set(err, ERR_LIMIT, "a list of more than %u pages", PAGES_MAX);
    if (done->size > PAGES_MAX_SIZE)
        return error_set(err, ERR_LIMIT, "a list of more than %" PRIu64 " MiB",
                         PAGES_MAX_SIZE >> 20);
    return pages->read(pages->data, reply, err);
}

/* 1: pages->url is the next page's; 0: there is none */
static int turn(struct pages *pages, struct reading *done, const struct reply *reply,
                struct error **err)
{
    AUTO(free) char *target = headers_link_next(&reply->response.headers);
    AUTO(url_release) struct url next = { 0 };
    if (!target)
        return 0;
    if (url_resolve(&reply->url, target, &next, err) < 0 || reply_admit(reply, &next, err) < 0)
        return error_wrap(err, "the next page");
    AUTO(free) char *text = url_format(&next);
    if (hashmap_get(&done->seen, text))
        return error_set(err, ERR_INVALID, "a list without end: a page links to one before it");
    hashmap_put(&done->seen, text, done);
    url_copy(&pages->url, &next);
    return 1;
}

int pages_run(struct pages *pages, struct reply *reply, struct error **err)
{
    AUTO(reading_release) struct reading done = { .seen = HASHMAP_INIT(NULL) };
    AUTO(free) char *first = url_format(&pages->url);
    hashmap_put(&done.seen, first, &done);
    for (;;) {
        struct request request = request_of(pages);
        if (request_run(pages->session, &request, reply, err) < 0)
            return -1;
        if (reply_status(reply) != 200)
            return done.n ? pages_error(pages, reply, err) : 0;
        int result = count_page(pages, &done, reply, err);
        if (result == 0)
            result = turn(pages, &done, reply, err);
        if (result < 0) {
            AUTO(free) char *text = url_format(&reply->url);
            AUTO(free) char *shown = url_redact(text);
            return error_wrap(err, "GET %.300s", shown);
        }
        if (result == 0)
            return 0;
    }
}
