/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile.h"

#include "base/array.h"
#include "base/mem.h"
#include "builder/instruction_parse.h"
#include "builder/lines.h"

#include <string.h>

void dockerfile_free(struct dockerfile *dockerfile)
{
    if (!dockerfile)
        return;
    for (size_t i = 0; i < dockerfile->n_instructions; i++)
        instruction_release(&dockerfile->instructions[i]);
    for (size_t i = 0; i < dockerfile->n_warnings; i++)
        free(dockerfile->warnings[i].text);
    free(dockerfile->instructions);
    free(dockerfile->warnings);
    free(dockerfile->stages);
    free(dockerfile->syntax);
    check_options_release(&dockerfile->check);
    source_text_free(dockerfile->source);
    free(dockerfile);
}

static void add_warning(void *context, const char *rule, struct source_range range,
                        const char *text)
{
    struct dockerfile *dockerfile = context;
    struct dockerfile_warning *warning = ARRAY_PUSH(dockerfile, warnings);
    *warning = (struct dockerfile_warning){ .rule = rule, .range = range, .text = xstrdup(text) };
}

bool dockerfile_syntax_is_builtin(const char *syntax)
{
    static const char *const hosts[] = { "docker.io/", "index.docker.io/",
                                         "registry-1.docker.io/" };
    static const char *const names[] = { "docker/dockerfile-upstream", "docker/dockerfile" };
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        size_t size = strlen(hosts[i]);
        if (strncmp(syntax, hosts[i], size) == 0) {
            syntax += size;
            break;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t size = strlen(names[i]);
        if (strncmp(syntax, names[i], size) == 0 && strchr(":@", syntax[size]))
            return true;
    }
    return false;
}

static struct source_range line_range(size_t line)
{
    return (struct source_range){ line, line };
}

static int take_syntax(struct dockerfile *dockerfile, const struct directives *directives,
                       struct error **err)
{
    if (!directives->syntax || dockerfile->syntax)
        return 0;
    /* what follows a blank are arguments of the frontend */
    dockerfile->syntax = xstrndup(directives->syntax, strcspn(directives->syntax, " \t"));
    dockerfile->syntax_line = directives->syntax_line;
    if (dockerfile_syntax_is_builtin(dockerfile->syntax))
        return 0;
    (void)error_set(err, ERR_UNSUPPORTED, "syntax \"%s\": cbuild speaks docker/dockerfile only",
                    dockerfile->syntax);
    error_hint(err, "no frontend image is ever fetched; without the line the Dockerfile is read "
                    "as docker/dockerfile");
    return source_text_locate(dockerfile->source, line_range(directives->syntax_line),
                              dockerfile->syntax, err);
}

static int take_directives(struct dockerfile *dockerfile, struct lines *lines, struct error **err)
{
    AUTO(directives_release) struct directives directives = { 0 };
    if (lines_read_directives(lines, &directives, err) < 0)
        return source_text_locate(dockerfile->source, line_range(lines->next), NULL, err);
    dockerfile->escape = lines->escape;
    if (take_syntax(dockerfile, &directives, err) < 0)
        return -1;
    dockerfile->check.line = directives.check_line;
    if (directives.check && check_options_parse(directives.check, &dockerfile->check, err) < 0)
        return source_text_locate(dockerfile->source, line_range(directives.check_line), NULL, err);
    return 0;
}

/* "check=skip=Rule" among the comment lines just above an instruction holds for it alone. */
static void take_skipped_checks(struct instruction *instruction)
{
    for (const char *line = instruction->comment; line && *line;) {
        size_t size = strcspn(line, "\n");
        if (strncmp(line, "check=", 6) == 0) {
            AUTO(free) char *text = xstrndup(line + 6, size - 6);
            AUTO(check_options_release) struct check_options options = { 0 };
            /* a comment may say anything: what is no option skips nothing */
            AUTO(error_free) struct error *ignored = NULL;
            if (check_options_parse(text, &options, &ignored) == 0) {
                strvec_append(&instruction->skipped_checks, &options.skip);
                if (options.skip_all)
                    strvec_push(&instruction->skipped_checks, "all");
            }
        }
        line += size + (line[size] == '\n');
    }
}

/* Places the instruction that was just added: a new stage, the current one, or the globals. */
static int place_last(struct dockerfile *dockerfile, struct error **err)
{
    const struct instruction *last = &dockerfile->instructions[dockerfile->n_instructions - 1];
    if (last->kind == INSTRUCTION_FROM) {
        struct dockerfile_stage *stage = ARRAY_PUSH(dockerfile, stages);
        stage->from = dockerfile->n_instructions - 1;
    } else if (!dockerfile->n_stages && last->kind != INSTRUCTION_ARG) {
        (void)error_set(err, ERR_SYNTAX, "%s before the first FROM: only ARG may stand there",
                        instruction_name(last->kind));
        return dockerfile_locate(dockerfile, last, last->keyword, err);
    }
    if (dockerfile->n_stages)
        dockerfile->stages[dockerfile->n_stages - 1].end = dockerfile->n_instructions;
    return 0;
}

static int add_instruction(struct dockerfile *dockerfile, struct lines *lines,
                           struct logical_line *line, struct error **err)
{
    struct warning_sink warnings = { add_warning, dockerfile };
    struct instruction instruction = { 0 };
    if (instruction_parse(lines, line, &warnings, &instruction, err) < 0)
        return source_text_locate(dockerfile->source, line->range, NULL, err);
    take_skipped_checks(&instruction);
    *ARRAY_PUSH(dockerfile, instructions) = instruction;
    return place_last(dockerfile, err);
}

static int refuse_nul(const struct source_text *source, struct error **err)
{
    const char *nul = memchr(source->data, '\0', source->size);
    if (!nul)
        return 0;
    size_t offset = (size_t)(nul - source->data), line = 1;
    while (line < source->n_lines && source->starts[line] <= offset)
        line++;
    (void)error_set(err, ERR_SYNTAX, "a NUL byte: this is no text");
    return source_text_locate(source, line_range(line), NULL, err);
}

static int parse_all(struct dockerfile *dockerfile, struct error **err)
{
    struct lines lines;
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    const struct source_range nowhere = { 0, 0 };
    lines_init(&lines, dockerfile->source);
    if (refuse_nul(dockerfile->source, err) < 0 || take_directives(dockerfile, &lines, err) < 0)
        return -1;
    while (lines_next(&lines, &line)) {
        if (add_instruction(dockerfile, &lines, &line, err) < 0)
            return -1;
    }
    if (!dockerfile->n_instructions) {
        (void)error_set(err, ERR_SYNTAX, "no instructions");
        return source_text_locate(dockerfile->source, nowhere, NULL, err);
    }
    if (!dockerfile->n_stages) {
        (void)error_set(err, ERR_SYNTAX, "no FROM: there is no stage to build");
        return source_text_locate(dockerfile->source, nowhere, NULL, err);
    }
    return 0;
}

int dockerfile_parse_as(const char *name, const char *data, size_t size, const char *syntax,
                        struct dockerfile **ret, struct error **err)
{
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NEW(struct dockerfile);
    dockerfile->source = source_text_new(name, data, size);
    dockerfile->syntax = xstrdup(syntax);
    if (parse_all(dockerfile, err) < 0)
        return -1;
    *ret = TAKE(dockerfile);
    return 0;
}

int dockerfile_parse(const char *name, const char *data, size_t size, struct dockerfile **ret,
                     struct error **err)
{
    return dockerfile_parse_as(name, data, size, NULL, ret, err);
}
