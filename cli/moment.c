/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/moment.h"

#include "base/clock.h"
#include "base/mem.h"
#include "builder/values.h"

int moment_parse(const char *text, int64_t *ret, struct error **err)
{
    AUTO(error_free) struct error *ignored = NULL; /* another form is tried */
    AUTO(error_free) struct error *ignored_too = NULL;
    AUTO(error_free) struct error *ignored_as_well = NULL;
    AUTO(free) char *midnight = xasprintf("%sT00:00:00Z", text);
    int64_t duration;
    if (clock_parse(text, ret, NULL, &ignored) == 0 ||
        clock_parse(midnight, ret, NULL, &ignored_too) == 0 ||
        clock_parse_epoch(text, ret, &ignored_as_well) == 0)
        return 0;
    if (duration_parse(text, &duration, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "--filter until=%s", text);
    }
    *ret = clock_now() - duration / 1000000000;
    return 0;
}
