/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/cgroup_settings.h"

#include "base/array.h"
#include "base/mem.h"

#include <string.h>

#define DEFAULT_PERIOD 100000 /* microseconds */
#define MIN_SHARES 2
#define MAX_SHARES 262144

const char *cgroup_controller_name(enum cgroup_controller controller)
{
    static const char *const names[] = { [CGROUP_MEMORY] = "memory",
                                         [CGROUP_CPU] = "cpu",
                                         [CGROUP_CPUSET] = "cpuset",
                                         [CGROUP_PIDS] = "pids" };
    return names[controller];
}

void cgroup_settings_release(struct cgroup_settings *settings)
{
    for (size_t i = 0; i < settings->n_items; i++)
        free(settings->items[i].text);
    free(settings->items);
    *settings = (struct cgroup_settings){ .items = NULL };
}

/* -- limits -- */

static struct cgroup_setting *add(struct cgroup_settings *ret, const char *option, const char *file,
                                  char *text)
{
    struct cgroup_setting *setting = ARRAY_PUSH(ret, items);
    setting->option = option;
    setting->file = file;
    setting->text = text;
    return setting;
}

static char *number(uint64_t value)
{
    return xasprintf("%llu", (unsigned long long)value);
}

/* Version 1 limits memory and swap together, version 2 swap alone. */
static char *swap_text(const struct cgroup_limits *limits, int version)
{
    if (limits->memory_swap < 0)
        return xstrdup(version == 1 ? "-1" : "max");
    uint64_t both = (uint64_t)limits->memory_swap;
    if (!both && __builtin_add_overflow(limits->memory, limits->memory, &both))
        both = limits->memory;
    return number(version == 1 ? both : both - limits->memory);
}

static void add_memory(const struct cgroup_limits *limits, int version, struct cgroup_settings *ret)
{
    if (!limits->memory)
        return;
    add(ret, "--memory", version == 1 ? "memory.limit_in_bytes" : "memory.max",
        number(limits->memory));
    /* after the other, which may not be above it */
    add(ret, limits->memory_swap ? "--memory-swap" : "--memory",
        version == 1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max",
        swap_text(limits, version))
        ->is_derived = !limits->memory_swap;
}

uint64_t cgroup_weight(uint64_t shares)
{
    if (shares < MIN_SHARES)
        shares = MIN_SHARES;
    if (shares > MAX_SHARES)
        shares = MAX_SHARES;
    return 1 + (shares - MIN_SHARES) * 9999 / (MAX_SHARES - MIN_SHARES);
}

static void add_cpu(const struct cgroup_limits *limits, int version, struct cgroup_settings *ret)
{
    static const char quota_option[] = "--cpus (--cpu-quota)";
    uint64_t period = limits->cpu_period ? limits->cpu_period : DEFAULT_PERIOD;
    if (limits->cpu_shares)
        add(ret, "--cpu-shares", version == 1 ? "cpu.shares" : "cpu.weight",
            number(version == 1 ? limits->cpu_shares : cgroup_weight(limits->cpu_shares)));
    if (version == 1) {
        if (limits->cpu_period)
            add(ret, "--cpu-period", "cpu.cfs_period_us", number(period));
        if (limits->cpu_quota)
            add(ret, quota_option, "cpu.cfs_quota_us", number(limits->cpu_quota));
    } else if (limits->cpu_quota) {
        add(ret, quota_option, "cpu.max",
            xasprintf("%llu %llu", (unsigned long long)limits->cpu_quota,
                      (unsigned long long)period));
    } else if (limits->cpu_period) {
        add(ret, "--cpu-period", "cpu.max", xasprintf("max %llu", (unsigned long long)period));
    }
}

void cgroup_settings_add(const struct cgroup_limits *limits, enum cgroup_controller controller,
                         int version, struct cgroup_settings *ret)
{
    switch (controller) {
    case CGROUP_MEMORY:
        add_memory(limits, version, ret);
        return;
    case CGROUP_CPU:
        add_cpu(limits, version, ret);
        return;
    case CGROUP_CPUSET:
        if (limits->cpuset_cpus)
            add(ret, "--cpuset-cpus", "cpuset.cpus", xstrdup(limits->cpuset_cpus));
        if (limits->cpuset_mems)
            add(ret, "--cpuset-mems", "cpuset.mems", xstrdup(limits->cpuset_mems));
        return;
    case CGROUP_PIDS:
        if (limits->pids)
            add(ret, "--pids-limit", "pids.max", number(limits->pids + 1)); /* the keeper */
        return;
    }
}

