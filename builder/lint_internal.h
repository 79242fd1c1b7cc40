/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the checks share. Internal to builder/.
 *
 *   lint.c        entry, skipping, formats, checks of the text as a whole
 *   lint_from.c   FROM lines and global ARGs
 *   lint_stage.c  a stage, instruction by instruction, with its environment
 *   lint_run.c    the shell commands of RUN
 */
#ifndef CBUILD_BUILDER_LINT_INTERNAL_H
#define CBUILD_BUILDER_LINT_INTERNAL_H

#include "base/hashmap.h"
#include "builder/lint.h"

/* Comparing each unset name with each known one takes minutes where there are ten thousands. */
#define LINT_MAX_NAMES ((size_t)1000)

/* What is known at a place of a stage; a stage FROM another begins with that one's end. */
struct lint_env {
    struct hashmap names;          /* to the value, owned; NULL: an ARG without one */
    struct hashmap env_names;      /* what an ENV of the stage has set; no values */
    const struct lint_env *parent; /* of the stage that this one is FROM */
    bool base_is_known;            /* the image's own variables are among the values */
    bool has_shell, has_workdir;
    bool is_foreign_shell;          /* none that speaks POSIX */
    bool has_errexit, has_pipefail; /* SHELL has switched it on */
};

struct lint {
    const struct lint_options *options;
    const struct dockerfile *dockerfile;
    const struct globals *globals;
    const struct check_options *check;
    struct lint_env *envs; /* one per stage, at its end */
    struct hashmap names;  /* all that some ARG or ENV of the file declares */
    struct hashmap stages; /* name to the FROM that gave it last */
    size_t n_guesses;      /* at what a name was meant to be: not without end */
    struct lint_findings *ret;
};

/* `fix` is owned; nothing happens where the rule is skipped. */
void lint_add(struct lint *lint, const struct instruction *instruction, const char *rule, char *fix,
              const char *format, ...) PRINTF(5, 6);

void lint_from(struct lint *lint, const struct stage *stage);
/* `defaults`: the globals without any --build-arg. */
void lint_from_defaults(struct lint *lint, const struct stage *stage,
                        const struct globals *defaults);

/* What a SHELL, or that of a base image, means. */
void lint_take_shell(struct lint_env *env, const struct strvec *shell);
void lint_run_command(struct lint *lint, const struct lint_env *env, const struct instruction *run);

void lint_stage(struct lint *lint, const struct stage *stage);
void lint_env_release(struct lint_env *env);

bool lint_is_name(const char *text);
/* The nearest of the names, NULL: none, or there are too many to ask. */
const char *lint_guess(struct lint *lint, const char *name, const struct strvec *names);

#endif
