/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lines.h"

#include "base/json.h"
#include "base/mem.h"
#include "builder/rune.h"

#include <string.h>

/* Part of a physical line. */
struct piece {
    const char *text;
    size_t size;
};

void lines_init(struct lines *lines, const struct source_text *source)
{
    *lines = (struct lines){ .source = source, .next = 1, .escape = '\\' };
}

void directives_release(struct directives *directives)
{
    free(directives->syntax);
    free(directives->check);
    *directives = (struct directives){ 0 };
}

void logical_line_release(struct logical_line *line)
{
    strbuf_release(&line->text);
    strbuf_release(&line->comment);
}

static struct piece trim_left(struct piece piece)
{
    while (piece.size) {
        uint32_t rune;
        size_t n = rune_decode(piece.text, piece.size, &rune);
        if (!rune_is_space(rune))
            break;
        piece.text += n;
        piece.size -= n;
    }
    return piece;
}

static struct piece trim_right(struct piece piece)
{
    while (piece.size && is_space_byte(piece.text[piece.size - 1]))
        piece.size--;
    return piece;
}

/* Line `number` without its line end. */
static struct piece physical_line(const struct lines *lines, size_t number)
{
    struct piece piece;
    piece.text = source_text_line(lines->source, number, &piece.size);
    if (piece.size && piece.text[piece.size - 1] == '\n')
        piece.size--;
    if (piece.size && piece.text[piece.size - 1] == '\r')
        piece.size--;
    return piece;
}

