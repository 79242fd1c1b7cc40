/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD */
#include "builder/instruction_parse.h"

#include "base/array.h"
#include "base/mem.h"
#include "builder/chmod_spec.h"
#include "builder/flags.h"

#include <string.h>

#define MEMBER(name) offsetof(struct copy_body, name)

static const struct flag_spec copy_flags[] = {
    { "chown", FLAG_TYPE_TEXT, MEMBER(chown) }, { "chmod", FLAG_TYPE_TEXT, MEMBER(chmod) },
    { "link", FLAG_TYPE_BOOL, MEMBER(link) },   { "exclude", FLAG_TYPE_LIST, MEMBER(excludes) },
    { "from", FLAG_TYPE_TEXT, MEMBER(from) },   { "parents", FLAG_TYPE_BOOL, MEMBER(parents) },
};

static const struct flag_spec add_flags[] = {
    { "chown", FLAG_TYPE_TEXT, MEMBER(chown) },
    { "chmod", FLAG_TYPE_TEXT, MEMBER(chmod) },
    { "link", FLAG_TYPE_BOOL, MEMBER(link) },
    { "exclude", FLAG_TYPE_LIST, MEMBER(excludes) },
    { "keep-git-dir", FLAG_TYPE_BOOL, MEMBER(keep_git_dir) },
    { "checksum", FLAG_TYPE_TEXT, MEMBER(checksum) },
    { "unpack", FLAG_TYPE_BOOL, MEMBER(unpack) },
};

static int check_chmod(const char *chmod, struct error **err)
{
    if (!chmod || strchr(chmod, '$'))
        return 0; /* the executor parses it when its variables are known */
    AUTO(chmod_spec_release) struct chmod_spec spec = { 0 };
    if (chmod_spec_parse(chmod, &spec, err) < 0)
        return error_wrap(err, "--chmod");
    return 0;
}

static bool is_operator(const char *word)
{
    return strcmp(word, "<<") == 0 || strcmp(word, "<<-") == 0;
}

/* `<< EOF` is one source: the blank is put away. */
static void join_operators(struct strvec *args)
{
    struct strvec joined = STRVEC_INIT;
    for (size_t i = 0; i < args->n; i++) {
        if (is_operator(args->items[i]) && i + 1 < args->n) {
            strvec_pushf(&joined, "%s%s", args->items[i], args->items[i + 1]);
            i++;
        } else {
            strvec_push(&joined, args->items[i]);
        }
    }
    strvec_release(args);
    *args = joined;
}

/* 1 when the word is one of the heredocs; its body goes into *ret's inline files. */
static int take_inline(const char *word, const struct heredoc_list *heredocs, size_t *next,
                       struct copy_body *ret, struct error **err)
{
    struct heredoc found;
    int is_heredoc = heredoc_parse_word(word, &found, err);
    if (is_heredoc <= 0)
        return is_heredoc;
    const struct heredoc *heredoc = *next < heredocs->n_items ? &heredocs->items[*next] : NULL;
    bool same = heredoc && strcmp(heredoc->name, found.name) == 0;
    heredoc_release(&found);
    if (!same)
        return error_set(err, ERR_SYNTAX, "%s: its heredoc has no body", word);
    /* it is a file's name, where the destination is a directory */
    if (strchr(heredoc->name, '/') || !strcmp(heredoc->name, ".") || !strcmp(heredoc->name, ".."))
        return error_set(err, ERR_SYNTAX, "%s: \"%s\" is no name of a file", word, heredoc->name);
    ++*next;
    struct copy_inline *file = ARRAY_PUSH(ret, inlines);
    file->name = xstrdup(heredoc->name);
    file->content = heredoc_body(heredoc);
    file->expand = heredoc->expand;
    file->range = heredoc->range;
    return 1;
}

static int take_sources(struct statement *statement, const struct heredoc_list *heredocs,
                        struct copy_body *ret, struct error **err)
{
    const struct strvec *args = &statement->args;
    size_t next = 0;
    for (size_t i = 0; i + 1 < args->n; i++) {
        int is_inline =
            statement->is_json ? 0 : take_inline(args->items[i], heredocs, &next, ret, err);
        if (is_inline < 0)
            return -1;
        if (!is_inline)
            strvec_push(&ret->sources, args->items[i]);
    }
    struct heredoc unused;
    const char *destination = args->items[args->n - 1];
    int is_inline = statement->is_json ? 0 : heredoc_parse_word(destination, &unused, err);
    if (is_inline < 0)
        return -1;
    if (is_inline) {
        heredoc_release(&unused);
        return error_set(err, ERR_SYNTAX, "%s: a heredoc can't be the destination", destination);
    }
    ret->destination = xstrdup(destination);
    return 0;
}

int instruction_parse_copy(struct statement *statement, const struct heredoc_list *heredocs,
                           struct copy_body *ret, struct error **err)
{
    bool is_copy = statement->kind == INSTRUCTION_COPY;
    const char *name = instruction_name(statement->kind);
    if (flags_parse(&statement->flags, is_copy ? copy_flags : add_flags,
                    is_copy ? ARRAY_SIZE(copy_flags) : ARRAY_SIZE(add_flags), name, ret, err) < 0)
        return -1;
    if (!statement->is_json)
        join_operators(&statement->args);
    if (statement->args.n < 2)
        return error_set(err, ERR_SYNTAX, "%s: at least one source and a destination are needed",
                         name);
    ret->is_json = statement->is_json;
    if (take_sources(statement, heredocs, ret, err) < 0 || check_chmod(ret->chmod, err) < 0)
        return error_wrap(err, "%s", name);
    return 0;
}
