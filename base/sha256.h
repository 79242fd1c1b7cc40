/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by OpenSSL's EVP (which uses the CPU's SHA instructions). */
#ifndef CBUILD_BASE_SHA256_H
#define CBUILD_BASE_SHA256_H

#include "base/sink.h"

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65 /* with the NUL */

struct sha256; /* a running hash */

struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *hash);
DEFINE_AUTO(struct sha256, sha256_free)
void sha256_update(struct sha256 *hash, const void *data, size_t size);
/* Hashes text, its NUL included, so that adjacent fields can't run into each other. */
void sha256_update_field(struct sha256 *hash, const char *text);
/* Result; afterwards the hash starts anew. */
void sha256_finish(struct sha256 *hash, uint8_t out[SHA256_SIZE]);

void sha256_of(const void *data, size_t size, uint8_t out[SHA256_SIZE]);
/* Lower case. */
void sha256_hex(const uint8_t in[SHA256_SIZE], char out[SHA256_HEX_SIZE]);
/* false: not 64 lower-case hex digits (upper case is refused) */
bool sha256_from_hex(const char *hex, size_t size, uint8_t out[SHA256_SIZE]);

/*
 * Passes bytes on to next (owned; NULL: discards them) and writes the hash to
 * `out` and the count to `size` (both borrowed, either may be NULL) at finish.
 */
struct sink *sink_sha256_new(struct sink *next, uint8_t out[SHA256_SIZE], uint64_t *size);

#endif
