/* SPDX-License-Identifier: Apache-2.0 */
/* Options of build whose values have a form of their own. All fail with ERR_USAGE. */
#ifndef CBUILD_CLI_BUILD_VALUES_H
#define CBUILD_CLI_BUILD_VALUES_H

#include "builder/build.h"

/*
 * --secret "id=ID[,src=FILE|env=NAME][,type=file|env]". Without a type: an environment variable
 * named like the id wins over a file of that name; src with type=env is a variable.
 */
int build_secret_parse(const char *text, struct build_secret *ret, struct error **err) WARN_UNUSED;
void build_secret_release(struct build_secret *secret);

struct build_annotations {
    struct build_annotation *items;
    size_t n_items, items_capacity;
};

/* --annotation "[TYPE[,TYPE...][PLATFORM]:]KEY=VALUE", as buildx has it: one entry per type. */
int build_annotation_parse(const char *text, struct build_annotations *list,
                           struct error **err) WARN_UNUSED;
void build_annotations_release(struct build_annotations *list);

/* --allow: sets bits of enum build_allow; names of "device=NAME" go to `devices`. */
int build_allow_parse(const char *text, unsigned *allow, struct strvec *devices,
                      struct error **err) WARN_UNUSED;

/* --add-host "NAME:ADDRESS" or "NAME=ADDRESS": an IP address, also in brackets, or host-gateway. */
int build_host_check(const char *text, struct error **err) WARN_UNUSED;

/*
 * --build-arg-file: a line each as --build-arg has it, # in the first column begins a comment.
 * buildah-build(1). Also what reading the file gives: ERR_NOT_FOUND and so on.
 */
int build_arg_file_read(const char *path, struct strvec *ret, struct error **err) WARN_UNUSED;

/*
 * Appends "KEY=VALUE" to `ret`; without a value it comes from the environment, and where it isn't
 * set there the argument isn't passed, whatever was given before.
 */
void build_arg_resolve(const char *text, struct strvec *ret);

#endif
