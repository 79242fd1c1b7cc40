/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/words.h"

#include "tests/unit/language_data.h"

struct witness {
    const json_t *object; /* name to value */
    struct strvec found, missing;
};

static const char *witness_lookup(void *context, const char *name)
{
    const struct witness *witness = context;
    return json_string_value(json_object_get(witness->object, name));
}

static void witness_seen(void *context, const char *name, bool is_set)
{
    struct witness *witness = context;
    struct strvec *list = is_set ? &witness->found : &witness->missing;
    if (!strvec_has(list, name))
        strvec_push(list, name);
}

static void witness_release(struct witness *witness)
{
    strvec_release(&witness->found);
    strvec_release(&witness->missing);
}
DEFINE_AUTO_STRUCT(struct witness, witness_release)

static struct env env_of_list(const json_t *list)
{
    struct env env = ENV_INIT;
    for (size_t i = 0; i < json_array_size(list); i++)
        env_add(&env, json_string_value(json_array_get(list, i)));
    return env;
}

static void expansion_agrees_with_conformance(void **state UNUSED)
{
    json_t *table = conformance_load("shell/expand.json");
    AUTO(env_release) struct env env = env_of_list(json_object_get(table, "env"));
    const json_t *cases = json_object_get(table, "cases");
    struct words_expander expander = { .escape = '\\',
                                       .lookup = words_lookup_env,
                                       .context = &env };
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        const char *input = string_of(item, "input");
        AUTO(free) char *value = NULL;
        AUTO(error_free) struct error *err = NULL;
        int result = words_expand(&expander, input, &value, &err);
        if (json_is_true(json_object_get(item, "error"))) {
            if (result == 0)
                fail_msg("%s: \"%s\", expected an error", input, value);
        } else if (result < 0 || strcmp(value, string_of(item, "expect")) != 0) {
            fail_msg("%s: \"%s\" (%s), expected \"%s\"", input, value, error_message(err),
                     string_of(item, "expect"));
        }
    }
    json_decref(table);
}

static void assert_names(const char *input, struct strvec *names, const json_t *expected)
{
    strvec_sort(names);
    bool same = names->n == json_array_size(expected);
    for (size_t i = 0; same && i < names->n; i++)
        same = strcmp(names->items[i], json_string_value(json_array_get(expected, i))) == 0;
    if (!same)
        fail_msg("%s: %zu names seen, first \"%s\"", input, names->n,
                 names->n ? names->items[0] : "");
}

static void reports_names_as_conformance_says(void **state UNUSED)
{
    json_t *cases = conformance_load("shell/process.json");
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        AUTO(witness_release) struct witness env = { .object = json_object_get(item, "env") };
        struct words_expander expander = {
            .escape = '\\', .lookup = witness_lookup, .seen = witness_seen, .context = &env
        };
        const char *input = string_of(item, "input");
        AUTO(free) char *value = NULL;
        AUTO(error_free) struct error *err = NULL;
        int result = words_expand(&expander, input, &value, &err);
        if (json_is_true(json_object_get(item, "error"))) {
            if (result == 0)
                fail_msg("%s: \"%s\", expected an error", input, value);
            continue;
        }
        if (result < 0 || strcmp(value, string_of(item, "expect")) != 0)
            fail_msg("%s: \"%s\" (%s), expected \"%s\"", input, value, error_message(err),
                     string_of(item, "expect"));
        assert_names(input, &env.found, json_object_get(item, "matched"));
        assert_names(input, &env.missing, json_object_get(item, "unmatched"));
    }
    json_decref(cases);
}

static void word_lists_agree_with_conformance(void **state UNUSED)
{
    json_t *cases = conformance_load("shell/words.json");
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i), *expect = json_object_get(item, "expect");
        AUTO(env_release) struct env env = env_of_list(json_object_get(item, "env"));
        AUTO(strvec_release) struct strvec words = STRVEC_INIT;
        AUTO(error_free) struct error *err = NULL;
        struct words_expander expander = { .escape = '\\',
                                           .lookup = words_lookup_env,
                                           .context = &env };
        const char *input = string_of(item, "input");
        int result = words_expand_list(&expander, input, &words, &err);
        if (json_is_true(json_object_get(item, "error"))) {
            assert_int_equal(result, -1);
            continue;
        }
        assert_ok(result, err);
        if (words.n != json_array_size(expect))
            fail_msg("%s: %zu words, expected %zu", input, words.n, json_array_size(expect));
        for (size_t j = 0; j < words.n; j++)
            assert_string_equal(words.items[j], json_string_value(json_array_get(expect, j)));
    }
    json_decref(cases);
}

struct expand_case {
    const char *word, *value, *error; /* value NULL: the error's text */
    char escape;
    unsigned flags;
};

