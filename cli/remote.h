/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share that look at registries. */
#ifndef CBUILD_CLI_REMOTE_H
#define CBUILD_CLI_REMOTE_H

#include "base/json.h"
#include "cli/place.h"

/* Options of these commands, to list in tables */
#define REMOTE_OPTIONS(app, place)                                                                 \
    OPT_FLAG(0, "no-creds", &(place)->no_creds, "be anonymous"), APP_REGISTRY_OPTIONS(app),        \
        APP_OPTIONS(app)

/* --platform; NULL stays unset (os NULL). ERR_USAGE. */
int remote_parse_platform(const char *text, struct platform *ret, struct error **err) WARN_UNUSED;

/* KEY=VALUE of --annotation: *key becomes the caller's, *value lies in text. ERR_USAGE. */
int remote_split_annotation(const char *text, char **key, const char **value,
                            struct error **err) WARN_UNUSED;

/* NAME or docker://NAME, with a default tag. ERR_USAGE: another place. */
int remote_open(struct app *app, const char *text, struct place *place,
                struct error **err) WARN_UNUSED;
/* The same, a repository without tag and digest. */
int remote_open_repository(struct app *app, const char *text, struct place *place,
                           struct error **err) WARN_UNUSED;

/* What choosing in an index goes by */
enum remote_choice {
    REMOTE_AS_IT_IS, /* an index stays one, unless a platform is asked for */
    REMOTE_IMAGE,    /* of an index the platform's image, or this machine's */
};
/* The document that an open place's name points to. */
int remote_get(struct place *place, const struct platform *platform, enum remote_choice choice,
               struct document *ret, struct error **err) WARN_UNUSED;
/* Its config, as bytes, verified. ERR_UNSUPPORTED: the document is an index. */
int remote_get_config(struct place *place, const struct document *document, struct strbuf *ret,
                      struct error **err) WARN_UNUSED;
/* Only what it is. A question where the place can answer one. */
int remote_resolve(struct place *place, const struct platform *platform, struct descriptor *ret,
                   struct error **err) WARN_UNUSED;

/* A document on stdout: as it is (format NULL or "raw"), "json" canonical on one line, "pretty", or
 * a template. ERR_USAGE. */
int remote_print(const struct strbuf *body, const char *format, struct error **err) WARN_UNUSED;
/* The same of a value; NULL is "pretty". */
int remote_print_value(const json_t *value, const char *format, struct error **err) WARN_UNUSED;
/* Text that a registry sent, for a line on a terminal: control characters are '?'. free() it. */
char *remote_clean(const char *text);

#endif
