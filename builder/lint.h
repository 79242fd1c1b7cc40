/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build checks: what a Dockerfile does that is allowed and probably not meant. DOCKERFILE.md
 * section 10; the names of the rules and when they hold are BuildKit's.
 *
 * What depends on variables is evaluated statically. The environment of a base image is known only
 * where `base_config` tells it (an ordinary build, at its end). Without it UndefinedVar reports a
 * variable only when the Dockerfile itself shows that it is a mistake: it is declared elsewhere in
 * the file, or is a misspelling of a known one; InvalidBaseImagePlatform reports nothing.
 *
 * Findings are skipped by "# check=skip=RULE" at the top, by the same comment above an
 * instruction, and by the build argument BUILDKIT_DOCKERFILE_CHECK, which takes the
 * place of the one at the top. Which rules hold when: lint_rules.h; experimental= asks for one that
 * wouldn't, or for all of its kind.
 *
 * Pure: no disk, no network.
 */
#ifndef CBUILD_BUILDER_LINT_H
#define CBUILD_BUILDER_LINT_H

#include "builder/dockerignore.h"
#include "builder/stage.h"
#include "oci/image_config.h"

struct lint_finding {
    const char *rule; /* static */
    struct source_range range;
    char *text; /* what it is */
    char *fix;  /* what to write instead */
};

struct lint_findings {
    struct lint_finding *items; /* by line */
    size_t n_items, items_capacity;
    bool error; /* error=true was asked for: findings fail the build */
};

void lint_findings_release(struct lint_findings *findings);
/* Moves what `from` has beyond `to` there, by line. */
void lint_findings_join(struct lint_findings *to, struct lint_findings *from);
DEFINE_AUTO_STRUCT(struct lint_findings, lint_findings_release)

struct lint_options {
    const struct stage_graph *graph;   /* with the dockerfile and the globals */
    const struct dockerignore *ignore; /* of the build context; NULL: there is none */
    const char *target;                /* as --target has it */
    const struct platform *platform;   /* as --platform has it, or NULL */
    bool all_stages;                   /* not just those that the target needs */
    bool checking;                     /* rules that an ordinary build doesn't look at, too */
    /* Config of the image that a stage is FROM, NULL: not known. May be NULL. */
    const struct image_config *(*base_config)(void *data, const struct stage *stage);
    void *data;
};

/* ERR_SYNTAX: the build argument BUILDKIT_DOCKERFILE_CHECK can't be read. */
int lint_run(const struct lint_options *options, struct lint_findings *ret,
             struct error **err) WARN_UNUSED;

/* Whether the Dockerfile, or the instruction (may be NULL), doesn't want to hear of a rule. */
bool lint_is_skipped(const struct check_options *check, const struct instruction *instruction,
                     const char *rule);
/* What holds in this build: the directive's, or the build argument's (in `own`, for the caller to
 * release). */
const struct check_options *lint_check_options(const struct dockerfile *dockerfile,
                                               const struct globals *globals,
                                               struct check_options *own, struct error **err);

/* "Dockerfile:3: RULE: text (fix)": one line. free() it. */
char *lint_format_short(const struct dockerfile *dockerfile,
                        const struct lint_finding *finding) WARN_UNUSED;
/* Place, rule, text, excerpt and correction, on lines of their own. */
void lint_format_long(const struct dockerfile *dockerfile, const struct lint_finding *finding,
                      struct strbuf *buf);

#endif
