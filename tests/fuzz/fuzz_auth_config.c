/* SPDX-License-Identifier: Apache-2.0 */
/* config.json and auth.json; and the errors of registries, which are JSON from outside too. */
#include "registry/api_error.h"
#include "registry/auth_config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error_text(const char *body, size_t size)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    api_error_text(400, body, size, &text);
    if (text.size > API_ERROR_TEXT_MAX)
        abort();
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const domains[] = { "docker.io", "quay.io", "localhost:5000" };
    const char *text = (const char *)data;
    check_error_text(text, size);
    for (int bare = 0; bare < 2; bare++) {
        AUTO(auth_config_release) struct auth_config config = { 0 };
        AUTO(error_free) struct error *err = NULL;
        if (auth_config_parse(text, size, bare, &config, &err) < 0)
            continue;
        for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
            (void)auth_config_find(&config, domains[i], "org/repo");
            (void)auth_config_helper(&config, domains[i]);
        }
    }
    return 0;
}
