/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/content_digests.h"

#include "base/file_writer.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "cbuild contents 1\n"
#define MAGIC_SIZE (sizeof(MAGIC) - 1)
#define NUMBER_SIZE 4
#define ITEM_SIZE (NUMBER_SIZE + SHA256_SIZE)
#define MAX_FILE_SIZE ((size_t)512 << 20)

#define NAME_PREFIX "content-"
#define NAME_SIZE (sizeof(NAME_PREFIX) - 1 + DIGEST_HEX_SIZE)

void content_digests_init(struct content_digests *digests, size_t n, struct spill *spill)
{
    *digests = (struct content_digests){ .n = n, .spill = spill };
    digests->digests = spill_alloc(spill, n * sizeof(*digests->digests));
    digests->known = xcalloc(n, sizeof(*digests->known));
}

void content_digests_release(struct content_digests *digests)
{
    spill_free(digests->spill, digests->digests);
    free(digests->known);
    *digests = (struct content_digests){ .n = 0 };
}

bool content_digests_get(const struct content_digests *digests, size_t index,
                         uint8_t out[SHA256_SIZE])
{
    if (index >= digests->n || !digests->known[index])
        return false;
    memcpy(out, digests->digests[index], SHA256_SIZE);
    return true;
}

void content_digests_put(struct content_digests *digests, size_t index,
                         const uint8_t digest[SHA256_SIZE])
{
    if (index >= digests->n || digests->known[index])
        return;
    memcpy(digests->digests[index], digest, SHA256_SIZE);
    digests->known[index] = true;
    digests->is_new = true;
}

static void file_name(const struct digest *blob, char out[NAME_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(blob, hex);
    (void)snprintf(out, NAME_SIZE, NAME_PREFIX "%s", hex);
}

static void put_number(struct strbuf *buf, size_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        strbuf_addc(buf, (char)(value >> shift));
}

static size_t get_number(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

void content_digests_read(struct content_digests *digests, struct store *store,
                          const struct digest *blob)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *absent = NULL; /* what isn't kept is learnt again */
    char name[NAME_SIZE];
    uint8_t check[SHA256_SIZE];
    file_name(blob, name);
    if (fs_read_file(store_dir_fd(store, STORE_ENTRIES), name, &text, MAX_FILE_SIZE, &absent) < 0)
        return;
    const size_t least = MAGIC_SIZE + NUMBER_SIZE + SHA256_SIZE;
    if (text.size < least || (text.size - least) % ITEM_SIZE)
        return;
    const uint8_t *at = (const uint8_t *)text.data, *end = at + text.size - SHA256_SIZE;
    sha256_of(at, text.size - SHA256_SIZE, check);
    if (memcmp(check, end, SHA256_SIZE) != 0 || memcmp(at, MAGIC, MAGIC_SIZE) != 0 ||
        get_number(at + MAGIC_SIZE) != digests->n)
        return;
    bool is_new = digests->is_new;
    for (at += MAGIC_SIZE + NUMBER_SIZE; at < end; at += ITEM_SIZE)
        content_digests_put(digests, get_number(at), at + NUMBER_SIZE);
    digests->is_new = is_new;
}

static int put_known(struct file_writer *file, const struct content_digests *digests,
                     struct error **err)
{
    struct strbuf *buf = file_writer_buf(file);
    strbuf_adds(buf, MAGIC);
    put_number(buf, digests->n);
    for (size_t i = 0; i < digests->n; i++) {
        if (!digests->known[i])
            continue;
        put_number(buf, i);
        strbuf_add(buf, digests->digests[i], SHA256_SIZE);
        if (file_writer_flush(file, err) < 0)
            return -1;
    }
    return 0;
}

int content_digests_write(struct content_digests *digests, struct store *store,
                          const struct digest *blob, struct error **err)
{
    char name[NAME_SIZE];
    file_name(blob, name);
    AUTO(file_writer_free)
    struct file_writer *file = file_writer_new(store_dir_fd(store, STORE_ENTRIES), name, true, err);
    if (!file || put_known(file, digests, err) < 0 || file_writer_commit(file, 0600, err) < 0)
        return error_wrap(err, "writing %s", name);
    digests->is_new = false;
    return 0;
}
