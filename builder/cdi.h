/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN --device: devices by name, as specs of this machine describe them (Container Device Interface
 * 1.0): nodes, environment, mounts. Specs are JSON files; a directory that comes later goes before
 * the earlier ones. What a spec wants beyond that (hooks, groups, network devices) is refused by
 * name: a device that is half there is worse than none.
 */
#ifndef CBUILD_BUILDER_CDI_H
#define CBUILD_BUILDER_CDI_H

#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>

/* "[name=]NAME[,required[=BOOL]]"; NAME is VENDOR/CLASS=DEVICE, VENDOR/CLASS=* (all of them),
 * VENDOR/CLASS (the first by name), or CLASS: those that a spec's annotation
 * org.mobyproject.buildkit.device.class says are of it. */
struct cdi_request {
    char *name;
    bool required;
};

void cdi_request_release(struct cdi_request *request);
DEFINE_AUTO_STRUCT(struct cdi_request, cdi_request_release)
/* ERR_SYNTAX. Pure. */
int cdi_request_parse(const char *text, struct cdi_request *ret, struct error **err) WARN_UNUSED;

struct cdi_mount {
    char *source; /* on the host */
    char *target; /* in the image; of a node below /dev/ */
    bool read_only;
    bool is_node;
};

struct cdi_edits {
    struct strvec names; /* the devices found, VENDOR/CLASS=DEVICE */
    struct strvec env;   /* "K=V" */
    struct cdi_mount *mounts;
    size_t n_mounts, mounts_capacity;
};

void cdi_edits_release(struct cdi_edits *edits);
DEFINE_AUTO_STRUCT(struct cdi_edits, cdi_edits_release)

/*
 * Adds what the devices of a name need; adds nothing when there is none. `dirs`: where specs are,
 * NULL or empty: /etc/cdi and /var/run/cdi. ERR_INVALID: a spec that breaks its format, or two of
 * one directory for one device; ERR_UNSUPPORTED, also where a spec in YAML seems to describe it.
 */
int cdi_find(const struct strvec *dirs, const char *name, struct cdi_edits *ret,
             struct error **err) WARN_UNUSED;

#endif
