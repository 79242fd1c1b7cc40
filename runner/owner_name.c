/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/owner_name.h"

#include "base/fs.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "cbuild-"
#define START_FIELD 22 /* of /proc/PID/stat */

/* 0: no such process. */
static unsigned long long start_time(long pid)
{
    AUTO(free) char *path = xasprintf("/proc/%ld/stat", pid);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *gone = NULL;
    if (fs_read_file(AT_FDCWD, path, &text, 4096, &gone) < 0)
        return 0;
    const char *at = strrchr(text.data, ')'); /* the name before may hold anything */
    for (int field = 2; at && field < START_FIELD; field++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

static unsigned long long own_pid_namespace(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

struct owner owner_self(void)
{
    return (struct owner){ getpid(), start_time(getpid()), own_pid_namespace() };
}

void owner_format(const struct owner *owner, char name[OWNER_NAME_SIZE])
{
    (void)snprintf(name, OWNER_NAME_SIZE, PREFIX "%ld-%llu-%llu", owner->pid, owner->start,
                   owner->pid_namespace);
}

bool owner_parse(const char *name, struct owner *ret)
{
    char own[OWNER_NAME_SIZE], *end;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    ret->pid = strtol(name + strlen(PREFIX), &end, 10);
    ret->start = *end == '-' ? strtoull(end + 1, &end, 10) : 0;
    ret->pid_namespace = *end == '-' ? strtoull(end + 1, &end, 10) : 0;
    owner_format(ret, own);
    return ret->pid > 0 && (!*end || *end == '-') && strlen(own) == (size_t)(end - name) &&
           !strncmp(name, own, strlen(own));
}

bool owner_is_dead(const char *name)
{
    struct owner owner;
    return owner_parse(name, &owner) && owner.pid_namespace == own_pid_namespace() &&
           start_time(owner.pid) != owner.start;
}
