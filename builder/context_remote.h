/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build contexts that aren't directories of this machine: a git repository, a tarball behind
 * http(s) or on standard input. Each becomes a directory in the store's tmp that lives as long
 * as the process. Ignore files in them don't count, as in BuildKit.
 *
 * What is in them is hostile: Dockerfiles are read through context_remote_read() alone.
 * DOCKERFILE.md section 8; RELIABILITY.md 11, 12, 21
 */
#ifndef CBUILD_BUILDER_CONTEXT_REMOTE_H
#define CBUILD_BUILDER_CONTEXT_REMOTE_H

#include "base/source.h"
#include "builder/executor.h"
#include "builder/url_cache.h"

enum place_kind { PLACE_DIRECTORY, PLACE_GIT, PLACE_HTTP };

/* What a user typed as context; "-" isn't asked here. Pure. */
enum place_kind context_place_kind(const char *text);

/* A file behind http(s), with the secrets that the build has for its host. */
int context_remote_fetch(struct build *build, const char *url, unsigned vertex,
                         struct url_file *ret, struct error **err) WARN_UNUSED;

/* The time of such a file: Last-Modified, else an archive's newest entry. 1; 0: it has none. */
int context_remote_file_time(struct build *build, const char *url, unsigned vertex,
                             int64_t *seconds, struct error **err) WARN_UNUSED;

/* A new directory of the process's own; an fd. */
int context_remote_dir(struct store *store, const char *prefix, struct error **err) WARN_UNUSED;

/* A tar of any compression (consumed); `name` for messages. */
struct context *context_remote_tar(struct build *build, struct source *tar, const char *name,
                                   struct error **err);

/*
 * A git repository or a URL. dockerfile (may be NULL: then that is an error) gets the text of a
 * URL that leads to no archive; the context is empty then.
 */
struct context *context_remote_open(struct build *build, const char *place,
                                    struct strbuf *dockerfile, struct error **err);

/* A Dockerfile behind http(s), alone. ERR_INVALID: it is none. */
int context_remote_text(struct build *build, const char *url, struct strbuf *ret,
                        struct error **err) WARN_UNUSED;

/* A file as in a chroot, links followed; ERR_NOT_FOUND; ERR_INVALID: no regular file. */
int context_remote_read(struct context *context, const char *path, struct strbuf *ret, size_t max,
                        struct error **err) WARN_UNUSED;

#endif