static bool is_alnum(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

/* `# name = value`; name and value are what they say when true. */
static bool read_directive(struct piece line, const char *marker, struct piece *name,
                           struct piece *value)
{
    size_t marker_size = strlen(marker);
    line = trim_right(trim_left(line));
    if (line.size < marker_size || memcmp(line.text, marker, marker_size) != 0)
        return false;
    line.text += marker_size;
    line.size -= marker_size;
    line = trim_left(line);
    *name = (struct piece){ line.text, 0 };
    while (name->size < line.size && is_alnum(line.text[name->size], name->size == 0))
        name->size++;
    line = trim_left((struct piece){ line.text + name->size, line.size - name->size });
    if (!name->size || !line.size || *line.text != '=')
        return false;
    *value = trim_left((struct piece){ line.text + 1, line.size - 1 });
    return value->size > 0;
}

static bool is_named(struct piece name, const char *wanted)
{
    return strlen(wanted) == name.size && strncasecmp(name.text, wanted, name.size) == 0;
}

static int set_escape(struct lines *lines, struct piece value, struct directives *ret,
                      struct error **err)
{
    if (value.size != 1 || (*value.text != '\\' && *value.text != '`'))
        return error_set(err, ERR_SYNTAX,
                         "escape directive: \"%.*s\" is neither a backslash nor a backtick",
                         (int)(value.size < 40 ? value.size : 40), value.text);
    lines->escape = ret->escape = *value.text;
    return 0;
}

/* 1: it was a directive; 0: it isn't one, and the search ends. */
static int take_directive(struct lines *lines, struct directives *ret, struct error **err)
{
    struct piece name, value;
    if (!read_directive(physical_line(lines, lines->next), "#", &name, &value))
        return 0;
    const struct {
        const char *name;
        size_t *line;
        char **text;
    } known[] = {
        { "syntax", &ret->syntax_line, &ret->syntax },
        { "check", &ret->check_line, &ret->check },
        { "escape", &ret->escape_line, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (!is_named(name, known[i].name))
            continue;
        if (*known[i].line)
            return error_set(err, ERR_SYNTAX, "%s directive given twice: first on line %zu",
                             known[i].name, *known[i].line);
        *known[i].line = lines->next;
        if (!known[i].text)
            return set_escape(lines, value, ret, err) < 0 ? -1 : 1;
        *known[i].text = xstrndup(value.text, value.size);
        return 1;
    }
    return 0;
}

/* The forms of `syntax` that only choose a frontend: behind "#!", after "//", in a JSON object. */
static void find_other_syntax(const struct lines *lines, struct directives *ret)
{
    const struct source_text *source = lines->source;
    struct piece name, value;
    size_t number = 1;
    const char *marker = "#";
    struct piece first = physical_line(lines, 1);
    if (first.size >= 2 && memcmp(first.text, "#!", 2) == 0)
        number = 2;
    else if (first.size >= 2 && memcmp(first.text, "//", 2) == 0)
        marker = "//";
    for (; (number > 1 || *marker == '/') && number <= source->n_lines; number++) {
        if (!read_directive(physical_line(lines, number), marker, &name, &value))
            return;
        if (!is_named(name, "syntax"))
            continue;
        ret->syntax = xstrndup(value.text, value.size);
        ret->syntax_line = number;
        return;
    }
    if (*trim_left((struct piece){ source->data, source->size }).text != '{')
        return;
    AUTO(error_free)
    struct error *ignored = NULL; /* not JSON: a syntax error for the parser to report */
    AUTO(json_decref) json_t *object = json_parse_object(source->data, source->size, &ignored);
    const char *syntax = json_string_value(json_object_get(object, "syntax"));
    if (syntax) {
        ret->syntax = xstrdup(syntax);
        ret->syntax_line = 1;
    }
}

int lines_read_directives(struct lines *lines, struct directives *ret, struct error **err)
{
    AUTO(directives_release) struct directives directives = { .escape = lines->escape };
    int more = 1;
    while (lines->next <= lines->source->n_lines &&
           (more = take_directive(lines, &directives, err)) > 0)
        lines->next++;
    if (more < 0)
        return -1;
    if (!directives.syntax && lines->source->n_lines)
        find_other_syntax(lines, &directives);
    *ret = directives;
    directives = (struct directives){ 0 };
    return 0;
}

/*
 * Drops the escape character that ends a line, if it does: blanks may follow it, another
 * escape character in front of it makes it literal. (So `\\\` isn't one either: a flaw
 * that other builders share and Dockerfiles rely on.)
 */
static bool drop_continuation(const struct lines *lines, struct piece *line)
{
    size_t size = line->size;
    while (size && (line->text[size - 1] == ' ' || line->text[size - 1] == '\t'))
        size--;
    if (!size || line->text[size - 1] != lines->escape)
        return false;
    if (size > 1 && line->text[size - 2] == lines->escape)
        return false;
    line->size = size - 1;
    return true;
}

static void remember_comment(struct logical_line *line, struct piece comment)
{
    comment = trim_right(trim_left((struct piece){ comment.text + 1, comment.size - 1 }));
    if (line->comment.size)
        strbuf_addc(&line->comment, '\n');
    strbuf_add(&line->comment, comment.text, comment.size);
}

/* Moves to the line that an instruction begins on, collecting the comments just above it. */
static bool find_start(struct lines *lines, struct logical_line *line)
{
    for (; lines->next <= lines->source->n_lines; lines->next++) {
        struct piece piece = trim_left(physical_line(lines, lines->next));
        if (!piece.size)
            strbuf_reset(&line->comment);
        else if (*piece.text == '#')
            remember_comment(line, piece);
        else
            return true;
    }
    return false;
}

static bool read_logical_line(struct lines *lines, struct logical_line *line)
{
    strbuf_reset(&line->text);
    strbuf_reset(&line->comment);
    line->empty_line = 0;
    if (!find_start(lines, line))
        return false;

    line->range.first = lines->next;
    struct piece piece = trim_left(physical_line(lines, lines->next++));
    bool continues = drop_continuation(lines, &piece);
    strbuf_add(&line->text, piece.text, piece.size);
    while (continues && lines->next <= lines->source->n_lines) {
        piece = physical_line(lines, lines->next++);
        struct piece trimmed = trim_left(piece);
        if (trimmed.size && *trimmed.text == '#')
            continue;
        if (!trimmed.size) {
            if (!line->empty_line)
                line->empty_line = lines->next - 1;
            continue;
        }
        continues = drop_continuation(lines, &piece);
        strbuf_add(&line->text, piece.text, piece.size);
    }
    line->range.last = lines->next - 1;
    return true;
}

bool lines_next(struct lines *lines, struct logical_line *line)
{
    bool more;
    /* a lone escape character before the end of the text continues into nothing */
    while ((more = read_logical_line(lines, line)) && !line->text.size)
        continue;
    return more;
}

static bool is_terminator(struct piece line, const struct heredoc *heredoc)
{
    while (heredoc->chomp && line.size && *line.text == '\t') {
        line.text++;
        line.size--;
    }
    return strlen(heredoc->name) == line.size && memcmp(heredoc->name, line.text, line.size) == 0;
}

static int read_body(struct lines *lines, struct heredoc *heredoc, struct error **err)
{
    const struct source_text *source = lines->source;
    size_t first = lines->next;
    for (; lines->next <= source->n_lines; lines->next++) {
        if (!is_terminator(physical_line(lines, lines->next), heredoc))
            continue;
        const char *from = source->data + source->starts[first - 1];
        const char *to = source->data + source->starts[lines->next - 1];
        heredoc->content = xstrndup(from, (size_t)(to - from));
        heredoc->range = (struct source_range){ first, lines->next };
        lines->next++;
        return 0;
    }
    (void)error_set(err, ERR_SYNTAX, "unterminated heredoc: no line is \"%s\"", heredoc->name);
    return -1;
}

int lines_read_heredocs(struct lines *lines, struct logical_line *line, struct heredoc_list *list,
                        struct error **err)
{
    for (size_t i = 0; i < list->n_items; i++) {
        if (read_body(lines, &list->items[i], err) < 0)
            return -1;
        line->range.last = lines->next - 1;
    }
    return 0;
}
