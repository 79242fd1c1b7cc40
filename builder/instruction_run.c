/* SPDX-License-Identifier: Apache-2.0 */
/* RUN: its command with heredocs put together, and its flags */
#include "builder/instruction_parse.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "builder/cdi.h"
#include "builder/flags.h"

#include <string.h>

#define MEMBER(name) offsetof(struct run_body, name)

static const struct flag_spec run_flags[] = {
    { "mount", FLAG_TYPE_LIST, MEMBER(mount_specs) },
    { "network", FLAG_TYPE_TEXT, MEMBER(network) },
    { "security", FLAG_TYPE_TEXT, MEMBER(security) },
    { "device", FLAG_TYPE_LIST, MEMBER(devices) },
};

static int check_choice(const char *flag, const char *value, const char *const *choices, size_t n,
                        struct error **err)
{
    if (!value)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(value, choices[i]) == 0)
            return 0;
    }
    const char *near = suggest_nearest(value, choices, n);
    (void)error_set(err, ERR_SYNTAX, "RUN --%s=%s: unknown", flag, value);
    if (near)
        error_hint(err, "did you mean --%s=%s?", flag, near);
    return -1;
}

static int take_flags(struct statement *statement, struct run_body *ret, struct error **err)
{
    static const char *const networks[] = { "default", "none", "host" };
    static const char *const securities[] = { "sandbox", "insecure" };
    if (flags_parse(&statement->flags, run_flags, ARRAY_SIZE(run_flags), "RUN", ret, err) < 0 ||
        check_choice("network", ret->network, networks, ARRAY_SIZE(networks), err) < 0 ||
        check_choice("security", ret->security, securities, ARRAY_SIZE(securities), err) < 0)
        return -1;
    for (size_t i = 0; i < ret->devices.n; i++) {
        AUTO(cdi_request_release) struct cdi_request request = { .name = NULL };
        if (cdi_request_parse(ret->devices.items[i], &request, err) < 0)
            return error_wrap(err, "RUN");
    }
    for (size_t i = 0; i < ret->mount_specs.n; i++) {
        struct run_mount mount;
        if (run_mount_parse(ret->mount_specs.items[i], NULL, &mount, err) < 0)
            return error_wrap(err, "RUN");
        *ARRAY_PUSH(ret, mounts) = mount;
    }
    return 0;
}

void command_take(struct statement *statement, size_t first, struct command *ret)
{
    const struct strvec *args = &statement->args;
    if (statement->is_json) {
        ret->form = COMMAND_EXEC;
        for (size_t i = first; i < args->n; i++)
            strvec_push(&ret->argv, args->items[i]);
        return;
    }
    ret->form = COMMAND_SHELL;
    ret->text = xstrdup(first < args->n ? args->items[first] : "");
}

/* RUN with nothing but one heredoc: the body is the shell's argument, or a script of its own. */
static void take_only_heredoc(const struct heredoc *heredoc, struct command *command)
{
    char *body = heredoc_body(heredoc);
    free(command->text);
    /* as it stands: behind a tab that <<- takes away, it is the shell's comment to other builders
     */
    if (strncmp(heredoc->content, "#!", 2) == 0) {
        command->text = xasprintf("/dev/pipes/%s", heredoc->name);
        command->script = body;
    } else {
        command->text = body;
    }
}

/* The command with the bodies behind it, for the shell to sort out. */
static void put_together(const struct heredoc_list *heredocs, struct command *command)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, command->text);
    for (size_t i = 0; i < heredocs->n_items; i++)
        strbuf_addf(&text, "\n%s%s", heredocs->items[i].content, heredocs->items[i].name);
    free(command->text);
    command->text = strbuf_detach(&text);
}

int instruction_parse_run(struct statement *statement, const struct heredoc_list *heredocs,
                          struct run_body *ret, struct error **err)
{
    if (take_flags(statement, ret, err) < 0)
        return -1;
    command_take(statement, 0, &ret->command);
    if (!heredocs->n_items)
        return 0;
    struct heredoc only;
    int is_only = heredoc_parse_word(ret->command.text, &only, err);
    if (is_only < 0)
        return error_wrap(err, "RUN");
    if (is_only)
        heredoc_release(&only);
    if (is_only && heredocs->n_items == 1)
        take_only_heredoc(&heredocs->items[0], &ret->command);
    else
        put_together(heredocs, &ret->command);
    return 0;
}
