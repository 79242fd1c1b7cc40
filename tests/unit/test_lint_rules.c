/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lint_rules.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void buildkits_rules_are_known_with_their_pages(void **state UNUSED)
{
    static const struct {
        const char *name, *page;
    } rules[] = {
        { "StageNameCasing", "stage-name-casing" },
        { "FromAsCasing", "from-as-casing" },
        { "NoEmptyContinuation", "no-empty-continuation" },
        { "ConsistentInstructionCasing", "consistent-instruction-casing" },
        { "DuplicateStageName", "duplicate-stage-name" },
        { "ReservedStageName", "reserved-stage-name" },
        { "JSONArgsRecommended", "json-args-recommended" },
        { "MaintainerDeprecated", "maintainer-deprecated" },
        { "UndefinedArgInFrom", "undefined-arg-in-from" },
        { "WorkdirRelativePath", "workdir-relative-path" },
        { "UndefinedVar", "undefined-var" },
        { "MultipleInstructionsDisallowed", "multiple-instructions-disallowed" },
        { "LegacyKeyValueFormat", "legacy-key-value-format" },
        { "InvalidBaseImagePlatform", NULL },
        { "RedundantTargetPlatform", "redundant-target-platform" },
        { "SecretsUsedInArgOrEnv", "secrets-used-in-arg-or-env" },
        { "InvalidDefaultArgInFrom", "invalid-default-arg-in-from" },
        { "FromPlatformFlagConstDisallowed", "from-platform-flag-const-disallowed" },
        { "CopyIgnoredFile", "copy-ignored-file" },
        { "InvalidDefinitionDescription", "invalid-definition-description" },
        { "ExposeProtoCasing", "expose-proto-casing" },
        { "ExposeInvalidFormat", "expose-invalid-format" },
    };
    assert_int_equal(ARRAY_SIZE(rules), 22);
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        const struct lint_rule *rule = lint_rule_find(rules[i].name);
        assert_non_null(rule);
        AUTO(free) char *url = lint_rule_url(rule);
        AUTO(free)
        char *expected = rules[i].page ? xasprintf("https://docs.docker.com/go/dockerfile/rule/%s/",
                                                   rules[i].page)
                                       : NULL;
        assert_string_equal(url ? url : "none", expected ? expected : "none");
    }
}

static void names_match_by_case_and_the_nearest_is_found(void **state UNUSED)
{
    assert_null(lint_rule_find("undefinedvar"));
    assert_string_equal(lint_rule_nearest("undefinedvars"), "UndefinedVar");
    assert_null(lint_rule_nearest("OfTheFuture"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buildkits_rules_are_known_with_their_pages),
        cmocka_unit_test(names_match_by_case_and_the_nearest_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
