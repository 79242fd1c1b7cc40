/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory form in the making, and how it gets its final name. Used by
 * snapshot.c and apply.c.
 *
 * layers/FORM/p-PID-STARTTIME-N is a box that holds the form, "tree", and what it
 * needs beside it. As long as its process uses it, that holds the store's lock of the
 * box's name: who gets the lock may remove the box (store_gc.h).
 */
#ifndef CBUILD_LAYERS_PRIVATE_FORM_H
#define CBUILD_LAYERS_PRIVATE_FORM_H

#include "oci/store.h"

#include <stdbool.h>

#define PRIVATE_FORM_TREE "tree"

struct private_form;

/* Whether FORM is that of a user namespace. */
bool form_folder_is_mapped(const char *name);
/* FORM of this process; free() it. */
char *form_folder_name(struct error **err);
/* layers/FORM, made when missing: an O_PATH fd. */
int form_folder_open(struct store *store, struct error **err) WARN_UNUSED;
/* "d-HEX" or "c-HEX"; free() it. */
char *form_name(char kind, const struct digest *digest);

/* Empty, mode 0700. */
struct private_form *private_form_new(struct store *store, struct error **err);
/* Removes the box, and with it the form unless it was published. */
void private_form_free(struct private_form *form);
DEFINE_AUTO(struct private_form, private_form_free)

/*
 * The box of that name (private_form_box()), which a process of this id map left behind. `lock`,
 * that of the name, is the form's from now on, also on failure. NULL and *err NULL: it isn't there.
 */
struct private_form *private_form_reopen(struct store *store, const char *box,
                                         struct lockfile *lock, struct error **err);
/* "p-..."; NULL: it was published, and has none any more. Belongs to the form. */
const char *private_form_box(const struct private_form *form);
/* private_form_free() will leave the box where it is, unlocked: for private_form_reopen(). */
void private_form_keep(struct private_form *form);

int private_form_fd(const struct private_form *form); /* O_PATH, belongs to the form */
/* An empty directory beside it, mode 0700: an O_PATH fd, the caller's. */
int private_form_add(struct private_form *form, const char *name, struct error **err) WARN_UNUSED;
int private_form_remove(struct private_form *form, const char *name,
                        struct error **err) WARN_UNUSED;
/* 1: it is layers/FORM/KIND-HEX now, and the box is gone with all else that was in it. 0: that is
 * there already; ours stays private. */
int private_form_publish(struct private_form *form, char kind, const struct digest *digest,
                         struct error **err) WARN_UNUSED;
/* layers/FORM/KIND-HEX, which exists: an O_PATH fd. */
int private_form_open(struct private_form *form, char kind, const struct digest *digest,
                      struct error **err) WARN_UNUSED;
/* Absolute path under its present name; free() it. */
char *private_form_path(struct private_form *form);

#endif
