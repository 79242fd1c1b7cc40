/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/scope.h"

#include "base/strbuf.h"
#include "tests/unit/test.h"

static void join(const struct strvec *scopes, struct strbuf *buf)
{
    for (size_t i = 0; i < scopes->n; i++)
        strbuf_addf(buf, "%s%s", i ? " " : "", scopes->items[i]);
}

static void scopes_are_written_as_token_servers_take_them(void **state UNUSED)
{
    static const struct {
        struct scope scope;
        const char *text;
    } cases[] = {
        { { "a/b", SCOPE_PULL }, "repository:a/b:pull" },
        { { "a/b", SCOPE_PULL | SCOPE_PUSH }, "repository:a/b:pull,push" },
        { { "a/b", SCOPE_PULL | SCOPE_PUSH, "c" }, "repository:a/b:pull,push repository:c:pull" },
        { { "a", SCOPE_DELETE }, "repository:a:delete" },
        { { .catalog = true }, "registry:catalog:*" },
        { { NULL }, "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strvec_release) struct strvec scopes = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        scope_format(&cases[i].scope, &scopes);
        join(&scopes, &text);
        assert_string_equal(text.data, cases[i].text);
    }
}

static void challenges_widen_only_when_told(void **state UNUSED)
{
    static const struct {
        const char *challenge;
        bool widen, grew;
        const char *text;
    } cases[] = {
        { NULL, true, false, "repository:a:pull" },
        { "repository:a:pull", true, false, "repository:a:pull" },
        { "repository:a:pull,push", false, false, "repository:a:pull" },
        { "repository:a:pull,push", true, true, "repository:a:pull,push" },
        { "repository:a:push,pull", true, true, "repository:a:pull,push" },
        { "repository:b:pull", false, true, "repository:a:pull repository:b:pull" },
        { "repository:host:5000/b:pull", false, true,
          "repository:a:pull repository:host:5000/b:pull" },
        { "registry:catalog:*  repository:a:pull", false, true,
          "repository:a:pull registry:catalog:*" },
        { "nonsense", true, false, "repository:a:pull" },
        { "one:two", true, false, "repository:a:pull" },
        { "   ", true, false, "repository:a:pull" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strvec_release) struct strvec scopes = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        strvec_push(&scopes, "repository:a:pull");
        bool grew = scope_merge(&scopes, cases[i].challenge, cases[i].widen);
        join(&scopes, &text);
        if (grew != cases[i].grew)
            fail_msg("%s: %d", cases[i].challenge, grew);
        assert_string_equal(text.data, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_are_written_as_token_servers_take_them),
        cmocka_unit_test(challenges_widen_only_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
