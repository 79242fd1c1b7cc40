/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lint.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "builder/lint_internal.h"
#include "builder/lint_rules.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#define MAX_GUESSES 1000

void lint_findings_release(struct lint_findings *findings)
{
    for (size_t i = 0; i < findings->n_items; i++) {
        free(findings->items[i].text);
        free(findings->items[i].fix);
    }
    free(findings->items);
    *findings = (struct lint_findings){ 0 };
}

void lint_env_release(struct lint_env *env)
{
    hashmap_release(&env->names);
    hashmap_release(&env->env_names);
}

bool lint_is_name(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    while (isalnum((unsigned char)*text) || *text == '_')
        text++;
    return !*text;
}

const char *lint_guess(struct lint *lint, const char *name, const struct strvec *names)
{
    if (names->n > LINT_MAX_NAMES || lint->n_guesses >= MAX_GUESSES)
        return NULL;
    lint->n_guesses++;
    return suggest_nearest(name, (const char *const *)names->items, names->n);
}

/* --- what is skipped ------------------------------------------------------------------------- */

bool lint_is_skipped(const struct check_options *check, const struct instruction *instruction,
                     const char *rule)
{
    const struct lint_rule *known = lint_rule_find(rule);
    if (known && known->tier == LINT_EXPERIMENTAL && !check->experimental_all &&
        !strvec_has(&check->experimental, rule))
        return true;
    if (check->skip_all || strvec_has(&check->skip, rule))
        return true;
    return instruction && (strvec_has(&instruction->skipped_checks, "all") ||
                           strvec_has(&instruction->skipped_checks, rule));
}

const struct check_options *lint_check_options(const struct dockerfile *dockerfile,
                                               const struct globals *globals,
                                               struct check_options *own, struct error **err)
{
    const char *given = globals_build_arg(globals, "BUILDKIT_DOCKERFILE_CHECK");
    if (!given || !*given)
        return &dockerfile->check;
    if (check_options_parse(given, own, err) < 0)
        return error_wrap_null(err, "--build-arg BUILDKIT_DOCKERFILE_CHECK");
    return own;
}

void lint_add(struct lint *lint, const struct instruction *instruction, const char *rule, char *fix,
              const char *format, ...)
{
    AUTO(free) char *owned_fix = fix;
    const struct lint_rule *known = lint_rule_find(rule);
    if (lint_is_skipped(lint->check, instruction, rule) ||
        (known && known->tier == LINT_CHECKING && !lint->options->checking &&
         !strvec_has(&lint->check->experimental, rule)))
        return;
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    struct lint_finding *finding = ARRAY_PUSH(lint->ret, items);
    *finding = (struct lint_finding){
        .rule = rule, .range = instruction->range, .text = text, .fix = TAKE(owned_fix)
    };
}

/* --- the text -------------------------------------------------------------------------------- */

static bool is_lower(const char *text)
{
    for (; *text; text++)
        if (isupper((unsigned char)*text))
            return false;
    return true;
}

static bool is_upper(const char *text)
{
    for (; *text; text++)
        if (islower((unsigned char)*text))
            return false;
    return true;
}

static char *to_lower(const char *text)
{
    char *copy = xstrdup(text);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

/* The majority decides, capitals where there is none. Global ARGs don't vote and aren't judged. */
static void check_keywords(struct lint *lint)
{
    const struct dockerfile *dockerfile = lint->dockerfile;
    size_t n_lower = 0, n_upper = 0;
    for (size_t i = dockerfile->stages[0].from; i < dockerfile->n_instructions; i++) {
        const char *keyword = dockerfile->instructions[i].keyword;
        n_lower += is_lower(keyword);
        n_upper += is_upper(keyword);
    }
    bool lower = n_lower > n_upper;
    for (size_t i = dockerfile->stages[0].from; i < dockerfile->n_instructions; i++) {
        const struct instruction *instruction = &dockerfile->instructions[i];
        const char *name = instruction_name(instruction->kind);
        if (lower ? is_lower(instruction->keyword) : is_upper(instruction->keyword))
            continue;
        AUTO(free) char *wanted = lower ? to_lower(name) : xstrdup(name);
        lint_add(lint, instruction, "ConsistentInstructionCasing", xasprintf("write %s", wanted),
                 "Command '%s' should match the case of the command majority (%s)",
                 instruction->keyword, lower ? "lowercase" : "uppercase");
    }
}

static const struct instruction *instruction_at(const struct dockerfile *dockerfile, size_t line)
{
    size_t from = 0, to = dockerfile->n_instructions;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct instruction *instruction = &dockerfile->instructions[middle];
        if (line < instruction->range.first)
            to = middle;
        else if (line > instruction->range.last)
            from = middle + 1;
        else
            return instruction;
    }
    return NULL;
}