static void check_expansions(const struct expand_case *cases, size_t n)
{
    AUTO(env_release) struct env env = ENV_INIT;
    static const char *const values[] = {
        "A=a",      "E=",        "P=/usr/lib/x.tar.gz", "B=[a]b",     "C=c}d",
        "S=*b\\c?", "D=ababab_", "\u00fc=letter",       "H=\u00e9llo"
    };
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        env_add(&env, values[i]);
    for (size_t i = 0; i < n; i++) {
        struct words_expander expander = { .escape = cases[i].escape,
                                           .flags = cases[i].flags,
                                           .lookup = words_lookup_env,
                                           .context = &env };
        AUTO(free) char *value = NULL;
        AUTO(error_free) struct error *err = NULL;
        int result = words_expand(&expander, cases[i].word, &value, &err);
        if (cases[i].error && (result == 0 || !strstr(error_message(err), cases[i].error)))
            fail_msg("%s: \"%s\", error \"%s\", expected \"%s\"", cases[i].word, value,
                     error_message(err), cases[i].error);
        if (!cases[i].error && (result < 0 || strcmp(value, cases[i].value) != 0))
            fail_msg("%s: \"%s\", error \"%s\", expected \"%s\"", cases[i].word, value,
                     error_message(err), cases[i].value);
    }
}

