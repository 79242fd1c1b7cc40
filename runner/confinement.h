/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's own confinement of programs (AppArmor) on top of the sandbox: a command is executed
 * under the profile that a default container has, where that is loaded. The package installs it as
 * /etc/apparmor.d/cbuild-default (apparmor-profile); we load nothing ourselves.
 *
 * On machines with SELinux steps stay in the domain that cbuild runs in, and confinement_selinux()
 * says so. A label of their own is all or nothing: each mount that they see (the overlay, tmpfs,
 * devpts, binds of caches and contexts) has to carry one of a container's files, and the policy has
 * to let cbuild's domain enter a container's, keep its environment and limits there (noatsecure,
 * rlimitinh) and be written to through its pipes. That is so for engines alone that a policy knows
 * by the label of their program; Debian's policy has neither container_t nor such engines.
 */
#ifndef CBUILD_RUNNER_CONFINEMENT_H
#define CBUILD_RUNNER_CONFINEMENT_H

#include <stdbool.h>

#define CONFINEMENT_PROFILE "cbuild-default"

enum confinement {
    CONFINEMENT_NONE,       /* the kernel has none of them */
    CONFINEMENT_LOADED,     /* AppArmor, with our profile */
    CONFINEMENT_NOT_LOADED, /* AppArmor, without it */
    CONFINEMENT_UNKNOWN,    /* AppArmor, and whether it is loaded can't be read */
    CONFINEMENT_SELINUX,
};

/* `sys` is where sysfs is mounted. */
enum confinement confinement_find(const char *sys);

/* What steps are under where SELinux was found, as a sentence. `proc` is where proc is mounted. */
char *confinement_selinux(const char *sys, const char *proc);

/*
 * In the child: what it executes next is confined. Best effort: where the profile isn't there, or
 * whoever started cbuild is confined to fewer changes, nothing happens. Async-signal-safe; `proc`
 * is where proc is mounted.
 */
bool confinement_enter(const char *proc);

#endif
