/* SPD-License-Identifier: Apache-2.0 */
/*
 * os/architecture[/variant], in normal form: aarch64 and arm64/v8 are arm64,
 * x86_64 and amd64/v1 amd64, armhf arm/v7, i386 386.
 *
 * image-spec v1.1, image-index.md, "platform"
 */
#ifndef CBUILD_OCI_PLATFORM_H
#define CBUILD_OCI_PLATFORM_H

#include "base/error.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdbool.h>

struct platform {
    char *os;
    char *architecture;
    char *variant;    /* NULL: none */
    char *os_version; /* NULL: none */
    json_t *other;    /* further members of the object (os.features), kept when written; or NULL */
};

void platform_release(struct platform *platform);
DEFINE_AUTO_STRUCT(struct platform, platform_release)
void platform_copy(struct platform *to, const struct platform *from); /* `to` is released first */

/* "linux/arm64", "arm64" (os of the host), "linux" (architecture of the host), "local".
 * ERR_INVALID. */
int platform_parse(const char *text, struct platform *ret, struct error **err) WARN_UNUSED;
/*
 * ERR_INVALID with `pointer` in front: a member that can't be one. Names are letters, digits, '_',
 * '-' and '.', beginning with a letter or digit, for they become names of folders; a system's
 * version has no '/' and no control characters. What isn't there is fine.
 */
int platform_check(const struct platform *platform, const char *pointer,
                   struct error **err) WARN_UNUSED;
/* ERR_INVALID: a name that is no system's or architecture's, and nearly one's (the hint says
 * which). Others may be of machines yet to come. */
int platform_check_spelling(const struct platform *platform, struct error **err) WARN_UNUSED;
/* Sets all fields and normalises. Any of variant, os_version may be NULL. */
void platform_set(struct platform *platform, const char *os, const char *architecture,
                  const char *variant, const char *os_version);
/* This machine's, by uname(2); arm variant from the CPU. */
void platform_host(struct platform *ret);
void platform_format(const struct platform *platform, struct strbuf *buf);
bool platform_equal(const struct platform *a, const struct platform *b);
/*
 * How well `have` serves `want`: 0 not at all, else higher is better: the same, then lower variants
 * (v7 takes v6, v5), then what the machine runs besides (amd64 takes 386, arm64 takes arm), as
 * containerd does.
 */
int platform_match(const struct platform *want, const struct platform *have);
/* "unknown/unknown": BuildKit's attestation entries, never candidates. */
bool platform_is_unknown(const struct platform *platform);

/* The "platform" object of a descriptor. */
int platform_from_json(const json_t *object, const char *pointer, struct platform *ret,
                       struct error **err) WARN_UNUSED;
json_t *platform_to_json(const struct platform *platform) WARN_UNUSED;

#endif
