/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/strvec.h"
#include "builder/git_run.h"
#include "builder/git_tidy.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RESOLVE_TIMEOUT_MS (120 * 1000)

void git_commit_release(struct git_commit *commit)
{
    free(commit->id);
    free(commit->ref);
    *commit = (struct git_commit){ .id = NULL };
}

/* --- from a ref to a commit ------------------------------------------------------------------ */

/* The ref that a name means, best first: what git checkout would take. */
static size_t rank(const struct git_url *url, const char *name, size_t size)
{
    static const struct {
        const char *before, *after;
        bool branch, tag;
    } forms[] = {
        { "", "^{}", false, false },          { "", "", false, false },
        { "refs/", "", false, false },        { "refs/heads/", "", true, false },
        { "refs/tags/", "^{}", false, true }, /* the commit of an annotated tag */
        { "refs/tags/", "", false, true },
    };
    const char *ref = url->ref ? url->ref : "HEAD";
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if ((url->ref_kind == GIT_REF_BRANCH && !forms[i].branch) ||
            (url->ref_kind == GIT_REF_TAG && !forms[i].tag))
            continue;
        AUTO(free) char *full = xasprintf("%s%s%s", forms[i].before, ref, forms[i].after);
        if (strlen(full) == size && strncmp(full, name, size) == 0)
            return i;
    }
    return SIZE_MAX;
}

int git_pick_ref(const char *output, const struct git_url *url, struct git_commit *ret)
{
    size_t best = SIZE_MAX;
    AUTO(git_commit_release) struct git_commit found = { .id = NULL };
    for (const char *line = output, *next; *line; line = next) {
        size_t size = strcspn(line, "\n");
        size_t id_size = strcspn(line, "\t\n");
        next = line + size + (line[size] == '\n');
        AUTO(free) char *id = xstrndup(line, id_size);
        if (id_size >= size || !git_is_commit(id))
            continue;
        const char *name = line + id_size + 1;
        size_t name_size = size - id_size - 1;
        size_t place = rank(url, name, name_size);
        if (place >= best)
            continue;
        best = place;
        git_commit_release(&found);
        found.id = TAKE(id);
        bool peeled = name_size > 3 && strncmp(name + name_size - 3, "^{}", 3) == 0;
        found.ref = xstrndup(name, peeled ? name_size - 3 : name_size);
    }
    if (!found.id)
        return 0;
    git_commit_release(ret);
    *ret = found;
    found = (struct git_commit){ .id = NULL };
    return 1;
}

static int list_remote(const struct git_repository *repository, const char *ref,
                       struct strbuf *output, struct error **err)
{
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    strvec_push(&args, "ls-remote");
    strvec_push(&args, "--");
    strvec_push(&args, repository->url->remote);
    strvec_push(&args, ref);
    strvec_pushf(&args, "%s^{}", ref);
    const struct git_run run = {
        .repository = repository, .args = &args, .dir = "/", .timeout_ms = RESOLVE_TIMEOUT_MS
    };
    return git_run(&run, output, err);
}

static int ask(const struct git_repository *repository, struct git_commit *ret, struct error **err)
{
    const struct git_url *url = repository->url;
    const char *ref = url->ref ? url->ref : "HEAD";
    AUTO(strbuf_release) struct strbuf output = STRBUF_INIT;
    if (list_remote(repository, ref, &output, err) < 0)
        return -1;
    if (git_pick_ref(output.data, url, ret))
        return 0;
    error_set_(err, ERR_NOT_FOUND, "no %s \"%s\" in the repository",
               url->ref_kind == GIT_REF_TAG      ? "tag"
               : url->ref_kind == GIT_REF_BRANCH ? "branch"
                                                 : "ref",
               ref);
    error_hint(err, "a commit is named by all its digits");
    return -1;
}

/* By its id alone, without asking anybody. */
static const char *known_commit(const struct git_url *url)
{
    bool whole = url->checksum && git_is_commit(url->checksum);
    if (whole && (url->fetch_by_commit == GIT_OPTION_ON || !url->ref))
        return url->checksum;
    return url->ref && url->ref_kind == GIT_REF_ANY && git_is_commit(url->ref) ? url->ref : NULL;
}

int git_resolve(const struct git_repository *repository, struct git_commit *ret, struct error **err)
{
    const struct git_url *url = repository->url;
    const char *known = known_commit(url);
    AUTO(git_commit_release) struct git_commit commit = { .id = xstrdup(known) };
    if (!known && ask(repository, &commit, err) < 0)
        return error_wrap(err, "git repository %s", url->remote);
    for (char *p = commit.id; *p; p++)
        if (*p >= 'A' && *p <= 'F')
            *p = (char)(*p - 'A' + 'a');
    if (url->checksum && strncmp(commit.id, url->checksum, strlen(url->checksum)) != 0)
        return error_set(err, ERR_DIGEST, "git repository %s: %s is commit %s, not %s", url->remote,
                         url->ref ? url->ref : "HEAD", commit.id, url->checksum);
    git_commit_release(ret);
    *ret = commit;
    commit = (struct git_commit){ .id = NULL };
    return 0;
}

static bool has_netrc(void)
{
    const char *home = getenv("HOME");
    AUTO(free) char *path = home ? path_join(home, ".netrc") : NULL;
    return path && access(path, R_OK) == 0;
}

bool git_may_be_private(const struct git_repository *repository)
{
    const char *remote = repository->url->remote;
    bool is_http = strncmp(remote, "http", 4) == 0;
    if (repository->authorization || repository->ssh_socket)
        return true;
    return is_http ? repository->is_typed && has_netrc() : strncmp(remote, "git://", 6) != 0;
}

