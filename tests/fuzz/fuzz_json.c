/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: refused, or a value whose canonical bytes are a fixed point. */
#include "base/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(json_decref) json_t *value = json_parse((const char *)data, size, &err);
    if (!value != !!err)
        abort();
    if (!value)
        return 0;
    AUTO(strbuf_release) struct strbuf once = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf twice = STRBUF_INIT;
    json_format_canonical(value, &once);
    AUTO(json_decref) json_t *again = json_parse(once.data, once.size, &err);
    if (!again)
        abort();
    json_format_canonical(again, &twice);
    if (once.size != twice.size || memcmp(once.data, twice.data, once.size) != 0)
        abort();
    return 0;
}
