/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the floors tell about work under way. They emit; only cli draws.
 * `emit` may be called from any thread; the receiver serialises. Strings are
 * borrowed for the duration of the call. A NULL struct progress is silence.
 */
#ifndef CBUILD_BASE_PROGRESS_H
#define CBUILD_BASE_PROGRESS_H

#include "base/auto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_kind {
    PROGRESS_STARTED,   /* vertex, name */
    PROGRESS_CACHED,    /* vertex */
    PROGRESS_LOG,       /* vertex, data, size: output of a step, raw */
    PROGRESS_TRANSFER,  /* vertex, name (blob), done, total bytes */
    PROGRESS_DONE,      /* vertex */
    PROGRESS_FAILED,    /* vertex, text: the error's message */
    PROGRESS_CANCELLED, /* vertex */
    PROGRESS_WARNING,   /* vertex or 0, text; shown once each */
    PROGRESS_NOTE,      /* vertex or 0, text: one line of information */
};

struct progress_event {
    enum progress_kind kind;
    unsigned vertex;  /* from progress_vertex(); 0: none */
    const char *name; /* "[build 2/4] RUN make" */
    const char *text;
    const void *data;
    size_t size;
    bool error_stream; /* PROGRESS_LOG: came from stderr */
    uint64_t done, total;
};

struct progress {
    void (*emit)(struct progress *progress, const struct progress_event *event);
    unsigned (*new_vertex)(struct progress *progress); /* 1, 2, ...; thread-safe */
    /*
     * true: somebody else has the terminal, so that nothing may be shown; what is told meanwhile is
     * shown when it is false again. NULL: shows nothing anyhow.
     */
    void (*hold)(struct progress *progress, bool held);
    bool shows_failed_log; /* all that a failing step put out stands right above the error */
    bool shows_no_log;     /* to people, that is */
};

/* Each accepts progress == NULL. */
unsigned progress_vertex(struct progress *progress);
void progress_started(struct progress *progress, unsigned vertex, const char *name);
void progress_hold(struct progress *progress, bool held);
void progress_simple(struct progress *progress, enum progress_kind kind, unsigned vertex);
void progress_failed(struct progress *progress, unsigned vertex, const char *text);
void progress_log(struct progress *progress, unsigned vertex, const void *data, size_t size,
                  bool error_stream);
void progress_transfer(struct progress *progress, unsigned vertex, const char *name, uint64_t done,
                       uint64_t total);
void progress_warning(struct progress *progress, unsigned vertex, const char *format, ...)
    PRINTF(3, 4);
void progress_note(struct progress *progress, unsigned vertex, const char *format, ...)
    PRINTF(3, 4);

#endif
