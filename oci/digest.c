/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define PREFIX "sha256:"
#define PREFIX_SIZE (sizeof(PREFIX) - 1)

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* algorithm ::= component (separator component)*; separator ::= [+._-]; before the colon */
static bool algorithm_is_valid(const char *text, size_t size)
{
    bool component = false;
    for (size_t i = 0; i < size; i++) {
        if (is_lower_alnum(text[i]))
            component = true;
        else if (component && strchr("+._-", text[i]))
            component = false;
        else
            return false;
    }
    return component;
}

static bool encoded_is_valid(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("=_-", *text))
            return false;
    return true;
}

int digest_parse(const char *text, struct digest *ret, struct error **err)
{
    const char *colon = strchr(text, ':');
    if (!colon || !algorithm_is_valid(text, (size_t)(colon - text)) || !encoded_is_valid(colon + 1))
        return error_set(err, ERR_INVALID, "digest \"%.100s\": expected sha256:HEX", text);
    if (strncmp(text, PREFIX, PREFIX_SIZE) != 0)
        return error_set(err, ERR_UNSUPPORTED, "digest algorithm %.*s: only sha256 is supported",
                         (int)(colon - text > 64 ? 64 : colon - text), text);
    struct digest digest = { .is_set = true };
    const char *hex = text + PREFIX_SIZE;
    if (!sha256_from_hex(hex, strlen(hex), digest.bytes))
        return error_set(
            err, ERR_INVALID,
            "digest \"%.100s\": expected 64 lower-case hex digits after sha256:", text);
    *ret = digest;
    return 0;
}

void digest_format_hex(const struct digest *digest, char out[DIGEST_HEX_SIZE])
{
    assert(digest->is_set);
    sha256_hex(digest->bytes, out);
}

void digest_format(const struct digest *digest, char out[DIGEST_TEXT_SIZE])
{
    memcpy(out, PREFIX, PREFIX_SIZE);
    digest_format_hex(digest, out + PREFIX_SIZE);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return digest_compare(a, b) == 0;
}

int digest_compare(const struct digest *a, const struct digest *b)
{
    if (a->is_set != b->is_set)
        return a->is_set ? 1 : -1;
    return a->is_set ? memcmp(a->bytes, b->bytes, SHA256_SIZE) : 0;
}

struct digest digest_of(const void *data, size_t size)
{
    struct digest digest = { .is_set = true };
    sha256_of(data, size, digest.bytes);
    return digest;
}

struct digest digest_from_sha256(const uint8_t bytes[SHA256_SIZE])
{
    struct digest digest = { .is_set = true };
    memcpy(digest.bytes, bytes, SHA256_SIZE);
    return digest;
}

struct digest digest_chain_id(const struct digest *chain, const struct digest *diff_id)
{
    if (!chain || !chain->is_set)
        return *diff_id;
    char text[2 * DIGEST_TEXT_SIZE];
    digest_format(chain, text);
    size_t n = strlen(text);
    text[n++] = ' ';
    digest_format(diff_id, text + n);
    return digest_of(text, strlen(text));
}
