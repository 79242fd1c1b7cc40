/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a template to its tree. A recursive descent, bounded by MAX_DEPTH. */
#include "cli/template_internal.h"

#include "base/array.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define MAX_DEPTH 64

struct parser {
    struct template *template;
    const char *p;
    bool trims;          /* the last action ended in -}}: the text behind it loses its blanks */
    int depth;           /* of blocks and parentheses */
    int n_loops;         /* that we are in */
    size_t end_position; /* of the last else or end */
    const char **names;  /* of variables in scope */
    size_t n_names, names_capacity;
};

enum keyword {
    WORD_NONE,
    WORD_IF,
    WORD_WITH,
    WORD_RANGE,
    WORD_ELSE,
    WORD_END,
    WORD_BREAK,
    WORD_CONTINUE,
    WORD_UNSUPPORTED,
};

static const struct {
    const char *name;
    enum keyword keyword;
} keywords[] = {
    { "if", WORD_IF },
    { "with", WORD_WITH },
    { "range", WORD_RANGE },
    { "else", WORD_ELSE },
    { "end", WORD_END },
    { "break", WORD_BREAK },
    { "continue", WORD_CONTINUE },
    { "define", WORD_UNSUPPORTED },
    { "template", WORD_UNSUPPORTED },
    { "block", WORD_UNSUPPORTED },
    { "call", WORD_UNSUPPORTED },
};

static struct template_pipeline *parse_pipeline(struct parser *parser, bool of_range,
                                                struct error **err);
static int parse_nodes(struct parser *parser, struct template_node **ret, enum keyword *end,
                       struct error **err);

/* Text */

static size_t position_of(const struct parser *parser)
{
    return (size_t)(parser->p - parser->template->text);
}

#define FAIL(parser, err, ...)                                                                     \
    template_error((parser)->template, position_of(parser), (err), __VA_ARGS__)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct parser *parser)
{
    while (is_blank(*parser->p))
        parser->p++;
}

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static size_t name_size(const char *p)
{
    size_t size = 0;
    while (is_name_byte(p[size]))
        size++;
    return size;
}

static bool is_trimming_end(const struct parser *parser)
{
    return !strncmp(parser->p, "-}}", 3) && is_blank(parser->p[-1]);
}

static bool is_end(const struct parser *parser)
{
    return !strncmp(parser->p, "}}", 2) || is_trimming_end(parser);
}

/* The end of an action. */
static int parse_end(struct parser *parser, struct error **err)
{
    skip_blanks(parser);
    if (!*parser->p)
        return FAIL(parser, err, "}} is missing");
    if (!is_end(parser))
        return FAIL(parser, err, "unexpected \"%.*s\"", (int)strcspn(parser->p, " \t\n}"),
                    parser->p);
    parser->trims = *parser->p == '-';
    parser->p += parser->trims ? 3 : 2;
    return 0;
}

static enum keyword keyword_at(const char *p)
{
    size_t size = name_size(p);
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        if (size == strlen(keywords[i].name) && !strncmp(p, keywords[i].name, size))
            return keywords[i].keyword;
    return WORD_NONE;
}

static struct template_node *new_node(struct parser *parser, enum template_node_kind kind)
{
    struct template_node *node = arena_alloc(&parser->template->arena, sizeof(*node));
    node->kind = kind;
    node->position = position_of(parser);
    return node;
}

/* What stands before the next action, or NULL. */
static struct template_node *parse_text(struct parser *parser)
{
    const char *start = parser->p;
    const char *end = strstr(start, "{{");
    if (!end)
        end = start + strlen(start);
    parser->p = end;
    if (parser->trims)
        while (start < end && is_blank(*start))
            start++;
    if (!strncmp(end, "{{-", 3) && is_blank(end[3]))
        while (end > start && is_blank(end[-1]))
            end--;
    if (start == end)
        return NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (const char *c = start; c < end; c++) {
        if (*c == '\\' && c + 1 < end && (c[1] == 't' || c[1] == 'n'))
            strbuf_addc(&text, *++c == 't' ? '\t' : '\n');
        else
            strbuf_addc(&text, *c);
    }
    struct template_node *node = new_node(parser, NODE_TEXT);
    node->text = arena_text(&parser->template->arena, text.data, text.size);
    return node;
}

