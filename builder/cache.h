/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache records: what a step gave, found by its keys. DESIGN.md section 4.
 *
 *   rest       = H(inputs)                       the step without what lies below
 *   recipe key = H("recipe", parent recipe, rest)  known without running anything
 *   result key = H("result", parent chain_id, rest) known when the parent's layers are
 *
 * A record stands under its recipe key, where it counts only on the chain_id that it was made on
 * (a recipe followed again may give something else); a second name under its result key lets a
 * rerun that changed nothing stop there, and an earlier outcome be found again. The marker rest-HEX
 * says that some record has this rest, so that nobody waits for a parent's chain_id in vain.
 *
 * Records hold digests only: no path, inode or time of this machine but `created`.
 * docs/FORMAT.md, "Cache records". Thread-safe.
 */
#ifndef CBUILD_BUILDER_CACHE_H
#define CBUILD_BUILDER_CACHE_H

#include "base/strvec.h"
#include "base/tempfile.h"
#include "builder/inputs.h"
#include "layers/compress.h"
#include "oci/store.h"

#define CACHE_KEY_VERSION 1

struct cache_record {
    char *step;    /* "RUN make": for people */
    char *created; /* RFC 3339 */
    bool has_layer;
    struct digest diff_id;
    struct digest
        chain_id; /* of the tree with the layer: keeps its directory form from being collected */
    struct descriptor blob; /* in the compression that was asked for */
    struct strvec warnings; /* of its making, without a place: a hit tells them again */
};

void cache_record_release(struct cache_record *record);
DEFINE_AUTO_STRUCT(struct cache_record, cache_record_release)

struct digest cache_recipe_key(const struct digest *parent_recipe, const struct digest *rest);
struct digest cache_result_key(const struct digest *parent_chain, const struct digest *rest);
/* Of a choice of files (the digest of inputs that name them) of a tree. */
struct digest cache_selection_key(const struct digest *chain, const struct digest *choice);
/* Of metadata on top of a step, for its time alone. Never a key of a step. */
struct digest cache_history_key(const struct digest *below, const char *created_by);

/*
 * 1 and the record when there is one whose blob (in this compression) is in the store; leased
 * first. 0: a miss. A damaged record is a miss.
 */
int cache_find(struct store *store, const struct digest *key, const struct compression *compression,
               struct cache_record *ret, struct error **err) WARN_UNUSED;
/* Whether any record has this rest. */
bool cache_has_rest(struct store *store, const struct digest *rest);
/* Where a record is to be found: result key and rest marker may be NULL. */
struct cache_keys {
    const struct digest *recipe, *result, *rest;
    struct tempfile *inputs_file; /* of cache_stage_inputs(), or NULL; borrowed */
};

/*
 * Writes inputs to a file of their own, so that they needn't stay in memory until their record is
 * written: all that the record itself doesn't name are dropped. cache_put() gives the file its
 * name.
 */
int cache_stage_inputs(struct store *store, struct inputs *inputs, struct tempfile **ret,
                       struct error **err) WARN_UNUSED;
/* Writes a record. `inputs` (may be NULL) is kept with the rest marker to explain later misses. */
int cache_put(struct store *store, const struct cache_keys *keys,
              const struct compression *compression, const struct cache_record *record,
              const struct inputs *inputs, struct error **err) WARN_UNUSED;

/*
 * What a step takes of another tree stands in its inputs as one item of kind "content", whose value
 * is the digest of a list of items. The list is kept as inputs are, for as long as a record has it.
 */
int cache_put_content(struct store *store, const struct inputs *content, struct digest *ret,
                      struct error **err) WARN_UNUSED;
/* The content that a selection of a tree's files was seen to have: 1, or 0: not known. */
int cache_find_selection(struct store *store, const struct digest *selection,
                         struct digest *ret) WARN_UNUSED;
int cache_put_selection(struct store *store, const struct digest *selection,
                        const struct digest *content, struct error **err) WARN_UNUSED;

/*
 * The shape of a COPY is its inputs with sizes in place of contents (copy_shape()): it is known
 * without reading a file. Each record of a COPY leaves its shape, so that where there is none no
 * record can match, and the files needn't be read before they are read for the layer.
 */
bool cache_has_shape(struct store *store, const struct digest *shape);
int cache_put_shape(struct store *store, const struct digest *shape,
                    struct error **err) WARN_UNUSED;

/* The inputs that were kept beside a record. ERR_NOT_FOUND, ERR_INVALID, ERR_LIMIT. */
int cache_read_inputs(struct store *store, const struct digest *rest, size_t max_size,
                      struct inputs *ret, struct error **err) WARN_UNUSED;

#endif
