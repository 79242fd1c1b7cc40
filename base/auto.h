/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound ownership.
 *
 *     AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
 *     AUTO(store_close) struct store *store = store_open(...);
 *     ...
 *     *ret = TAKE(store);
 *
 * AUTO(fn) runs fn_auto() on the variable when its scope ends, in reverse
 * order of declaration. DEFINE_AUTO makes fn_auto() for a destructor that takes
 * a pointer handle, DEFINE_AUTO_STRUCT for a release function of a struct that
 * the caller holds by value.
 *
 * TAKE(p) yields p and leaves NULL behind. Use it in its own statement, after
 * the receiver accepted: inside an argument list the object leaks when the call
 * fails.
 */
#ifndef CBUILD_BASE_AUTO_H
#define CBUILD_BASE_AUTO_H

#include <stdlib.h>
#include <unistd.h>

#define AUTO(fn) __attribute__((cleanup(fn##_auto))) /* run fn when the scope ends */

#define DEFINE_AUTO(type, fn)                                                                      \
    static inline void fn##_auto(type **p)                                                         \
    {                                                                                              \
        if (*p)                                                                                    \
            fn(*p);                                                                                \
    }

#define DEFINE_AUTO_STRUCT(type, fn)                                                               \
    static inline void fn##_auto(type *p)                                                          \
    {                                                                                              \
        fn(p);                                                                                     \
    }

#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void free_auto(void *p)
{
    /* p points to a pointer of any type; copying it keeps strict aliasing */
    void *value;
    __builtin_memcpy(&value, p, sizeof(value));
    free(value);
}

static inline void close_auto(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* read-only or abandoned: files that matter are closed by hand */
}

static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
