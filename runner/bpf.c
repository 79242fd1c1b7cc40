/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/bpf.h"

#include "base/array.h"

#define MAX_JUMP 255

void bpf_release(struct bpf_program *program)
{
    free(program->code);
    *program = (struct bpf_program){ 0 };
}

size_t bpf_add(struct bpf_program *program, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    *ARRAY_PUSH(program, code) = (struct sock_filter){ code, jt, jf, k };
    return program->n_code - 1;
}

/* Instructions that add_search() makes of n ranges. */
static size_t search_size(const struct bpf_range *ranges, size_t n, const struct bpf_leaf *leaves)
{
    if (n == 1)
        return leaves[ranges[0].leaf].n;
    size_t half = n / 2;
    size_t left = search_size(ranges, half, leaves);
    return (left > MAX_JUMP ? 2 : 1) + left + search_size(ranges + half, n - half, leaves);
}

void bpf_add_search(struct bpf_program *program, const struct bpf_range *ranges, size_t n,
                    const struct bpf_leaf *leaves)
{
    if (n == 1) {
        const struct bpf_leaf *leaf = &leaves[ranges[0].leaf];
        for (size_t i = 0; i < leaf->n; i++)
            *ARRAY_PUSH(program, code) = leaf->code[i];
        return;
    }
    size_t half = n / 2;
    size_t left = search_size(ranges, half, leaves);
    if (left > MAX_JUMP) {
        (void)bpf_add(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, ranges[half].start);
        (void)bpf_add(program, BPF_JMP | BPF_JA, 0, 0, (uint32_t)left);
    } else {
        (void)bpf_add(program, BPF_JMP | BPF_JGE | BPF_K, (uint8_t)left, 0, ranges[half].start);
    }
    bpf_add_search(program, ranges, half, leaves);
    bpf_add_search(program, ranges + half, n - half, leaves);
}
