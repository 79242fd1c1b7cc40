/* SPDX-License-Identifier: Apache-2.0 */
/* What a RUN's shell will do: mistakes that are certain, and on request opinions. */
#include "base/mem.h"
#include "builder/lint_internal.h"
#include "builder/shell_scan.h"

#include <string.h>

struct run_lint {
    struct lint *lint;
    const struct lint_env *env;
    const struct instruction *run;
    const struct shell_scan *scan;
};

void lint_take_shell(struct lint_env *env, const struct strvec *shell)
{
    static const char *const known[] = { "sh", "bash", "dash", "ash", "ksh", "zsh" };
    env->has_shell = shell->n > 0;
    env->is_foreign_shell = shell->n > 0;
    env->has_errexit = env->has_pipefail = false;
    const char *slash = shell->n ? strrchr(shell->items[0], '/') : NULL;
    for (size_t i = 0; shell->n && i < ARRAY_SIZE(known); i++)
        if (!strcmp(slash ? slash + 1 : shell->items[0], known[i]))
            env->is_foreign_shell = false;
    for (size_t i = 1; i < shell->n; i++) {
        const char *word = shell->items[i];
        env->has_pipefail = env->has_pipefail || !strcmp(word, "pipefail");
        env->has_errexit = env->has_errexit || !strcmp(word, "errexit") ||
                           (*word == '-' && word[1] != '-' && strchr(word, 'e'));
    }
}

static const char *name_of(const struct shell_command *command)
{
    return command->words.items[0];
}

static bool has_word(const struct shell_command *command, const char *word)
{
    return strvec_has(&command->words, word);
}

/* --- set ------------------------------------------------------------------------------------- */

static bool sets(const struct run_lint *at, char letter, const char *option)
{
    for (size_t i = 0; i < at->scan->n_commands; i++) {
        const struct shell_command *command = &at->scan->commands[i];
        if (strcmp(name_of(command), "set") != 0)
            continue;
        for (size_t k = 1; k < command->words.n; k++) {
            const char *word = command->words.items[k];
            if (!strcmp(word, option) || (letter && *word == '-' && strchr(word, letter)))
                return true;
        }
    }
    return false;
}

/* Only where all was read: what is hidden may set it. */
static void check_errexit(const struct run_lint *at)
{
    bool is_script = at->run->heredocs.n_items == 1 && at->run->rest[0] == '<';
    if (!is_script || at->run->run.command.script || !at->scan->is_certain ||
        at->env->has_errexit || sets(at, 'e', "errexit"))
        return;
    for (size_t i = 0; i + 1 < at->scan->n_commands; i++)
        if (at->scan->commands[i].end == ';') {
            lint_add(at->lint, at->run, "HeredocWithoutErrexit", xstrdup("begin it with set -e"),
                     "If %s fails, the commands after it run all the same",
                     name_of(&at->scan->commands[i]));
            return;
        }
}

static void check_pipe(const struct run_lint *at)
{
    if (at->env->has_pipefail || !at->scan->is_certain || sets(at, '\0', "pipefail"))
        return;
    for (size_t i = 0; i < at->scan->n_commands; i++)
        if (at->scan->commands[i].end == '|') {
            lint_add(at->lint, at->run, "PipeFailure",
                     xstrdup("SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"] before it"),
                     "If %s fails, the pipe after it hides that", name_of(&at->scan->commands[i]));
            return;
        }
}

/* --- packages -------------------------------------------------------------------------------- */

static const struct installer {
    const char *program, *verb;
    const char *pins;    /* characters of which one makes a version */
    const char *options; /* those that take a word, with blanks around */
    const char *example;
} installers[] = {
    { "apt-get", "install", "=", " -t -o -c --target-release --option ", "=VERSION" },
    { "apt", "install", "=", " -t -o -c --target-release --option ", "=VERSION" },
    { "apk", "add", "=<>~", " -t --virtual -X --repository -p --root ", "=VERSION" },
    { "pip", "install", "=<>~@",
      " -r -c -e -t -i -f --requirement --constraint --editable --target --index-url "
      "--extra-index-url --find-links --trusted-host ",
      "==VERSION" },
    { "pip3", "install", "=<>~@",
      " -r -c -e -t -i -f --requirement --constraint --editable --target --index-url "
      "--extra-index-url --find-links --trusted-host ",
      "==VERSION" },
};

