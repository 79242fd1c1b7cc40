/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allow-list as data: the profile of a default container (moby's default.json with the
 * 14 default capabilities), by subject. clone, clone3, personality and socket depend on
 * their arguments and stand in seccomp.c, as do calls newer than the libseccomp that we build with.
 */
#ifndef CBUILD_RUNNER_SECCOMP_CALLS_H
#define CBUILD_RUNNER_SECCOMP_CALLS_H

extern const char *const seccomp_allowed[]; /* ends in NULL */

#endif