static void defaults_and_alternatives_see_unset_and_empty(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "${E:-w}|${E-w}|${U:-w}|${U-w}", "w||w|w", NULL, '\\', 0 },
        { "${A:+w}|${E:+w}|${E+w}|${U+w}", "w||w|", NULL, '\\', 0 },
        { "${U:-'$A'}${U:-\"$A\"}", "$Aa", NULL, '\\', 0 },
        { "${U:-${U:-${U:-deep}}}", "deep", NULL, '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void required_variables_are_errors_when_missing(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "${U:?}", NULL, "U: is not allowed to be unset", '\\', 0 },
        { "${E:?}", NULL, "E: is not allowed to be empty", '\\', 0 },
        { "${U?give $A}", NULL, "U: give a", '\\', 0 },
        { "${E?}x", "x", NULL, '\\', 0 },
        { "${A:?x}${A?x}", "aa", NULL, '\\', 0 },
        { "${U?}", NULL, "U: is not allowed to be unset", '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void shortest_and_longest_matches_are_removed(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "${P#*/}|${P##*/}|${P%/*}|${P%%/*}", "usr/lib/x.tar.gz|x.tar.gz|/usr/lib|", NULL, '\\',
          0 },
        { "${P%.*}|${P%%.*}", "/usr/lib/x.tar|/usr/lib/x", NULL, '\\', 0 },
        { "${H#?}", "llo", NULL, '\\', 0 },
        { "${H%?}", "\u00e9ll", NULL, '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void patterns_know_no_brackets_and_few_escapes(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "${B#[a]}|${A#[a]}", "b|a", NULL, '\\', 0 },
        { "${A#\\x}", NULL, "invalid escape", '\\', 0 },
        { "${C#*\\}}", "d", NULL, '\\', 0 },
        { "${P//\\//-}", "-usr-lib-x.tar.gz", NULL, '\\', 0 },
        { "${B#\\[}", NULL, "invalid escape", '\\', 0 },
        { "${B/[ab]/x}|${B%[b]}", "[a]b|[a]b", NULL, '\\', 0 },
        { "${S#\\*}|${S%\\?}|${S/\\\\/-}", "b\\c?|*b\\c|*b-c?", NULL, '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void replacing_takes_the_longest_match_and_a_literal_replacement(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "${P/u?r/X}", "/X/lib/x.tar.gz", NULL, '\\', 0 },
        { "${P/l*./_}", "/usr/_gz", NULL, '\\', 0 },
        { "${U//a/b}|${U#x}", "|", NULL, '\\', 0 },
        { "${A//*/x}", "x", NULL, '\\', 0 },
        { "${A//a/$1}|${A//a/'$1'}", "|$1", NULL, '\\', 0 },
        { "${A/a/'$1'}|${A//a/'$1$0${1}'}", "$1|$1$0${1}", NULL, '\\', 0 },
        { "${P/\\//}|${P//x*/y}|${P//.}", NULL, "missing '/'", '\\', 0 },
        { "${P/\\//}|${P//x*/y}", "usr/lib/x.tar.gz|/usr/lib/y", NULL, '\\', 0 },
        { "${D//ab/x}|${D/ab/x}", "xxx_|xabab_", NULL, '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void malformed_substitutions_are_errors(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "${A/x}", NULL, "missing '/'", '\\', 0 },
        { "${A:#x}", NULL, "unsupported modifier", '\\', 0 },
        { "${A:=x}", NULL, "unsupported modifier", '\\', 0 },
        { "${}", NULL, "bad substitution", '\\', 0 },
        { "${:x}", NULL, "bad substitution", '\\', 0 },
        { "${A", NULL, "missing '}'", '\\', 0 },
        { "${A:-x", NULL, "missing '}'", '\\', 0 },
        { "${", NULL, "missing '}'", '\\', 0 },
        { "'a", NULL, "unterminated single quote", '\\', 0 },
        { "\"a", NULL, "unterminated double quote", '\\', 0 },
        { "${{", NULL, "bad substitution", '\\', 0 },
        { "${A//x}", NULL, "missing '/'", '\\', 0 },
        { "${A:%x}", NULL, "unsupported modifier", '\\', 0 },
        { "${A!}", NULL, "unsupported modifier", '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void special_names_vanish_and_other_dollars_stay(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "$1$@$*$#$?$-$$$!$0", "", NULL, '\\', 0 },
        { "a$$b|$ x|$/|$", "ab|$ x|$/|$", NULL, '\\', 0 },
        { "$Ax|${A}x|$A.x", "|ax|a.x", NULL, '\\', 0 },
        { "\"$1$$\"$9x|$10", "x|", NULL, '\\', 0 },
        { "$\u00fc|${\u00fc}|$\u00fcx", "letter|letter|", NULL, '\\', 0 },
        { "$.|$%|$,", "$.|$%|$,", NULL, '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void quotes_keep_and_escapes_protect(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "'$A'\"$A\"\\$A", "$Aa$A", NULL, '\\', 0 },
        { "\"\\$A\\\"\\\\\\n\"", "$A\"\\\\n", NULL, '\\', 0 },
        { "`$A\\$A", "$A\\a", NULL, '`', 0 },
        { "\"`\"`$`n\"", "\"$`n", NULL, '`', 0 },
        { "a\\", "a", NULL, '\\', 0 },
        { "\\$A|\\${A}|\\a\\ b", "$A|${A}|a b", NULL, '\\', 0 },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void heredoc_bodies_keep_their_quotes(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "\"$A\" '$A' \\$A \\\\ \\\n.", "\"a\" '$A' $A \\ \n.", NULL, '\\', WORDS_RAW_QUOTES },
        { "it's $A", "it's a", NULL, '\\', WORDS_NO_QUOTES },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void unset_variables_can_be_kept(void **state UNUSED)
{
    static const struct expand_case cases[] = {
        { "$U|${U}|${U:-$A}|${U#x}|${U//x/y}|$A", "$U|${U}|${U:-a}|${U#x}|${U//x/y}|a", NULL, '\\',
          WORDS_KEEP_UNSET },
    };
    check_expansions(cases, ARRAY_SIZE(cases));
}

static void nesting_and_size_are_limited(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (int i = 0; i < 100000; i++)
        strbuf_adds(&text, "${A:-");
    struct words_expander expander = { .escape = '\\' };
    struct error *err = NULL;
    char *value = NULL;
    assert_fails(words_expand(&expander, text.data, &value, &err), err, ERR_LIMIT, "nested deeper");

    AUTO(strbuf_release) struct strbuf big = STRBUF_INIT;
    strbuf_adds(&big, "A=");
    for (size_t i = 0; i < WORDS_MAX_SIZE / 2 + 1; i++)
        strbuf_addc(&big, 'x');
    AUTO(env_release) struct env env = ENV_INIT;
    env_add(&env, big.data);
    expander.lookup = words_lookup_env;
    expander.context = &env;
    assert_fails(words_expand(&expander, "$A$A", &value, &err), err, ERR_LIMIT, "more than");
    assert_fails(words_expand(&expander, "${A//x*y*z/a}", &value, &err), err, ERR_LIMIT,
                 "costs too much");
    assert_null(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expansion_agrees_with_conformance),
        cmocka_unit_test(reports_names_as_conformance_says),
        cmocka_unit_test(word_lists_agree_with_conformance),
        cmocka_unit_test(defaults_and_alternatives_see_unset_and_empty),
        cmocka_unit_test(required_variables_are_errors_when_missing),
        cmocka_unit_test(shortest_and_longest_matches_are_removed),
        cmocka_unit_test(patterns_know_no_brackets_and_few_escapes),
        cmocka_unit_test(replacing_takes_the_longest_match_and_a_literal_replacement),
        cmocka_unit_test(malformed_substitutions_are_errors),
        cmocka_unit_test(special_names_vanish_and_other_dollars_stay),
        cmocka_unit_test(quotes_keep_and_escapes_protect),
        cmocka_unit_test(heredoc_bodies_keep_their_quotes),
        cmocka_unit_test(unset_variables_can_be_kept),
        cmocka_unit_test(nesting_and_size_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