/* -- places -- */

void cgroup_place_release(struct cgroup_place *place)
{
    free(place->root);
    free(place->own);
    *place = (struct cgroup_place){ .root = NULL };
}

/* A word of a list, both of sizes. */
static bool has_word(const char *list, size_t size, const char *word, const char *separators)
{
    const size_t word_size = strlen(word);
    for (const char *p = list, *end = list + size; p < end; p++) {
        size_t n = strcspn(p, separators);
        if (n > (size_t)(end - p))
            n = (size_t)(end - p);
        if (n == word_size && !memcmp(p, word, n))
            return true;
        p += n;
    }
    return false;
}

bool cgroup_list_has(const char *list, const char *word)
{
    return has_word(list, strlen(list), word, " \n");
}

/*
 * "32 31 0:29 ROOT POINT rw,relatime shared:1 - TYPE SOURCE OPTIONS": the first line of that type,
 * and of version 1 with that controller.
 */
static const char *find_mount(const char *mountinfo, const char *type, const char *controller)
{
    for (const char *line = mountinfo; *line;) {
        const size_t size = strcspn(line, "\n");
        const char *dash = memmem(line, size, " - ", 3);
        const size_t type_size = strlen(type);
        if (dash && !strncmp(dash + 3, type, type_size) && dash[3 + type_size] == ' ') {
            const char *options = memrchr(line, ' ', size);
            if (!controller ||
                has_word(options + 1, (size_t)(line + size - options - 1), controller, ",\n"))
                return line;
        }
        line += size + (line[size] == '\n');
    }
    return NULL;
}

/* "": the line has fewer. */
static char *field(const char *line, unsigned index)
{
    while (index--) {
        line += strcspn(line, " \n");
        line += *line == ' ';
    }
    return xstrndup(line, strcspn(line, " \n"));
}

/* "4:memory:/PATH" or "0::/PATH" */
static char *find_own(const char *self_cgroup, const char *controller)
{
    for (const char *line = self_cgroup; *line;) {
        const size_t size = strcspn(line, "\n");
        const char *list = memchr(line, ':', size);
        const char *path = list ? memchr(list + 1, ':', (size_t)(line + size - list - 1)) : NULL;
        if (path) {
            const size_t list_size = (size_t)(path - list - 1);
            if (controller ? has_word(list + 1, list_size, controller, ",:") : !list_size)
                return xstrndup(path + 1, (size_t)(line + size - path - 1));
        }
        line += size + (line[size] == '\n');
    }
    return NULL;
}

/* What of the cgroup's path lies below the root of the mount: a container may see a part only. */
static char *below(const char *path, const char *root)
{
    const size_t size = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(path, root, size) != 0 || (path[size] && path[size] != '/'))
        return xstrdup("");
    path += size;
    return xstrdup(path + strspn(path, "/"));
}

bool cgroup_place_find(const char *mountinfo, const char *self_cgroup,
                       enum cgroup_controller controller, struct cgroup_place *ret)
{
    const char *name = cgroup_controller_name(controller);
    const char *line = find_mount(mountinfo, "cgroup", name);
    const int version = line ? 1 : 2;
    if (!line)
        line = find_mount(mountinfo, "cgroup2", NULL);
    AUTO(free) char *own = line ? find_own(self_cgroup, version == 1 ? name : NULL) : NULL;
    if (!own)
        return false;
    AUTO(free) char *root = field(line, 3);
    ret->version = version;
    ret->root = field(line, 4);
    ret->own = below(own, root);
    return true;
}

bool cgroup_parse_oom(const char *text)
{
    static const char key[] = "oom_kill ";
    for (const char *line = text; line && *line;) {
        if (!strncmp(line, key, sizeof(key) - 1))
            return line[sizeof(key) - 1] != '0';
        line = strchr(line, '\n');
        if (line)
            line++;
    }
    return false;
}
