/* SPDX-License-Identifier: Apache-2.0 */
/* Data of the image-spec's own tests, where they are: $CBUILD_CONFORMANCE, else
 * ../shared/conformance. */
#ifndef CBUILD_TESTS_UNIT_CONFORMANCE_H
#define CBUILD_TESTS_UNIT_CONFORMANCE_H

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/test.h"

#include <fcntl.h>

/* Skips the running test with a message where the data is absent. */
static inline int conformance_open(const char *folder)
{
    const char *root = getenv("CBUILD_CONFORMANCE");
    AUTO(free) char *path = xasprintf("%s/%s", root ? root : "../shared/conformance", folder);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        print_message("%s is not there: set CBUILD_CONFORMANCE\n", path);
        skip();
    }
    return fd;
}

/*
 * Calls `parse` with each file of the folder whose name starts with `prefix`; *valid files must
 * parse, *invalid ones must not, but for those that `excepted` (NULL-terminated) names, which must
 * do the contrary.
 */
static inline void conformance_run(const char *folder, const char *prefix,
                                   const char *const *excepted,
                                   int (*parse)(const char *data, size_t size, struct error **err))
{
    AUTO(close) int fd = conformance_open(folder);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    struct error *err = NULL;
    size_t n = 0;
    assert_ok(fs_list_fd(fd, &names, folder, &err), err);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        if (strncmp(name, prefix, strlen(prefix)) != 0 || !strstr(name, ".json"))
            continue;
        bool valid = !strstr(name, ".invalid.");
        for (const char *const *e = excepted; *e; e++)
            valid ^= strcmp(name, *e) == 0;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        assert_ok(fs_read_file(fd, name, &text, 1 << 20, &err), err);
        int parsed = parse(text.data, text.size, &err);
        if (valid && parsed < 0)
            fail_msg("%s: refused: %s", name, error_message(err));
        if (!valid && parsed == 0)
            fail_msg("%s: accepted", name);
        error_clear(&err);
        n++;
    }
    assert_true(n > 0);
}

#endif
