/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include "base/mem.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

struct sha256 {
    EVP_MD_CTX *context;
};

/* Fetched once: a fetch per hash costs more than hashing a small file. */
static EVP_MD *algorithm;
static pthread_once_t algorithm_once = PTHREAD_ONCE_INIT;

/* SHA-256 can't be absent nor fail on valid arguments: only memory or a broken OpenSSL gets here.
 */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

static void algorithm_fetch(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(algorithm != NULL);
}

static const EVP_MD *sha256_algorithm(void)
{
    pthread_once(&algorithm_once, algorithm_fetch);
    return algorithm;
}

struct sha256 *sha256_new(void)
{
    struct sha256 *hash = NEW(struct sha256);
    hash->context = EVP_MD_CTX_new();
    must(hash->context != NULL);
    must(EVP_DigestInit_ex2(hash->context, sha256_algorithm(), NULL));
    return hash;
}

void sha256_free(struct sha256 *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

void sha256_update(struct sha256 *hash, const void *data, size_t size)
{
    if (size)
        must(EVP_DigestUpdate(hash->context, data, size));
}

void sha256_update_field(struct sha256 *hash, const char *text)
{
    sha256_update(hash, text, strlen(text) + 1);
}

void sha256_finish(struct sha256 *hash, uint8_t out[SHA256_SIZE])
{
    must(EVP_DigestFinal_ex(hash->context, out, NULL));
    must(EVP_DigestInit_ex2(hash->context, NULL, NULL));
}

void sha256_of(const void *data, size_t size, uint8_t out[SHA256_SIZE])
{
    must(EVP_Digest(size ? data : "", size, out, NULL, sha256_algorithm(), NULL));
}

void sha256_hex(const uint8_t in[SHA256_SIZE], char out[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[SHA256_HEX_SIZE - 1] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool sha256_from_hex(const char *hex, size_t size, uint8_t out[SHA256_SIZE])
{
    uint8_t bytes[SHA256_SIZE];
    if (size != (size_t)2 * SHA256_SIZE)
        return false;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(out, bytes, sizeof(bytes));
    return true;
}

struct sink_sha256 {
    struct sink sink;
    struct sink *next;
    struct sha256 *hash;
    uint8_t *out;
    uint64_t *size;
    uint64_t count;
};

static int hash_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct sink_sha256 *self = (struct sink_sha256 *)sink;
    sha256_update(self->hash, data, size);
    self->count += size;
    return self->next ? sink_write(self->next, data, size, err) : 0;
}

static int hash_finish(struct sink *sink, struct error **err)
{
    struct sink_sha256 *self = (struct sink_sha256 *)sink;
    /* before `next` finishes: what stands there (an ingest) may want to know the hash */
    if (self->out)
        sha256_finish(self->hash, self->out);
    if (self->size)
        *self->size = self->count;
    return self->next ? sink_finish(self->next, err) : 0;
}

static void hash_free(struct sink *sink)
{
    struct sink_sha256 *self = (struct sink_sha256 *)sink;
    sink_free(self->next);
    sha256_free(self->hash);
    free(self);
}

struct sink *sink_sha256_new(struct sink *next, uint8_t out[SHA256_SIZE], uint64_t *size)
{
    static const struct sink_ops ops = { "sha256", hash_write, hash_finish, hash_free };
    struct sink_sha256 *self = NEW(struct sink_sha256);
    self->sink.ops = &ops;
    self->next = next;
    self->hash = sha256_new();
    self->out = out;
    self->size = size;
    return &self->sink;
}
