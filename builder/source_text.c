/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/source_text.h"

#include "base/mem.h"
#include "builder/rune.h"
#include "registry/url.h"

#include <ctype.h>
#include <string.h>

#define CONTEXT_LINES 2
#define MAX_RANGE_LINES 8 /* of a longer range its first and last lines are shown */
#define MAX_LINE_SIZE 160
#define MAX_SEEN_SIZE 4096 /* of a line, where its URLs are looked for */

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

/* Nothing that moves a terminal's cursor, and shortened. */
static void add_harmless(const char *line, size_t size, struct strbuf *buf)
{
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

/*
 * A line as an excerpt shows it: without line end, shortened, harmless, and without the secrets of
 * its URLs. False when those made it another text, so that no column of the line means anything.
 */
static bool add_shown_line(const struct source_text *text, size_t number, struct strbuf *buf)
{
    size_t size;
    const char *line = source_text_line(text, number, &size);
    while (size && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    AUTO(free) char *whole = xstrndup(line, size < MAX_SEEN_SIZE ? size : MAX_SEEN_SIZE);
    AUTO(free) char *shown = url_redact_within(whole);
    bool is_same = strcmp(whole, shown) == 0;
    add_harmless(is_same ? line : shown, is_same ? size : strlen(shown), buf);
    return is_same;
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

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_-./", c));
}

/* Where `word` stands in the text: as a word of its own, else anywhere; NULL: nowhere. */
static const char *find_word(const char *text, size_t size, const char *word, size_t word_size)
{
    const char *first = word_size ? memmem(text, size, word, word_size) : NULL;
    const char *end = text + size;
    for (const char *at = first; at; at = memmem(at + 1, (size_t)(end - at) - 1, word, word_size)) {
        const char *after = at + word_size;
        bool begins = at == text || !is_word_byte(*word) || !is_word_byte(at[-1]);
        bool ends = after == end || !is_word_byte(word[word_size - 1]) || !is_word_byte(*after);
        if (begins && ends)
            return at;
    }
    return first;
}

/* The underline for culprit, where it stands in this line; true when it was found. */
static bool add_underline(const struct source_text *text, size_t number, const char *culprit,
                          struct strbuf *buf)
{
    size_t size, culprit_size = strcspn(culprit, "\n");
    const char *line = source_text_line(text, number, &size);
    const char *at = find_word(line, size, culprit, culprit_size);
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
        bool is_same = add_shown_line(text, number, buf);
        strbuf_rtrim(buf);
        strbuf_addc(buf, '\n');
        if (in_range && culprit && is_same && add_underline(text, number, culprit, buf))
            culprit = NULL;
    }
}

/* --- the culprit that a message names -------------------------------------------------------- */

/* The lines that an error is about. */
struct excerpt {
    const char *text;
    size_t size;
};

static bool has_word(const struct excerpt *excerpt, const char *word, size_t size)
{
    return find_word(excerpt->text, excerpt->size, word, size) != NULL;
}

/* The first that the message puts in quotes. */
static char *find_quoted(const struct excerpt *excerpt, const char *message)
{
    const char *start = message, *end;
    while ((start = strchr(start, '"')) && (end = strchr(start + 1, '"'))) {
        const char *word = start + 1;
        if (has_word(excerpt, word, (size_t)(end - word)))
            return xstrndup(word, (size_t)(end - word));
        start = end;
    }
    return NULL;
}

/* The first --flag=value, or --flag where it is written in another way. */
static char *find_flag(const struct excerpt *excerpt, const char *message)
{
    for (const char *at = message; (at = strstr(at, "--")); at += 2) {
        if (at > message && at[-1] != ' ')
            continue;
        size_t size = strcspn(at, " ");
        size -= size && strchr(":,", at[size - 1]);
        size_t name_size = strcspn(at, " =:,");
        if (size > name_size && has_word(excerpt, at, size))
            return xstrndup(at, size);
        if (name_size > 2 && has_word(excerpt, at, name_size))
            return xstrndup(at, name_size);
    }
    return NULL;
}

/* "source a/b: not found": what follows the noun that the message begins with, or has after ": ".
 */
static char *find_after_noun(const struct excerpt *excerpt, const char *message)
{
    static const char *const nouns[] = { "source",     "stage",  "secret", "agent",  "pulling",
                                         "ADD",        "ARG",    "COPY",   "ENV",    "FROM",
                                         "LABEL",      "RUN",    "USER",   "NONE",   "WORKDIR",
                                         "CMD",        "VOLUME", "SHELL",  "EXPOSE", "image",
                                         "HEALTHCHECK" };
    for (const char *at = message; at; at = strstr(at, ": ") ? strstr(at, ": ") + 2 : NULL) {
        size_t size = strcspn(at, " :");
        bool is_noun = false;
        for (size_t i = 0; i < ARRAY_SIZE(nouns) && at[size] == ' '; i++)
            is_noun = is_noun || (strlen(nouns[i]) == size && !strncmp(nouns[i], at, size));
        const char *word = at + size + 1;
        size_t word_size = is_noun ? strcspn(word, " ") : 0;
        word_size -= word_size && word[word_size - 1] == ':';
        if (word_size && has_word(excerpt, word, word_size))
            return xstrndup(word, word_size);
    }
    return NULL;
}

/* The instruction itself, where nothing else is known of a mistake in it. */
static char *find_keyword(const struct excerpt *excerpt, const struct error *error)
{
    if (!error_is(error, ERR_SYNTAX))
        return NULL;
    size_t blanks = strspn(excerpt->text, " \t"), size = strcspn(excerpt->text + blanks, " \t\r\n");
    return size && excerpt->text[blanks] != '#' ? xstrndup(excerpt->text + blanks, size) : NULL;
}

static char *find_culprit(const struct source_text *text, struct source_range range,
                          const struct error *error)
{
    if (!range.first || range.last < range.first || range.last > text->n_lines)
        return NULL;
    size_t end = range.last < text->n_lines ? text->starts[range.last] : text->size;
    const struct excerpt excerpt = { text->data + text->starts[range.first - 1],
                                     end - text->starts[range.first - 1] };
    const char *message = error_message(error);
    char *word = find_quoted(&excerpt, message);
    if (!word)
        word = find_flag(&excerpt, message);
    if (!word)
        word = find_after_noun(&excerpt, message);
    return word ? word : find_keyword(&excerpt, error);
}

void source_text_locate_(const struct source_text *text, struct source_range range,
                         const char *culprit, struct error **err)
{
    if (!text)
        return;
    AUTO(free) char *named = culprit ? NULL : find_culprit(text, range, *err);
    if (range.first)
        (void)error_wrap(err, "%s:%zu", text->name, range.first);
    else
        (void)error_wrap(err, "%s", text->name);
    AUTO(strbuf_release) struct strbuf excerpt = STRBUF_INIT;
    source_text_excerpt(text, range, culprit ? culprit : named, &excerpt);
    if (excerpt.size)
        error_detail(err, "%s", excerpt.data);
}
