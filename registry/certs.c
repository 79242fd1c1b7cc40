/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/certs.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CERT_MAX_SIZE (4u << 20)
#define SYSTEM_DIR "/etc/ssl/certs"

static bool has_suffix(const char *name, const char *suffix)
{
    size_t size = strlen(name), end = strlen(suffix);
    return size > end && strcmp(name + size - end, suffix) == 0;
}

static int add_ca(int dir_fd, const char *name, struct strbuf *ca, struct error **err)
{
    if (fs_read_file(dir_fd, name, ca, CERT_MAX_SIZE, err) < 0)
        return -1;
    if (ca->size && ca->data[ca->size - 1] != '\n')
        strbuf_addc(ca, '\n');
    return 0;
}

static int add_pair(int dir_fd, const char *dir, const char *name, struct http_tls *tls,
                    struct error **err)
{
    AUTO(free) char *key = xasprintf("%.*s.key", (int)(strlen(name) - strlen(".cert")), name);
    struct stat st;
    if (tls->cert_file)
        return 0; /* the first of the first folder */
    if (fstatat(dir_fd, key, &st, 0) < 0)
        return error_set(err, ERR_INVALID, "%s/%s: its key %s missing", dir, name, key);
    tls->cert_file = path_join(dir, name);
    tls->key_file = path_join(dir, key);
    return 0;
}

static int load_dir(const char *dir, struct strbuf *ca, struct http_tls *tls, struct error **err)
{
    AUTO(close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fd < 0)
        return 0;
    if (fs_list_fd(fd, &names, dir, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        if (has_suffix(name, ".crt") && add_ca(fd, name, ca, err) < 0)
            return error_wrap(err, "%s", dir);
        if (has_suffix(name, ".cert") && add_pair(fd, dir, name, tls, err) < 0)
            return -1;
    }
    return 0;
}

static void add_places(struct strvec *places, const char *authority)
{
    const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
    if (config && *config == '/')
        strvec_pushf(places, "%s/containers/certs.d/%s", config, authority);
    else if (home && *home == '/')
        strvec_pushf(places, "%s/.config/containers/certs.d/%s", home, authority);
    strvec_pushf(places, "/etc/containers/certs.d/%s", authority);
    strvec_pushf(places, "/etc/docker/certs.d/%s", authority);
    if (home && *home == '/')
        strvec_pushf(places, "%s/.docker/certs.d/%s", home, authority);
}

/* OpenSSL's lookup by hash: then the system's certificates come from the folder, one by one as
 * needed. */
static bool has_hashed_dir(void)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* no such folder */
    if (fs_list(AT_FDCWD, SYSTEM_DIR, &names, &ignored) < 0)
        return false;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        size_t hex = strspn(name, "0123456789abcdef");
        if (hex == 8 && name[8] == '.' && isdigit((unsigned char)name[9]))
            return true;
    }
    return false;
}

static const char *find_bundle(void)
{
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    struct stat st;
    for (size_t i = 0; i < ARRAY_SIZE(bundles); i++)
        if (stat(bundles[i], &st) == 0)
            return bundles[i];
    return NULL;
}

/* A bundle given to curl replaces its default file: the system's has to be part of it. */
static int add_system_bundle(const struct http_tls *tls, struct strbuf *ca, struct error **err)
{
    const char *file = getenv("SSL_CERT_FILE");
    if (file && *file)
        return add_ca(AT_FDCWD, file, ca, err);
    const char *bundle = tls->ca_dir ? NULL : find_bundle();
    return bundle ? add_ca(AT_FDCWD, bundle, ca, err) : 0;
}

const char *certs_system_place(struct error **err)
{
    const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
    const char *place = file && *file      ? file
                        : dir && *dir      ? dir
                        : has_hashed_dir() ? SYSTEM_DIR
                                           : find_bundle();
    if (!place)
        return error_set_null(err, ERR_NOT_FOUND, "no certificates of the system");
    return access(place, R_OK) < 0 ? error_errno_null(err, "%s", place) : place;
}

int certs_load(const char *authority, const char *cert_dir, struct http_tls *tls,
               struct error **err)
{
    AUTO(strvec_release) struct strvec places = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf ca = STRBUF_INIT;
    tls->ca_dir = has_hashed_dir() ? SYSTEM_DIR : NULL;
    if (cert_dir)
        strvec_push(&places, cert_dir);
    else
        add_places(&places, authority);
    for (size_t i = 0; i < places.n; i++)
        if (load_dir(places.items[i], &ca, tls, err) < 0)
            return error_wrap(err, "certificates of %s", authority);
    if (!ca.size)
        return 0;
    if (add_system_bundle(tls, &ca, err) < 0)
        return error_wrap(err, "certificates of the system");
    tls->ca_pem_size = ca.size;
    tls->ca_pem = strbuf_detach(&ca);
    return 0;
}

void certs_hint(enum http_failure failure, const struct url *url, struct error **err)
{
    AUTO(free) char *authority = url_authority(url);
    if (failure == HTTP_FAILURE_CERTIFICATE)
        error_hint(err,
                   "to trust a CA of your own, put its certificate into "
                   "/etc/docker/certs.d/%s/ca.crt, or name its folder with --cert-dir",
                   authority);
}
