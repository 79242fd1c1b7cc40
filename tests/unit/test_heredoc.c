/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/heredoc.h"

#include "tests/unit/test.h"

static void words_announce_heredocs(void **state UNUSED)
{
    static const struct {
        const char *word, *name; /* NULL: none */
        bool expand, chomp;
        unsigned fd;
    } cases[] = {
        { "<<EOF", "EOF", true, false, 0 },
        { "3<<-EOF", "EOF", true, true, 3 },
        { "<<'EOF'", "EOF", false, false, 0 },
        { "<<\"EOF\"", "EOF", false, false, 0 },
        { "<<E'O'F", "EOF", false, false, 0 },
        { "<<E\\'F", "E'F", true, false, 0 },
        { "<<'one two'", "one two", false, false, 0 },
        { "<<$EOF", "$EOF", true, false, 0 },
        { "<<  EOF ", "EOF", true, false, 0 },
        { "<<file.txt", "file.txt", true, false, 0 },
        { "<<", NULL, false, false, 0 },
        { "<<-", NULL, false, false, 0 },
        { "<<<EOF", NULL, false, false, 0 },
        { "<EOF", NULL, false, false, 0 },
        { "x<<EOF", NULL, false, false, 0 },
        { "<<EOF cat", NULL, false, false, 0 },
        { "<<A<<B", NULL, false, false, 0 },
        { "<<''", NULL, false, false, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct heredoc heredoc = { 0 };
        struct error *err = NULL;
        int found = heredoc_parse_word(cases[i].word, &heredoc, &err);
        assert_ok(found, err);
        if (found != (cases[i].name != NULL))
            fail_msg("%s: found %d", cases[i].word, found);
        if (!found)
            continue;
        assert_string_equal(heredoc.name, cases[i].name);
        assert_int_equal(heredoc.expand, cases[i].expand);
        assert_int_equal(heredoc.chomp, cases[i].chomp);
        assert_int_equal(heredoc.fd, cases[i].fd);
        heredoc_release(&heredoc);
    }
}

static void open_quote_in_a_delimiter_is_an_error(void **state UNUSED)
{
    struct heredoc heredoc = { 0 };
    struct error *err = NULL;
    assert_fails(heredoc_parse_word("<<'EOF", &heredoc, &err), err, ERR_SYNTAX, "heredoc:");
}

static void lines_are_scanned_as_a_shell_would(void **state UNUSED)
{
    static const struct {
        const char *line;
        size_t n;
        const char *last;
    } cases[] = {
        { "RUN cat <<A > /a && cat <<-'B c' > /b", 2, "B c" },
        { "RUN cat << EOF", 1, "EOF" },
        { "RUN cat <<- EOF", 1, "EOF" },
        { "RUN echo \"a <<EOF\"", 0, NULL },
        { "RUN echo 'a << b'; echo $((1<<3))", 0, NULL },
        { "RUN echo $((1 << 3))", 0, NULL },
        { "RUN echo $((1 << 3)); cat << EOF", 1, "EOF" },
        { "RUN cat <<< text", 0, NULL },
        { "RUN echo it's <<EOF", 0, NULL },
        { "RUN echo \\<<EOF", 0, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(heredoc_list_release) struct heredoc_list list = { 0 };
        struct error *err = NULL;
        assert_ok(heredoc_scan(cases[i].line, &list, &err), err);
        if (list.n_items != cases[i].n)
            fail_msg("%s: %zu heredocs", cases[i].line, list.n_items);
        if (cases[i].n)
            assert_string_equal(list.items[list.n_items - 1].name, cases[i].last);
    }
}

static void chomped_bodies_lose_leading_tabs(void **state UNUSED)
{
    char name[] = "EOF", content[] = "\t\ta\n b\n\n\t\n\tc\td\n";
    struct heredoc heredoc = { .name = name, .content = content, .chomp = true };
    AUTO(free) char *chomped = heredoc_body(&heredoc);
    assert_string_equal(chomped, "a\n b\n\n\nc\td\n");
    heredoc.chomp = false;
    AUTO(free) char *plain = heredoc_body(&heredoc);
    assert_string_equal(plain, content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_announce_heredocs),
        cmocka_unit_test(open_quote_in_a_delimiter_is_an_error),
        cmocka_unit_test(lines_are_scanned_as_a_shell_would),
        cmocka_unit_test(chomped_bodies_lose_leading_tabs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
