/* SPDX-License-Identifier: Apache-2.0 */
/* What --secret and --ssh hand out, by id. Values are read when somebody asks for them. */
#ifndef CBUILD_BUILDER_SECRET_H
#define CBUILD_BUILDER_SECRET_H

#include "builder/build.h"

/* Appends the value: 1; 0 when there is none of that id (or its variable isn't set). The caller
 * wipes it. ERR_LIMIT over 500 KiB. */
int secret_read(const struct build_options *options, const char *id, struct strbuf *ret,
                struct error **err) WARN_UNUSED;
/* Path of an agent's socket; NULL: not handed out. Borrowed. */
const char *secret_ssh_socket(const struct build_options *options, const char *id);

#endif
