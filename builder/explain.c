/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/explain.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <string.h>

#define VALUE_MAX 80 /* of a text that is shown */

/* --- reading --------------------------------------------------------------------------------- */

static int parse_line(const char *line, size_t size, struct inputs *ret, struct error **err)
{
    AUTO(json_decref) json_t *item = json_parse(line, size, err);
    if (!item)
        return -1;
    const char *kind = json_string_value(json_array_get(item, 0));
    const char *name = json_string_value(json_array_get(item, 1));
    const char *value = json_string_value(json_array_get(item, 2));
    if (!kind || !name || !value)
        return error_set(err, ERR_INVALID, "inputs of a step: not three texts");
    inputs_add(ret, kind, name, value);
    return 0;
}

int explain_parse_inputs(const char *data, size_t size, struct inputs *ret, struct error **err)
{
    AUTO(inputs_release) struct inputs inputs = { 0 };
    while (size) {
        const char *end = memchr(data, '\n', size);
        size_t line = end ? (size_t)(end - data) : size;
        if (parse_line(data, line, &inputs, err) < 0)
            return -1;
        line += end != NULL;
        data += line;
        size -= line;
    }
    *ret = inputs;
    inputs = (struct inputs){ 0 };
    return 0;
}

/* --- words ----------------------------------------------------------------------------------- */

/* "f 0644 0:0 sha256:... NAME=HEX": the parts of a file's value. */
struct file_value {
    char type;
    char *mode;    /* NULL: none */
    char *owner;   /* NULL: none */
    char *content; /* digest, target or device number */
    char *rest;    /* xattrs, another name */
};

static void file_value_release(struct file_value *value)
{
    free(value->mode);
    free(value->owner);
    free(value->content);
    free(value->rest);
}
DEFINE_AUTO_STRUCT(struct file_value, file_value_release)

static bool is_mode(const char *word, size_t size)
{
    return size >= 3 && size <= 5 && strspn(word, "01234567") >= size;
}

static bool is_owner(const char *word, size_t size)
{
    return memchr(word, ':', size) && strspn(word, "0123456789:") >= size;
}

static void split_file(const char *text, struct file_value *ret)
{
    ret->type = *text;
    text += *text != '\0';
    text += *text == ' ';
    size_t size = strcspn(text, " ");
    if (is_mode(text, size)) {
        ret->mode = xstrndup(text, size);
        text += size + (text[size] == ' ');
        size = strcspn(text, " ");
    }
    if (is_owner(text, size)) {
        ret->owner = xstrndup(text, size);
        text += size + (text[size] == ' ');
    }
    /* a link's target may hold blanks */
    size = ret->type == 'l' ? strlen(text) : !strncmp(text, "sha256:", 7) ? strcspn(text, " ") : 0;
    ret->content = xstrndup(text, size);
    ret->rest = xstrdup(text + size);
}

static const char *type_name(char type)
{
    switch (type) {
    case 'f':
        return "a file";
    case 'd':
        return "a directory";
    case 'l':
        return "a link";
    case 'p':
        return "a FIFO";
    default:
        return "a device";
    }
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *rest_name(const struct file_value *a, const struct file_value *b)
{
    if (a->type == 'c' || a->type == 'b')
        return "device number";
    return strstr(a->rest, " link:") || strstr(b->rest, " link:") ? "other names"
                                                                  : "extended attributes";
}

static char *file_change(const char *before, const char *now)
{
    AUTO(file_value_release) struct file_value a = { 0 };
    AUTO(file_value_release) struct file_value b = { 0 };
    split_file(before, &a);
    split_file(now, &b);
    if (a.type != b.type)
        return xasprintf("was %s, is %s", type_name(a.type), type_name(b.type));
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (strcmp(a.content, b.content) != 0)
        strbuf_adds(&text, a.type == 'l' ? "target changed" : "content changed");
    if (strcmp(a.rest, b.rest) != 0)
        strbuf_addf(&text, "%s%s changed", text.size ? ", " : "", rest_name(&a, &b));
    if (!same_text(a.mode, b.mode))
        strbuf_addf(&text, "%smode %s became %s", text.size ? ", " : "", a.mode ? a.mode : "none",
                    b.mode ? b.mode : "none");
    if (!same_text(a.owner, b.owner))
        strbuf_addf(&text, "%sowner %s became %s", text.size ? ", " : "",
                    a.owner ? a.owner : "none", b.owner ? b.owner : "none");
    return strbuf_detach(&text);
}

static void add_value(struct strbuf *buf, const char *value)
{
    AUTO(strbuf_release) struct strbuf shown = STRBUF_INIT;
    size_t size = strlen(value);
    strbuf_add(&shown, value, size > VALUE_MAX ? VALUE_MAX : size);
    strbuf_add_json_string(buf, shown.data); /* quoted, on one line */
    if (size > VALUE_MAX)
        strbuf_adds(buf, "...");
}

static char *value_change(const char *before, const char *now)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    size_t same = 0;
    while (before[same] && before[same] == now[same])
        same++;
    /* long texts are shown from near the place where they part */
    size_t from = strlen(before) > VALUE_MAX || strlen(now) > VALUE_MAX ? same : 0;
    from = from > 20 ? from - 20 : 0;
    strbuf_adds(&text, from ? "..." : "");
    add_value(&text, before + from);
    strbuf_adds(&text, from ? " became ..." : " became ");
    add_value(&text, now + from);
    return strbuf_detach(&text);
}

