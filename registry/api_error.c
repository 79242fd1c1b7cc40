/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/api_error.h"

#include "base/json.h"

#include <ctype.h>
#include <string.h>

#define DETAIL_MAX 300

static const struct {
    int status;
    const char *name;
} names[] = {
    { 300, "multiple choices" },
    { 301, "moved permanently" },
    { 302, "found" },
    { 303, "see other" },
    { 304, "not modified" },
    { 307, "temporary redirect" },
    { 308, "permanent redirect" },
    { 400, "bad request" },
    { 401, "unauthorized" },
    { 402, "payment required" },
    { 403, "forbidden" },
    { 404, "not found" },
    { 405, "method not allowed" },
    { 406, "not acceptable" },
    { 408, "request timeout" },
    { 409, "conflict" },
    { 410, "gone" },
    { 411, "length required" },
    { 412, "precondition failed" },
    { 413, "content too large" },
    { 415, "unsupported media type" },
    { 416, "range not satisfiable" },
    { 422, "unprocessable content" },
    { 429, "too many requests" },
    { 500, "internal server error" },
    { 501, "not implemented" },
    { 502, "bad gateway" },
    { 503, "service unavailable" },
    { 504, "gateway timeout" },
    { 507, "insufficient storage" },
};

void api_error_add_clean(struct strbuf *buf, const char *text, size_t size, size_t max)
{
    size_t start = buf->size, end = start;
    for (size_t i = 0; i < size && buf->size - start < max; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] >= 0x80 &&
                  (unsigned char)text[i + 1] < 0xa0;
        if ((c & 0xc0) != 0x80)
            end = buf->size; /* a character begins here */
        if (c1)
            i++;
        else if (c == '\n' || c == '\t')
            strbuf_addc(buf, ' ');
        else if (c >= ' ' && c != 0x7f)
            strbuf_addc(buf, (char)c);
    }
    if (buf->size - start >= max && (unsigned char)buf->data[buf->size - 1] >= 0x80)
        strbuf_set_size(buf, end);
}

static void add_text(struct strbuf *buf, const char *text)
{
    size_t left = API_ERROR_TEXT_MAX > buf->size ? API_ERROR_TEXT_MAX - buf->size : 0;
    api_error_add_clean(buf, text, strlen(text), left);
}

/* MANIFEST_UNKNOWN: "manifest unknown" */
static void code_to_words(const char *code, char out[64])
{
    size_t i = 0;
    for (; code[i] && i < 63; i++)
        out[i] = (char)(code[i] == '_' ? ' ' : tolower((unsigned char)code[i]));
    out[i] = '\0';
}

/* The text of a page, without its tags */
static void add_page(struct strbuf *buf, const char *page)
{
    while (*page) {
        size_t size = strcspn(page, "<");
        bool blank = strspn(page, " \t\r\n") >= size;
        if (!blank && buf->size)
            strbuf_addc(buf, ' ');
        if (!blank)
            strbuf_add(buf, page, size);
        page += size;
        page += strcspn(page, ">");
        page += *page == '>';
    }
    strbuf_rtrim(buf);
}

static void add_detail(struct strbuf *buf, const json_t *detail)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (json_is_string(detail) && *json_string_value(detail) == '<')
        add_page(&text, json_string_value(detail));
    else if (json_is_string(detail))
        strbuf_adds(&text, json_string_value(detail));
    else if ((json_is_object(detail) && json_object_size(detail)) ||
             (json_is_array(detail) && json_array_size(detail)))
        json_format_canonical(detail, &text);
    if (!text.size)
        return;
    if (text.size > DETAIL_MAX) {
        strbuf_set_size(&text, DETAIL_MAX);
        strbuf_adds(&text, "...");
    }
    add_text(buf, " (");
    add_text(buf, text.data);
    add_text(buf, ")");
}

static void add_error(struct strbuf *buf, const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    char words[64] = "";
    if (code)
        code_to_words(code, words);
    if (buf->size)
        add_text(buf, "; ");
    bool same = message && strcasecmp(message, words) == 0;
    if (*words)
        add_text(buf, words);
    if (*words && message && *message && !same)
        add_text(buf, ": ");
    if (message && *message && !(same && *words))
        add_text(buf, message);
    add_detail(buf, json_object_get(error, "detail"));
}

static void add_document(struct strbuf *buf, const json_t *document)
{
    static const char *const members[] = { "error_description", "message", "details", "detail",
                                           "error" };
    const json_t *errors = json_object_get(document, "errors");
    for (size_t i = 0; i < json_array_size(errors); i++)
        if (json_is_object(json_array_get(errors, i)))
            add_error(buf, json_array_get(errors, i));
    for (size_t i = 0; !buf->size && i < ARRAY_SIZE(members); i++) {
        const char *text = json_string_value(json_object_get(document, members[i]));
        if (text)
            add_text(buf, text);
    }
}

static json_t *parse(const char *body, size_t size)
{
    AUTO(error_free) struct error *ignored = NULL; /* bodies of errors may be anything */
    return size ? json_parse_object(body, size, &ignored) : NULL;
}

void api_error_text(int status, const char *body, size_t size, struct strbuf *buf)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(json_decref) json_t *document = parse(body, size);
    if (document)
        add_document(&text, document);
    else if (size && !memchr(body, '<', size) && !memchr(body, '{', size))
        api_error_add_clean(&text, body, size, API_ERROR_TEXT_MAX);
    strbuf_rtrim(&text);
    for (size_t i = 0; !text.size && i < ARRAY_SIZE(names); i++)
        if (names[i].status == status)
            strbuf_adds(&text, names[i].name);
    strbuf_add(buf, text.data, text.size);
}

bool api_error_has_code(const char *body, size_t size, const char *code)
{
    AUTO(json_decref) json_t *document = parse(body, size);
    const json_t *errors = json_object_get(document, "errors");
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const char *have = json_string_value(json_object_get(json_array_get(errors, i), "code"));
        if (have && strcasecmp(have, code) == 0)
            return true;
    }
    return false;
}

enum error_code api_error_code(int status)
{
    if (status == 404 || status == 410)
        return ERR_NOT_FOUND;
    if (status == 401 || status == 403)
        return ERR_UNAUTHORIZED;
    if (status == 408 || status == 429 || status >= 500)
        return ERR_NETWORK;
    return ERR_REFUSED;
}
