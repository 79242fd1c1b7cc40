/* SPDX-License-Identifier: Apache-2.0 */
/* A look at any text ends; its commands have words, and a problem is told only where it is certain.
 */
#include "base/mem.h"
#include "builder/shell_scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xstrndup((const char *)data, size);
    AUTO(shell_scan_release) struct shell_scan scan = { .is_certain = false };
    shell_scan(text, &scan);
    if (scan.problem && !scan.is_certain)
        abort();
    for (size_t i = 0; i < scan.n_commands; i++)
        if (!scan.commands[i].words.n)
            abort();
    return 0;
}
