/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A content digest, "sha256:" and 64 lower-case hex digits. A value: copy it.
 *
 * `digest` names bytes as stored and transferred, `diff_id` the uncompressed
 * tar, `chain_id` a stack of layers: all three are this type, never mixed.
 *
 * image-spec v1.1, descriptor.md, "Digests"
 */
#ifndef CBUILD_OCI_DIGEST_H
#define CBUILD_OCI_DIGEST_H

#include "base/error.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

struct digest {
    bool is_set; /* false in a zeroed struct: no digest */
    uint8_t bytes[SHA256_SIZE];
};

#define DIGEST_TEXT_SIZE 72 /* "sha256:" + 64 + NUL */
#define DIGEST_HEX_SIZE 65

/* ERR_INVALID; sha512 and others are refused by name (ERR_UNSUPPORTED). */
int digest_parse(const char *text, struct digest *ret, struct error **err) WARN_UNUSED;
void digest_format(const struct digest *digest, char out[DIGEST_TEXT_SIZE]);
void digest_format_hex(const struct digest *digest, char out[DIGEST_HEX_SIZE]);
bool digest_equal(const struct digest *a, const struct digest *b);
int digest_compare(const struct digest *a, const struct digest *b);
struct digest digest_of(const void *data, size_t size);
struct digest digest_from_sha256(const uint8_t bytes[SHA256_SIZE]);

/* image-spec config.md, "Layer ChainID": chain is unset for the lowest layer. */
struct digest digest_chain_id(const struct digest *chain, const struct digest *diff_id);

#endif
