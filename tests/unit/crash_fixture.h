/* SPDX-License-Identifier: Apache-2.0 */
/* A store whose machine crashes. Includes the inside of the store: for tests of oci. */
#ifndef CBUILD_TESTS_UNIT_CRASH_FIXTURE_H
#define CBUILD_TESTS_UNIT_CRASH_FIXTURE_H

#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

#include <errno.h>

/* What is listed as unsynced belongs to another boot: the next open looks at it. */
static inline void crash(struct fixture *fixture)
{
    int fd = fixture->store->unsynced_fd;
    AUTO(free) char *synced = store_synced_name(fixture->store->boot);
    AUTO(free) char *earlier = store_synced_name("earlier-boot");
    assert_int_equal(renameat(fd, fixture->store->boot, fd, "earlier-boot"), 0);
    assert_true(renameat(fd, synced, fd, earlier) == 0 || errno == ENOENT);
}

#endif
