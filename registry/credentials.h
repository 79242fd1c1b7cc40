/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which credentials a repository's registry gets. First that has some:
 * --creds; DOCKER_AUTH_CONFIG; REGISTRY_AUTH_FILE; config.json of the folder that
 * options or DOCKER_CONFIG name; ${XDG_RUNTIME_DIR}/containers/auth.json;
 * ~/.config/containers/auth.json; ~/.docker/config.json; ~/.dockercfg. In a file: the
 * helper that it names for the registry, then its entry with the longest path.
 *
 * A missing or broken helper or file is warned of and passed over. Files are read
 * once, when first asked; helpers are run once per registry. Thread-safe.
 */
#ifndef CBUILD_REGISTRY_CREDENTIALS_H
#define CBUILD_REGISTRY_CREDENTIALS_H

#include "base/error.h"
#include "base/progress.h"
#include "base/strvec.h"

#include <stdbool.h>

struct credentials;

struct credential {
    char *username, *password;
    char *identity_token; /* OAuth2 refresh token */
    char *registry_token; /* sent as it is */
    char *source;         /* "/root/.docker/config.json"; NULL: there is no credential */
};

#define CREDENTIAL_HELPER_TIMEOUT_MS 60000

void credential_release(struct credential *credential);
DEFINE_AUTO_STRUCT(struct credential, credential_release)

/* fixed: "user:password" for every registry, or NULL. docker_config, progress: may be NULL. All
 * borrowed. */
struct credentials *credentials_new(const char *fixed, const char *docker_config,
                                    struct progress *progress);
/* Before the first question. auth_file: the only file that is looked at (NULL: those above); none:
 * everybody is anonymous. */
void credentials_restrict(struct credentials *credentials, const char *auth_file, bool none);
void credentials_free(struct credentials *credentials);
DEFINE_AUTO(struct credentials, credentials_free)

/* --creds was given (and not forbidden): it goes to any host that asks. */
bool credentials_are_given(const struct credentials *credentials);
/* Without any: source NULL. path "" or NULL: the registry itself. ERR_CANCELLED; ERR_NOT_FOUND,
 * ERR_IO: the file that credentials_restrict() named. */
int credentials_find(struct credentials *credentials, const char *domain, const char *path,
                     struct credential *ret, struct error **err) WARN_UNUSED;

/* The same but for --creds: what is known of this very host, as for a mirror. */
int credentials_look_up(struct credentials *credentials, const char *domain, const char *path,
                        struct credential *ret, struct error **err) WARN_UNUSED;

/* Why this registry's helper, or the first file, was passed over so far; NULL: none. free() it. */
char *credentials_trouble(struct credentials *credentials, const char *domain);

/* Appends the HttpHeaders of the files, "Name: value". */
void credentials_headers(struct credentials *credentials, struct strvec *headers);

/* The file that login writes: REGISTRY_AUTH_FILE, else Docker's config.json. NULL: no home. free()
 * it. */
char *credentials_login_file(const char *docker_config, struct error **err);
/* Docker's config.json alone, for what isn't about credentials. NULL: no home. free() it. */
char *credentials_docker_file(const char *docker_config);
/* A helper's verb (get, store, erase) with its input; *out gets what it says. ERR_NOT_FOUND: no
 * such helper or entry. */
int credentials_run_helper(const char *helper, const char *verb, const char *input, char **out,
                           struct error **err) WARN_UNUSED;
/*
 * What a helper said to "get", source NULL where that is no secret. ERR_INVALID; the message has no
 * part of the text. Pure.
 */
int credential_parse_answer(const char *helper, const char *text, struct credential *ret,
                            struct error **err) WARN_UNUSED;

#endif
