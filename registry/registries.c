/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registries.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/mem.h"
#include "registry/endpoint.h"
#include "registry/registries_conf.h"
#include "registry/session_parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define SYSTEM_DIR "/etc/containers"
#define DOCKER_FILE "docker/daemon.json"

struct registries {
    pthread_mutex_t mutex;
    bool is_loaded;
    struct registries_conf conf; /* immutable once loaded */
    struct error *trouble;       /* of loading; every question fails with it */
};

struct registries *registries_new(void)
{
    struct registries *registries = NEW(struct registries);
    pthread_mutex_init(&registries->mutex, NULL);
    registries_conf_init(&registries->conf);
    return registries;
}

void registries_free(struct registries *registries)
{
    if (!registries)
        return;
    registries_conf_release(&registries->conf);
    error_free(registries->trouble);
    pthread_mutex_destroy(&registries->mutex);
    free(registries);
}

void locations_release(struct locations *locations)
{
    for (size_t i = 0; i < locations->n_items; i++)
        reference_release(&locations->items[i]);
    free(locations->items);
    *locations = (struct locations){ 0 };
}

/* Loading */

typedef int (*adder)(struct registries_conf *conf, const char *file, const char *text, size_t size,
                     struct error **err);

/* 1: read; 0: there is no such file */
static int load_file(struct registries_conf *conf, const char *file, adder add, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_read_file(AT_FDCWD, file, &text, REGISTRIES_CONF_MAX_SIZE, err) < 0) {
        if (!error_is(*err, ERR_NOT_FOUND))
            return -1;
        error_clear(err);
        return 0;
    }
    if (add(conf, file, text.data, text.size, err) < 0)
        return error_wrap(err, "%s", file);
    return 1;
}