static bool takes_word(const struct installer *installer, const char *option)
{
    AUTO(free) char *padded = xasprintf(" %s ", option);
    return strstr(installer->options, padded) != NULL;
}

/* The first package without a version; NULL: none. Files, variables and redirections are none. */
static const char *unpinned(const struct installer *installer, const struct strvec *words)
{
    size_t i = 1;
    while (i < words->n && strcmp(words->items[i], installer->verb) != 0)
        i++;
    for (i++; i < words->n; i++) {
        const char *word = words->items[i];
        if (*word == '-')
            i += takes_word(installer, word);
        else if (!strpbrk(word, "$/*\\") && strcmp(word, ".") != 0 &&
                 !strpbrk(word, installer->pins))
            return word;
    }
    return NULL;
}

static void check_pins(const struct run_lint *at, const struct shell_command *command)
{
    for (size_t i = 0; i < ARRAY_SIZE(installers); i++) {
        const struct installer *installer = &installers[i];
        if (strcmp(name_of(command), installer->program) != 0 ||
            !has_word(command, installer->verb))
            continue;
        const char *package = unpinned(installer, &command->words);
        if (package)
            lint_add(at->lint, at->run, "UnpinnedPackages",
                     xasprintf("%s%s", package, installer->example),
                     "%s installs %s in whatever version there is", installer->program, package);
    }
}

static bool is_apt_update(const struct shell_command *command)
{
    return (!strcmp(name_of(command), "apt-get") || !strcmp(name_of(command), "apt")) &&
           has_word(command, "update");
}

static bool is_removal_of_lists(const struct shell_command *command)
{
    for (size_t i = 1; !strcmp(name_of(command), "rm") && i < command->words.n; i++)
        if (strstr(command->words.items[i], "/var/lib/apt"))
            return true;
    return false;
}

static bool has_lists_mount(const struct instruction *run)
{
    for (size_t i = 0; i < run->run.mount_specs.n; i++)
        if (strstr(run->run.mount_specs.items[i], "/var/lib/apt"))
            return true;
    return false;
}

static void check_apt_lists(const struct run_lint *at)
{
    bool updates = false, removes = has_lists_mount(at->run) || !at->scan->is_certain;
    for (size_t i = 0; i < at->scan->n_commands; i++) {
        updates = updates || is_apt_update(&at->scan->commands[i]);
        removes = removes || is_removal_of_lists(&at->scan->commands[i]);
    }
    if (updates && !removes)
        lint_add(at->lint, at->run, "AptListsLeft",
                 xstrdup("end it with && rm -rf /var/lib/apt/lists/*, or mount a cache there"),
                 "The lists of apt-get update stay in the layer");
}

/* --- all of it ------------------------------------------------------------------------------- */

static void check_command(const struct run_lint *at, const struct shell_command *command)
{
    const char *name = name_of(command);
    if (!strcmp(name, "sudo"))
        lint_add(at->lint, at->run, "SudoUsed", xstrdup("USER root before it"),
                 "sudo asks and logs as if somebody sat at a terminal");
    if (!strcmp(name, "cd"))
        lint_add(at->lint, at->run, "CdInRun",
                 command->words.n > 1 ? xasprintf("WORKDIR %s before it", command->words.items[1])
                                      : NULL,
                 "cd lasts for this RUN only");
    check_pins(at, command);
}

void lint_run_command(struct lint *lint, const struct lint_env *env, const struct instruction *run)
{
    if (run->run.command.form != COMMAND_SHELL || run->run.command.script || env->is_foreign_shell)
        return;
    AUTO(shell_scan_release) struct shell_scan scan = { .is_certain = false };
    shell_scan(run->run.command.text, &scan);
    const struct run_lint at = { lint, env, run, &scan };
    if (scan.problem)
        lint_add(lint, run, "ShellSyntax", NULL, "The shell will refuse this: %s", scan.problem);
    check_errexit(&at);
    check_pipe(&at);
    check_apt_lists(&at);
    for (size_t i = 0; i < scan.n_commands; i++)
        check_command(&at, &scan.commands[i]);
}
