/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN for other platforms than this machine's: what a build needs for it, found out as early as can
 * be (runner/foreign.h does the work). Nothing is needed where steps are cached, or copy only.
 */
#ifndef CBUILD_BUILDER_EMULATION_H
#define CBUILD_BUILDER_EMULATION_H

#include "builder/executor.h"

/* Some RUN will want a user namespace of our own for an emulator. Before the first thread. */
bool emulation_wants_userns(const struct build *build);
/*
 * ERR_UNSUPPORTED: a RUN that isn't in the cache needs an emulator that isn't there; it is named.
 * What can't be known without fetching something, or can't be looked at twice, passes.
 */
int emulation_check_ahead(struct build *build, struct error **err) WARN_UNUSED;
/* Of a forecast: why this RUN couldn't run; NULL: it could, or nobody knows. free() it. */
char *emulation_lack(const struct stage_run *run,
                     const struct instruction *instruction) WARN_UNUSED;

/*
 * Before a RUN. *interpreter as foreign_prepare() has it. *lack (owned by the caller): programs of
 * the platform don't run here, but the command may be another's: for its failure.
 * ERR_UNSUPPORTED: it surely isn't.
 */
int emulation_prepare(const struct stage_run *run, const struct instruction *instruction,
                      const char **interpreter, struct error **lack,
                      struct error **err) WARN_UNUSED;

#endif
