/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the build checks: BuildKit's 22 under its names, with its words, and ours. Pure.
 *
 * DOCKERFILE.md section 10
 */
#ifndef CBUILD_BUILDER_LINT_RULES_H
#define CBUILD_BUILDER_LINT_RULES_H

#include <stdbool.h>
#include <stddef.h>

/* When a rule is looked at. */
enum lint_tier {
    LINT_ALWAYS,       /* at the end of a build too: surely not meant */
    LINT_CHECKING,     /* with --check and --call=check: probably not meant */
    LINT_EXPERIMENTAL, /* asked for by experimental=: opinions */
};

struct lint_rule {
    const char *name;
    enum lint_tier tier;
    bool has_page; /* of Docker's documentation */
    const char *description;
};

/* Matched with case; NULL: unknown. */
const struct lint_rule *lint_rule_find(const char *name);
/* The nearest rule's name; NULL: none is near. */
const char *lint_rule_nearest(const char *name);
/* Where the rule is described; NULL: nowhere. free() it. */
char *lint_rule_url(const struct lint_rule *rule);

#endif