static const char *parser_fix(const char *rule)
{
    if (!strcmp(rule, "NoEmptyContinuation"))
        return "remove the empty line, or make it a comment";
    return NULL;
}

static void take_parser_warnings(struct lint *lint)
{
    for (size_t i = 0; i < lint->dockerfile->n_warnings; i++) {
        const struct dockerfile_warning *warning = &lint->dockerfile->warnings[i];
        const struct instruction *instruction =
            instruction_at(lint->dockerfile, warning->range.first);
        if (lint_is_skipped(lint->check, instruction, warning->rule))
            continue;
        struct lint_finding *finding = ARRAY_PUSH(lint->ret, items);
        finding->rule = warning->rule;
        finding->range = warning->range;
        finding->text = xstrdup(warning->text);
        finding->fix = xstrdup(parser_fix(warning->rule));
    }
}

/* The last comment line above that isn't about the checks. */
static char *last_comment(const struct instruction *instruction)
{
    char *last = NULL;
    for (const char *line = instruction->comment; line && *line;) {
        size_t size = strcspn(line, "\n");
        if (strncmp(line, "check=", 6) != 0) {
            free(last);
            last = xstrndup(line, size);
        }
        line += size + (line[size] == '\n');
    }
    return last;
}

static void check_description(struct lint *lint, const struct instruction *instruction)
{
    AUTO(free) char *comment = last_comment(instruction);
    if (!comment)
        return;
    comment[strcspn(comment, " ")] = '\0';
    const char *name = NULL;
    if (instruction->kind == INSTRUCTION_FROM) {
        name = instruction->from.name;
        if (!name || !strcmp(comment, name))
            return;
    } else {
        for (size_t i = 0; i < instruction->pairs.n_items; i++)
            if (!strcmp(comment, instruction->pairs.items[i].key))
                return;
        name = instruction->pairs.n_items == 1 ? instruction->pairs.items[0].key : "<arg_key>";
    }
    lint_add(lint, instruction, "InvalidDefinitionDescription",
             xasprintf("begin it with \"# %s \", or put an empty line below it", name),
             "Comment for %s should follow the format: `# %s <description>`",
             instruction_name(instruction->kind), name);
}

static void check_descriptions(struct lint *lint)
{
    for (size_t i = 0; i < lint->dockerfile->n_instructions; i++) {
        const struct instruction *instruction = &lint->dockerfile->instructions[i];
        if (instruction->kind == INSTRUCTION_FROM || instruction->kind == INSTRUCTION_ARG)
            check_description(lint, instruction);
    }
}

static void check_maintainers(struct lint *lint)
{
    for (size_t i = 0; i < lint->dockerfile->n_instructions; i++) {
        const struct instruction *instruction = &lint->dockerfile->instructions[i];
        if (instruction->kind == INSTRUCTION_MAINTAINER)
            lint_add(lint, instruction, "MaintainerDeprecated",
                     xasprintf("LABEL org.opencontainers.image.authors=\"%s\"",
                               instruction->value.value),
                     "Maintainer instruction is deprecated in favor of using label");
    }
}

/* A name that is no rule's may be of a newer BuildKit; one that is nearly a rule's is a slip. */
static void check_names(struct lint *lint, const struct instruction *at, const struct strvec *names)
{
    for (size_t i = 0; i < names->n; i++) {
        const char *name = names->items[i];
        const char *near =
            lint_rule_find(name) || !strcmp(name, "all") ? NULL : lint_rule_nearest(name);
        if (near)
            lint_add(lint, at, "UnknownRule", xasprintf("did you mean %s?", near),
                     "There is no check named \"%s\"", name);
    }
}

static void check_rule_names(struct lint *lint)
{
    const struct dockerfile *dockerfile = lint->dockerfile;
    size_t line = dockerfile->check.line;
    const struct instruction top = { .range = { line, line } };
    if (line) {
        check_names(lint, &top, &dockerfile->check.skip);
        check_names(lint, &top, &dockerfile->check.experimental);
    }
    for (size_t i = 0; i < dockerfile->n_instructions; i++)
        check_names(lint, &dockerfile->instructions[i],
                    &dockerfile->instructions[i].skipped_checks);
}

/* --- the run --------------------------------------------------------------------------------- */

