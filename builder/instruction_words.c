/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/instruction_words.h"

#include "base/mem.h"
#include "builder/words.h"

#include <string.h>

struct visitor {
    instruction_word_visit visit;
    void *data;
    char escape;
};

static int visit_word(const struct visitor *visitor, const char *word, struct error **err)
{
    return word ? visitor->visit(visitor->data, word, 0, visitor->escape, err) : 0;
}

static int visit_list(const struct visitor *visitor, const struct strvec *words, struct error **err)
{
    for (size_t i = 0; i < words->n; i++)
        if (visit_word(visitor, words->items[i], err) < 0)
            return -1;
    return 0;
}

static int visit_pairs(const struct visitor *visitor, const struct pairs_body *pairs,
                       struct error **err)
{
    for (size_t i = 0; i < pairs->n_items; i++)
        if (visit_word(visitor, pairs->items[i].key, err) < 0 ||
            visit_word(visitor, pairs->items[i].value, err) < 0)
            return -1;
    return 0;
}

static int visit_copy(const struct visitor *visitor, const struct copy_body *copy,
                      struct error **err)
{
    if (visit_list(visitor, &copy->sources, err) < 0 ||
        visit_word(visitor, copy->destination, err) < 0 ||
        visit_word(visitor, copy->chown, err) < 0 || visit_word(visitor, copy->chmod, err) < 0 ||
        visit_word(visitor, copy->checksum, err) < 0)
        return -1;
    for (size_t i = 0; i < copy->n_inlines; i++)
        if (copy->inlines[i].expand &&
            visitor->visit(visitor->data, copy->inlines[i].content, WORDS_NO_QUOTES, '\\', err) < 0)
            return -1;
    return 0;
}

/* Values of the CSV but `from`'s. Where its fields are quoted the executor alone knows them. */
static int visit_mount(const struct visitor *visitor, const char *spec, struct error **err)
{
    if (strpbrk(spec, "\"'"))
        return 0;
    while (*spec) {
        size_t size = strcspn(spec, ",");
        size_t key = strcspn(spec, "=");
        if (key < size && strncasecmp(spec, "from=", 5) != 0) {
            AUTO(free) char *value = xstrndup(spec + key + 1, size - key - 1);
            if (visit_word(visitor, value, err) < 0)
                return -1;
        }
        spec += size + (spec[size] != '\0');
    }
    return 0;
}

static int visit_mounts(const struct visitor *visitor, const struct run_body *run,
                        struct error **err)
{
    for (size_t i = 0; i < run->mount_specs.n; i++)
        if (visit_mount(visitor, run->mount_specs.items[i], err) < 0)
            return -1;
    return 0;
}

int instruction_each_word(const struct instruction *instruction, char escape,
                          instruction_word_visit visit, void *data, struct error **err)
{
    const struct visitor visitor = { visit, data, escape };
    switch (instruction->kind) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        return visit_copy(&visitor, &instruction->copy, err);
    case INSTRUCTION_ENV:
    case INSTRUCTION_LABEL:
        return visit_pairs(&visitor, &instruction->pairs, err);
    case INSTRUCTION_EXPOSE:
    case INSTRUCTION_VOLUME:
        return visit_list(&visitor, &instruction->words.words, err);
    case INSTRUCTION_RUN:
        return visit_mounts(&visitor, &instruction->run, err);
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_WORKDIR:
        return visit_word(&visitor, instruction->value.value, err);
    case INSTRUCTION_ARG:
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
    case INSTRUCTION_FROM:
    case INSTRUCTION_HEALTHCHECK:
    case INSTRUCTION_MAINTAINER:
    case INSTRUCTION_ONBUILD:
    case INSTRUCTION_SHELL:
        return 0;
    }
    return 0;
}
