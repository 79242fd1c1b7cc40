/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether this process may make sandboxes, and if not, the way out. (Entering a user
 * namespace of our own, for users without root, is to come here.)
 */
#ifndef CBUILD_RUNNER_USERNS_H
#define CBUILD_RUNNER_USERNS_H

#include "base/error.h"

/* ERR_UNSUPPORTED with a hint: not root, or a container that takes away what is needed. */
int userns_check_privilege(struct error **err) WARN_UNUSED;

#endif
