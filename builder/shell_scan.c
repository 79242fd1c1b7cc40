/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/shell_scan.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <string.h>

#define MAX_DEPTH 64

/* What is open: its first letter tells which. */
enum open {
    OPEN_IF = 'i',
    OPEN_LOOP = 'd', /* from for, while, until */
    OPEN_CASE = 'c',
    OPEN_GROUP = '{',
    OPEN_SUBSHELL = '(',
};

struct scanner {
    const char *at;
    struct shell_scan *ret;
    char open[MAX_DEPTH];
    size_t depth;
    struct strvec words; /* of the command that is read */
    bool in_pattern;     /* of a case, up to its ")" */
    bool is_over;        /* a problem, or something beyond us */
};

void shell_scan_release(struct shell_scan *scan)
{
    for (size_t i = 0; i < scan->n_commands; i++)
        strvec_release(&scan->commands[i].words);
    free(scan->commands);
    free(scan->problem);
    *scan = (struct shell_scan){ .is_certain = false };
}

static void give_up(struct scanner *s)
{
    s->is_over = true;
    s->ret->is_certain = false;
}

static void report(struct scanner *s, char *problem)
{
    if (s->is_over) {
        free(problem);
        return;
    }
    s->is_over = true;
    s->ret->problem = problem;
}

static char top(const struct scanner *s)
{
    if (!s->depth)
        return '\0';
    return s->open[s->depth - 1];
}

static void push(struct scanner *s, enum open what)
{
    if (s->depth == MAX_DEPTH)
        give_up(s);
    else
        s->open[s->depth++] = (char)what;
}

static void pop(struct scanner *s, enum open what, const char *word, const char *opener)
{
    if (top(s) != (char)what) {
        report(s, xasprintf("%s without %s", word, opener));
        return;
    }
    s->depth--;
}

/* --- words ----------------------------------------------------------------------------------- */

/* Over "$(...)", at the parenthesis. What is quoted in it may hold parentheses; a case in it has
 * some that aren't paired. */
static void skip_substitution(struct scanner *s)
{
    size_t depth = 0;
    do {
        if (!*s->at || strchr("'\"`#\\", *s->at) || !strncmp(s->at, "case", 4)) {
            give_up(s);
            return;
        }
        depth += *s->at == '(';
        depth -= *s->at == ')';
        s->at++;
    } while (depth);
}

static void skip_braces(struct scanner *s)
{
    size_t size = strcspn(s->at, "}'\"`\\$\n");
    if (s->at[size] != '}') {
        give_up(s);
        return;
    }
    s->at += size + 1;
}

/* After a "$". */
static void skip_variable(struct scanner *s)
{
    if (*s->at == '(')
        skip_substitution(s);
    else if (*s->at == '{')
        skip_braces(s);
    else if (*s->at == '\'')
        give_up(s);
}

static void skip_double_quotes(struct scanner *s)
{
    for (s->at++; *s->at != '"' && !s->is_over;) {
        char c = *s->at++;
        if (!c) {
            s->at--;
            report(s, xstrdup("a double quote is not closed"));
        } else if (c == '\\' && *s->at) {
            s->at++;
        } else if (c == '$') {
            skip_variable(s);
        } else if (c == '`') {
            give_up(s);
        }
    }
    s->at += *s->at == '"';
}

static void skip_single_quotes(struct scanner *s)
{
    const char *end = strchr(s->at + 1, '\'');
    if (!end)
        report(s, xstrdup("a single quote is not closed"));
    else
        s->at = end + 1;
}

static bool ends_word(char c)
{
    return !c || strchr(" \t\n;&|()<>", c);
}

static char *read_word(struct scanner *s)
{
    const char *start = s->at;
    while (!ends_word(*s->at) && !s->is_over) {
        char c = *s->at;
        if (c == '\'') {
            skip_single_quotes(s);
        } else if (c == '"') {
            skip_double_quotes(s);
        } else if (c == '`') {
            give_up(s);
        } else if (c == '$') {
            s->at++;
            skip_variable(s);
        } else {
            s->at += c == '\\' && s->at[1] ? 2 : 1;
        }
    }
    return xstrndup(start, (size_t)(s->at - start));
}

/* --- commands -------------------------------------------------------------------------------- */

static void end_command(struct scanner *s, char end)
{
    if (!s->words.n)
        return;
    struct shell_command *command = ARRAY_PUSH(s->ret, commands);
    *command = (struct shell_command){ .words = s->words, .end = end };
    s->words = (struct strvec)STRVEC_INIT;
}

