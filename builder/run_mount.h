/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN --mount. The option is CSV; each value but `from` may hold variables, so
 * it is parsed twice: with no expander when the Dockerfile is read (keys, and
 * values without `$`, are checked), and by the executor with the environment of
 * the step.
 *
 * Options of buildah's (z, Z, U, nosuid, ...) are taken where they are true of any mount here, and
 * refused by name (ERR_UNSUPPORTED) where they aren't.
 */
#ifndef CBUILD_BUILDER_RUN_MOUNT_H
#define CBUILD_BUILDER_RUN_MOUNT_H

#include "base/strbuf.h"
#include "builder/words.h"

#include <stdbool.h>
#include <stdint.h>

enum run_mount_type {
    RUN_MOUNT_BIND,
    RUN_MOUNT_CACHE,
    RUN_MOUNT_TMPFS,
    RUN_MOUNT_SECRET,
    RUN_MOUNT_SSH,
};

enum run_mount_sharing { RUN_MOUNT_SHARED, RUN_MOUNT_PRIVATE, RUN_MOUNT_LOCKED };

struct run_mount {
    enum run_mount_type type;
    char *from;   /* stage, image or named context; NULL: the build context */
    char *source; /* NULL: not given */
    char *target; /* "." where it isn't given; secret, ssh: NULL, the executor's default */
    char *id;  /* cache: the target, secret: source or the target's base name, ssh: "default" where
                  not given */
    char *env; /* secret: the variable; NULL: none */
    bool read_only; /* with the type's default */
    bool required;
    enum run_mount_sharing sharing;
    bool has_uid, has_gid, has_mode;
    uint32_t uid, gid, mode; /* defaults of the type where not given */
    uint64_t size;           /* tmpfs: bytes, 0: no limit of its own */
    bool unexpanded; /* parsed without an expander, and a value holds a variable: call again */
};

/* `spec` is the text after "--mount=". Unknown keys name their nearest neighbour. */
int run_mount_parse(const char *spec, const struct words_expander *expander, struct run_mount *ret,
                    struct error **err) WARN_UNUSED;
void run_mount_release(struct run_mount *mount);
DEFINE_AUTO_STRUCT(struct run_mount, run_mount_release)

/*
 * What of a definition counts for the step's result, in one form however it was written. Where it
 * comes from (`from`) and goes to isn't in it: the name of a stage says nothing.
 */
void run_mount_format(const struct run_mount *mount, struct strbuf *ret);

const char *run_mount_type_name(enum run_mount_type type);

#endif
