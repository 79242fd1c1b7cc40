/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct error {
    enum error_code code;
    int saved_errno;
    char *message;
    char *hint;
    char *detail;
};

static enum error_code code_of_errno(int value)
{
    switch (value) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ECANCELED:
        return ERR_CANCELLED;
    default:
        return ERR_IO;
    }
}

void error_set_(struct error **err, enum error_code code, const char *format, ...)
{
    assert(err && !*err);
    struct error *error = NEW(struct error);
    error->code = code;
    va_list args;
    va_start(args, format);
    error->message = xvasprintf(format, args);
    va_end(args);
    *err = error;
}

void error_errno_(struct error **err, const char *format, ...)
{
    int saved = errno;
    assert(err && !*err);
    struct error *error = NEW(struct error);
    error->code = code_of_errno(saved);
    error->saved_errno = saved;
    va_list args;
    va_start(args, format);
    AUTO(free) char *what = xvasprintf(format, args);
    va_end(args);
    char text[128];
    error->message = xasprintf("%s: %s", what, strerror_r(saved, text, sizeof(text)));
    *err = error;
}

void error_wrap_(struct error **err, const char *format, ...)
{
    assert(err && *err);
    va_list args;
    va_start(args, format);
    AUTO(free) char *context = xvasprintf(format, args);
    va_end(args);
    char *message = xasprintf("%s: %s", context, (*err)->message);
    free((*err)->message);
    (*err)->message = message;
}

static void set_once(char **field, const char *format, va_list args)
{
    if (!*field)
        *field = xvasprintf(format, args);
}

void error_hint(struct error **err, const char *format, ...)
{
    assert(err && *err);
    va_list args;
    va_start(args, format);
    set_once(&(*err)->hint, format, args);
    va_end(args);
}

void error_detail(struct error **err, const char *format, ...)
{
    assert(err && *err);
    va_list args;
    va_start(args, format);
    set_once(&(*err)->detail, format, args);
    va_end(args);
}

void error_add_detail(struct error **err, const char *text)
{
    assert(err && *err);
    char *old = (*err)->detail;
    (*err)->detail =
        old ? xasprintf("%s%s%s", old, *old && old[strlen(old) - 1] != '\n' ? "\n" : "", text)
            : xstrdup(text);
    free(old);
}

void error_recode(struct error **err, enum error_code code)
{
    assert(err && *err);
    (*err)->code = code;
}

bool error_is(const struct error *error, enum error_code code)
{
    return error && error->code == code;
}

enum error_code error_code(const struct error *error)
{
    return error ? error->code : (enum error_code)0;
}

int error_errno_value(const struct error *error)
{
    return error ? error->saved_errno : 0;
}

const char *error_message(const struct error *error)
{
    return error ? error->message : "";
}

const char *error_hint_text(const struct error *error)
{
    return error ? error->hint : NULL;
}

const char *error_detail_text(const struct error *error)
{
    return error ? error->detail : NULL;
}

int error_exit_status(const struct error *error)
{
    if (!error)
        return 0;
    switch (error->code) {
    case ERR_USAGE:
        return 2;
    case ERR_NOT_FOUND:
        return 3;
    case ERR_UNAUTHORIZED:
        return 4;
    case ERR_NETWORK:
        return 5;
    case ERR_CHECKS:
        return 6;
    case ERR_STORE:
    case ERR_IO:
    case ERR_NO_SPACE:
        return 7;
    case ERR_CANCELLED:
        return 130;
    case ERR_FAILED:
    case ERR_EXISTS:
    case ERR_SYNTAX:
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_DIGEST:
    case ERR_REFUSED:
    case ERR_RUN:
    case ERR_UNSUPPORTED:
        return 1;
    }
    return 1;
}

void error_move(struct error **err, struct error *from)
{
    if (!from)
        return;
    assert(err && !*err);
    *err = from;
}

struct error *error_copy(const struct error *error)
{
    if (!error)
        return NULL;
    struct error *copy = NEW(struct error);
    copy->code = error->code;
    copy->saved_errno = error->saved_errno;
    copy->message = xstrdup(error->message);
    copy->hint = xstrdup(error->hint);
    copy->detail = xstrdup(error->detail);
    return copy;
}

void error_free(struct error *error)
{
    if (!error)
        return;
    free(error->message);
    free(error->hint);
    free(error->detail);
    free(error);
}

void error_clear(struct error **err)
{
    error_free(*err);
    *err = NULL;
}
