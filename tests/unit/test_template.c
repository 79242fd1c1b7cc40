/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template.h"

#include "tests/unit/test.h"

static const char document[] = "{\"Id\":\"sha256:12\",\"Size\":6,\"Real\":1.5,\"Yes\":true,\"Nil\":"
                               "null,\"Tags\":[\"a:1\",\"b:2\"],"
                               "\"Config\":{\"Labels\":{\"a.b\":\"x\",\"c\":\"y\"},\"Cmd\":null,"
                               "\"Env\":[\"A=1\"]},\"Deep\":{\"er\":{\"x\":[1,2]}}}";

static void templates_are_the_part_of_gos_that_scripts_use(void **state UNUSED)
{
    static const struct {
        const char *template, *expected;
    } cases[] = {
        { "", "" },
        { "plain }} text", "plain }} text" },
        { "{{.Id}}", "sha256:12" },
        { "{{ .Id }}-{{\t.Size}}", "sha256:12-6" },
        { "{{.Real}} {{.Yes}} {{.Nil}}", "1.5 true <nil>" },
        { "{{.Tags}}", "[a:1 b:2]" },
        { "{{.Config.Labels}}", "map[a.b:x c:y]" },
        { "{{.Deep.er.x}}", "[1 2]" },
        { "a\\tb\\nc", "a\tb\nc" },
        { "{{json .Config.Labels}}", "{\"a.b\":\"x\",\"c\":\"y\"}" },
        { "{{json .Nil}}", "null" },
        { "{{json .}}", NULL }, /* the document */
        { "{{.Config.Env | json}}", "[\"A=1\"]" },
        { "{{.Id|upper}}", "SHA256:12" },
        { "{{index .Tags 0}}/{{index .Tags 1}}", "a:1/b:2" },
        { "{{index .Config.Labels \"a.b\"}}", "x" },
        { "{{index .Config.Labels \"none\"}}", "" },
        { "{{index .Config.Cmd \"none\"}}", "" },
        { "{{join .Tags \", \"}}", "a:1, b:2" },
        { "{{join .Tags \"\\n\"}}", "a:1\nb:2" },
        { "{{len .Tags}}{{len .Config.Labels}}{{len .Id}}{{len .Nil}}", "2290" },
        { "{{upper .Id}} {{lower .Id}}", "SHA256:12 sha256:12" },
        { "{{println .Id}}", "sha256:12\n" },
    };
    struct error *err = NULL;
    AUTO(json_decref) json_t *value = json_parse(document, strlen(document), &err);
    assert_ok_ptr(value, err);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf whole = STRBUF_INIT;
        json_format_canonical(value, &whole);
        assert_ok(template_expand(cases[i].template, value, &out, &err), err);
        const char *expected = cases[i].expected ? cases[i].expected : whole.data;
        if (strcmp(out.size ? out.data : "", expected) != 0)
            fail_msg("%s gives \"%s\"", cases[i].template, out.data);
    }
}

static void what_is_not_supported_is_shown(void **state UNUSED)
{
    static const struct {
        const char *template, *message;
    } cases[] = {
        { "{{.Id", "{{ isn't closed: {{.Id" },
        { "{{.Missing}}", "there is no .Missing" },
        { "{{.Config.Missing}}", "there is no .Config.Missing" },
        { "{{.Id.More}}", "there is no .Id.More" },
        { "{{range .Tags}}", "{{range .Tags}} is not supported" },
        { "{{if .Yes}}", "is not supported" },
        { "{{.Id .Size}}", "is not supported" },
        { "{{json Id}}", "expected .Name at \"Id\"" },
        { "{{json}}", "expected .Name" },
        { "{{.Id | nothing}}", "is not supported" },
        { "{{.Tags | join \",\"}}", "is not supported" },
        { "{{json .Id | upper}}", "is not supported" },
        { "{{index .Tags 2}}", "out of range" },
        { "{{index .Tags -1}}", "out of range" },
        { "{{index .Tags}}", "expected an index" },
        { "{{index .Tags \"a\"}}", "out of range" },
        { "{{index .Tags \"a}}", "a quote isn't closed" },
        { "{{join .Tags}}", "expected a string" },
        { "{{}}", "is not supported" },
    };
    struct error *err = NULL;
    AUTO(json_decref) json_t *value = json_parse(document, strlen(document), &err);
    assert_ok_ptr(value, err);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        int result = template_expand(cases[i].template, value, &out, &err);
        assert_fails(result, err, ERR_USAGE, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_the_part_of_gos_that_scripts_use),
        cmocka_unit_test(what_is_not_supported_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
