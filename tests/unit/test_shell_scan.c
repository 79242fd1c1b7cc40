/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/shell_scan.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

/* "word word END word END": commands with what follows them, and the problem. */
static char *shown(const char *text)
{
    AUTO(shell_scan_release) struct shell_scan scan = { .is_certain = false };
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    shell_scan(text, &scan);
    for (size_t i = 0; i < scan.n_commands; i++) {
        const struct shell_command *command = &scan.commands[i];
        for (size_t k = 0; k < command->words.n; k++)
            strbuf_addf(&buf, "%s ", command->words.items[k]);
        strbuf_addf(&buf, "%c ", command->end ? command->end : '.');
    }
    strbuf_adds(&buf, scan.problem ? scan.problem : scan.is_certain ? "fine" : "uncertain");
    return strbuf_detach(&buf);
}

static void commands_and_problems(void **state UNUSED)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "fine" },
        { "a b && c | d; e & f || g", "a b & c | d ; e b f o g . fine" },
        { "a 'b;c' \"d|\\\"e\" f\\;g", "a 'b;c' \"d|\\\"e\" f\\;g . fine" },
        { "a # b; 'c", "a . fine" },
        { "a#b c", "a#b c . fine" },
        { "a $(b; (c)) ${d}", "a $(b; (c)) ${d} . fine" },
        { "a >b 2>&1", "a b 2 1 . fine" },
        { "if a; then b; elif c; then d; else e; fi; f", "a ; b ; c ; d ; e ; f . fine" },
        { "for i in a b; do c; done", "for i in a b ; c ; fine" },
        { "case $a in b|c) d ;; *) e; esac; f", "d ; e ; f . fine" },
        { "case a in esac", "fine" },
        { "{ a; (b) }; c", "a ; b . c . fine" },
        { "! a", "a . fine" },
        { "echo fi done esac }", "echo fi done esac } . fine" },
        { "a\nb \\\n c\n", "a ; b c ; fine" },

        { "a 'b", "a . a single quote is not closed" },
        { "a \"b", "a . a double quote is not closed" },
        { "if a; then b", "a ; b . if without fi" },
        { "while a; do b", "a ; b . a loop without done" },
        { "case a in b) c ;;", "c ; case without esac" },
        { "{ a;", "a ; { without }" },
        { "(a", "a . ( without )" },
        { "a)", "a . ) without (" },
        { "a; fi", "a ; fi without if" },
        { "if a; done", "a ; done without do" },
        { "a ;; b", "a ; ;; outside of case" },

        { "a <<E", "uncertain" },
        { "f() { 'a; }", "uncertain" },
        { "a=(1 2) 'b", "uncertain" },
        { "[[ a ]] 'b", "uncertain" },
        { "a `b 'c`", "uncertain" },
        { "a $'b\\'c'", "uncertain" },
        { "a ${b:-'}", "uncertain" },
        { "a $(b 'c')", "uncertain" },
        { "(( a ))", "uncertain" },
        { "a $(case b in c) d;; esac", "uncertain" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *found = shown(cases[i].text);
        /* where the look ends is not promised */
        bool same =
            !strcmp(cases[i].expected, "uncertain")
                ? strlen(found) >= 9 && !strcmp(found + strlen(found) - 9, cases[i].expected)
                : !strcmp(found, cases[i].expected);
        if (!same)
            fail_msg("%s\nfound:    %s\nexpected: %s", cases[i].text, found, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(commands_and_problems) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