/* Operands */

/* At \x or \u, whose digits follow. */
static int parse_code(struct parser *parser, struct strbuf *text, struct error **err)
{
    size_t n_digits = *parser->p == 'x' ? 2 : 4;
    char digits[5] = "";
    for (size_t i = 0; i < n_digits; i++) {
        if (!isxdigit((unsigned char)parser->p[1 + i]))
            return FAIL(parser, err, "%zu hexadecimal digits are expected", n_digits);
        digits[i] = parser->p[1 + i];
    }
    parser->p += n_digits;
    unsigned long code = strtoul(digits, NULL, 16);
    if (!code || (code >= 0xd800 && code < 0xe000))
        return FAIL(parser, err, "no character has this code");
    if (n_digits == 2 || code < 0x80) {
        strbuf_addc(text, (char)code);
    } else if (code < 0x800) {
        strbuf_addc(text, (char)(0xc0 | code >> 6));
        strbuf_addc(text, (char)(0x80 | (code & 0x3f)));
    } else {
        strbuf_addc(text, (char)(0xe0 | code >> 12));
        strbuf_addc(text, (char)(0x80 | (code >> 6 & 0x3f)));
        strbuf_addc(text, (char)(0x80 | (code & 0x3f)));
    }
    return 0;
}

static int parse_escape(struct parser *parser, struct strbuf *text, struct error **err)
{
    static const char letters[] = "ntrabfv\\\"'", bytes[] = "\n\t\r\a\b\f\v\\\"'";
    parser->p++;
    const char *letter = *parser->p ? strchr(letters, *parser->p) : NULL;
    if (letter)
        strbuf_addc(text, bytes[letter - letters]);
    else if (*parser->p != 'x' && *parser->p != 'u')
        return FAIL(parser, err, "unknown escape in a string");
    else if (parse_code(parser, text, err) < 0)
        return -1;
    parser->p++;
    return 0;
}

static json_t *parse_string(struct parser *parser, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    size_t start = position_of(parser);
    char quote = *parser->p++;
    while (*parser->p && *parser->p != quote) {
        if (*parser->p == '\\' && quote == '"') {
            if (parse_escape(parser, &text, err) < 0)
                return NULL;
        } else {
            strbuf_addc(&text, *parser->p++);
        }
    }
    if (!*parser->p) {
        template_error(parser->template, start, err, "a quote isn't closed");
        return NULL;
    }
    parser->p++;
    return json_from_string(text.data);
}

static json_t *parse_number(struct parser *parser, struct error **err)
{
    size_t size = 1 + strspn(parser->p + 1, "0123456789abcdefxABCDEFX._");
    AUTO(free) char *text = xstrndup(parser->p, size);
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 0);
    json_t *value = NULL;
    if (!*end && !errno) {
        value = json_integer(integer);
    } else {
        errno = 0;
        double real = strtod(text, &end);
        value = *end || errno ? NULL : json_real(real);
    }
    if (!value)
        FAIL(parser, err, "%s is no number", text);
    else
        parser->p += size;
    return value;
}

static bool is_word(const struct parser *parser, const char *word)
{
    size_t size = name_size(parser->p);
    return size == strlen(word) && !strncmp(parser->p, word, size);
}

/* true, false or nil; NULL without an error: another word */
static json_t *parse_constant(struct parser *parser)
{
    json_t *value = is_word(parser, "true")    ? json_true()
                    : is_word(parser, "false") ? json_false()
                    : is_word(parser, "nil")   ? json_null()
                                               : NULL;
    if (value)
        parser->p += name_size(parser->p);
    return value;
}

