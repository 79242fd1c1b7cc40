/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/sources.h"

#include "base/fs.h"
#include "base/mem.h"

#include <string.h>

#define FILE_MAX_SIZE (16u << 10)

void sources_list(struct store *store, const struct digest *digest, struct strvec *repositories)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* none known */
    if (fs_read_file(store_dir_fd(store, STORE_SOURCES), hex, &text, FILE_MAX_SIZE, &ignored) < 0)
        return;
    size_t n = 0;
    for (const char *p = text.data; *p && n < SOURCES_MAX; n++) {
        size_t size = strcspn(p, "\n");
        if (size)
            strvec_pushn(repositories, p, size);
        p += size + (p[size] == '\n');
    }
}

void sources_add(struct store *store, const struct digest *digest,
                 const struct reference *repository)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    AUTO(free) char *name = reference_repository(repository);
    AUTO(strvec_release) struct strvec known = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    sources_list(store, digest, &known);
    if (known.n && strcmp(known.items[0], name) == 0)
        return;
    strbuf_addf(&text, "%s\n", name);
    size_t n = 1;
    for (size_t i = 0; i < known.n && n < SOURCES_MAX; i++) {
        if (strcmp(known.items[i], name) == 0)
            continue;
        strbuf_addf(&text, "%s\n", known.items[i]);
        n++;
    }
    AUTO(error_free) struct error *ignored = NULL; /* a full or read-only disk: see the header */
    if (fs_write_file(store_dir_fd(store, STORE_SOURCES), hex, text.data, text.size, 0600,
                      &ignored) < 0)
        return;
}
