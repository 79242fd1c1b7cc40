/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/platform.h"

#include "base/mem.h"
#include "base/suggest.h"
#include "oci/members.h"

#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>

void platform_release(struct platform *platform)
{
    free(platform->os);
    free(platform->architecture);
    free(platform->variant);
    free(platform->os_version);
    json_decref(platform->other);
    *platform = (struct platform){ 0 };
}

void platform_copy(struct platform *to, const struct platform *from)
{
    struct platform copy = {
        .os = xstrdup(from->os),
        .architecture = xstrdup(from->architecture),
        .variant = xstrdup(from->variant),
        .os_version = xstrdup(from->os_version),
        .other = json_deep_copy(from->other),
    };
    platform_release(to);
    *to = copy;
}

static char *lower(const char *text)
{
    if (!text || !*text)
        return NULL;
    char *copy = xstrdup(text);
    for (char *c = copy; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

static void replace(char **field, const char *text)
{
    char *copy = xstrdup(text);
    free(*field);
    *field = copy;
}

static const struct {
    const char *name, *architecture, *variant;
} architecture_aliases[] = {
    { "aarch64", "arm64", NULL }, { "x86_64", "amd64", NULL },
    { "x86-64", "amd64", NULL },  { "armhf", "arm", "v7" },
    { "armel", "arm", "v6" },     { "i386", "386", NULL },
    { "i486", "386", NULL },      { "i586", "386", NULL },
    { "i686", "386", NULL },      { "armv5l", "arm", "v5" },
    { "armv6l", "arm", "v6" },    { "armv7l", "arm", "v7" },
    { "armv8l", "arm", "v7" },    { "loongarch64", "loong64", NULL },
};

static void normalise_architecture(struct platform *platform)
{
    for (size_t i = 0; i < ARRAY_SIZE(architecture_aliases); i++) {
        if (strcmp(platform->architecture, architecture_aliases[i].name) != 0)
            continue;
        replace(&platform->architecture, architecture_aliases[i].architecture);
        if (!platform->variant && architecture_aliases[i].variant)
            platform->variant = xstrdup(architecture_aliases[i].variant);
        return;
    }
}

/* "8" is v8; the variant that every machine of the architecture has isn't written. */
static void normalise_variant(struct platform *platform)
{
    bool arm = strcmp(platform->architecture, "arm") == 0;
    bool arm64 = strcmp(platform->architecture, "arm64") == 0;
    bool amd64 = strcmp(platform->architecture, "amd64") == 0;
    if (!platform->variant) {
        if (arm)
            platform->variant = xstrdup("v7");
        return;
    }
    if ((arm || arm64) && isdigit((unsigned char)platform->variant[0]) && !platform->variant[1]) {
        char *text = xasprintf("v%s", platform->variant);
        free(platform->variant);
        platform->variant = text;
    }
    if ((arm64 && strcmp(platform->variant, "v8") == 0) ||
        (amd64 && strcmp(platform->variant, "v1") == 0)) {
        free(platform->variant);
        platform->variant = NULL;
    }
}

void platform_set(struct platform *platform, const char *os, const char *architecture,
                  const char *variant, const char *os_version)
{
    struct platform set = {
        .os = lower(os),
        .architecture = lower(architecture),
        .variant = lower(variant),
        .os_version = os_version && *os_version ? xstrdup(os_version) : NULL,
    };
    if (set.os && strcmp(set.os, "macos") == 0)
        replace(&set.os, "darwin");
    if (set.architecture) {
        normalise_architecture(&set);
        normalise_variant(&set);
    }
    platform_release(platform);
    *platform = set;
}

#define MAX_NAME ((size_t)64)

/* ".." isn't one: names of folders are made of them. */
static bool component_is_valid(const char *text)
{
    if (!isalnum((unsigned char)*text) || strlen(text) > MAX_NAME)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("_.-", *text))
            return false;
    return true;
}

static bool version_is_valid(const char *text)
{
    if (strlen(text) > 4 * MAX_NAME)
        return false;
    for (; *text; text++)
        if (iscntrl((unsigned char)*text) || *text == '/' || *text == '\\')
            return false;
    return true;
}

int platform_check(const struct platform *platform, const char *pointer, struct error **err)
{
    const struct {
        const char *name, *text;
    } names[] = {
        { "os", platform->os },
        { "architecture", platform->architecture },
        { "variant", platform->variant },
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].text && !component_is_valid(names[i].text))
            return error_set(err, ERR_INVALID, "%s/%s: \"%.100s\" can't be part of a platform",
                             pointer, names[i].name, names[i].text);
    if (platform->os_version && !version_is_valid(platform->os_version))
        return error_set(err, ERR_INVALID, "%s/os.version: \"%.100s\" is no version", pointer,
                         platform->os_version);
    return 0;
}

