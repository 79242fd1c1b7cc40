/* SPDX-License-Identifier: Apache-2.0 */
/* What parses is written, and what was written parses to the same bytes. */
#include "oci/image_config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *err = NULL;
    AUTO(image_config_release) struct image_config config = { 0 };
    AUTO(image_config_release) struct image_config copy = { 0 };
    AUTO(image_config_release) struct image_config again = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf text_again = STRBUF_INIT;
    if (image_config_parse((const char *)data, size, &config, &err) < 0) {
        error_free(err);
        return 0;
    }
    image_config_copy(&copy, &config);
    image_config_format(&copy, &text);
    if (image_config_parse(text.data, text.size, &again, &err) < 0)
        abort();
    image_config_format(&again, &text_again);
    if (strcmp(text.data, text_again.data) != 0)
        abort();
    image_config_check_layers(&again, again.n_diff_ids, &err) < 0 ? error_free(err) : (void)0;
    return 0;
}