static int unexpected_word(struct parser *parser, struct error **err)
{
    size_t size = name_size(parser->p);
    AUTO(free) char *name = xstrndup(parser->p, size);
    if (!size) {
        FAIL(parser, err, "unexpected \"%.1s\"", parser->p);
    } else if (template_function_find(name, size)) {
        FAIL(parser, err, "%s is expected in parentheses here, with what it is called with", name);
    } else if (keyword_at(parser->p) != WORD_NONE) {
        FAIL(parser, err, "unexpected %s", name);
    } else {
        const char *known = template_function_suggest(name);
        FAIL(parser, err, "there is no function %s", name);
        if (known)
            error_hint(err, "did you mean %s?", known);
        else
            error_hint(err, "members of what is shown are written with a dot: .%s", name);
    }
    return -1;
}

static const char *parse_variable_name(struct parser *parser)
{
    size_t size = 1 + name_size(parser->p + 1);
    const char *name = arena_text(&parser->template->arena, parser->p, size);
    parser->p += size;
    return name;
}

static bool is_known(const struct parser *parser, const char *name)
{
    for (size_t i = 0; i < parser->n_names; i++)
        if (!strcmp(parser->names[i], name))
            return true;
    return false;
}

static int parse_known_variable(struct parser *parser, const char **ret, struct error **err)
{
    size_t start = position_of(parser);
    *ret = parse_variable_name(parser);
    return is_known(parser, *ret)
               ? 0
               : template_error(parser->template, start, err, "there is no variable %s", *ret);
}

static int parse_literal(struct parser *parser, struct template_operand *operand,
                         struct error **err)
{
    char c = *parser->p;
    json_t *value = c == '"' || c == '`'                                ? parse_string(parser, err)
                    : isdigit((unsigned char)c) || c == '-' || c == '+' ? parse_number(parser, err)
                                                                        : parse_constant(parser);
    if (!value)
        return *err ? -1 : unexpected_word(parser, err);
    operand->kind = OPERAND_LITERAL;
    operand->literal = value;
    (void)json_array_append_new(parser->template->literals, value);
    return 0;
}

static int parse_parentheses(struct parser *parser, struct template_operand *operand,
                             struct error **err)
{
    size_t start = position_of(parser);
    if (++parser->depth > MAX_DEPTH)
        return FAIL(parser, err, "parentheses are nested too deeply");
    parser->p++;
    operand->kind = OPERAND_PIPELINE;
    operand->pipeline = parse_pipeline(parser, false, err);
    if (!operand->pipeline)
        return -1;
    if (*parser->p != ')')
        return template_error(parser->template, start, err, "a parenthesis isn't closed");
    parser->p++;
    parser->depth--;
    return 0;
}

/* ".A.B" behind an operand, or as one. */
static int parse_fields(struct parser *parser, struct template_operand *operand, struct error **err)
{
    struct template_field **last = &operand->fields;
    bool is_alone = operand->kind == OPERAND_DOT;
    while (*parser->p == '.') {
        size_t size = name_size(parser->p + 1);
        if (!size && is_alone && !operand->fields) {
            parser->p++; /* the dot itself */
            break;
        }
        if (!size)
            return FAIL(parser, err, "a name is expected behind the dot");
        struct template_field *field = arena_alloc(&parser->template->arena, sizeof(*field));
        field->name = arena_text(&parser->template->arena, parser->p + 1, size);
        *last = field;
        last = &field->next;
        parser->p += 1 + size;
    }
    return 0;
}

