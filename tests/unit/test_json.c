/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "tests/unit/test.h"

static json_t *parse(const char *text)
{
    struct error *err = NULL;
    json_t *value = json_parse(text, strlen(text), &err);
    assert_ok_ptr(value, err);
    return value;
}

static void canonical_bytes_are_stable(void **state UNUSED)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "{}", "{}" },
        { " [ ] ", "[]" },
        { "{\"b\":1,\"a\":{\"d\":[1,2],\"c\":null}}", "{\"a\":{\"c\":null,\"d\":[1,2]},\"b\":1}" },
        { "{\"a/b\":\"c\\/d\"}", "{\"a/b\":\"c/d\"}" },
        { "[\"\\u00e9\\ud83d\\ude00\"]", "[\"\xc3\xa9\xf0\x9f\x98\x80\"]" },
        { "[\"<>&\\u007f\"]", "[\"<>&\x7f\"]" },
        { "[\"\\n\\t\\b\\f\\r\\u0001\\u001F\\\"\\\\\"]",
          "[\"\\n\\t\\b\\f\\r\\u0001\\u001F\\\"\\\\\"]" },
        { "[9223372036854775807,-9223372036854775808,true,false]",
          "[9223372036854775807,-9223372036854775808,true,false]" },
        /* by bytes, not by code unit or locale: "Z" < "a" < "aa" < "b" < "e acute" */
        { "{\"\xc3\xa9\":1,\"b\":2,\"aa\":3,\"a\":4,\"Z\":5}",
          "{\"Z\":5,\"a\":4,\"aa\":3,\"b\":2,\"\xc3\xa9\":1}" },
        { "[1.5,1e3]", "[1.5,1000.0]" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf once = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf twice = STRBUF_INIT;
        AUTO(json_decref) json_t *value = parse(cases[i].in);
        json_format_canonical(value, &once);
        assert_string_equal(once.data, cases[i].out);
        AUTO(json_decref) json_t *again = parse(once.data);
        json_format_canonical(again, &twice);
        assert_string_equal(twice.data, once.data);
    }
}

static void pretty_is_for_readers(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(json_decref) json_t *value = parse("{\"b\":[1],\"a\":{}}");
    json_format_pretty(value, &buf);
    assert_string_equal(buf.data, "{\n  \"a\": {},\n  \"b\": [\n    1\n  ]\n}");
}

static void bad_documents_are_invalid(void **state UNUSED)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "JSON, line 1, column 0: '[' or '{' expected" },
        { "{\"a\":1,}", "JSON, line 1, column 8: string or '}' expected" },
        { "{\"a\":1}\n\n x", "JSON, line 3, column 2: end of file expected" },
        { "{\"a\":1,\"a\":2}", "duplicate object key" },
        { "1", "'[' or '{' expected" },
        { "\"text\"", "'[' or '{' expected" },
        { "[1e999]", "real number overflow" },
        { "[9223372036854775808]", "too big integer" },
        { "[01]", "invalid token" },
        { "['a']", "invalid token" },
        { "[\"\\u0000\"]", "\\u0000 is not allowed without JSON_ALLOW_NUL" },
        { "[\"\\ud800\"]", "invalid Unicode" },
        { "[\"\xff\"]", "unable to decode byte 0xff" },
        { "[\"\xc0\x80\"]", "unable to decode byte 0xc0" },
        { "[\"\xed\xa0\x80\"]", "unable to decode byte" },
        { "[\"a\nb\"]", "unexpected newline" },
        { "\xef\xbb\xbf{}", "'[' or '{' expected" },
        { "[NaN]", "invalid token" },
        { "[", "']' expected" },
        { "[}", "expected" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_null(json_parse(cases[i].text, strlen(cases[i].text), &err));
        if (!error_is(err, ERR_INVALID) || !strstr(error_message(err), cases[i].message))
            fail_msg("%s: \"%s\", expected \"%s\"", cases[i].text, error_message(err),
                     cases[i].message);
        error_clear(&err);
    }
    struct error *err = NULL;
    assert_null(json_parse("[\"a\0b\"]", 7, &err));
    assert_true(error_is(err, ERR_INVALID));
    error_clear(&err);
}

