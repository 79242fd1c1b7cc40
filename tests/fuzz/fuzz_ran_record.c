/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the record of a step that has run: refused, or one whose form is a private one. */
#include "builder/ran_record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(ran_record_release) struct ran_record record = { .step = NULL };
    int result = ran_record_parse((const char *)data, size, "boot", &record, &err);
    if ((result < 0) != !!err || (result < 0) != !record.form)
        abort();
    /* it is a path below layers/ */
    if (record.form && (strncmp(record.form, "u-", 2) != 0 || strchr(record.form, '.') ||
                        strchr(record.form, '/') != strrchr(record.form, '/')))
        abort();
    return 0;
}
