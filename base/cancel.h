/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals become one eventfd that every wait polls. SIGINT, SIGTERM and SIGHUP
 * set it; a second SIGINT within the same run removes temp files and ends the
 * process at once with 128 + signal. SIGPIPE is ignored.
 */
#ifndef CBUILD_BASE_CANCEL_H
#define CBUILD_BASE_CANCEL_H

#include "base/error.h"

#include <poll.h>
#include <stdbool.h>

/* Installs the handlers: main calls it once, before any thread. */
int cancel_init(struct error **err) WARN_UNUSED;
/* Readable (POLLIN) once cancelled, for good. -1 before cancel_init(): poll ignores it. */
int cancel_fd(void);
bool cancel_requested(void);
int cancel_signal(void); /* 0: none yet */
/* As if a signal had come, 0 for a reason of our own; for tests and failed sinks. */
void cancel_trigger(int signal_number);
/* ERR_CANCELLED "interrupted" when requested. */
int cancel_check(struct error **err) WARN_UNUSED;

/* poll() of fds and the cancel fd. n ready; 0 on time-out; -1 with ERR_CANCELLED or ERR_IO. timeout
 * -1: none. */
int cancel_poll(struct pollfd *fds, nfds_t n, int timeout_ms, struct error **err) WARN_UNUSED;
/* ERR_CANCELLED when cancelled during the wait. */
int cancel_sleep_ms(int ms, struct error **err) WARN_UNUSED;

#endif
