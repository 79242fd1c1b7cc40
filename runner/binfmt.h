/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What binfmt_misc goes by: how programs of an architecture begin, what a handler of the kernel
 * says of itself, how one is registered. Pure.
 *
 * Linux, Documentation/admin-guide/binfmt-misc.rst; ELF-64 Object File Format
 */
#ifndef CBUILD_RUNNER_BINFMT_H
#define CBUILD_RUNNER_BINFMT_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct binfmt_arch {
    const char *name; /* as image platforms call it: "arm64" */
    const char *qemu; /* as QEMU does: "aarch64" */
    uint16_t machine; /* ELF's */
    uint8_t bits;
    bool is_big_endian;
    const char *code; /* machine code of exit(0) */
    uint8_t code_size;
};

/* NULL: not known. */
const struct binfmt_arch *binfmt_find(const char *name);
/* The i-th; NULL: there are no more. */
const struct binfmt_arch *binfmt_at(size_t i);

/* A whole program that exits with status 0. */
void binfmt_format_program(const struct binfmt_arch *arch, struct strbuf *buf);
/*
 * What makes `interpreter` (a path without ':') the one for the architecture's programs when it is
 * written to `register`. The kernel opens it then, so that it needn't be in the image.
 */
void binfmt_format_rule(const struct binfmt_arch *arch, const char *interpreter,
                        struct strbuf *buf);
/*
 * The interpreter of a handler, if it is enabled and takes programs of the architecture; free() it.
 * NULL: it isn't or doesn't. `text` is what its file in binfmt_misc says; *is_fixed: it was opened
 * when it was registered (flag F).
 */
char *binfmt_handler_interpreter(const char *text, const struct binfmt_arch *arch,
                                 bool *is_fixed) WARN_UNUSED;
/* Whether a program (its first bytes) needs no loader or library: then it works in any image. */
bool binfmt_is_static(const void *data, size_t size);

#endif
