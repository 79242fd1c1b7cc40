/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of binfmt_misc says, and how a program begins. */
#include "runner/binfmt.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xstrndup((const char *)data, size);
    const struct binfmt_arch *arch;
    for (size_t i = 0; (arch = binfmt_at(i)); i++) {
        bool is_fixed;
        AUTO(free) char *interpreter = binfmt_handler_interpreter(text, arch, &is_fixed);
        if (interpreter && (strchr(interpreter, '\n') || !strstr(text, interpreter)))
            abort();
    }
    (void)binfmt_is_static(data, size);
    return 0;
}
