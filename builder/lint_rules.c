/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lint_rules.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"

#include <ctype.h>
#include <string.h>

/* clang-format off */
static const struct lint_rule rules[] = {
    { "StageNameCasing", LINT_ALWAYS, true, "Stage names should be lowercase" },
    { "FromAsCasing", LINT_ALWAYS, true, "The 'as' keyword should match the case of the 'from' keyword" },
    { "NoEmptyContinuation", LINT_ALWAYS, true, "Empty continuation lines will become errors in a future release" },
    { "ConsistentInstructionCasing", LINT_ALWAYS, true, "All commands within the Dockerfile should use the same casing (either upper or lower)" },
    { "DuplicateStageName", LINT_ALWAYS, true, "Stage names should be unique" },
    { "ReservedStageName", LINT_ALWAYS, true, "Reserved words should not be used as stage names" },
    { "JSONArgsRecommended", LINT_ALWAYS, true, "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals" },
    { "MaintainerDeprecated", LINT_ALWAYS, true, "The MAINTAINER instruction is deprecated, use a label instead to define an image author" },
    { "UndefinedArgInFrom", LINT_ALWAYS, true, "FROM command must use declared ARGs" },
    { "WorkdirRelativePath", LINT_ALWAYS, true, "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes" },
    { "UndefinedVar", LINT_ALWAYS, true, "Variables should be defined before their use" },
    { "MultipleInstructionsDisallowed", LINT_ALWAYS, true, "Multiple instructions of the same type should not be used in the same stage" },
    { "LegacyKeyValueFormat", LINT_ALWAYS, true, "Legacy key/value format with whitespace separator should not be used" },
    { "InvalidBaseImagePlatform", LINT_ALWAYS, false, "Base image platform does not match expected target platform" },
    { "RedundantTargetPlatform", LINT_ALWAYS, true, "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior" },
    { "SecretsUsedInArgOrEnv", LINT_ALWAYS, true, "Sensitive data should not be used in the ARG or ENV commands" },
    { "InvalidDefaultArgInFrom", LINT_ALWAYS, true, "Default value for global ARG results in an empty or invalid base image name" },
    { "FromPlatformFlagConstDisallowed", LINT_ALWAYS, true, "FROM --platform flag should not use a constant value" },
    { "CopyIgnoredFile", LINT_ALWAYS, true, "Attempting to Copy file that is excluded by .dockerignore" },
    { "InvalidDefinitionDescription", LINT_EXPERIMENTAL, true, "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment." },
    { "ExposeProtoCasing", LINT_ALWAYS, true, "Protocol in EXPOSE instruction should be lowercase" },
    { "ExposeInvalidFormat", LINT_ALWAYS, true, "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release" },
    /* ours */
    { "JSONArgsInvalid", LINT_ALWAYS, false, "What begins with [ and is no JSON array is taken as shell form" },
    { "ShellSyntax", LINT_ALWAYS, false, "The shell will refuse the command: a quote or a compound command isn't closed" },
    { "UnknownRule", LINT_ALWAYS, false, "A check directive names a rule that doesn't exist and is nearly another's name" },
    { "CopyFromVariable", LINT_CHECKING, false, "Other builders don't expand variables in COPY --from" },
    { "CopyFlattens", LINT_CHECKING, false, "A wildcard source brings what is in the directories it matches, not the directories" },
    { "ArgOverridesEnv", LINT_CHECKING, false, "An ARG counts for what follows it though an ENV has set the variable; the image keeps the ENV" },
    { "HeredocWithoutErrexit", LINT_CHECKING, false, "In a heredoc the shell goes on after a command that fails" },
    { "PipeFailure", LINT_EXPERIMENTAL, false, "Without pipefail only the status of a pipe's last command counts" },
    { "UnpinnedPackages", LINT_EXPERIMENTAL, false, "Packages without a version change from build to build" },
    { "AptListsLeft", LINT_EXPERIMENTAL, false, "The lists of apt-get update stay in the layer unless the same RUN removes them" },
    { "SudoUsed", LINT_EXPERIMENTAL, false, "sudo is for terminals: USER changes the user of a RUN" },
    { "CdInRun", LINT_EXPERIMENTAL, false, "cd lasts for its RUN only: WORKDIR for all that follow" },
    { "LatestTag", LINT_EXPERIMENTAL, false, "An image without a tag, or with :latest, changes from build to build" },
};
/* clang-format on */

const struct lint_rule *lint_rule_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (!strcmp(rules[i].name, name))
            return &rules[i];
    return NULL;
}

const char *lint_rule_nearest(const char *name)
{
    const char *names[ARRAY_SIZE(rules)];
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        names[i] = rules[i].name;
    return suggest_nearest(name, names, ARRAY_SIZE(names));
}

/* "JSONArgsRecommended" is on the page json-args-recommended. */
char *lint_rule_url(const struct lint_rule *rule)
{
    if (!rule->has_page)
        return NULL;
    AUTO(strbuf_release) struct strbuf url = STRBUF_INIT;
    strbuf_adds(&url, "https://docs.docker.com/go/dockerfile/rule/");
    for (const char *p = rule->name; *p; p++) {
        bool begins_word = isupper((unsigned char)*p) && p > rule->name &&
                           (islower((unsigned char)p[-1]) || islower((unsigned char)p[1]));
        if (begins_word)
            strbuf_addc(&url, '-');
        strbuf_addc(&url, (char)tolower((unsigned char)*p));
    }
    strbuf_addc(&url, '/');
    return strbuf_detach(&url);
}
