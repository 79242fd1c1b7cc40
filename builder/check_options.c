/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/check_options.h"

#include "base/mem.h"
#include "base/suggest.h"
#include "builder/rune.h"
#include "builder/values.h"

#include <string.h>

void check_options_release(struct check_options *options)
{
    strvec_release(&options->skip);
    strvec_release(&options->experimental);
    *options = (struct check_options){ 0 };
}

/* The text up to one of `ends`, trimmed; *text moves behind the end. */
static char *cut(const char **text, const char *ends)
{
    const char *start = *text;
    size_t size = strcspn(start, ends);
    *text = start + size + (start[size] != '\0');
    while (size && is_space_byte(*start)) {
        start++;
        size--;
    }
    while (size && is_space_byte(start[size - 1]))
        size--;
    return xstrndup(start, size);
}

static void take_rules(const char *value, struct strvec *rules, bool *all)
{
    while (*value) {
        AUTO(free) char *rule = cut(&value, ",");
        if (strcmp(rule, "all") == 0)
            *all = true;
        else if (*rule)
            strvec_push(rules, rule);
    }
}

static int take_option(const char *name, const char *value, struct check_options *ret,
                       struct error **err)
{
    static const char *const names[] = { "skip", "error", "experimental" };
    if (strcmp(name, "skip") == 0) {
        take_rules(value, &ret->skip, &ret->skip_all);
        return 0;
    }
    if (strcmp(name, "experimental") == 0) {
        take_rules(value, &ret->experimental, &ret->experimental_all);
        return 0;
    }
    if (strcmp(name, "error") == 0) {
        if (bool_parse(value, &ret->error, err) < 0)
            return error_wrap(err, "check directive: error");
        return 0;
    }
    const char *near = suggest_nearest(name, names, ARRAY_SIZE(names));
    (void)error_set(err, ERR_SYNTAX, "check directive: unknown option \"%s\"", name);
    if (near)
        error_hint(err, "did you mean %s?", near);
    return -1;
}

int check_options_parse(const char *text, struct check_options *ret, struct error **err)
{
    while (*text) {
        AUTO(free) char *option = cut(&text, ";");
        const char *value = option;
        AUTO(free) char *name = cut(&value, "=");
        if (!*option)
            continue;
        if (!strchr(option, '='))
            return error_set(err, ERR_SYNTAX, "check directive: \"%s\" needs a value", option);
        while (is_space_byte(*value))
            value++;
        if (take_option(name, value, ret, err) < 0)
            return -1;
    }
    return 0;
}
