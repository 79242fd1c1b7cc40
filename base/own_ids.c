/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own_ids.h"

#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_MAP ((size_t)64 * 1024)

bool own_ids_map_is_single(const char *map)
{
    unsigned inside, outside, count;
    const char *end = strchr(map, '\n');
    return sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && count == 1 &&
           (!end || !end[1]);
}

static bool is_single(const char *path)
{
    AUTO(error_free) struct error *ignored = NULL; /* no user namespaces: all ids are there */
    AUTO(strbuf_release) struct strbuf map = STRBUF_INIT;
    return fs_read_file(AT_FDCWD, path, &map, MAX_MAP, &ignored) == 0 &&
           own_ids_map_is_single(map.data);
}

bool own_ids_are_single(void)
{
    return geteuid() == 0 && (is_single("/proc/self/uid_map") || is_single("/proc/self/gid_map"));
}
