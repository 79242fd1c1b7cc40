/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "builder/lint_internal.h"
#include "builder/words.h"
#include "oci/reference.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* A word of a FROM line, expanded with the globals, and the names in it. */
struct expanded {
    char *value; /* NULL: that failed, which others report */
    struct strvec matched, unmatched;
    const struct env *values;
};

static void expanded_release(struct expanded *expanded)
{
    free(expanded->value);
    strvec_release(&expanded->matched);
    strvec_release(&expanded->unmatched);
}
DEFINE_AUTO_STRUCT(struct expanded, expanded_release)

static const char *lookup(void *context, const char *name)
{
    const struct expanded *expanded = context;
    return env_get(expanded->values, name);
}

static void seen(void *context, const char *name, bool is_set)
{
    struct expanded *expanded = context;
    struct strvec *names = is_set ? &expanded->matched : &expanded->unmatched;
    if (!strvec_has(names, name))
        strvec_push(names, name);
}

static void expand(const struct lint *lint, const struct globals *globals, const char *word,
                   struct expanded *ret)
{
    AUTO(error_free) struct error *ignored = NULL; /* the plan reports it */
    ret->values = &globals->values;
    struct words_expander expander = {
        .escape = lint->dockerfile->escape, .lookup = lookup, .seen = seen, .context = ret
    };
    if (words_expand(&expander, word, &ret->value, &ignored) < 0)
        ret->value = NULL;
}

static void report_undefined(struct lint *lint, const struct stage *stage,
                             const struct expanded *expanded)
{
    const struct globals *globals = lint->globals;
    for (size_t i = 0; i < expanded->unmatched.n; i++) {
        const char *name = expanded->unmatched.items[i];
        if (globals_is_declared(globals, name))
            continue;
        AUTO(strvec_release) struct strvec known = STRVEC_INIT;
        for (struct hashmap_entry *e = NULL; (e = hashmap_next(&globals->declared, e));)
            strvec_push(&known, e->key);
        for (struct hashmap_entry *e = NULL; (e = hashmap_next(&globals->values.index, e));)
            strvec_push(&known, e->key);
        const char *near = lint_guess(lint, name, &known);
        lint_add(lint, stage->from, "UndefinedArgInFrom",
                 near ? NULL : xasprintf("put ARG %s before the first FROM", name),
                 "FROM argument '%s' is not declared%s%s%s", name, near ? " (did you mean " : "",
                 near ? near : "", near ? "?)" : "");
    }
}

static void check_platform(struct lint *lint, const struct stage *stage)
{
    const char *word = stage->from->from.platform;
    AUTO(expanded_release) struct expanded expanded = { 0 };
    expand(lint, lint->globals, word, &expanded);
    report_undefined(lint, stage, &expanded);
    const char *target = globals_value(lint->globals, "TARGETPLATFORM");
    if (!expanded.value || expanded.unmatched.n)
        return;
    if (expanded.matched.n == 1 && !strcmp(expanded.matched.items[0], "TARGETPLATFORM") && target &&
        !strcmp(expanded.value, target))
        lint_add(lint, stage->from, "RedundantTargetPlatform", xstrdup("leave --platform out"),
                 "Setting platform to predefined %s in FROM is redundant as this is the default "
                 "behavior",
                 word);
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* the plan reports it */
    if (expanded.matched.n || platform_parse(expanded.value, &platform, &ignored) < 0)
        return;
    const char *name = stage->name ? stage->name : "";
    if (!strstr(name, platform.os) && !strstr(name, platform.architecture))
        lint_add(lint, stage->from, "FromPlatformFlagConstDisallowed",
                 xasprintf("--platform=$BUILDPLATFORM, or a stage name that tells %s",
                           platform.architecture),
                 "FROM --platform flag should not use constant value \"%s\"", expanded.value);
}

static void check_name(struct lint *lint, const struct stage *stage)
{
    const struct from_body *from = &stage->from->from;
    if (strcmp(from->name, from->name_written) != 0)
        lint_add(lint, stage->from, "StageNameCasing", xasprintf("AS %s", from->name),
                 "Stage name '%s' should be lowercase", from->name_written);
    if (!strcmp(from->name, "scratch") || !strcmp(from->name, "context"))
        lint_add(lint, stage->from, "ReservedStageName", xstrdup("choose another name"),
                 "Stage name should not use the same name as reserved stage \"%s\"", from->name);
    struct instruction *earlier = hashmap_get(&lint->stages, from->name);
    if (earlier)
        lint_add(lint, stage->from, "DuplicateStageName",
                 xasprintf("line %zu has it, and later lines mean this one", earlier->range.first),
                 "Duplicate stage name \"%s\", stage names should be unique", from->name);
    hashmap_put(&lint->stages, from->name, (void *)(uintptr_t)stage->from);
}

/* As the FROM is written, if that is in one case. */
static void check_as(struct lint *lint, const struct stage *stage)
{
    const char *keyword = stage->from->keyword;
    const char *as = stage->from->from.as_written;
    bool lower = !strcmp(keyword, "from"), upper = !strcmp(keyword, "FROM");
    if (!as || (!lower && !upper) || !strcmp(as, lower ? "as" : "AS"))
        return;
    lint_add(lint, stage->from, "FromAsCasing", xasprintf("write %s", lower ? "as" : "AS"),
             "'%s' and '%s' keywords' casing do not match", as, keyword);
}

static void check_tag(struct lint *lint, const struct stage *stage)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* the plan reports it */
    if (stage->base.kind != STAGE_SOURCE_IMAGE ||
        reference_parse(stage->base.name, &reference, &ignored) < 0)
        return;
    if (!reference.digest.is_set && (!reference.tag || !strcmp(reference.tag, "latest")))
        lint_add(lint, stage->from, "LatestTag", xstrdup("name a version, or a digest"),
                 "%s is whatever image is newest", stage->base.name);
}

void lint_from(struct lint *lint, const struct stage *stage)
{
    AUTO(expanded_release) struct expanded image = { 0 };
    expand(lint, lint->globals, stage->from->from.image, &image);
    report_undefined(lint, stage, &image);
    if (stage->from->from.platform)
        check_platform(lint, stage);
    if (stage->from->from.name)
        check_name(lint, stage);
    check_as(lint, stage);
    check_tag(lint, stage);
}

void lint_from_defaults(struct lint *lint, const struct stage *stage,
                        const struct globals *defaults)
{
    const char *word = stage->from->from.image;
    AUTO(expanded_release) struct expanded image = { 0 };
    expand(lint, defaults, word, &image);
    if (!image.value || !(image.matched.n + image.unmatched.n))
        return;
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *invalid = NULL;
    if (reference_parse(image.value, &reference, &invalid) == 0)
        return;
    lint_add(lint, stage->from, "InvalidDefaultArgInFrom",
             xstrdup("give the ARG a default, here or as ${NAME:-DEFAULT}"),
             "Default value for ARG %s results in empty or invalid base image name", word);
}
