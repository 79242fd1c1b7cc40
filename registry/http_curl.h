/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's functions, loaded when first needed: it brings in so many libraries that linking them
 * costs each start of the program 5 ms.
 *
 * For registry/http*.c alone.
 */
#ifndef REGISTRY_HTTP_CURL_H
#define REGISTRY_HTTP_CURL_H

#include "base/error.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init)                                                                                 \
    X(easy_init)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(easy_getinfo)                                                                                \
    X(easy_pause)                                                                                  \
    X(easy_cleanup)                                                                                \
    X(easy_strerror)                                                                               \
    X(multi_init)                                                                                  \
    X(multi_setopt)                                                                                \
    X(multi_add_handle)                                                                            \
    X(multi_remove_handle)                                                                         \
    X(multi_perform)                                                                               \
    X(multi_info_read)                                                                             \
    X(multi_poll)                                                                                  \
    X(multi_wakeup)                                                                                \
    X(multi_cleanup)                                                                               \
    X(slist_append)                                                                                \
    X(slist_free_all)

#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
struct curl_functions {
    CURL_FUNCTIONS(CURL_MEMBER)
};
#undef CURL_MEMBER

/* Filled by http_curl_load(), and the same from then on. */
extern struct curl_functions curl;

/* Loads once; every call says what the first has found. On any thread. ERR_UNSUPPORTED: there is no
 * libcurl. */
int http_curl_load(struct error **err) __attribute__((warn_unused_result));

#endif