static int parse_operand(struct parser *parser, struct template_operand *operand,
                         struct error **err)
{
    int parsed = 0;
    operand->position = position_of(parser);
    if (*parser->p == '.') {
        operand->kind = OPERAND_DOT;
    } else if (*parser->p == '$') {
        operand->kind = OPERAND_VARIABLE;
        parsed = parse_known_variable(parser, &operand->variable, err);
    } else if (*parser->p == '(') {
        parsed = parse_parentheses(parser, operand, err);
    } else {
        parsed = parse_literal(parser, operand, err);
    }
    if (parsed < 0 || (operand->kind != OPERAND_LITERAL && parse_fields(parser, operand, err) < 0))
        return -1;
    if (*parser->p && !is_blank(*parser->p) && !strchr("|)", *parser->p) && !is_end(parser))
        return FAIL(parser, err, "unexpected \"%.1s\"", parser->p);
    return 0;
}

/* Pipelines */

static bool ends_command(const struct parser *parser)
{
    return !*parser->p || strchr("|)", *parser->p) || is_end(parser);
}

static int count_arguments(struct parser *parser, const struct template_command *command, size_t n,
                           struct error **err)
{
    const struct template_function *function = command->function;
    if (n >= function->min && n <= function->max)
        return 0;
    if (function->min == function->max)
        return template_error(parser->template, command->position, err, "%s takes %zu argument%s",
                              function->name, function->min, function->min == 1 ? "" : "s");
    return template_error(parser->template, command->position, err, "%s takes %s %zu argument%s",
                          function->name, n < function->min ? "at least" : "at most",
                          n < function->min ? function->min : function->max,
                          (n < function->min ? function->min : function->max) == 1 ? "" : "s");
}

/* `n_piped`: what comes to it over a "|" */
static struct template_command *parse_command(struct parser *parser, size_t n_piped,
                                              struct error **err)
{
    struct template_command *command = arena_alloc(&parser->template->arena, sizeof(*command));
    command->position = position_of(parser);
    size_t size = name_size(parser->p), n = n_piped;
    if (size)
        command->function = template_function_find(parser->p, size);
    if (command->function)
        parser->p += size;
    struct template_operand **last = &command->operands;
    for (skip_blanks(parser); !ends_command(parser); skip_blanks(parser), n++) {
        if (!command->function && n > n_piped) {
            FAIL(parser, err, "only a function takes arguments");
            return NULL;
        }
        *last = arena_alloc(&parser->template->arena, sizeof(**last));
        if (parse_operand(parser, *last, err) < 0)
            return NULL;
        last = &(*last)->next;
    }
    if (command->function)
        return count_arguments(parser, command, n, err) < 0 ? NULL : command;
    if (!command->operands)
        FAIL(parser, err, "%s", *parser->p ? "a value is expected" : "}} is missing");
    else if (n_piped)
        template_error(parser->template, command->position, err, "a function is expected behind |");
    else
        return command;
    return NULL;
}

/* "$x :=", "$i, $x :=", "$x =", or nothing of these */
static int parse_assignment(struct parser *parser, struct template_pipeline *pipeline,
                            bool of_range, struct error **err)
{
    const char *start = parser->p;
    size_t n = 0;
    while (*parser->p == '$' && n < 2) {
        pipeline->variables[n++] = parse_variable_name(parser);
        skip_blanks(parser);
        if (*parser->p != ',' || n == 2 || !of_range)
            break;
        parser->p++;
        skip_blanks(parser);
    }
    pipeline->declares = !strncmp(parser->p, ":=", 2);
    if (!n || (!pipeline->declares && *parser->p != '=')) {
        parser->p = start;
        pipeline->variables[0] = pipeline->variables[1] = NULL;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (!pipeline->variables[i][1])
            return FAIL(parser, err, "$ can't be set");
        if (!pipeline->declares && !is_known(parser, pipeline->variables[i]))
            return FAIL(parser, err, "there is no variable %s", pipeline->variables[i]);
    }
    parser->p += pipeline->declares ? 2 : 1;
    skip_blanks(parser);
    return 0;
}

