/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include "base/mem.h"

#include <stdarg.h>

static void emit(struct progress *progress, const struct progress_event *event)
{
    if (progress)
        progress->emit(progress, event);
}

unsigned progress_vertex(struct progress *progress)
{
    return progress ? progress->new_vertex(progress) : 0;
}

void progress_hold(struct progress *progress, bool held)
{
    if (progress && progress->hold)
        progress->hold(progress, held);
}

void progress_started(struct progress *progress, unsigned vertex, const char *name)
{
    emit(progress, &(struct progress_event){ PROGRESS_STARTED, .vertex = vertex, .name = name });
}

void progress_simple(struct progress *progress, enum progress_kind kind, unsigned vertex)
{
    emit(progress, &(struct progress_event){ kind, .vertex = vertex });
}

void progress_failed(struct progress *progress, unsigned vertex, const char *text)
{
    emit(progress, &(struct progress_event){ PROGRESS_FAILED, .vertex = vertex, .text = text });
}

void progress_log(struct progress *progress, unsigned vertex, const void *data, size_t size,
                  bool error_stream)
{
    emit(progress, &(struct progress_event){ PROGRESS_LOG, .vertex = vertex, .data = data,
                                             .size = size, .error_stream = error_stream });
}

void progress_transfer(struct progress *progress, unsigned vertex, const char *name, uint64_t done,
                       uint64_t total)
{
    emit(progress, &(struct progress_event){ PROGRESS_TRANSFER, .vertex = vertex, .name = name,
                                             .done = done, .total = total });
}

static void PRINTF(4, 0) emit_text(struct progress *progress, enum progress_kind kind,
                                   unsigned vertex, const char *format, va_list args)
{
    if (!progress)
        return;
    AUTO(free) char *text = xvasprintf(format, args);
    emit(progress, &(struct progress_event){ kind, .vertex = vertex, .text = text });
}

void progress_warning(struct progress *progress, unsigned vertex, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit_text(progress, PROGRESS_WARNING, vertex, format, args);
    va_end(args);
}

void progress_note(struct progress *progress, unsigned vertex, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit_text(progress, PROGRESS_NOTE, vertex, format, args);
    va_end(args);
}
