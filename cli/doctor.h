/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What works on this machine. Each probe does what a build would do, by the same functions, and
 * tells what came of it. Before the first thread: the probes of RUN enter the user namespace.
 */
#ifndef CBUILD_CLI_DOCTOR_H
#define CBUILD_CLI_DOCTOR_H

#include "cli/app.h"

enum verdict {
    VERDICT_WORKS,
    VERDICT_LACKS, /* builds work, but for what is said */
    VERDICT_FAILS, /* builds don't work */
};

struct finding {
    const char *subject; /* of the table */
    enum verdict verdict;
    char *text;
    char *fix; /* NULL: nothing to mend */
};

struct findings {
    struct finding *items;
    size_t n_items, items_capacity;
};

void findings_release(struct findings *findings);
DEFINE_AUTO_STRUCT(struct findings, findings_release)

/* All probes, in their order. ERR_CANCELLED. */
int doctor_examine(struct app *app, struct findings *ret, struct error **err) WARN_UNUSED;

#endif
