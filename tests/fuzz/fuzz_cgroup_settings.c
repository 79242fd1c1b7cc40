/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process's cgroups are: its mountinfo, and after an empty line its cgroup file. */
#include "runner/cgroup_settings.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *mounts = xstrndup((const char *)data, size);
    char *own = strstr(mounts, "\n\n");
    if (own) {
        own[1] = '\0';
        own += 2;
    }
    for (int i = 0; i < CGROUP_N_CONTROLLERS; i++) {
        AUTO(cgroup_place_release) struct cgroup_place place = { .version = 0 };
        if (!cgroup_place_find(mounts, own ? own : "", (enum cgroup_controller)i, &place))
            continue;
        if ((place.version != 1 && place.version != 2) || !place.root || !place.own ||
            place.own[0] == '/')
            abort();
    }
    (void)cgroup_parse_oom(mounts);
    (void)cgroup_list_has(mounts, "memory");
    return 0;
}