/* Up to the end of the action, or a closing parenthesis. */
static struct template_pipeline *parse_pipeline(struct parser *parser, bool of_range,
                                                struct error **err)
{
    struct template_pipeline *pipeline = arena_alloc(&parser->template->arena, sizeof(*pipeline));
    struct template_command **last = &pipeline->commands;
    skip_blanks(parser);
    if (parse_assignment(parser, pipeline, of_range, err) < 0)
        return NULL;
    for (;;) {
        *last = parse_command(parser, last != &pipeline->commands, err);
        if (!*last)
            return NULL;
        last = &(*last)->next;
        if (*parser->p != '|')
            break;
        parser->p++;
        skip_blanks(parser);
    }
    /* known from here on: not in its own value */
    for (size_t i = 0; i < 2 && pipeline->declares && pipeline->variables[i]; i++)
        *ARRAY_PUSH(parser, names) = pipeline->variables[i];
    return pipeline;
}

/* Actions */

static int parse_block(struct parser *parser, enum keyword keyword, struct template_node **ret,
                       struct error **err);

static int end_is_missing(struct parser *parser, const struct template_node *node,
                          struct error **err)
{
    return template_error(parser->template, node->position, err,
                          "{{end}} is missing for what begins here");
}

/* Behind "else": the rest of the block, up to its end. */
static int parse_else(struct parser *parser, struct template_node *node, struct error **err)
{
    enum keyword end;
    skip_blanks(parser);
    enum keyword chained = keyword_at(parser->p);
    if (chained == WORD_IF || chained == WORD_WITH) /* its end is ours */
        return parse_block(parser, chained, &node->otherwise, err);
    if (parse_end(parser, err) < 0 || parse_nodes(parser, &node->otherwise, &end, err) < 0)
        return -1;
    if (end == WORD_NONE)
        return end_is_missing(parser, node, err);
    return end == WORD_END ? 0
                           : template_error(parser->template, parser->end_position, err,
                                            "a second else for what begins here");
}

/* At if, with or range. */
static int parse_block(struct parser *parser, enum keyword keyword, struct template_node **ret,
                       struct error **err)
{
    bool is_range = keyword == WORD_RANGE;
    enum keyword end;
    size_t n_names = parser->n_names;
    struct template_node *node = new_node(parser, is_range               ? NODE_RANGE
                                                  : keyword == WORD_WITH ? NODE_WITH
                                                                         : NODE_IF);
    if (++parser->depth > MAX_DEPTH)
        return FAIL(parser, err, "blocks are nested too deeply");
    parser->p += name_size(parser->p);
    node->pipeline = parse_pipeline(parser, is_range, err);
    if (!node->pipeline || parse_end(parser, err) < 0)
        return -1;
    parser->n_loops += is_range;
    int parsed = parse_nodes(parser, &node->body, &end, err);
    parser->n_loops -= is_range;
    if (parsed < 0)
        return -1;
    if (end == WORD_NONE)
        return end_is_missing(parser, node, err);
    if (end == WORD_ELSE && parse_else(parser, node, err) < 0)
        return -1;
    parser->depth--;
    parser->n_names = n_names;
    *ret = node;
    return 0;
}

static int parse_jump(struct parser *parser, enum keyword keyword, struct template_node **ret,
                      struct error **err)
{
    if (!parser->n_loops)
        return FAIL(parser, err, "%s belongs into a range",
                    keyword == WORD_BREAK ? "break" : "continue");
    *ret = new_node(parser, keyword == WORD_BREAK ? NODE_BREAK : NODE_CONTINUE);
    parser->p += name_size(parser->p);
    return parse_end(parser, err);
}

/* Behind the opening braces, at "/" and "*" */
static int parse_comment(struct parser *parser, struct error **err)
{
    const char *end = strstr(parser->p, "*/");
    if (!end)
        return FAIL(parser, err, "a comment isn't closed");
    parser->p = end + 2;
    return parse_end(parser, err);
}

