/* SPDX-License-Identifier: Apache-2.0 */
/* Expansion ends, within its limits, under every flag; the first byte chooses flags and escape. */
#include "base/mem.h"
#include "builder/words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > 4096)
        return 0;
    AUTO(free) char *text = xstrndup((const char *)data + 1, size - 1);
    AUTO(env_release) struct env env = ENV_INIT;
    env_add(&env, "A=some value/with \\*parts*");
    env_add(&env, "B=");
    struct words_expander expander = { .escape = data[0] & 0x10 ? '`' : '\\',
                                       .flags = data[0] & 0x0f,
                                       .lookup = words_lookup_env,
                                       .context = &env };
    AUTO(error_free) struct error *err = NULL;
    AUTO(error_free) struct error *list_err = NULL;
    AUTO(error_free) struct error *json_err = NULL;
    AUTO(free) char *value = NULL;
    AUTO(strvec_release) struct strvec words = STRVEC_INIT;
    AUTO(strvec_release) struct strvec split = STRVEC_INIT;
    int result = words_expand(&expander, text, &value, &err);
    if (result != words_expand_list(&expander, text, &words, &list_err))
        abort();
    if (result == 0 && strlen(value) > WORDS_MAX_SIZE)
        abort();
    words_split(text, expander.escape, &split);
    words_split_blanks(text, &split);
    if (words_parse_json(text, &split, &json_err) < 0 && !json_err)
        abort();
    return 0;
}