static int check_name(const char *what, const char *name, const char *const *known, size_t n,
                      struct error **err)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(known[i], name))
            return 0;
    const char *near = suggest_nearest(name, known, n);
    if (!near)
        return 0;
    error_set_(err, ERR_INVALID, "unknown %s \"%s\"", what, name);
    error_hint(err, "did you mean %s?", near);
    return -1;
}

int platform_check_spelling(const struct platform *platform, struct error **err)
{
    static const char *const systems[] = { "linux",   "windows", "darwin",    "freebsd",
                                           "openbsd", "netbsd",  "dragonfly", "solaris",
                                           "illumos", "aix",     "plan9",     "android",
                                           "ios",     "js",      "wasip1",    "wasi" };
    static const char *const architectures[] = {
        "amd64",   "arm64", "386",    "arm",     "ppc64le",  "riscv64", "s390x",
        "loong64", "mips",  "mipsle", "mips64",  "mips64le", "ppc64",   "ppc",
        "s390",    "wasm",  "riscv",  "sparc64", "sparc",    "armbe",   "arm64be",
        "wasm32",  "alpha", "m68k",   "sh4",
    };
    if (check_name("operating system", platform->os, systems, ARRAY_SIZE(systems), err) < 0)
        return -1;
    return check_name("architecture", platform->architecture, architectures,
                      ARRAY_SIZE(architectures), err);
}

