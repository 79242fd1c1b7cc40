/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that runs beside this process and ends when it does, however that comes: between the
 * two stands cbuild's own executable, which holds a pipe's end and kills the program when the other
 * end is closed. (PR_SET_PDEATHSIG would be lost at a set-group-id program, as ssh-agent often is.)
 */
#ifndef CBUILD_BASE_COMPANION_H
#define CBUILD_BASE_COMPANION_H

#include "base/error.h"
#include "base/strvec.h"

#include <sys/types.h>

struct companion {
    pid_t pid;      /* 0: none runs */
    int control_fd; /* closing it ends the program */
};

#define COMPANION_INIT                                                                             \
    {                                                                                              \
        .control_fd = -1                                                                           \
    }

/* argv[0] is looked up in PATH; `dir` is its working directory. Its output goes nowhere. */
int companion_start(const struct strvec *argv, const char *dir, struct companion *ret,
                    struct error **err) WARN_UNUSED;
/* It has ended already: a failure to start among others. */
bool companion_has_ended(struct companion *companion);
/* Ends it and waits for that. */
void companion_stop(struct companion *companion);

/* As the first thing in main, beside as_user_main(): returns unless it is such a process. */
void companion_main(char *const *argv);

#endif