int git_check_access(const struct git_repository *repository, struct error **err)
{
    if (list_remote(repository, "HEAD", NULL, err) < 0)
        return error_wrap(err, "git repository %s", repository->url->remote);
    return 0;
}

/* --- from a commit to files ------------------------------------------------------------------ */

/* In the new repository; `words` ends with NULL. */
static int git(const struct git_checkout *checkout, struct strbuf *output, struct error **err,
               const char *const *words)
{
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    AUTO(free) char *dir = xasprintf("/proc/self/fd/%d", checkout->dir_fd);
    for (; *words; words++)
        strvec_push(&args, *words);
    const struct git_run run = { .repository = checkout->repository, .args = &args, .dir = dir };
    return git_run(&run, output, err);
}
#define GIT(checkout, output, err, ...)                                                            \
    git((checkout), (output), (err), (const char *const[]){ __VA_ARGS__, NULL })

static bool has_commit(const struct git_checkout *checkout)
{
    AUTO(error_free) struct error *missing = NULL;
    AUTO(free) char *object = xasprintf("%s^{commit}", checkout->commit->id);
    return GIT(checkout, NULL, &missing, "cat-file", "-e", object) == 0;
}

/* Where a fetched ref is kept: a branch as one of origin's. */
static char *refspec(const char *ref)
{
    static const char heads[] = "refs/heads/";
    if (strncmp(ref, heads, strlen(heads)) == 0)
        return xasprintf("+%s:refs/remotes/origin/%s", ref, ref + strlen(heads));
    return strncmp(ref, "refs/", 5) == 0 ? xasprintf("+%s:%s", ref, ref) : xstrdup(ref);
}

/*
 * The commit and nothing more, where the server can do that: by its ref, since old servers give no
 * others; by its id, for a ref that moved on since it was asked for. Else everything: the dumb http
 * protocol has no depth. The last error counts.
 */
static int fetch(const struct git_checkout *checkout, struct error **err)
{
    const struct git_commit *commit = checkout->commit;
    AUTO(free) char *ref = commit->ref ? refspec(commit->ref) : NULL;
    const char *const wanted[] = { ref, commit->id };
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        AUTO(error_free) struct error *refused = NULL;
        if (!wanted[i])
            continue;
        if (GIT(checkout, NULL, &refused, "fetch", "-q", "--depth=1", "--no-tags",
                "--no-write-fetch-head", "--", "origin", wanted[i]) == 0 &&
            has_commit(checkout))
            return 0;
        if (refused && error_is(refused, ERR_CANCELLED)) {
            error_move(err, TAKE(refused));
            return -1;
        }
    }
    if (GIT(checkout, NULL, err, "fetch", "-q", "--no-write-fetch-head", "--", "origin",
            "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*") < 0)
        return -1;
    if (!has_commit(checkout))
        return error_set(err, ERR_NOT_FOUND, "no commit %s in the repository", commit->id);
    return 0;
}

static int update_submodules(const struct git_checkout *checkout, struct error **err)
{
    struct stat st;
    int there = fs_stat(checkout->dir_fd, ".gitmodules", &st, err);
    if (there <= 0 || checkout->no_submodules)
        return there < 0 ? -1 : 0;
    AUTO(error_free) struct error *refused = NULL;
    if (GIT(checkout, NULL, &refused, "submodule", "--quiet", "update", "--init", "--recursive",
            "--depth=1") == 0)
        return 0;
    if (error_is(refused, ERR_CANCELLED)) {
        error_move(err, TAKE(refused));
        return -1;
    }
    /* a server that can't do depth, or not give what no ref points at */
    if (GIT(checkout, NULL, err, "submodule", "--quiet", "update", "--init", "--recursive") < 0)
        return error_wrap(err, "submodules");
    return 0;
}

static int read_commit_time(const struct git_checkout *checkout, int64_t *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf output = STRBUF_INIT;
    if (GIT(checkout, &output, err, "show", "-s", "--format=%ct", checkout->commit->id) < 0)
        return -1;
    char *end;
    *ret = strtoll(output.data, &end, 10);
    if (end == output.data || *end != '\n')
        return error_set(err, ERR_INVALID, "commit %s: its time is \"%.40s\"", checkout->commit->id,
                         output.data);
    return 0;
}

static int check_out(const struct git_checkout *checkout, int64_t *commit_time, struct error **err)
{
    const struct git_commit *commit = checkout->commit;
    const char *format =
        strlen(commit->id) == 64 ? "--object-format=sha256" : "--object-format=sha1";
    if (GIT(checkout, NULL, err, "init", "-q", "--template=", format) < 0 ||
        GIT(checkout, NULL, err, "remote", "add", "origin", checkout->repository->url->remote) <
            0 ||
        fetch(checkout, err) < 0 ||
        GIT(checkout, NULL, err, "checkout", "-q", "--detach", "--force", commit->id) < 0 ||
        update_submodules(checkout, err) < 0 || read_commit_time(checkout, commit_time, err) < 0)
        return -1;
    int64_t mtime = checkout->mtime == GIT_COMMIT_TIME ? *commit_time : checkout->mtime;
    return git_tidy(checkout->dir_fd, checkout->keep_git_dir, mtime, err);
}

int git_checkout(const struct git_checkout *checkout, int64_t *commit_time, struct error **err)
{
    int64_t time = 0;
    if (check_out(checkout, &time, err) < 0)
        return error_wrap(err, "git repository %s", checkout->repository->url->remote);
    if (commit_time)
        *commit_time = time;
    return 0;
}
