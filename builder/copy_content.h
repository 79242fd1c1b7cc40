/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the content of a copy's files comes from: what its changeset owns. An entry's `content` is
 * the number that an add function gave. Internal to copy*.c.
 */
#ifndef CBUILD_BUILDER_COPY_CONTENT_H
#define CBUILD_BUILDER_COPY_CONTENT_H

#include "builder/context.h"
#include "layers/changeset.h"
#include "layers/tree.h"

struct copy_content;

struct copy_content *copy_content_new(void);
void copy_content_free(struct copy_content *content);
DEFINE_AUTO(struct copy_content, copy_content_free)

/* context is borrowed; `number` is the content of the context's entry. */
uint64_t copy_content_add_context(struct copy_content *content, struct context *context,
                                  uint64_t number);
/* Whether contents of the context are hashed when they are read for the layer. */
void copy_content_learn(struct copy_content *content);
/* References the tree; copies the place. */
uint64_t copy_content_add_tree(struct copy_content *content, struct tree *tree,
                               const struct tree_entry *place);
/* Copies the bytes. */
uint64_t copy_content_add_memory(struct copy_content *content, const void *data, size_t size);
/* The file without a name that contents of unpacked archives lie in, one after the other; -1: there
 * is none yet. Set once, which takes the fd. */
int copy_content_spool(const struct copy_content *content);
void copy_content_set_spool(struct copy_content *content, int fd);
/* The `size` bytes that were written to it since the last call. */
uint64_t copy_content_add_spooled(struct copy_content *content, uint64_t size);
/* A range of a file whose fd is handed over with copy_content_own_fd(). */
uint64_t copy_content_add_range(struct copy_content *content, int fd, uint64_t offset);
/* Takes the fd: closed with the content. */
void copy_content_own_fd(struct copy_content *content, int fd);

/* entry->size bytes. */
struct source *copy_content_open(struct copy_content *content, const struct entry *entry,
                                 struct error **err);
/* For changesets whose data is a struct copy_content. */
extern const struct changeset_ops copy_content_ops;

/* Whether both yield the same bytes. */
int copy_content_equal(struct source *a, struct source *b, bool *ret,
                       struct error **err) WARN_UNUSED;

#endif
