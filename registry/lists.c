/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/lists.h"

#include "base/json.h"
#include "base/mem.h"
#include "registry/pages.h"

int list_parse(const char *body, size_t size, const char *member, struct strvec *ret,
               struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(json_decref) json_t *document = json_parse_object(body, size, err);
    if (!document || json_get_strings(document, "", member, JSON_OPTIONAL, &names, err) < 0)
        return -1;
    strvec_append(ret, &names);
    return 0;
}

struct list {
    const char *member;
    struct strvec *names;
};

static int read_page(void *data, const struct reply *reply, struct error **err)
{
    const struct list *list = data;
    return list_parse(reply->body.data, reply->body.size, list->member, list->names, err);
}

static int list(struct pages *pages, const char *member, struct strvec *ret, struct error **err)
{
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    struct list into = { member, &names };
    AUTO(free) char *n = xasprintf("%d", PAGE_NAMES);
    url_add_query(&pages->url, "n", n);
    pages->read = read_page;
    pages->data = &into;
    if (pages_run(pages, &reply, err) < 0)
        return -1;
    if (reply_status(&reply) != 200)
        return pages_error(pages, &reply, err);
    strvec_append(ret, &names);
    return 0;
}

static int tags_at(struct registry_session *session, const struct reference *repository, void *data,
                   struct error **err)
{
    AUTO(pages_release)
    struct pages pages = { .session = session,
                           .host = session_host(session, repository->domain),
                           .scope = { .path = repository->path, .actions = SCOPE_PULL } };
    if (request_url(pages.host, &pages.url, err, "/v2/%s/tags/list", repository->path) < 0)
        return -1;
    return list(&pages, "tags", data, err);
}

int tags_list(struct registry_session *session, const struct reference *repository,
              struct strvec *ret, struct error **err)
{
    return registries_try(session, repository, tags_at, ret, err);
}

int catalog_list(struct registry_session *session, const char *domain, struct strvec *ret,
                 struct error **err)
{
    AUTO(pages_release)
    struct pages pages = { .session = session,
                           .host = session_host(session, domain),
                           .scope = { .catalog = true } };
    if (request_url(pages.host, &pages.url, err, "/v2/_catalog") < 0)
        return -1;
    if (list(&pages, "repositories", ret, err) == 0)
        return 0;
    if (error_is(*err, ERR_UNAUTHORIZED) || error_is(*err, ERR_NOT_FOUND) ||
        error_is(*err, ERR_REFUSED))
        error_hint(err, "many registries have no catalog, or show it to admins only (Docker Hub, "
                        "GHCR, ECR, GCR); else `cbuild login` there first");
    return -1;
}
