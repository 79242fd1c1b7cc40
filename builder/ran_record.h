/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step that has run, and whose layer is not finished: a cache record of state "ran". Who finds
 * it makes the layer from the directory form that the step left, so that a kill while the layer is
 * compressed doesn't run the command again. docs/FORMAT.md, "Steps whose layer is pending".
 *
 * 1. It stands under the recipe key alone, in the place where the record of state "done" comes.
 * 2. It is written, read and removed by who holds the lock of that key (step-HEX): so who reads it
 *    knows that its writer is dead, or has given up.
 * 3. Nothing of it is synced, nor is the form: it counts in the boot that wrote it.
 * 4. The form is the difference to the layers that the command saw: it counts on these alone. As
 *    long as the layer below is pending, too, it is that one's form, of a unique name, which says
 *    so: who takes up that one takes up what stands upon it.
 */
#ifndef CBUILD_BUILDER_RAN_RECORD_H
#define CBUILD_BUILDER_RAN_RECORD_H

#include "oci/store.h"

struct ran_record {
    char *step;           /* "RUN make": for people */
    char *created;        /* RFC 3339 */
    char *form;           /* snapshot_private_name() */
    struct digest inputs; /* the step without what lies below */
    struct digest below;  /* chain_id of the layers below; unset: none, or `upon` */
    char *upon;           /* the form of the layer below, whose digest isn't known; or NULL */
};

void ran_record_release(struct ran_record *record);
DEFINE_AUTO_STRUCT(struct ran_record, ran_record_release)

/* ERR_INVALID: anything but what ran_record_put() writes; ERR_NOT_FOUND: of another boot. */
int ran_record_parse(const char *text, size_t size, const char *boot, struct ran_record *ret,
                     struct error **err) WARN_UNUSED;
/* Where the boot can't be told: nothing. */
int ran_record_put(struct store *store, const struct digest *recipe,
                   const struct ran_record *record, struct error **err) WARN_UNUSED;
/* 1 and the record, leased, so that its form stays until it is locked; 0: none that counts. */
int ran_record_find(struct store *store, const struct digest *recipe, struct ran_record *ret,
                    struct error **err) WARN_UNUSED;
/* Removes it, if one stands there: its form can't be used. What can't be removed is found to be of
 * no use by the next, too. */
void ran_record_drop(struct store *store, const struct digest *recipe);

#endif
