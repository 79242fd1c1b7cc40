/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/explain.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

#define A "sha256:aaaa"
#define B "sha256:bbbb"

/* "kind|name|value;..." */
static void fill(const char *text, struct inputs *ret)
{
    while (*text) {
        size_t kind = strcspn(text, "|"), name = strcspn(text + kind + 1, "|");
        const char *at = text + kind + name + 2;
        size_t value = strcspn(at, ";");
        AUTO(free) char *kind_text = xstrndup(text, kind);
        AUTO(free) char *name_text = xstrndup(text + kind + 1, name);
        AUTO(free) char *value_text = xstrndup(at, value);
        inputs_add(ret, kind_text, name_text, value_text);
        text = at + value + (at[value] == ';');
    }
}

static void each_kind_of_change_is_named(void **state UNUSED)
{
    static const struct {
        const char *before, *now, *expected;
    } cases[] = {
        { "file|a|f 0644 0:0 " A, "file|a|f 0644 0:0 " B, "file a: content changed" },
        { "file|a\nb|f 0644 0:0 " A, "", "file a?b: removed" },
        { "file|a|f 0644 0:0 " A, "file|a|f 0755 0:0 " A, "file a: mode 0644 became 0755" },
        { "file|a|f 0644 0:0 " A, "file|a|f 0600 0:0 " B,
          "file a: content changed, mode 0644 became 0600" },
        { "file|a|f 0644 0:0 " A, "file|a|f 0644 1:1 " A, "file a: owner 0:0 became 1:1" },
        { "file|a|f 0644 0:0 " A, "file|a|l 0:0 b", "file a: was a file, is a link" },
        { "file|a|l 0:0 b", "file|a|l 0:0 c", "file a: target changed" },
        { "file|a|f 0644 0:0 " A, "file|a|f 0644 0:0 " A ";file|b|f 0644 0:0 " B, "file b: added" },
        { "file|a|f 0644 0:0 " A ";file|b|f 0644 0:0 " B, "file|b|f 0644 0:0 " B,
          "file a: removed" },
        { "file|a|f 0755 0:0 " A " security.capability=01", "file|a|f 0755 0:0 " A,
          "file a: extended attributes changed" },
        { "file|a|f 0755 0:0 " A " link:b", "file|a|f 0755 0:0 " A, "file a: other names changed" },
        { "file|a|c 0644 0:0 1,3", "file|a|c 0644 0:0 1,5", "file a: device number changed" },
        { "file|a|l 0:0 b c", "file|a|l 0:0 b d", "file a: target changed" },
        { "content||" A, "content||" B, "what it takes from elsewhere: changed" },
        { "env|V|1", "env|V|2", "build argument V: \"1\" became \"2\"" },
        { "env|E|1", "env|E|2", "environment variable E: \"1\" became \"2\"" },
        { "env|E|1", "env|V|1", "environment variable E: removed\nbuild argument V: added" },
        { "argument||/bin/sh;argument||-c;argument||a",
          "argument||/bin/sh;argument||-c;argument||b",
          "command: \"/bin/sh -c a\" became \"/bin/sh -c b\"" },
        { "argument||/bin/sh;argument||-c;argument||a",
          "argument||/bin/bash;argument||-c;argument||a",
          "SHELL: \"/bin/sh -c a\" became \"/bin/bash -c a\"" },
        { "workdir||/a", "workdir||/b", "WORKDIR: \"/a\" became \"/b\"" },
        { "user||", "user||app", "USER: \"\" became \"app\"" },
        { "network||default", "network||none", "network: \"default\" became \"none\"" },
        { "platform||linux/amd64", "platform||linux/arm64",
          "platform: \"linux/amd64\" became \"linux/arm64\"" },
        { "mount|/c|x", "mount|/c|y", "mount /c: \"x\" became \"y\"" },
        { "option|chown|1", "option|chown|2", "--chown: \"1\" became \"2\"" },
        { "x|a|1", "x|a|2", "x a: \"1\" became \"2\"" },
        { "x|a|1;x|b|1", "x|b|1;x|a|1", "the order of its inputs" },
    };
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    strvec_push(&args, "V");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(inputs_release) struct inputs before = { 0 };
        AUTO(inputs_release) struct inputs now = { 0 };
        AUTO(strvec_release) struct strvec lines = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        fill(cases[i].before, &before);
        fill(cases[i].now, &now);
        explain_inputs(&before, &now, &args, &lines);
        for (size_t j = 0; j < lines.n; j++)
            strbuf_addf(&text, "%s%s", j ? "\n" : "", lines.items[j]);
        assert_string_equal(text.data, cases[i].expected);
    }
}

static void many_changes_are_counted(void **state UNUSED)
{
    AUTO(inputs_release) struct inputs before = { 0 };
    AUTO(inputs_release) struct inputs now = { 0 };
    AUTO(strvec_release) struct strvec lines = STRVEC_INIT;
    AUTO(strvec_release) struct strvec none = STRVEC_INIT;
    for (int i = 0; i < EXPLAIN_MAX + 5; i++) {
        AUTO(free) char *name = xasprintf("f%d", i);
        inputs_add(&now, "file", name, "f 0644 0:0 " A);
    }
    explain_inputs(&before, &now, &none, &lines);
    assert_int_equal(lines.n, EXPLAIN_MAX + 1);
    assert_string_equal(lines.items[EXPLAIN_MAX], "and 5 more");
}

static void long_values_are_shown_where_they_part(void **state UNUSED)
{
    AUTO(inputs_release) struct inputs before = { 0 };
    AUTO(inputs_release) struct inputs now = { 0 };
    AUTO(strvec_release) struct strvec lines = STRVEC_INIT;
    AUTO(strvec_release) struct strvec none = STRVEC_INIT;
    char a[300], b[300];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    a[299] = b[299] = '\0';
    a[250] = '1';
    b[250] = '2';
    inputs_add(&before, "env", "E", a);
    inputs_add(&now, "env", "E", b);
    explain_inputs(&before, &now, &none, &lines);
    assert_non_null(strstr(lines.items[0], "...\"xxxxxxxxxxxxxxxxxxxx1xx"));
    assert_non_null(strstr(lines.items[0], "became ...\"xxxxxxxxxxxxxxxxxxxx2xx"));
}

static void kept_inputs_are_read(void **state UNUSED)
{
    static const char text[] = "[\"env\",\"A\",\"x\\ny\"]\n[\"file\",\"b\",\"f\"]\n";
    AUTO(inputs_release) struct inputs inputs = { 0 };
    struct error *err = NULL;
    assert_ok(explain_parse_inputs(text, strlen(text), &inputs, &err), err);
    assert_int_equal(inputs.n_items, 2);
    assert_string_equal(inputs.items[0].value, "x\ny");
    struct inputs bad = { 0 };
    assert_fails(explain_parse_inputs("[1,2,3]\n", 8, &bad, &err), err, ERR_INVALID, "three texts");
    assert_int_equal(explain_parse_inputs("[\"a\"", 4, &bad, &err), -1);
    error_free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_change_is_named),
        cmocka_unit_test(many_changes_are_counted),
        cmocka_unit_test(long_values_are_shown_where_they_part),
        cmocka_unit_test(kept_inputs_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
