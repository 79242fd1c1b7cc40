/* SPDX-License-Identifier: Apache-2.0 */
/* What --secret hands out, by id. Values are read when somebody asks for them. */
#ifndef CBUILD_BUILDER_SECRET_H
#define CBUILD_BUILDER_SECRET_H

#include "builder/build.h"

/* Appends the value: 1; 0 when there is none of that id (or its variable isn't set). The caller
 * wipes it. ERR_LIMIT over 500 KiB. Core dumps of this process hold no memory afterwards. */
int secret_read(const struct build_options *options, const char *id, struct strbuf *ret,
                struct error **err) WARN_UNUSED;
/*
 * Value of an Authorization header that HTTP_AUTH_HEADER_HOST or HTTP_AUTH_TOKEN_HOST (as Bearer)
 * give for a URL's host: 1, 0 when there is none. DOCKERFILE.md section 6, "ADD extras"
 */
int secret_url_authorization(const struct build_options *options, const char *url,
                             struct strbuf *ret, struct error **err) WARN_UNUSED;
/* The given secret whose id is nearly this one; NULL: none. Borrowed. */
const char *secret_nearest(const struct build_options *options, const char *id);
/* For what was appended by these. */
void secret_wipe(struct strbuf *secret);

#endif
