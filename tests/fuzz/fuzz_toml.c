/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: whatever parses has a JSON form. */
#include "base/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(json_decref) json_t *value = toml_parse((const char *)data, size, &err);
    if (value)
        json_format_canonical(value, &text);
    return 0;
}