void platform_host(struct platform *ret)
{
    struct utsname name;
    if (uname(&name) < 0) /* only EFAULT is possible */
        abort();
    const char *machine = name.machine;
#if defined(__i386__)
    /* a 32-bit build under a 64-bit kernel runs what it is itself */
    machine = "i386";
#elif defined(__arm__)
    if (strcmp(machine, "aarch64") == 0)
        machine = "armv7l";
#endif
    AUTO(free) char *os = lower(name.sysname);
    static const struct {
        const char *machine, *architecture;
    } others[] = {
        { "ppc64le", "ppc64le" },
        { "riscv64", "riscv64" },
        { "s390x", "s390x" },
        { "mips64", "mips64le" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (strcmp(machine, others[i].machine) == 0)
            machine = others[i].architecture;
    platform_set(ret, os, machine, NULL, NULL);
}

static bool is_known_os(const char *text)
{
    static const char *const names[] = { "linux",   "windows", "darwin",  "macos",     "freebsd",
                                         "netbsd",  "openbsd", "solaris", "aix",       "android",
                                         "illumos", "js",      "plan9",   "dragonfly", "wasip1" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(text, names[i]) == 0)
            return true;
    return false;
}

static bool is_known_architecture(const char *text)
{
    static const char *const names[] = { "386",     "amd64",   "arm",    "arm64",    "loong64",
                                         "mips",    "mipsle",  "mips64", "mips64le", "ppc64",
                                         "ppc64le", "riscv64", "s390x",  "wasm",     "sparc64" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(text, names[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(architecture_aliases); i++)
        if (strcasecmp(text, architecture_aliases[i].name) == 0)
            return true;
    return false;
}

/* One word: an operating system or an architecture; the host's fills in the rest. */
static int parse_word(const char *word, struct platform *ret, struct error **err)
{
    AUTO(platform_release) struct platform host = { 0 };
    platform_host(&host);
    if (strcasecmp(word, "local") == 0) {
        platform_copy(ret, &host);
        return 0;
    }
    if (is_known_os(word)) {
        platform_set(ret, word, host.architecture, host.variant, NULL);
        return 0;
    }
    if (is_known_architecture(word)) {
        platform_set(ret, host.os, word, NULL, NULL);
        return 0;
    }
    return error_set(err, ERR_INVALID,
                     "platform \"%s\": neither an operating system nor an architecture", word);
}

int platform_parse(const char *text, struct platform *ret, struct error **err)
{
    AUTO(free) char *copy = xstrdup(text);
    char *parts[4] = { copy, NULL, NULL, NULL };
    size_t n = 1;
    for (char *slash = strchr(copy, '/'); slash && n < 4; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        parts[n++] = slash + 1;
    }
    for (size_t i = 0; i < n; i++)
        if (n > 3 || !component_is_valid(parts[i]))
            return error_set(err, ERR_INVALID, "platform \"%.100s\": expected os/arch[/variant]",
                             text);
    if (n == 1)
        return parse_word(parts[0], ret, err);
    platform_set(ret, parts[0], parts[1], parts[2], NULL);
    return 0;
}

void platform_format(const struct platform *platform, struct strbuf *buf)
{
    strbuf_addf(buf, "%s/%s", platform->os ? platform->os : "unknown",
                platform->architecture ? platform->architecture : "unknown");
    if (platform->variant)
        strbuf_addf(buf, "/%s", platform->variant);
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool platform_equal(const struct platform *a, const struct platform *b)
{
    return same(a->os, b->os) && same(a->architecture, b->architecture) &&
           same(a->variant, b->variant) && same(a->os_version, b->os_version);
}

/* v7 is 7; what the normal form leaves out is the architecture's base. -1: not a number. */
static int variant_level(const struct platform *platform)
{
    const char *variant = platform->variant;
    if (!variant)
        return same(platform->architecture, "arm64") ? 8 : 1;
    if (variant[0] != 'v' || !isdigit((unsigned char)variant[1]))
        return -1;
    char *end;
    long level = strtol(variant + 1, &end, 10);
    /* arm64 has v8.1 and so on: the major number decides what runs, an equal text wins before */
    return level < 100 && (!*end || *end == '.') ? (int)level : -1;
}

/* Architectures that run another one's programs, as containerd's default matcher takes them. */
static int match_architecture(const struct platform *want, const struct platform *have)
{
    if (same(want->architecture, have->architecture)) {
        if (same(want->variant, have->variant))
            return 1000;
        int wanted = variant_level(want), level = variant_level(have);
        if (wanted < 0 || level < 0 || level > wanted)
            return 0;
        return 500 + level;
    }
    if (same(want->architecture, "amd64") && same(have->architecture, "386"))
        return 100;
    if (same(want->architecture, "arm64") && same(have->architecture, "arm")) {
        int level = variant_level(have);
        return level >= 5 && level <= 8 ? 100 + level : 0;
    }
    return 0;
}

int platform_match(const struct platform *want, const struct platform *have)
{
    if (platform_is_unknown(have) || !same(want->os, have->os))
        return 0;
    int score = match_architecture(want, have);
    if (score && want->os_version && have->os_version && !same(want->os_version, have->os_version))
        return 0;
    return score;
}

bool platform_is_unknown(const struct platform *platform)
{
    return same(platform->os, "unknown") || same(platform->architecture, "unknown");
}

int platform_from_json(const json_t *object, const char *pointer, struct platform *ret,
                       struct error **err)
{
    const char *os = NULL, *architecture = NULL, *variant = NULL, *os_version = NULL;
    if (!json_is_object(object))
        return error_set(err, ERR_INVALID, "%s: expected an object", pointer);
    if (json_get_string(object, pointer, "os", JSON_REQUIRED, &os, err) < 0 ||
        json_get_string(object, pointer, "architecture", JSON_REQUIRED, &architecture, err) < 0 ||
        json_get_string(object, pointer, "variant", JSON_OPTIONAL, &variant, err) < 0 ||
        json_get_string(object, pointer, "os.version", JSON_OPTIONAL, &os_version, err) < 0)
        return -1;
    AUTO(platform_release) struct platform platform = { 0 };
    platform_set(&platform, os, architecture, variant, os_version);
    if (platform_check(&platform, pointer, err) < 0)
        return -1;

    static const char *const known[] = { "os", "architecture", "variant", "os.version" };
    platform.other = members_unknown(object, known, ARRAY_SIZE(known));
    platform_release(ret);
    *ret = platform;
    platform = (struct platform){ 0 };
    return 0;
}

json_t *platform_to_json(const struct platform *platform)
{
    json_t *object = platform->other ? json_deep_copy(platform->other) : json_object();
    members_set_text(object, "os", platform->os ? platform->os : "");
    members_set_text(object, "architecture", platform->architecture ? platform->architecture : "");
    members_set_text(object, "variant", platform->variant);
    members_set_text(object, "os.version", platform->os_version);
    return object;
}
