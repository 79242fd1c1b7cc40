/* SPDX-License-Identifier: Apache-2.0 */
#include "base/force.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

static char *words;
static pthread_once_t words_once = PTHREAD_ONCE_INIT;

static void words_read(void)
{
    words = xstrdup(getenv("CBUILD_FORCE"));
}

bool force_list_has(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *p = list; p && *p;) {
        size_t n = strcspn(p, ",");
        if (n == size && !memcmp(p, word, n))
            return true;
        p += n;
        p += *p == ',';
    }
    return false;
}

bool force_has(const char *word)
{
    pthread_once(&words_once, words_read);
    return force_list_has(words, word);
}
