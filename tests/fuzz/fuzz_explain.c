/* SPDX-License-Identifier: Apache-2.0 */
/* What went into an earlier step: an error, or inputs that differ from themselves in nothing but
 * their order. */
#include "builder/explain.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(inputs_release) struct inputs inputs = { 0 };
    AUTO(inputs_release) struct inputs none = { 0 };
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    AUTO(strvec_release) struct strvec lines = STRVEC_INIT;
    if ((explain_parse_inputs((const char *)data, size, &inputs, &err) < 0) != !!err)
        abort();
    if (err)
        return 0;
    explain_inputs(&inputs, &inputs, &args, &lines);
    if (lines.n != 1 || strcmp(lines.items[0], "the order of its inputs") != 0)
        abort();
    explain_inputs(&none, &inputs, &args, &lines);
    explain_inputs(&inputs, &none, &args, &lines);
    return 0;
}