/* What an item is, as people say it. */
static char *subject(const struct input *input, const struct strvec *args)
{
    static const struct {
        const char *kind, *text;
        bool named;
    } subjects[] = {
        { "file", "file ", true },         { "inline", "heredoc or download ", true },
        { "argument", "command", false },  { "script", "script", false },
        { "workdir", "WORKDIR", false },   { "user", "USER", false },
        { "network", "network", false },   { "host name", "host name", false },
        { "platform", "platform", false }, { "epoch", "SOURCE_DATE_EPOCH", false },
        { "option", "--", true },          { "copy", "destination", false },
        { "source", "source ", true },     { "content", "what it takes from elsewhere", false },
        { "mount", "mount ", true },
    };
    if (!strcmp(input->kind, "env"))
        return xasprintf("%s %s",
                         strvec_has(args, input->name) ? "build argument" : "environment variable",
                         input->name);
    for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
        if (!strcmp(input->kind, subjects[i].kind))
            return xasprintf("%s%s", subjects[i].text, subjects[i].named ? input->name : "");
    return xasprintf("%s%s%s", input->kind, *input->name ? " " : "", input->name);
}

/* --- comparing ------------------------------------------------------------------------------- */

/* The items of a kind and name, joined: the words of a command, excludes. */
struct group {
    const struct input *first, *last;
    char *value;
    size_t n;
};

struct groups {
    struct group *items;
    size_t n;
};

static void groups_release(struct groups *groups)
{
    for (size_t i = 0; i < groups->n; i++)
        free(groups->items[i].value);
    free(groups->items);
}
DEFINE_AUTO_STRUCT(struct groups, groups_release)

struct place {
    const struct input *input;
    size_t index;
};

static int compare_keys(const struct input *a, const struct input *b)
{
    int order = strcmp(a->kind, b->kind);
    return order ? order : strcmp(a->name, b->name);
}

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = compare_keys(x->input, y->input);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Sorted by kind and name; within a group in the order they were given. */
static void group(const struct inputs *inputs, struct groups *ret)
{
    struct place *places = xcalloc(inputs->n_items, sizeof(*places));
    ret->items = xcalloc(inputs->n_items, sizeof(*ret->items));
    for (size_t i = 0; i < inputs->n_items; i++)
        places[i] = (struct place){ &inputs->items[i], i };
    if (inputs->n_items)
        qsort(places, inputs->n_items, sizeof(*places), by_key);
    for (size_t i = 0; i < inputs->n_items;) {
        AUTO(strbuf_release) struct strbuf value = STRBUF_INIT;
        struct group *item = &ret->items[ret->n++];
        item->first = places[i].input;
        for (; i < inputs->n_items && compare_keys(item->first, places[i].input) == 0; i++) {
            strbuf_addf(&value, "%s%s", item->n++ ? " " : "", places[i].input->value);
            item->last = places[i].input;
        }
        item->value = strbuf_detach(&value);
    }
    free(places);
}

static char *change_of(const struct group *before, const struct group *now)
{
    if (!strcmp(now->first->kind, "content")) /* its files aren't known any more */
        return xstrdup("changed");
    bool is_file = !strcmp(now->first->kind, "file") || !strcmp(now->first->kind, "inline");
    return is_file && before->n == 1 && now->n == 1 ? file_change(before->value, now->value)
                                                    : value_change(before->value, now->value);
}

static void add_one_sided(const struct group *group, const char *verb, const struct strvec *args,
                          struct strvec *ret)
{
    AUTO(free) char *what = subject(group->first, args);
    strvec_pushf(ret, "%s: %s", what, verb);
}

static void add_change(const struct group *before, const struct group *now,
                       const struct strvec *args, struct strvec *ret)
{
    if (!strcmp(before->value, now->value) && before->n == now->n)
        return;
    /* "/bin/sh -c make" and "/bin/bash -c make" */
    bool is_shell = !strcmp(now->first->kind, "argument") && before->n > 1 && now->n > 1 &&
                    !strcmp(before->last->value, now->last->value);
    AUTO(free) char *what = is_shell ? xstrdup("SHELL") : subject(now->first, args);
    AUTO(free) char *change = change_of(before, now);
    strvec_pushf(ret, "%s: %s", what, change);
}

static void merge(const struct groups *a, const struct groups *b, const struct strvec *args,
                  struct strvec *ret)
{
    for (size_t i = 0, j = 0; i < a->n || j < b->n;) {
        int order = i == a->n   ? 1
                    : j == b->n ? -1
                                : compare_keys(a->items[i].first, b->items[j].first);
        if (order < 0)
            add_one_sided(&a->items[i++], "removed", args, ret);
        else if (order > 0)
            add_one_sided(&b->items[j++], "added", args, ret);
        else
            add_change(&a->items[i++], &b->items[j++], args, ret);
    }
}

/* Each on a line of its own, whatever the names of files hold. */
static void add_line(char *text, struct strvec *ret)
{
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = '?';
    strvec_push(ret, text);
}

void explain_inputs(const struct inputs *before, const struct inputs *now,
                    const struct strvec *args, struct strvec *ret)
{
    AUTO(groups_release) struct groups a = { 0 };
    AUTO(groups_release) struct groups b = { 0 };
    AUTO(strvec_release) struct strvec found = STRVEC_INIT;
    group(before, &a);
    group(now, &b);
    merge(&a, &b, args, &found);
    for (size_t i = 0; i < found.n && i < EXPLAIN_MAX; i++)
        add_line(found.items[i], ret);
    if (found.n > EXPLAIN_MAX)
        strvec_pushf(ret, "and %zu more", found.n - EXPLAIN_MAX);
    if (!found.n)
        strvec_push(ret, "the order of its inputs");
}
