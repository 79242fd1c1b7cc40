/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be said of ADD's remote sources before anything is fetched: asked with the constant
 * words before a build, and again when all words are expanded. Pure.
 *
 * DOCKERFILE.md section 6, "ADD extras"
 */
#ifndef CBUILD_BUILDER_COPY_REMOTE_H
#define CBUILD_BUILDER_COPY_REMOTE_H

#include "builder/instruction.h"

enum copy_source_kind { COPY_SOURCE_LOCAL, COPY_SOURCE_HTTP, COPY_SOURCE_GIT };

enum copy_source_kind copy_source_kind(const char *word);

/* ERR_SYNTAX: a remote source of COPY, a git URL that is malformed. */
int copy_check_source(enum instruction_kind instruction, const char *word,
                      struct error **err) WARN_UNUSED;

/*
 * Last element of the URL's path, decoded, without query; NULL: there is none. free() it. What the
 * server says in Content-Disposition doesn't count: BuildKit's frontend gives the name, too, so
 * that one URL is one name on any day.
 */
char *url_file_name(const char *url) WARN_UNUSED;
/* ERR_SYNTAX: the URL names no file, and the destination is a directory. */
int copy_check_url_name(const char *url, const char *destination, struct error **err) WARN_UNUSED;

/* ERR_SYNTAX: --checksum doesn't fit its sources, or is none. */
int copy_check_checksum(const char *checksum, const struct strvec *sources,
                        struct error **err) WARN_UNUSED;

#endif