/* Where a command may begin. True: the word was one of the language's own. */
static bool take_reserved(struct scanner *s, const char *word)
{
    static const struct {
        const char *word, *opener;
        char closes, opens; /* NUL: nothing */
        bool keeps;         /* what follows it is no command: it is left as words */
    } table[] = {
        { "if", NULL, 0, OPEN_IF, false },
        { "fi", "if", OPEN_IF, 0, false },
        { "while", NULL, 0, OPEN_LOOP, false },
        { "until", NULL, 0, OPEN_LOOP, false },
        { "for", NULL, 0, OPEN_LOOP, true },
        { "done", "do", OPEN_LOOP, 0, false },
        { "case", NULL, 0, OPEN_CASE, true },
        { "esac", "case", OPEN_CASE, 0, false },
        { "{", NULL, 0, OPEN_GROUP, false },
        { "}", "{", OPEN_GROUP, 0, false },
        { "then", NULL, 0, 0, false },
        { "elif", NULL, 0, 0, false },
        { "else", NULL, 0, 0, false },
        { "do", NULL, 0, 0, false },
        { "!", NULL, 0, 0, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strcmp(table[i].word, word) != 0)
            continue;
        if (table[i].closes)
            pop(s, (enum open)table[i].closes, word, table[i].opener);
        if (table[i].opens)
            push(s, (enum open)table[i].opens);
        return !table[i].keeps;
    }
    if (!strcmp(word, "[[") || !strcmp(word, "function") || !strcmp(word, "select") ||
        !strcmp(word, "time") || !strcmp(word, "alias"))
        give_up(s);
    return false;
}

static void take_word(struct scanner *s)
{
    AUTO(free) char *word = read_word(s);
    if (s->is_over || (!s->words.n && take_reserved(s, word)))
        return;
    strvec_push(&s->words, word);
    bool is_case = s->words.n >= 3 && !strcmp(s->words.items[0], "case") && !strcmp(word, "in");
    if (is_case) {
        strvec_release(&s->words);
        s->in_pattern = true;
    }
}

static void take_parenthesis(struct scanner *s)
{
    if (*s->at == '(') {
        if (s->words.n || s->at[1] == '(') /* a function, an array, arithmetic */
            give_up(s);
        else
            push(s, OPEN_SUBSHELL);
    } else {
        end_command(s, '\0');
        pop(s, OPEN_SUBSHELL, ")", "(");
    }
    s->at++;
}

/* As struct shell_command has it */
static char name_end(char c, bool twice)
{
    if (c == '&' && !twice)
        return 'b';
    if (c == '|' && twice)
        return 'o';
    return c;
}

/* ";" "&" "|" and what they make in pairs. */
static void take_operator(struct scanner *s)
{
    char c = *s->at++;
    bool twice = *s->at == c;
    if (c == ';' && twice) {
        end_command(s, ';');
        if (top(s) == OPEN_CASE)
            s->in_pattern = true;
        else
            report(s, xstrdup(";; outside of case"));
    } else {
        end_command(s, name_end(c, twice));
    }
    s->at += twice;
}

static void take_redirection(struct scanner *s)
{
    if (!strncmp(s->at, "<<", 2) || s->at[1] == '(')
        give_up(s);
    s->at += 1 + (s->at[1] == '>' || s->at[1] == '&' || s->at[1] == '|');
}

/* "a|b)" or "(a)": no commands. */
static void take_pattern(struct scanner *s)
{
    if (ends_word(*s->at)) {
        s->in_pattern = *s->at != ')';
        s->at++;
        return;
    }
    AUTO(free) char *word = read_word(s);
    if (strcmp(word, "esac") != 0)
        return;
    s->in_pattern = false;
    pop(s, OPEN_CASE, word, "case");
}

static void take_next(struct scanner *s)
{
    char c = *s->at;
    if (c == '\\' && s->at[1] == '\n')
        s->at += 2;
    else if (c == ' ' || c == '\t')
        s->at++;
    else if (c == '#')
        s->at += strcspn(s->at, "\n");
    else if (s->in_pattern)
        take_pattern(s);
    else if (c == '\n') {
        end_command(s, ';');
        s->at++;
    } else if (c == ';' || c == '&' || c == '|')
        take_operator(s);
    else if (c == '(' || c == ')')
        take_parenthesis(s);
    else if (c == '<' || c == '>')
        take_redirection(s);
    else
        take_word(s);
}

static void report_open(struct scanner *s)
{
    switch (top(s)) {
    case OPEN_IF:
        report(s, xstrdup("if without fi"));
        break;
    case OPEN_LOOP:
        report(s, xstrdup("a loop without done"));
        break;
    case OPEN_CASE:
        report(s, xstrdup("case without esac"));
        break;
    case OPEN_GROUP:
        report(s, xstrdup("{ without }"));
        break;
    case OPEN_SUBSHELL:
        report(s, xstrdup("( without )"));
        break;
    }
}

void shell_scan(const char *text, struct shell_scan *ret)
{
    *ret = (struct shell_scan){ .is_certain = true };
    struct scanner s = { .at = text, .ret = ret, .words = STRVEC_INIT };
    while (*s.at && !s.is_over)
        take_next(&s);
    end_command(&s, '\0');
    strvec_release(&s.words);
    if (!s.is_over)
        report_open(&s);
}
