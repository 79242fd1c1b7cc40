/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/instruction.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "registry/url.h"

#include <string.h>

static void command_release(struct command *command)
{
    strvec_release(&command->argv);
    free(command->text);
    free(command->script);
}

static void from_release(struct from_body *from)
{
    strvec_release(&from->after);
    free(from->platform);
    free(from->image);
    free(from->name);
    free(from->name_written);
    free(from->as_written);
}

static void pairs_release(struct pairs_body *pairs)
{
    for (size_t i = 0; i < pairs->n_items; i++) {
        free(pairs->items[i].key);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

static void run_release(struct run_body *run)
{
    command_release(&run->command);
    for (size_t i = 0; i < run->n_mounts; i++)
        run_mount_release(&run->mounts[i]);
    free(run->mounts);
    strvec_release(&run->mount_specs);
    free(run->network);
    free(run->security);
    strvec_release(&run->devices);
}

static void copy_release(struct copy_body *copy)
{
    strvec_release(&copy->sources);
    for (size_t i = 0; i < copy->n_inlines; i++) {
        free(copy->inlines[i].name);
        free(copy->inlines[i].content);
    }
    free(copy->inlines);
    free(copy->destination);
    free(copy->from);
    free(copy->chown);
    free(copy->chmod);
    free(copy->checksum);
    strvec_release(&copy->excludes);
}

static void body_release(struct instruction *instruction)
{
    switch (instruction->kind) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        copy_release(&instruction->copy);
        return;
    case INSTRUCTION_ARG:
    case INSTRUCTION_ENV:
    case INSTRUCTION_LABEL:
        pairs_release(&instruction->pairs);
        return;
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
        command_release(&instruction->command);
        return;
    case INSTRUCTION_EXPOSE:
    case INSTRUCTION_VOLUME:
        strvec_release(&instruction->words.words);
        return;
    case INSTRUCTION_FROM:
        from_release(&instruction->from);
        return;
    case INSTRUCTION_HEALTHCHECK:
        command_release(&instruction->healthcheck.command);
        return;
    case INSTRUCTION_MAINTAINER:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_WORKDIR:
        free(instruction->value.value);
        return;
    case INSTRUCTION_ONBUILD:
        free(instruction->onbuild.text);
        instruction_free(instruction->onbuild.trigger);
        return;
    case INSTRUCTION_RUN:
        run_release(&instruction->run);
        return;
    case INSTRUCTION_SHELL:
        strvec_release(&instruction->shell);
        return;
    }
}

void instruction_release(struct instruction *instruction)
{
    body_release(instruction);
    free(instruction->keyword);
    free(instruction->line);
    free(instruction->rest);
    free(instruction->comment);
    strvec_release(&instruction->flags);
    strvec_release(&instruction->skipped_checks);
    heredoc_list_release(&instruction->heredocs);
    *instruction = (struct instruction){ 0 };
}

void instruction_free(struct instruction *instruction)
{
    if (!instruction)
        return;
    instruction_release(instruction);
    free(instruction);
}

static void add_line(const struct instruction *instruction, struct strbuf *text)
{
    strbuf_adds(text, instruction_name(instruction->kind));
    const char *rest = instruction->line + strlen(instruction->keyword);
    rest += strspn(rest, " \t\r\v\f");
    if (*rest)
        strbuf_addf(text, " %s", rest);
    strbuf_rtrim(text);
}

char *instruction_format(const struct instruction *instruction)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    add_line(instruction, &text);
    return instruction->kind == INSTRUCTION_ADD ? url_redact_within(text.data)
                                                : strbuf_detach(&text);
}

/* What follows the line of an instruction with heredocs, for it to be parsed again. */
static void add_bodies(const struct heredoc_list *heredocs, struct strbuf *text)
{
    for (size_t i = 0; i < heredocs->n_items; i++)
        strbuf_addf(text, "\n%s%s", heredocs->items[i].content, heredocs->items[i].name);
}

char *instruction_format_full(const struct instruction *instruction)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    add_line(instruction, &text);
    add_bodies(&instruction->heredocs, &text);
    return strbuf_detach(&text);
}

const char *instruction_description(const struct instruction *instruction, const char *name)
{
    size_t size = strlen(name);
    const char *line = instruction->comment;
    while (line && *line && size) {
        if (strncmp(line, name, size) == 0 && line[size] == ' ')
            return line + size + 1;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return NULL;
}
