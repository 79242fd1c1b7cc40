/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/source_text.h"

#include "base/mem.h"
#include "builder/rune.h"

#include <string.h>

#define CONTEXT_LINES 2
#define MAX_RANGE_LINES 8 /* of a longer range its first and last lines are shown */
#define MAX_LINE_SIZE 160

struct source_text *source_text_new(const char *name, const char *data, size_t size)
{
    static const char bom[] = "\xef\xbb\xbf";
    if (size >= 3 && memcmp(data, bom, 3) == 0) {
        data += 3;
        size -= 3;
    }
    struct source_text *text = NEW(struct source_text);
    text->name = xstrdup(name);
    text->data = xmalloc(size + 1);
    if (size)
        memcpy(text->data, data, size);
    text->data[size] = '\0';
    text->size = size;

    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += text->data[i] == '\n';
    text->starts = xreallocarray(NULL, n + 1, sizeof(*text->starts));
    for (size_t start = 0; start < size;) {
        text->starts[text->n_lines++] = start;
        const char *end = memchr(text->data + start, '\n', size - start);
        start = end ? (size_t)(end - text->data) + 1 : size;
    }
    return text;
}

void source_text_free(struct source_text *text)
{
    if (!text)
        return;
    free(text->name);
    free(text->data);
    free(text->starts);
    free(text);
}

const char *source_text_line(const struct source_text *text, size_t number, size_t *size)
{
    size_t start = text->starts[number - 1];
    size_t end = number < text->n_lines ? text->starts[number] : text->size;
    *size = end - start;
    return text->data + start;
}

/* A line as an excerpt shows it: without line end, shortened, nothing that moves a terminal's
 * cursor. */
static void add_shown_line(const struct source_text *text, size_t number, struct strbuf *buf)
{
    size_t size;
    const char *line = source_text_line(text, number, &size);
    while (size && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    bool is_long = size > MAX_LINE_SIZE;
    for (size_t i = 0; i < size;) {
        uint32_t rune;
        size_t n = rune_decode(line + i, size - i, &rune);
        if (is_long && i + n > MAX_LINE_SIZE)
            break;
        if (rune == '\t')
            strbuf_addc(buf, ' ');
        else if (rune < 0x20 || (rune >= 0x7f && rune < 0xa0) || (rune == RUNE_ERROR && n == 1))
            strbuf_addc(buf, '?');
        else
            strbuf_add(buf, line + i, n);
        i += n;
    }
    if (is_long)
        strbuf_adds(buf, "...");
}

static size_t n_runes(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; n++) {
        uint32_t rune;
        i += rune_decode(text + i, size - i, &rune);
    }
    return n;
}

/* The underline for culprit, where it stands in this line; true when it was found. */
static bool add_underline(const struct source_text *text, size_t number, const char *culprit,
                          struct strbuf *buf)
{
    size_t size, culprit_size = strcspn(culprit, "\n");
    const char *line = source_text_line(text, number, &size);
    const char *at = culprit_size ? memmem(line, size, culprit, culprit_size) : NULL;
    if (!at || (size_t)(at - line) + culprit_size > MAX_LINE_SIZE)
        return false;
    strbuf_adds(buf, "     |     ");
    for (size_t i = n_runes(line, (size_t)(at - line)); i; i--)
        strbuf_addc(buf, ' ');
    strbuf_addc(buf, '^');
    for (size_t i = n_runes(at, culprit_size); i > 1; i--)
        strbuf_addc(buf, '~');
    strbuf_addc(buf, '\n');
    return true;
}

void source_text_excerpt(const struct source_text *text, struct source_range range,
                         const char *culprit, struct strbuf *buf)
{
    if (!range.first || range.last < range.first || range.last > text->n_lines)
        return;
    size_t from = range.first > CONTEXT_LINES ? range.first - CONTEXT_LINES : 1;
    size_t to =
        range.last + CONTEXT_LINES < text->n_lines ? range.last + CONTEXT_LINES : text->n_lines;
    size_t skip_from = 0, skip_to = 0;
    if (range.last - range.first >= MAX_RANGE_LINES) {
        skip_from = range.first + MAX_RANGE_LINES - 2;
        skip_to = range.last - 1;
    }
    for (size_t number = from; number <= to; number++) {
        if (number == skip_from) {
            strbuf_addf(buf, "     | ... %zu lines\n", skip_to - skip_from + 1);
            number = skip_to;
            continue;
        }
        bool in_range = number >= range.first && number <= range.last;
        strbuf_addf(buf, "%4zu | %s ", number, in_range ? ">>>" : "   ");
        add_shown_line(text, number, buf);
        strbuf_rtrim(buf);
        strbuf_addc(buf, '\n');
        if (in_range && culprit && add_underline(text, number, culprit, buf))
            culprit = NULL;
    }
}

/* Where a `"word"` or, with `is_flag`, a `--flag` of a message stops that begins at `at`; NULL:
 * none does. */
static const char *named_word(const char *at, const char *message, bool is_flag, const char **start)
{
    if (!is_flag) {
        *start = at + 1;
        return *at == '"' ? strchr(at + 1, '"') : NULL;
    }
    if (strncmp(at, "--", 2) != 0 || (at > message && at[-1] != ' '))
        return NULL;
    *start = at;
    return at + strcspn(at, " =:,");
}

/* The first word that the message names and text[0..size) holds; NULL: none. */
static char *find_named(const char *text, size_t text_size, const char *message, bool is_flag)
{
    for (const char *at = message; *at; at++) {
        const char *start, *end = named_word(at, message, is_flag, &start);
        if (!end)
            continue;
        size_t size = (size_t)(end - start);
        if (size && memmem(text, text_size, start, size))
            return xstrndup(start, size);
        at = *end ? end : end - 1;
    }
    return NULL;
}

static char *find_culprit(const struct source_text *text, struct source_range range,
                          const char *message)
{
    if (!range.first || range.last < range.first || range.last > text->n_lines)
        return NULL;
    const char *from = text->data + text->starts[range.first - 1];
    size_t end = range.last < text->n_lines ? text->starts[range.last] : text->size;
    size_t size = end - text->starts[range.first - 1];
    char *word = find_named(from, size, message, false);
    return word ? word : find_named(from, size, message, true);
}

void source_text_locate_(const struct source_text *text, struct source_range range,
                         const char *culprit, struct error **err)
{
    if (!text)
        return;
    AUTO(free) char *named = culprit ? NULL : find_culprit(text, range, error_message(*err));
    if (range.first)
        (void)error_wrap(err, "%s:%zu", text->name, range.first);
    else
        (void)error_wrap(err, "%s", text->name);
    AUTO(strbuf_release) struct strbuf excerpt = STRBUF_INIT;
    source_text_excerpt(text, range, culprit ? culprit : named, &excerpt);
    if (excerpt.size)
        error_detail(err, "%s", excerpt.data);
}
