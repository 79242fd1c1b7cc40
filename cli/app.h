/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands share: settings of the command line and environment, and
 * the store and registry session made from them when a command first asks. main owns it.
 */
#ifndef CBUILD_CLI_APP_H
#define CBUILD_CLI_APP_H

#include "base/error.h"
#include "base/progress.h"
#include "base/strvec.h"
#include "cli/options.h"
#include "cli/render.h"
#include "oci/store.h"
#include "registry/session.h"

#include <sys/types.h>

struct app {
    uid_t uid;        /* the user's: in a user namespace getuid() says 0 */
    const char *root; /* --root; NULL: the default store */
    struct registry_options registry;
    struct strvec insecure; /* hosts */
    bool tls_verify;        /* main sets it; --tls-verify=false clears it */
    struct render render;
    struct progress *progress; /* render's; NULL: quiet */
    /* made on demand */
    struct store *store;
    struct registry_session *session;
};

void app_release(struct app *app);
DEFINE_AUTO_STRUCT(struct app, app_release)

/* Both belong to the app. The session cannot fail: it opens nothing. */
struct store *app_store(struct app *app, struct error **err);
struct registry_session *app_session(struct app *app);
/*
 * Before all forms of the (opened) store are read or removed: enters the user namespace where some
 * are of one. Before the first thread. ERR_UNSUPPORTED: they stay out of reach.
 */
int app_own_forms(struct app *app, struct error **err) WARN_UNUSED;
/*
 * Chooses how progress is shown: a style of render.h, or NULL ($BUILDKIT_PROGRESS, else auto).
 * ERR_USAGE. Call it before anything that tells progress; plain where it is never called.
 */
int app_set_progress(struct app *app, const char *style, struct error **err) WARN_UNUSED;

/* Options of every command that opens the store (--root) or talks to registries (the rest), to list
 * in tables. */
#define APP_OPTIONS(app)                                                                           \
    OPT_STRING(0, "root", "DIR", &(app)->root, "store to use instead of $CBUILD_ROOT")
#define APP_CONNECTION_OPTIONS(app)                                                                \
    OPT_STRING(0, "cert-dir", "DIR", &(app)->registry.cert_dir,                                    \
               "folder of *.crt, *.cert and *.key for the registry"),                              \
        OPT_LIST(0, "insecure", "HOST", &(app)->insecure,                                          \
                 "host that may be plain http or have a bad certificate"),                         \
        OPT_FLAG(0, "tls-verify", &(app)->tls_verify,                                              \
                 "--tls-verify=false: as if every host were given with --insecure")
#define APP_REGISTRY_OPTIONS(app)                                                                  \
    OPT_STRING(0, "creds", "USER:PASSWORD", &(app)->registry.credentials,                          \
               "credentials instead of those logged in"),                                          \
        OPT_STRING(0, "authfile", "FILE", &(app)->registry.auth_file,                              \
                   "file of credentials instead of the usual ones"),                               \
        APP_CONNECTION_OPTIONS(app)

/* One of main's table. `run` gets argv with the command's own name as argv[0]. */
struct app_command {
    const char *name;
    int (*run)(struct app *app, char *const *argv, struct error **err);
    const char *summary; /* NULL: an alias */
};

/* cmd_*.c */
int cmd_attach(struct app *app, char *const *argv, struct error **err);
int cmd_blob(struct app *app, char *const *argv, struct error **err);
int cmd_build(struct app *app, char *const *argv, struct error **err);
int cmd_catalog(struct app *app, char *const *argv, struct error **err);
int cmd_config(struct app *app, char *const *argv, struct error **err);
int cmd_copy(struct app *app, char *const *argv, struct error **err);
int cmd_delete(struct app *app, char *const *argv, struct error **err);
int cmd_digest(struct app *app, char *const *argv, struct error **err);
int cmd_doctor(struct app *app, char *const *argv, struct error **err);
int cmd_export(struct app *app, char *const *argv, struct error **err);
int cmd_history(struct app *app, char *const *argv, struct error **err);
int cmd_images(struct app *app, char *const *argv, struct error **err);
int cmd_imagetools(struct app *app, char *const *argv, struct error **err);
int cmd_import(struct app *app, char *const *argv, struct error **err);
int cmd_inspect(struct app *app, char *const *argv, struct error **err);
int cmd_list_tags(struct app *app, char *const *argv, struct error **err);
int cmd_load(struct app *app, char *const *argv, struct error **err);
int cmd_ls(struct app *app, char *const *argv, struct error **err);
int cmd_manifest(struct app *app, char *const *argv, struct error **err);
int cmd_plan(struct app *app, char *const *argv, struct error **err);
int cmd_login(struct app *app, char *const *argv, struct error **err);
int cmd_logout(struct app *app, char *const *argv, struct error **err);
int cmd_prune(struct app *app, char *const *argv, struct error **err);
int cmd_fsck(struct app *app, char *const *argv, struct error **err);
int cmd_df(struct app *app, char *const *argv, struct error **err);
int cmd_pull(struct app *app, char *const *argv, struct error **err);
int cmd_push(struct app *app, char *const *argv, struct error **err);
int cmd_referrers(struct app *app, char *const *argv, struct error **err);
int cmd_rmi(struct app *app, char *const *argv, struct error **err);
int cmd_save(struct app *app, char *const *argv, struct error **err);
int cmd_tag(struct app *app, char *const *argv, struct error **err);
int cmd_validate(struct app *app, char *const *argv, struct error **err);
int cmd_version(struct app *app, char *const *argv, struct error **err);

#endif