/* At braces. *ret stays NULL for a comment, and for else and end, which *end tells of. */
static int parse_action(struct parser *parser, struct template_node **ret, enum keyword *end,
                        struct error **err)
{
    parser->p += !strncmp(parser->p, "{{-", 3) && is_blank(parser->p[3]) ? 3 : 2;
    skip_blanks(parser);
    if (!strncmp(parser->p, "/*", 2))
        return parse_comment(parser, err);
    enum keyword keyword = keyword_at(parser->p);
    parser->end_position = position_of(parser);
    switch (keyword) {
    case WORD_IF:
    case WORD_WITH:
    case WORD_RANGE:
        return parse_block(parser, keyword, ret, err);
    case WORD_BREAK:
    case WORD_CONTINUE:
        return parse_jump(parser, keyword, ret, err);
    case WORD_UNSUPPORTED:
        return FAIL(parser, err, "%.*s is not supported", (int)name_size(parser->p), parser->p);
    case WORD_ELSE:
        *end = keyword;
        parser->p += name_size(parser->p);
        return 0; /* parse_else() reads on */
    case WORD_END:
        *end = keyword;
        parser->p += name_size(parser->p);
        return parse_end(parser, err);
    case WORD_NONE:
        break;
    }
    struct template_node *node = new_node(parser, NODE_PIPELINE);
    node->pipeline = parse_pipeline(parser, false, err);
    if (!node->pipeline || parse_end(parser, err) < 0)
        return -1;
    *ret = node;
    return 0;
}

/* Up to the text's end (*end is WORD_NONE), an end or an else. */
static int parse_nodes(struct parser *parser, struct template_node **ret, enum keyword *end,
                       struct error **err)
{
    size_t n_names = parser->n_names;
    struct template_node **last = ret;
    *ret = NULL;
    *end = WORD_NONE;
    while (*parser->p && *end == WORD_NONE) {
        *last = parse_text(parser);
        if (*last)
            last = &(*last)->next;
        if (*parser->p && parse_action(parser, last, end, err) < 0)
            return -1;
        if (*last)
            last = &(*last)->next;
    }
    parser->n_names = n_names;
    return 0;
}

struct template *template_parse(const char *text, struct error **err)
{
    AUTO(template_free) struct template *template = NEW(struct template);
    template->text = xstrdup(text);
    template->literals = json_array();
    struct parser parser = { .template = template, .p = template->text };
    *ARRAY_PUSH(&parser, names) = "$";
    enum keyword end;
    int parsed = parse_nodes(&parser, &template->nodes, &end, err);
    if (parsed == 0 && end != WORD_NONE)
        parsed = template_error(template, parser.end_position, err,
                                "%s without anything that it could belong to",
                                end == WORD_END ? "end" : "else");
    free(parser.names);
    return parsed < 0 ? NULL : TAKE(template);
}

void template_free(struct template *template)
{
    if (!template)
        return;
    json_decref(template->literals);
    arena_release(&template->arena);
    free(template->text);
    free(template);
}

/* Errors */

static void add_place(const struct template *template, size_t position, struct strbuf *place)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < position; i++) {
        bool is_line_end = template->text[i] == '\n';
        line += is_line_end;
        column = is_line_end ? 1 : column + 1;
    }
    if (strchr(template->text, '\n'))
        strbuf_addf(place, "--format, line %zu, column %zu", line, column);
    else
        strbuf_addf(place, "--format, column %zu", column);
}

int template_error_at(const struct template *template, size_t position, struct error **err)
{
    AUTO(strbuf_release) struct strbuf place = STRBUF_INIT;
    add_place(template, position, &place);
    return error_wrap(err, "%s", place.data);
}

int template_error(const struct template *template, size_t position, struct error **err,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO(free) char *message = xvasprintf(format, args);
    va_end(args);
    error_set_(err, ERR_USAGE, "%s", message);
    return template_error_at(template, position, err);
}
