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

struct example {
    const char *template, *expected;
};

static void assert_examples(const struct example *examples, size_t n)
{
    struct error *err = NULL;
    AUTO(json_decref) json_t *value = json_parse(document, strlen(document), &err);
    assert_ok_ptr(value, err);
    for (size_t i = 0; i < n; i++) {
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        int result = template_expand(examples[i].template, value, &out, &err);
        if (result < 0)
            fail_msg("%s: %s", examples[i].template, error_message(err));
        if (strcmp(out.data, examples[i].expected) != 0)
            fail_msg("%s gives \"%s\", expected \"%s\"", examples[i].template, out.data,
                     examples[i].expected);
    }
}

static void blocks_and_variables_are_as_gos(void **state UNUSED)
{
    static const struct example examples[] = {
        { "{{if .Yes}}a{{else}}b{{end}}", "a" },
        { "{{if .Nil}}a{{else}}b{{end}}", "b" },
        { "{{if .Nil}}a{{else if .Size}}b{{else}}c{{end}}", "b" },
        { "{{if .Nil}}a{{else if .Nil}}b{{else}}c{{end}}", "c" },
        { "{{if .Nil}}a{{else with .Config.Env}}{{index . 0}}{{end}}!", "A=1!" },
        { "{{if .Missing}}a{{else}}b{{end}}{{with .Nil.Missing}}c{{end}}", "b" },
        { "{{if eq .Missing \"x\"}}a{{else}}b{{end}}", "b" },
        { "{{with .Config}}{{.Env}} {{$.Size}}{{end}}", "[A=1] 6" },
        { "{{range .Tags}}<{{.}}>{{end}}", "<a:1><b:2>" },
        { "{{range $i, $e := .Tags}}{{if $i}}, {{end}}{{$i}}={{$e}}{{end}}", "0=a:1, 1=b:2" },
        { "{{range $e := .Tags}}{{$e}};{{end}}", "a:1;b:2;" },
        { "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "a.b=x c=y " },
        { "{{range .Config.Cmd}}x{{else}}none{{end}}", "none" },
        { "{{range .Tags}}{{.}}{{break}}{{end}}", "a:1" },
        { "{{range .Tags}}{{if eq . \"a:1\"}}{{continue}}{{end}}{{.}}{{end}}", "b:2" },
        { "{{range .Tags}}{{range $.Deep.er.x}}{{if eq . 2}}{{break}}{{end}}{{.}}{{end}}!{{end}}",
          "1!1!" },
        { "{{$n := 0}}{{range .Tags}}{{$n = len .}}{{end}}{{$n}}", "3" },
        { "{{$x := .Size}}{{if .Yes}}{{$x := 1}}{{$x}}{{end}}{{$x}}", "16" },
        { "{{with $x := .Config}}{{$x.Env}}{{end}}", "[A=1]" },
        { "{{if $x := .Nil}}{{else}}{{$x}}{{end}}", "<nil>" },
        { "a {{- .Size -}} b", "a6b" },
        { "a {{- /* nothing */ -}} b{{/* c */}}", "ab" },
        { " {{-3}} ", " -3 " },
        { "{{\n.Size\n}}", "6" },
        { "{{.config.ENV}}", "[A=1]" },
    };
    assert_examples(examples, ARRAY_SIZE(examples));
}

static void functions_are_gos_and_dockers(void **state UNUSED)
{
    static const struct example examples[] = {
        { "{{.Tags | join \", \"}}", "a:1, b:2" },
        { "{{.Id | json | len}}", "11" },
        { "{{json .Id | upper}}", "\"SHA256:12\"" },
        { "{{(index .Tags 1) | upper}} {{(.Deep.er).x}}", "B:2 [1 2]" },
        { "{{index .Deep \"er\" \"x\" 1}}", "2" },
        { "{{len (index .Tags 0)}}", "3" },
        { "{{split .Id \":\"}} {{index (split .Id \":\") 1}}", "[sha256 12] 12" },
        { "{{split \"a,b,\" \",\" | json}}{{split \"\" \",\" | json}}",
          "[\"a\",\"b\",\"\"][\"\"]" },
        { "{{slice .Id 7}} {{slice .Id 0 6}} {{slice .Tags 1}}", "12 sha256 [b:2]" },
        { "{{truncate .Id 3}}{{truncate \"\xc3\xa4\xc3\xb6\" 1}}{{truncate .Id 99}}",
          "sha\xc3\xa4sha256:12" },
        { "{{pad .Size 1 2}}|{{pad \"\" 1 2}}|{{title \"ab cd\"}}", " 6  ||Ab Cd" },
        { "{{and .Yes .Size}} {{and .Nil (index .Tags 9)}} {{or .Nil .Id}} {{not .Nil}}",
          "6 <nil> sha256:12 true" },
        { "{{.Nil | or .Size}} {{.Size | and .Yes}}", "6 6" },
        { "{{eq .Size 6}}{{eq .Size 1 6}}{{ne .Size 6}}{{eq .Id \"sha256:12\"}}{{eq .Real 1.5}}",
          "truetruefalsetruetrue" },
        { "{{eq .Nil nil}}{{eq .Size nil}}{{eq .Yes true}}{{eq .Size 6.0}}", "truefalsetruetrue" },
        { "{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge 1.5 2}}{{lt \"a\" \"b\"}}",
          "truetruefalsefalsetrue" },
        { "{{print 1 2 \"a\" \"b\" 3}} {{println .Size .Yes}}", "1 2ab3 6 true\n" },
        { "{{print}}{{println}}", "\n" },
        { "{{printf \"%s=%d\" .Id .Size}}", "sha256:12=6" },
        { "{{printf \"%-6s|%6s|%.3s|%q|%v|%%\" \"a\" \"\xc3\xa4\" .Id \"a\\\"b\" .Tags}}",
          "a     |     \xc3\xa4|sha|\"a\\\"b\"|[a:1 b:2]|%" },
        { "{{printf \"%04d|%-4d|%+d|%x|%X|%o|%06.2f|%t|%c|%x\" .Size .Size .Size 255 255 8 -1.5 "
          ".Yes "
          "65 \"az\"}}",
          "0006|6   |+6|ff|FF|10|-01.50|true|A|617a" },
        { "{{.Size | printf \"%d%d\" 1}}", "16" },
        { "{{\"a\\tb\\\\\\x21\\u00e4\"}}{{`a\\t`}}", "a\tb\\!\xc3\xa4"
                                                     "a\\t" },
        { "{{\"}}\"}}{{true}}{{0x10}}{{-2.5}}", "}}true16-2.5" },
        { "{{range $i, $t := .Tags}}{{println $i (index $.Tags $i)}}{{end}}", "0 a:1\n1 b:2\n" },
    };
    assert_examples(examples, ARRAY_SIZE(examples));
}

static void functions_that_change_looks_leave_titles_alone(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    AUTO(json_decref) json_t *titles = json_pack("{s:s}", "ID", "IMAGE ID");
    AUTO(template_free)
    struct template *template =
        template_parse("{{truncate .ID 2}} {{json .ID}} {{lower .ID | printf \"%s!\"}}", &err);
    assert_ok_ptr(template, err);
    assert_ok(template_run_head(template, titles, &out, &err), err);
    assert_string_equal(out.data, "IMAGE ID IMAGE ID IMAGE ID!");
    strbuf_reset(&out);
    assert_ok(template_run(template, titles, &out, &err), err);
    assert_string_equal(out.data, "IM \"IMAGE ID\" image id!");
}

static const struct {
    const char *template, *message;
} mistakes[] = {
    { "{{.Id", "--format, column 6: }} is missing" },
    { "{{", "column 3: }} is missing" },
    { "{{.Missing}}", "column 3: there is no .Missing" },
    { "{{.Config.Missing}}", "there is no .Config.Missing" },
    { "{{.Config.Labels.c.d}}", "there is no .Config.Labels.c.d" },
    { "{{$x := .Config}}{{$x.None.y}}", "column 20: there is no $x.None" },
    { "{{range .Missing}}{{end}}", "there is no .Missing" },
    { "{{.Id.More}}", "there is no .Id.More" },
    { "{{range .Tags}}", "column 3: {{end}} is missing" },
    { "a\n{{if .Yes}}\n{{else}}", "line 2, column 3: {{end}} is missing" },
    { "{{if .Yes}}{{else}}{{else}}{{end}}", "column 22: a second else" },
    { "{{end}}", "column 3: end without" },
    { "{{else}}", "else without" },
    { "{{range .Size}}{{end}}", "over a list or an object, not over a number" },
    { "{{range .Id}}{{end}}", "not over a string" },
    { "{{break}}", "column 3: break belongs into a range" },
    { "{{range .Tags}}{{end}}{{continue}}", "continue belongs into a range" },
    { "{{define \"x\"}}{{end}}", "define is not supported" },
    { "{{template \"x\"}}", "template is not supported" },
    { "{{.Id .Size}}", "column 7: only a function takes arguments" },
    { "{{json Id}}", "column 8: there is no function Id" },
    { "{{json}}", "column 3: json takes 1 argument" },
    { "{{join .Tags}}", "join takes 2 arguments" },
    { "{{eq 1}}", "eq takes at least 2 arguments" },
    { "{{slice .Id 1 2 3}}", "slice takes at most 3 arguments" },
    { "{{.Id | nothing}}", "column 9: there is no function nothing" },
    { "{{.Id | .Size}}", "column 9: a function is expected behind |" },
    { "{{.Id | }}", "a value is expected" },
    { "{{}}", "a value is expected" },
    { "{{()}}", "a value is expected" },
    { "{{(.Id}}", "column 3: a parenthesis isn't closed" },
    { "{{.Id)}}", "unexpected \")\"" },
    { "{{eq len .Tags 1}}", "len is expected in parentheses" },
    { "{{json if}}", "unexpected if" },
    { "{{$x}}", "column 3: there is no variable $x" },
    { "{{$x = 1}}", "there is no variable $x" },
    { "{{$ := 1}}", "$ can't be set" },
    { "{{if .Yes}}{{$x := 1}}{{end}}{{$x}}", "there is no variable $x" },
    { "{{range $i, $e := .Tags}}{{end}}{{$e}}", "there is no variable $e" },
    { "{{$i, $e := .Tags}}", "there is no variable $i" },
    { "{{.A..B}}", "a name is expected behind the dot" },
    { "{{\"a}}", "column 3: a quote isn't closed" },
    { "{{\"\\y\"}}", "unknown escape" },
    { "{{\"\\x4\"}}", "2 hexadecimal digits" },
    { "{{\"\\x00\"}}", "no character has this code" },
    { "{{12x}}", "12x is no number" },
    { "{{/* a}}", "a comment isn't closed" },
    { "{{index .Tags 2}}", "column 3: index: 2 is out of range of 2" },
    { "{{index .Tags -1}}", "out of range" },
    { "{{index .Tags \"a\"}}", "an index is expected, and this is a string" },
    { "{{index .Size 1}}", "a list is expected, and this is a number" },
    { "{{slice .Id 5 2}}", "slice: 5 is behind 2" },
    { "{{slice .Id 99}}", "out of range" },
    { "{{len .Size}}", "len: a list, an object or a string is expected" },
    { "{{join .Id \",\"}}", "join: a list is expected, and this is a string" },
    { "{{join .Tags 1}}", "a separator is expected" },
    { "{{split .Tags \",\"}}", "a string is expected, and this is a list" },
    { "{{eq .Id 1}}", "eq: a string can't be compared with a number" },
    { "{{lt .Tags .Tags}}", "a list can't be compared with a list" },
    { "{{pad .Id -1 2}}", "pad: -1 is out of range" },
    { "{{printf \"%d\" .Id}}", "printf: %d can't show a string" },
    { "{{printf \"%s\"}}", "nothing is given for %s" },
    { "{{printf \"a\" 1}}", "the format shows 0 of 1 values" },
    { "{{printf \"%y\" 1}}", "%y is not supported" },
    { "{{printf \"%99999d\" 1}}", "a width of more than" },
    { "{{printf 1}}", "a format is expected" },
};

static void mistakes_have_their_place(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(json_decref) json_t *value = json_parse(document, strlen(document), &err);
    assert_ok_ptr(value, err);
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        int result = template_expand(mistakes[i].template, value, &out, &err);
        assert_fails(result, err, ERR_USAGE, mistakes[i].message);
    }
}

static void nesting_is_limited(void **state UNUSED)
{
    static const char *const openings[] = { "{{if .}}", "{{range .}}{{else}}" };
    for (size_t i = 0; i < ARRAY_SIZE(openings); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        for (int n = 0; n < 100000; n++)
            strbuf_adds(&text, openings[i]);
        struct error *err = NULL;
        struct template *template = template_parse(text.data, &err);
        assert_fails(template ? 0 : -1, err, ERR_USAGE, "nested too deeply");
    }
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "{{");
    for (int n = 0; n < 100000; n++)
        strbuf_addc(&text, '(');
    struct error *err = NULL;
    struct template *template = template_parse(text.data, &err);
    assert_fails(template ? 0 : -1, err, ERR_USAGE, "nested too deeply");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_the_part_of_gos_that_scripts_use),
        cmocka_unit_test(blocks_and_variables_are_as_gos),
        cmocka_unit_test(functions_are_gos_and_dockers),
        cmocka_unit_test(functions_that_change_looks_leave_titles_alone),
        cmocka_unit_test(mistakes_have_their_place),
        cmocka_unit_test(nesting_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
