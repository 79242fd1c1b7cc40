/* SPDX-License-Identifier: Apache-2.0 */
/* What git writes: input is a ref's name, a newline, and output that a server may have a part in.
 */
#include "builder/git_run.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pick(const char *output, char *ref, enum git_ref_kind kind)
{
    const struct git_url url = { .ref = ref, .ref_kind = kind };
    AUTO(git_commit_release) struct git_commit commit = { .id = NULL };
    if (!git_pick_ref(output, &url, &commit))
        return;
    const char *wanted = ref ? ref : "HEAD";
    if (!git_is_commit(commit.id) || !strstr(output, commit.id) || strchr(commit.ref, '\n'))
        abort();
    if (!strstr(commit.ref, wanted) && !strstr(wanted, commit.ref)) /* without its ^{} */
        abort();
    if ((kind == GIT_REF_BRANCH && strncmp(commit.ref, "refs/heads/", 11) != 0) ||
        (kind == GIT_REF_TAG && strncmp(commit.ref, "refs/tags/", 10) != 0))
        abort();
}

static void explain(const char *output)
{
    AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
    AUTO(free) char *line = NULL;
    strbuf_adds(&words, output);
    git_clean_output(&words);
    for (size_t i = 0; i < words.size; i++)
        if ((unsigned char)words.data[i] < ' ' && !strchr("\n\t", words.data[i]))
            abort();
    if (git_explain(words.data, &line) == ERR_CANCELLED || strchr(line, '\n') ||
        !strstr(words.data, line))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *ref = xstrndup((const char *)data, size);
    char *output = strchr(ref, '\n');
    if (!output)
        return 0;
    *output++ = '\0';
    pick(output, *ref ? ref : NULL, GIT_REF_ANY);
    if (*ref) {
        pick(output, ref, GIT_REF_BRANCH);
        pick(output, ref, GIT_REF_TAG);
    }
    explain(output);
    return 0;
}
