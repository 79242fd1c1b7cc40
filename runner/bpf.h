/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classic BPF programs that choose an action by a number: the ranges of a table become a
 * binary search. For seccomp filters; libseccomp's own generator takes 10 ms for three
 * architectures and makes programs six times as long, which the kernel checks anew at every load.
 */
#ifndef CBUILD_RUNNER_BPF_H
#define CBUILD_RUNNER_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_program {
    struct sock_filter *code;
    size_t n_code, code_capacity;
};

void bpf_release(struct bpf_program *program);
/* Appends one instruction; returns its index. */
size_t bpf_add(struct bpf_program *program, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k);

/* From `start` up to the next range's start: the fragment numbered `leaf`. */
struct bpf_range {
    uint32_t start;
    unsigned leaf;
};

/* A piece of program that ends in BPF_RET on all ways; may change the accumulator. */
struct bpf_leaf {
    struct sock_filter code[8];
    size_t n;
};

/*
 * Appends: with the number in the accumulator, go to the leaf of its range. ranges are
 * sorted; the first starts at 0.
 */
void bpf_add_search(struct bpf_program *program, const struct bpf_range *ranges, size_t n,
                    const struct bpf_leaf *leaves);

#endif
