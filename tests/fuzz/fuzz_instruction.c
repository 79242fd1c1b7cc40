/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile parses or gives an error with a message; what parses keeps the invariants of
 * dockerfile.h. */
#include "builder/dockerfile.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dockerfile *dockerfile)
{
    size_t last = 0;
    if (!dockerfile->n_stages)
        abort();
    for (size_t i = 0; i < dockerfile->n_instructions; i++) {
        const struct instruction *instruction = &dockerfile->instructions[i];
        if (instruction->range.first <= last || instruction->range.last < instruction->range.first)
            abort();
        last = instruction->range.last;
        if (i < dockerfile->stages[0].from && instruction->kind != INSTRUCTION_ARG)
            abort();
        /* a trigger must parse again from what the image stores */
        if (instruction->kind == INSTRUCTION_ONBUILD) {
            AUTO(instruction_free) struct instruction *again = NULL;
            AUTO(error_free) struct error *err = NULL;
            (void)!instruction_parse_trigger(instruction->onbuild.text, dockerfile->escape, &again,
                                             &err);
        }
        AUTO(free) char *text = instruction_format_full(instruction);
    }
    if (last > dockerfile->source->n_lines)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    AUTO(error_free) struct error *err = NULL;
    if (dockerfile_parse("Dockerfile", (const char *)data, size, &dockerfile, &err) == 0)
        check(dockerfile);
    else if (!*error_message(err))
        abort();
    return 0;
}
