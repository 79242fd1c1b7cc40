/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index that is put together by hand, kept in the store under its tag. Images of the store
 * are in it as they are; of a registry's only what describes them is kept, and where they are,
 * so that a push can copy them from there.
 */
#ifndef CBUILD_CLI_MANIFEST_LIST_H
#define CBUILD_CLI_MANIFEST_LIST_H

#include "cli/place.h"
#include "oci/index.h"

struct manifest_list {
    struct reference reference; /* its name, with a tag */
    struct descriptor stored;   /* as it is in the store; media_type NULL: not yet */
    struct index index;
};

void manifest_list_release(struct manifest_list *list);
DEFINE_AUTO_STRUCT(struct manifest_list, manifest_list_release)

/* *found false: no image has the name. ERR_USAGE; ERR_EXISTS: one that is no index has it. */
int manifest_list_open(struct app *app, const char *name, struct manifest_list *ret, bool *found,
                       struct error **err) WARN_UNUSED;
/*
 * What an image (place: unopened) gives to an index: itself, of an index all that it has.
 * Afterwards the store has it, or knows where it is.
 */
int manifest_list_read(struct app *app, const char *image, struct place *place, struct index *ret,
                       struct error **err) WARN_UNUSED;
/* Adds these entries. One of the same digest or platform is replaced. */
void manifest_list_add(struct manifest_list *list, const struct index *added);
/* The entry that an image's name or a digest means. ERR_NOT_FOUND. */
struct descriptor *manifest_list_find(struct app *app, struct manifest_list *list,
                                      const char *image, struct place *place, struct error **err);
/* Under its name; what had it goes where nothing else needs it. */
int manifest_list_save(struct app *app, struct manifest_list *list, struct error **err) WARN_UNUSED;
/* To a registry, images first: those that it lacks, from the store or from where they are. */
int manifest_list_push(struct app *app, const struct manifest_list *list, struct place *to,
                       struct error **err) WARN_UNUSED;

#endif