static int is_conf(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return *entry->d_name != '.' && size > 5 && strcmp(entry->d_name + size - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* registries.conf.d: files in the order of their names */
static int load_drop_ins(struct registries_conf *conf, const char *dir, struct error **err)
{
    struct dirent **entries = NULL;
    int result = 0;
    int n = scandir(dir, &entries, is_conf, by_bytes); /* -1: no such directory, so none */
    for (int i = 0; i < n; i++) {
        AUTO(free) char *file = xasprintf("%s/%s", dir, entries[i]->d_name);
        if (result == 0 && load_file(conf, file, registries_conf_add, err) < 0)
            result = -1;
        free(entries[i]);
    }
    free(entries);
    return result;
}

/* ~/.config or its substitute; NULL: the user has none. free() it. */
static char *config_home(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && *config == '/')
        return xstrdup(config);
    return home && *home == '/' ? xasprintf("%s/.config", home) : NULL;
}

/* The user's file, else the system's. */
static int load_first(struct registries_conf *conf, const char *user_dir, const char *name,
                      const char *system_file, adder add, struct error **err)
{
    AUTO(free) char *file = user_dir ? xasprintf("%s/%s", user_dir, name) : NULL;
    int result = file ? load_file(conf, file, add, err) : 0;
    if (result == 0)
        result = load_file(conf, system_file, add, err);
    return result < 0 ? -1 : 0;
}

static int load_standard(struct registries_conf *conf, struct error **err)
{
    AUTO(free) char *home = config_home();
    AUTO(free) char *drop_ins = home ? xasprintf("%s/containers/registries.conf.d", home) : NULL;
    if (load_first(conf, home, "containers/registries.conf", SYSTEM_DIR "/registries.conf",
                   registries_conf_add, err) < 0 ||
        load_drop_ins(conf, SYSTEM_DIR "/registries.conf.d", err) < 0)
        return -1;
    if (drop_ins && load_drop_ins(conf, drop_ins, err) < 0)
        return -1;
    return load_first(conf, home, DOCKER_FILE, "/etc/" DOCKER_FILE, registries_conf_add_docker,
                      err);
}

static int load(struct registries_conf *conf, struct error **err)
{
    const char *file = getenv("CONTAINERS_REGISTRIES_CONF");
    if (!file || !*file)
        return load_standard(conf, err);
    if (strcmp(file, "/dev/null") == 0) /* as scripts say "none" */
        return 0;
    int result = load_file(conf, file, registries_conf_add, err);
    if (result == 0)
        return error_set(err, ERR_NOT_FOUND, "CONTAINERS_REGISTRIES_CONF: no file %s", file);
    return result < 0 ? -1 : 0;
}

static void need(struct registries *registries)
{
    pthread_mutex_lock(&registries->mutex);
    if (!registries->is_loaded && load(&registries->conf, &registries->trouble) < 0)
        error_hint(&registries->trouble, "mend the file; `man 5 containers-registries.conf` has "
                                         "its format");
    registries->is_loaded = true;
    pthread_mutex_unlock(&registries->mutex);
}

static int check(struct registries *registries, struct error **err)
{
    need(registries);
    if (!registries->trouble)
        return 0;
    error_move(err, error_copy(registries->trouble));
    return -1;
}

/* Asking */

bool registries_is_insecure(struct registries *registries, const char *host)
{
    need(registries);
    return endpoint_is_listed(&registries->conf.insecure, host);
}

static void add_copy(struct locations *locations, const struct reference *reference)
{
    reference_copy(ARRAY_PUSH(locations, items), reference);
}

/* place: HOST/PATH, with the tag and digest of the name that it stands for */
static void add_place(struct locations *locations, const struct reference *reference,
                      const char *domain, size_t domain_size, const char *path)
{
    struct reference *item = ARRAY_PUSH(locations, items);
    reference_copy(item, reference);
    free(item->domain);
    free(item->path);
    item->is_short = false;
    item->domain = xstrndup(domain, domain_size);
    item->path = xasprintf(
        "%s%s", endpoint_is_hub(item->domain) && !strchr(path, '/') ? "library/" : "", path);
}

static void add_searched(const struct registries_conf *conf, const struct reference *reference,
                         const char *name, struct locations *ret)
{
    for (size_t i = 0; i < conf->search.n; i++) {
        const char *place = conf->search.items[i];
        size_t host = strcspn(place, "/");
        AUTO(free)
        char *path = place[host] ? xasprintf("%s/%s", place + host + 1, name) : xstrdup(name);
        add_place(ret, reference, place, host, path);
    }
}

int registries_meanings(struct registries *registries, const struct reference *reference,
                        struct locations *ret, struct error **err)
{
    if (check(registries, err) < 0)
        return -1;
    const struct registries_conf *conf = &registries->conf;
    AUTO(free) char *name = reference_familiar_repository(reference);
    const char *alias = reference->is_short ? hashmap_get(&conf->aliases, name) : NULL;
    if (alias) {
        size_t host = strcspn(alias, "/");
        add_place(ret, reference, alias, host, alias + host + 1);
        return 0;
    }
    if (!reference->is_short || !conf->search.n) {
        add_copy(ret, reference);
        return 0;
    }
    if (conf->enforcing && conf->search.n > 1) {
        error_set_(err, ERR_USAGE,
                   "\"%s\": a short name, which short-name-mode \"enforcing\" refuses where there "
                   "are %zu registries to search",
                   name, conf->search.n);
        error_hint(err, "write the whole name, like %s/%s", conf->search.items[0], name);
        return -1;
    }
    add_searched(conf, reference, name, ret);
    return 0;
}

static bool is_for(enum mirror_use use, const struct reference *reference)
{
    return use == MIRROR_ALL || (use == MIRROR_DIGEST_ONLY) == reference->digest.is_set;
}

static int add_rewritten(const struct registry_rule *rule, const char *location,
                         const struct reference *reference, struct locations *ret,
                         struct error **err)
{
    return registry_rule_rewrite(rule, location, reference, ARRAY_PUSH(ret, items), err);
}

int registries_locations(struct registries *registries, const struct reference *reference,
                         struct locations *ret, struct error **err)
{
    if (check(registries, err) < 0)
        return -1;
    const struct registry_rule *rule = registries_conf_find(&registries->conf, reference);
    if (!rule) {
        add_copy(ret, reference);
        return 0;
    }
    if (rule->blocked) {
        error_set_(err, ERR_REFUSED, "%s is blocked", rule->prefix);
        error_hint(err, "%s says so; use another registry, or ask who keeps that file", rule->file);
        return -1;
    }
    for (size_t i = 0; i < rule->n_mirrors; i++)
        if (is_for(rule->mirrors[i].use, reference) &&
            add_rewritten(rule, rule->mirrors[i].location, reference, ret, err) < 0)
            return -1;
    return add_rewritten(rule, rule->location, reference, ret, err);
}

/* Trying */

static void pass_over(struct registry_session *session, const struct reference *mirror,
                      const struct reference *reference, const struct error *trouble)
{
    AUTO(free) char *name = reference_familiar(reference);
    if (error_is(trouble, ERR_NETWORK))
        atomic_store(&session_host(session, mirror->domain)->is_lost, true);
    session_warn(session, 0, "mirror %s of %s: %s; going on to the next", mirror->domain, name,
                 error_message(trouble));
}

int registries_try(struct registry_session *session, const struct reference *reference,
                   int (*call)(struct registry_session *session, const struct reference *reference,
                               void *data, struct error **err),
                   void *data, struct error **err)
{
    AUTO(locations_release) struct locations locations = { 0 };
    if (registries_locations(session_registries(session), reference, &locations, err) < 0)
        return -1;
    size_t last = locations.n_items - 1;
    for (size_t i = 0; i < last; i++) {
        const struct reference *mirror = &locations.items[i];
        struct host *host = session_host(session, mirror->domain);
        AUTO(error_free) struct error *trouble = NULL;
        if (atomic_load(&host->is_lost))
            continue;
        if (strcasecmp(mirror->domain, reference->domain) != 0)
            atomic_store(&host->is_mirror, true);
        if (call(session, mirror, data, &trouble) == 0)
            return 0;
        if (error_is(trouble, ERR_CANCELLED)) {
            error_move(err, TAKE(trouble));
            return -1;
        }
        pass_over(session, mirror, reference, trouble);
    }
    return call(session, &locations.items[last], data, err);
}

int registries_try_origin(struct registry_session *session, const struct reference *reference,
                          int (*call)(struct registry_session *session,
                                      const struct reference *reference, void *data,
                                      struct error **err),
                          void *data, struct error **err)
{
    AUTO(locations_release) struct locations locations = { 0 };
    if (registries_locations(session_registries(session), reference, &locations, err) < 0)
        return -1;
    return call(session, &locations.items[locations.n_items - 1], data, err);
}

bool registries_has_mirrors(struct registry_session *session, const struct reference *reference)
{
    AUTO(locations_release) struct locations locations = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* whoever tries them hears of it */
    return registries_locations(session_registries(session), reference, &locations, &ignored) ==
               0 &&
           locations.n_items > 1;
}

int registries_check_push(struct registry_session *session, const struct reference *reference,
                          struct error **err)
{
    AUTO(locations_release) struct locations ignored = { 0 };
    return registries_locations(session_registries(session), reference, &ignored, err);
}
