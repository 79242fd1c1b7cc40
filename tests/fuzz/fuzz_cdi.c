/* SPDX-License-Identifier: Apache-2.0 */
/* A device asked for, the first line, and a spec that may describe it, the rest. */
#include "builder/cdi.h"

#include "tests/fuzz/fuzz_dir.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_edits(const struct cdi_edits *edits)
{
    for (size_t i = 0; i < edits->n_mounts; i++)
        if (edits->mounts[i].is_node && strncmp(edits->mounts[i].target, "/dev/", 5) != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size ? memchr(text, '\n', size) : NULL;
    AUTO(free) char *asked = xstrndup(text, end ? (size_t)(end - text) : size);
    AUTO(cdi_request_release) struct cdi_request request = { .name = NULL };
    AUTO(cdi_edits_release) struct cdi_edits edits = { .mounts = NULL };
    AUTO(strvec_release) struct strvec dirs = STRVEC_INIT;
    AUTO(error_free) struct error *err = NULL;
    if (cdi_request_parse(asked, &request, &err) < 0 || !end)
        return 0;
    fuzz_dir_write("spec.json", end + 1, size - (size_t)(end + 1 - text));
    strvec_push(&dirs, fuzz_dir());
    if ((cdi_find(&dirs, request.name, &edits, &err) < 0) != !!err)
        abort();
    if (!err)
        check_edits(&edits);
    return 0;
}
