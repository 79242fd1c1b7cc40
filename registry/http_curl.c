/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http_curl.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <pthread.h>

struct curl_functions curl;
static char *load_error; /* why it couldn't be loaded */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    /* never closed: curl and OpenSSL keep state until the process ends */
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        load_error = xstrdup(dlerror());
        return;
    }
#define CURL_FIND(name)                                                                            \
    curl.name = (__typeof__(curl.name))(uintptr_t)dlsym(library, "curl_" #name);                   \
    if (!curl.name && !load_error)                                                                 \
        load_error = xstrdup("libcurl.so.4: no function curl_" #name);
    CURL_FUNCTIONS(CURL_FIND)
    if (!load_error && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        load_error = xstrdup("libcurl.so.4: its initialisation fails");
}

int http_curl_load(struct error **err)
{
    pthread_once(&once, load);
    if (!load_error)
        return 0;
    error_set_(err, ERR_UNSUPPORTED, "loading libcurl: %s", load_error);
    error_hint(err, "install libcurl (Debian: libcurl4)");
    return -1;
}