static void collect_names(struct lint *lint)
{
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&lint->globals->declared, e));)
        hashmap_put(&lint->names, e->key, NULL);
    for (size_t i = 0; i < lint->dockerfile->n_instructions; i++) {
        const struct instruction *instruction = &lint->dockerfile->instructions[i];
        if (instruction->kind != INSTRUCTION_ARG && instruction->kind != INSTRUCTION_ENV)
            continue;
        for (size_t j = 0; j < instruction->pairs.n_items; j++)
            hashmap_put(&lint->names, instruction->pairs.items[j].key, NULL);
    }
}

static int by_line(const void *a, const void *b)
{
    const struct lint_finding *x = a, *y = b;
    if (x->range.first != y->range.first)
        return x->range.first < y->range.first ? -1 : 1;
    int order = strcmp(x->rule, y->rule);
    return order ? order : strcmp(x->text, y->text);
}

static bool is_looked_at(const struct lint *lint, const struct stage *stage)
{
    return lint->options->all_stages || stage->is_needed;
}

static void run_all(struct lint *lint)
{
    const struct stage_graph *graph = lint->options->graph;
    AUTO(error_free) struct error *ignored = NULL; /* the real globals have told it */
    AUTO(globals_free)
    struct globals *defaults = globals_new(lint->dockerfile, NULL, lint->options->platform,
                                           lint->options->target, &ignored);
    take_parser_warnings(lint);
    check_keywords(lint);
    check_maintainers(lint);
    check_descriptions(lint);
    check_rule_names(lint);
    collect_names(lint);
    lint->envs = xcalloc(graph->n_stages, sizeof(*lint->envs));
    for (size_t i = 0; i < graph->n_stages; i++) {
        hashmap_init(&lint->envs[i].names, free);
        hashmap_init(&lint->envs[i].env_names, NULL);
        lint_from(lint, &graph->stages[i]);
        if (defaults)
            lint_from_defaults(lint, &graph->stages[i], defaults);
        if (is_looked_at(lint, &graph->stages[i]))
            lint_stage(lint, &graph->stages[i]);
    }
    for (size_t i = 0; i < graph->n_stages; i++)
        lint_env_release(&lint->envs[i]);
    free(lint->envs);
    hashmap_release(&lint->names);
    hashmap_release(&lint->stages);
}

static bool has_finding(const struct lint_findings *findings, const struct lint_finding *like)
{
    for (size_t i = 0; i < findings->n_items; i++) {
        const struct lint_finding *item = &findings->items[i];
        if (item->range.first == like->range.first && !strcmp(item->rule, like->rule) &&
            !strcmp(item->text, like->text))
            return true;
    }
    return false;
}

void lint_findings_join(struct lint_findings *to, struct lint_findings *from)
{
    size_t n_before = to->n_items;
    to->error |= from->error;
    for (size_t i = 0; i < from->n_items; i++) {
        if (n_before && has_finding(to, &from->items[i]))
            continue;
        *ARRAY_PUSH(to, items) = from->items[i];
        from->items[i] = (struct lint_finding){ 0 };
    }
    if (n_before && to->n_items > n_before)
        qsort(to->items, to->n_items, sizeof(*to->items), by_line);
}

int lint_run(const struct lint_options *options, struct lint_findings *ret, struct error **err)
{
    AUTO(check_options_release) struct check_options own = { 0 };
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    struct lint lint = { .options = options,
                         .dockerfile = options->graph->dockerfile,
                         .globals = options->graph->globals,
                         .names = HASHMAP_INIT(NULL),
                         .stages = HASHMAP_INIT(NULL),
                         .ret = &findings };
    lint.check = lint_check_options(lint.dockerfile, lint.globals, &own, err);
    if (!lint.check)
        return -1;
    findings.error = lint.check->error;
    run_all(&lint);
    if (findings.n_items)
        qsort(findings.items, findings.n_items, sizeof(*findings.items), by_line);
    *ret = findings;
    findings = (struct lint_findings){ 0 };
    return 0;
}

/* --- formats --------------------------------------------------------------------------------- */

char *lint_format_short(const struct dockerfile *dockerfile, const struct lint_finding *finding)
{
    return xasprintf("%s:%zu: %s: %s%s%s%s", dockerfile->source->name, finding->range.first,
                     finding->rule, finding->text, finding->fix ? " (" : "",
                     finding->fix ? finding->fix : "", finding->fix ? ")" : "");
}

void lint_format_long(const struct dockerfile *dockerfile, const struct lint_finding *finding,
                      struct strbuf *buf)
{
    strbuf_addf(buf, "%s:%zu: %s: %s\n", dockerfile->source->name, finding->range.first,
                finding->rule, finding->text);
    source_text_excerpt(dockerfile->source, finding->range, NULL, buf);
    if (finding->fix)
        strbuf_addf(buf, "     = %s\n", finding->fix);
}