static void content_stays_out_of_errors(void **state UNUSED)
{
    struct error *err = NULL;
    const char *text = "{\"auth\": \"fine\", \"c2VjcmV0\" x}";
    assert_null(json_parse(text, strlen(text), &err));
    assert_null(strstr(error_message(err), "c2VjcmV0"));
    error_clear(&err);
    text = "{\"c2VjcmV0\": 1, \"c2VjcmV0\": 2}";
    assert_null(json_parse(text, strlen(text), &err));
    assert_null(strstr(error_message(err), "c2VjcmV0"));
    error_clear(&err);
}

static void depth_is_limited(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf deep = STRBUF_INIT;
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        strbuf_insert(&deep, deep.size / 2, "[]", 2);
    AUTO(json_decref) json_t *value = json_parse(deep.data, deep.size, &err);
    assert_ok_ptr(value, err);
    strbuf_insert(&deep, deep.size / 2, "[]", 2);
    assert_null(json_parse(deep.data, deep.size, &err));
    assert_true(error_is(err, ERR_LIMIT));
    assert_string_equal(error_message(err), "JSON: nested deeper than 64");
    error_clear(&err);
    /* brackets in strings don't count, however they are quoted */
    strbuf_reset(&deep);
    strbuf_adds(&deep, "[\"\\\"");
    for (int i = 0; i < 2 * JSON_MAX_DEPTH; i++)
        strbuf_adds(&deep, "[{");
    strbuf_adds(&deep, "\"]");
    AUTO(json_decref) json_t *flat = json_parse(deep.data, deep.size, &err);
    assert_ok_ptr(flat, err);
}

static void top_level_object_can_be_demanded(void **state UNUSED)
{
    struct error *err = NULL;
    assert_null(json_parse_object("[]", 2, &err));
    assert_string_equal(error_message(err), "JSON: expected an object");
    error_clear(&err);
    AUTO(json_decref) json_t *value = json_parse_object("{}", 2, &err);
    assert_ok_ptr(value, err);
}

static void getters_take_what_fits(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(json_decref)
    json_t *doc = parse(
        "{\"s\":\"text\",\"u\":7,\"i\":-7,\"b\":true,\"o\":{},\"a\":[\"x\",\"y\"],\"n\":null}");
    const char *text = NULL;
    uint64_t u = 0;
    int64_t i = 0;
    bool b = false;
    const json_t *o = NULL, *a = NULL;
    AUTO(strvec_release) struct strvec strings = STRVEC_INIT;
    assert_ok(json_get_string(doc, "", "s", JSON_REQUIRED, &text, &err), err);
    assert_ok(json_get_uint64(doc, "", "u", JSON_REQUIRED, &u, &err), err);
    assert_ok(json_get_int64(doc, "", "i", JSON_REQUIRED, &i, &err), err);
    assert_ok(json_get_bool(doc, "", "b", JSON_REQUIRED, &b, &err), err);
    assert_ok(json_get_object(doc, "", "o", JSON_REQUIRED, &o, &err), err);
    assert_ok(json_get_array(doc, "", "a", JSON_REQUIRED, &a, &err), err);
    assert_ok(json_get_strings(doc, "", "a", JSON_REQUIRED, &strings, &err), err);
    assert_string_equal(text, "text");
    assert_int_equal(u, 7);
    assert_int_equal(i, -7);
    assert_true(b);
    assert_int_equal(json_object_size(o), 0);
    assert_int_equal(json_array_size(a), 2);
    assert_int_equal(strings.n, 2);
    /* absent and null leave the output alone */
    text = "default";
    assert_ok(json_get_string(doc, "", "n", JSON_OPTIONAL, &text, &err), err);
    assert_ok(json_get_string(doc, "", "absent", JSON_OPTIONAL, &text, &err), err);
    assert_ok(json_get_strings(doc, "", "absent", JSON_OPTIONAL, &strings, &err), err);
    assert_string_equal(text, "default");
    assert_int_equal(strings.n, 2);
}

