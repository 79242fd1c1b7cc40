/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/source_text.h"

#include "tests/unit/test.h"

static const char sample[] = "FROM a\n\nRUN \tfoo bar\r\nRUN b \\\n  c\nlast";

static void lines_are_found_by_number(void **state UNUSED)
{
    AUTO(source_text_free)
    struct source_text *text = source_text_new("x", sample, sizeof(sample) - 1);
    size_t size;
    assert_int_equal(text->n_lines, 6);
    const char *line = source_text_line(text, 3, &size);
    assert_memory_equal(line, "RUN \tfoo bar\r\n", size);
    line = source_text_line(text, 6, &size);
    assert_memory_equal(line, "last", size);
    AUTO(source_text_free) struct source_text *empty = source_text_new("x", "", 0);
    assert_int_equal(empty->n_lines, 0);
    AUTO(source_text_free) struct source_text *bom = source_text_new("x", "\xef\xbb\xbfq", 4);
    assert_string_equal(bom->data, "q");
}

static void excerpts_mark_lines_and_culprit(void **state UNUSED)
{
    static const struct {
        struct source_range range;
        const char *culprit, *excerpt;
    } cases[] = {
        { { 3, 3 },
          "bar",
          "   1 |     FROM a\n   2 |\n   3 | >>> RUN  foo bar\n     |              ^~~\n"
          "   4 |     RUN b \\\n   5 |       c\n" },
        { { 4, 5 },
          "c",
          "   2 |\n   3 |     RUN  foo bar\n   4 | >>> RUN b \\\n   5 | >>>   c\n"
          "     |       ^\n   6 |     last\n" },
        { { 1, 1 }, "absent", "   1 | >>> FROM a\n   2 |\n   3 |     RUN  foo bar\n" },
        { { 0, 0 }, NULL, "" },
        { { 7, 7 }, NULL, "" },
    };
    AUTO(source_text_free)
    struct source_text *text = source_text_new("x", sample, sizeof(sample) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf excerpt = STRBUF_INIT;
        source_text_excerpt(text, cases[i].range, cases[i].culprit, &excerpt);
        assert_string_equal(excerpt.data, cases[i].excerpt);
    }
}

static void excerpts_keep_the_secrets_of_urls(void **state UNUSED)
{
    static const char source[] = "ADD --chmod=1x http://me:sesame@host/f?X-Signature=sesame /a\n";
    AUTO(source_text_free)
    struct source_text *text = source_text_new("Dockerfile", source, sizeof(source) - 1);
    AUTO(strbuf_release) struct strbuf excerpt = STRBUF_INIT;
    source_text_excerpt(text, (struct source_range){ 1, 1 }, "--chmod=1x", &excerpt);
    assert_string_equal(excerpt.data,
                        "   1 | >>> ADD --chmod=1x http://host/f?X-Signature=... /a\n");
}

static void excerpts_are_bounded_and_harmless(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf data = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf excerpt = STRBUF_INIT;
    for (int i = 0; i < 1000; i++)
        strbuf_addf(&data, "line %d\n", i);
    strbuf_adds(&data, "\033[2J\xff");
    for (int i = 0; i < 1000; i++)
        strbuf_adds(&data, "\u00e9");
    AUTO(source_text_free) struct source_text *text = source_text_new("x", data.data, data.size);
    source_text_excerpt(text, (struct source_range){ 1, 1001 }, NULL, &excerpt);
    assert_true(excerpt.size < 1000);
    assert_non_null(strstr(excerpt.data, "     | ... 994 lines\n"));
    assert_non_null(strstr(excerpt.data, ">>> ?[2J?\u00e9"));
    assert_non_null(strstr(excerpt.data, "\u00e9...\n"));
}

static void errors_are_placed(void **state UNUSED)
{
    AUTO(source_text_free)
    struct source_text *text = source_text_new("dir/Dockerfile", sample, sizeof(sample) - 1);
    AUTO(error_free) struct error *err = NULL;
    (void)error_set(&err, ERR_SYNTAX, "wrong");
    assert_int_equal(source_text_locate(text, ((struct source_range){ 4, 5 }), NULL, &err), -1);
    assert_string_equal(error_message(err), "dir/Dockerfile:4: wrong");
    assert_non_null(strstr(error_detail_text(err), ">>> RUN b"));
    AUTO(error_free) struct error *other = NULL;
    (void)error_set(&other, ERR_SYNTAX, "wrong");
    (void)source_text_locate(NULL, ((struct source_range){ 4, 5 }), NULL, &other);
    assert_string_equal(error_message(other), "wrong");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_found_by_number),
        cmocka_unit_test(excerpts_mark_lines_and_culprit),
        cmocka_unit_test(excerpts_keep_the_secrets_of_urls),
        cmocka_unit_test(excerpts_are_bounded_and_harmless),
        cmocka_unit_test(errors_are_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
