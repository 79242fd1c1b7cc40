/* SPDX-License-Identifier: Apache-2.0 */
/* A store for fuzz targets: opened when first asked for, closed and removed when the program ends.
 */
#ifndef CBUILD_TESTS_FUZZ_FUZZ_STORE_H
#define CBUILD_TESTS_FUZZ_FUZZ_STORE_H

#include "oci/store.h"
#include "tests/fuzz/fuzz_dir.h"

static struct store *fuzz_store_opened;

static void fuzz_store_close(void)
{
    store_close(fuzz_store_opened);
}

static inline struct store *fuzz_store(void)
{
    struct error *err = NULL;
    if (fuzz_store_opened)
        return fuzz_store_opened;
    AUTO(free) char *path = xasprintf("%s/store", fuzz_dir());
    fuzz_store_opened = store_open(path, &err);
    if (!fuzz_store_opened || atexit(fuzz_store_close) != 0)
        abort();
    return fuzz_store_opened;
}

#endif