static void wrong_types_name_their_place(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(json_decref)
    json_t *doc = parse("{\"s\":1,\"u\":-1,\"i\":1.5,\"b\":0,\"o\":[],\"a\":{},\"m\":[\"x\",2],"
                        "\"n\":null,\"a/~b\":1}");
    const char *text = "kept";
    uint64_t u;
    int64_t i;
    bool b;
    const json_t *value;
    AUTO(strvec_release) struct strvec strings = STRVEC_INIT;
    assert_fails(json_get_string(doc, "/config", "s", JSON_OPTIONAL, &text, &err), err, ERR_INVALID,
                 "/config/s: expected a string");
    assert_fails(json_get_string(doc, "", "n", JSON_REQUIRED, &text, &err), err, ERR_INVALID,
                 "/n: expected a string");
    assert_fails(json_get_string(doc, "", "absent", JSON_REQUIRED, &text, &err), err, ERR_INVALID,
                 "/absent: expected a string");
    assert_fails(json_get_string(doc, "/annotations", "a/~b", JSON_REQUIRED, &text, &err), err,
                 ERR_INVALID, "/annotations/a~1~0b: expected a string");
    assert_fails(json_get_uint64(doc, "/layers/2", "u", JSON_REQUIRED, &u, &err), err, ERR_INVALID,
                 "/layers/2/u: expected an integer of 0 or more");
    assert_fails(json_get_int64(doc, "", "i", JSON_REQUIRED, &i, &err), err, ERR_INVALID,
                 "/i: expected an integer");
    assert_fails(json_get_bool(doc, "", "b", JSON_REQUIRED, &b, &err), err, ERR_INVALID,
                 "/b: expected true or false");
    assert_fails(json_get_object(doc, "", "o", JSON_REQUIRED, &value, &err), err, ERR_INVALID,
                 "/o: expected an object");
    assert_fails(json_get_array(doc, "", "a", JSON_REQUIRED, &value, &err), err, ERR_INVALID,
                 "/a: expected an array");
    assert_fails(json_get_strings(doc, "", "m", JSON_REQUIRED, &strings, &err), err, ERR_INVALID,
                 "/m/1: expected a string");
    assert_fails(json_get_string(json_object_get(doc, "s"), "/s", "x", JSON_OPTIONAL, &text, &err),
                 err, ERR_INVALID, "/s: expected an object");
    assert_string_equal(text, "kept");
    assert_int_equal(strings.n, 0);
}

static void builders_repair_text(void **state UNUSED)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain", "plain" },
        { "\xc3\xa9", "\xc3\xa9" },
        { "a\xff"
          "b",
          "a\xef\xbf\xbd"
          "b" },
        { "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
        { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(json_decref) json_t *value = json_from_string(cases[i].in);
        assert_string_equal(json_string_value(value), cases[i].out);
    }
    AUTO(strvec_release) struct strvec vec = STRVEC_INIT;
    strvec_push(&vec, "b");
    strvec_push(&vec, "a");
    AUTO(json_decref) json_t *object = json_object();
    json_set(object, "list", json_from_strvec(&vec));
    json_set(object, "nothing", NULL);
    json_set(object, "bad\xff", json_true());
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    json_format_canonical(object, &buf);
    assert_string_equal(buf.data, "{\"bad\xef\xbf\xbd\":true,\"list\":[\"b\",\"a\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_bytes_are_stable),
        cmocka_unit_test(pretty_is_for_readers),
        cmocka_unit_test(bad_documents_are_invalid),
        cmocka_unit_test(content_stays_out_of_errors),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(top_level_object_can_be_demanded),
        cmocka_unit_test(getters_take_what_fits),
        cmocka_unit_test(wrong_types_name_their_place),
        cmocka_unit_test(builders_repair_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
