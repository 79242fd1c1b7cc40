/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes: what parses is written, and what was written parses to the same bytes. */
#include "oci/index.h"
#include "oci/manifest.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const char *data, size_t size)
{
    struct error *err = NULL;
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(manifest_release) struct manifest again = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf text_again = STRBUF_INIT;
    if (manifest_parse(data, size, NULL, &manifest, &err) < 0) {
        error_free(err);
        return;
    }
    manifest_format(&manifest, &text);
    if (manifest_parse(text.data, text.size, NULL, &again, &err) < 0)
        abort();
    manifest_format(&again, &text_again);
    if (strcmp(text.data, text_again.data) != 0)
        abort();
}

static void check_index(const char *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(index_release) struct index index = { 0 };
    AUTO(index_release) struct index again = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf text_again = STRBUF_INIT;
    if (index_parse(data, size, NULL, &index, &err) < 0)
        return;
    index_format(&index, &text);
    if (index_parse(text.data, text.size, NULL, &again, &err) < 0)
        abort();
    index_format(&again, &text_again);
    if (strcmp(text.data, text_again.data) != 0)
        abort();
    AUTO(platform_release) struct platform host = { 0 };
    platform_host(&host);
    (void)index_select(&index, &host, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum media_kind kind;
    AUTO(error_free) struct error *err = NULL;
    (void)!manifest_sniff((const char *)data, size, NULL, &kind, &err);
    check_manifest((const char *)data, size);
    check_index((const char *)data, size);
    return 0;
}
