/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/words.h"

#include "base/strbuf.h"
#include "builder/rune.h"

#include <jansson.h>
#include <string.h>

/*
 * Appends the word at text (not at a blank) to word and returns where it ends. An
 * escape character at the very end of the text is dropped.
 */
static const char *read_word(const char *text, const char *end, char escape, struct strbuf *word,
                             bool *quoted)
{
    char quote = '\0';
    *quoted = false;
    while (text < end) {
        uint32_t rune;
        size_t n = rune_decode(text, (size_t)(end - text), &rune);
        if (!quote && rune_is_space(rune))
            break;
        if (*text == escape && quote != '\'') {
            if (text + 1 == end)
                return end;
            strbuf_addc(word, *text++);
            n = rune_decode(text, (size_t)(end - text), &rune);
        } else if (quote && *text == quote) {
            quote = '\0';
        } else if (!quote && (*text == '"' || *text == '\'')) {
            quote = *text;
            *quoted = true;
        }
        strbuf_add(word, text, n);
        text += n;
    }
    return text;
}

static const char *skip_spaces(const char *text, const char *end)
{
    while (text < end) {
        uint32_t rune;
        size_t n = rune_decode(text, (size_t)(end - text), &rune);
        if (!rune_is_space(rune))
            break;
        text += n;
    }
    return text;
}

void words_split(const char *text, char escape, struct strvec *ret)
{
    AUTO(strbuf_release) struct strbuf word = STRBUF_INIT;
    const char *end = text + strlen(text);
    while ((text = skip_spaces(text, end)) < end) {
        bool quoted;
        strbuf_reset(&word);
        text = read_word(text, end, escape, &word, &quoted);
        if (word.size || quoted)
            strvec_pushn(ret, word.data, word.size);
    }
}

void words_split_blanks(const char *text, struct strvec *ret)
{
    for (;;) {
        while (is_space_byte(*text))
            text++;
        if (!*text)
            return;
        const char *start = text;
        while (*text && !is_space_byte(*text))
            text++;
        strvec_pushn(ret, start, (size_t)(text - start));
    }
}

/* A C string can't hold U+0000: it stays visible as the overlong C0 80. */
static void push_json_string(const json_t *item, struct strvec *ret)
{
    const char *value = json_string_value(item);
    size_t size = json_string_length(item);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < size; i++) {
        if (value[i])
            strbuf_addc(&text, value[i]);
        else
            strbuf_add(&text, "\xc0\x80", 2);
    }
    strvec_pushn(ret, text.data, text.size);
}

static void json_unref_auto(json_t **p)
{
    json_decref(*p);
}

int words_parse_json(const char *text, struct strvec *ret, struct error **err)
{
    while (is_space_byte(*text))
        text++;
    if (*text != '[')
        return 0;
    /* An integer too large for jansson would make the whole text "no JSON": reals take it. */
    AUTO(json_unref)
    json_t *array = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    if (!array)
        return 0;
    size_t n = json_array_size(array);
    for (size_t i = 0; i < n; i++) {
        if (!json_is_string(json_array_get(array, i)))
            return error_set(err, ERR_SYNTAX,
                             "element %zu of the JSON array isn't a string: the exec form takes "
                             "only strings",
                             i + 1);
    }
    for (size_t i = 0; i < n; i++)
        push_json_string(json_array_get(array, i), ret);
    return 1;
}

const char *words_lookup_env(void *env, const char *name)
{
    return env_get(env, name);
}
