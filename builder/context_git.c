/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_git.h"

#include "base/fs.h"
#include "base/mem.h"
#include "builder/context_remote.h"
#include "builder/git_cache.h"
#include "builder/secret.h"
#include "builder/ssh_agents.h"
#include "registry/base64.h"
#include "registry/url.h"

#include <fcntl.h>
#include <string.h>

void context_git_release(struct context_git *git)
{
    git_url_release(&git->url);
    secret_wipe(&git->authorization);
    git_commit_release(&git->commit);
}

static bool is_http(const struct git_url *url)
{
    return strncmp(url->remote, "http", 4) == 0;
}

static void set_basic(struct strbuf *ret, const char *text, size_t size)
{
    strbuf_adds(ret, "Basic ");
    base64_encode(ret, text, size);
}

/* GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST, then the same for any host, as BuildKit has them. */
static int read_secrets(struct context_git *git, const struct build_options *options,
                        struct error **err)
{
    static const char *const names[] = { "GIT_AUTH_HEADER", "GIT_AUTH_TOKEN" };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(names); i++) {
        bool is_token = i % 2;
        bool of_host = i < ARRAY_SIZE(names);
        AUTO(free)
        char *id =
            xasprintf("%s%s%s", names[is_token], of_host ? "." : "", of_host ? git->url.host : "");
        struct strbuf value = STRBUF_INIT;
        int found = secret_read(options, id, &value, err);
        strbuf_rtrim(&value);
        if (found > 0 && is_token) {
            strbuf_insert(&value, 0, "x-access-token:", 15);
            set_basic(&git->authorization, value.data, value.size);
        } else if (found > 0) {
            strbuf_add(&git->authorization, value.data, value.size);
        }
        secret_wipe(&value);
        if (found != 0)
            return found < 0 ? -1 : 0;
    }
    return 0;
}

static int set_authorization(struct context_git *git, const struct build_options *options,
                             struct error **err)
{
    if (!is_http(&git->url))
        return 0;
    if (!git->url.userinfo)
        return read_secrets(git, options, err);
    AUTO(free) char *plain = url_decode(git->url.userinfo, strlen(git->url.userinfo));
    set_basic(&git->authorization, plain, strlen(plain));
    explicit_bzero(plain, strlen(plain));
    return 0;
}

static bool is_ssh(const struct git_url *url)
{
    return strncmp(url->remote, "ssh://", 6) == 0 || !strstr(url->remote, "://");
}

int context_git_init(struct context_git *git, struct build *build, const char *text, bool typed,
                     struct error **err)
{
    const char *socket = NULL;
    if (git_url_parse(text, typed ? GIT_URL_COMMAND_LINE : 0, &git->url, err) < 0 ||
        set_authorization(git, build->options, err) < 0 ||
        (is_ssh(&git->url) && ssh_agents_socket(build, "default", &socket, err) < 0))
        return -1;
    git->repository = (struct git_repository){
        .url = &git->url,
        .authorization = git->authorization.size ? git->authorization.data : NULL,
        .ssh_socket = socket,
        .is_typed = typed,
    };
    return 0;
}

int context_git_resolve(struct context_git *git, struct error **err)
{
    return git_resolve(&git->repository, &git->commit, err);
}

char *context_git_key(const struct context_git *git, bool keep_git_dir)
{
    return xasprintf("%s /%s%s%s%s", git->commit.id, git->url.subdir,
                     git->url.submodules == GIT_OPTION_OFF ? " no-submodules" : "",
                     keep_git_dir ? " keep-git-dir" : "",
                     git->url.mtime_checkout == GIT_OPTION_ON ? " mtime=checkout" : "");
}

static struct git_checkout checkout_of(const struct build *build, const struct context_git *git,
                                       bool keep_git_dir, int dir_fd)
{
    const struct git_url *url = &git->url;
    return (struct git_checkout){
        .repository = &git->repository,
        .commit = &git->commit,
        .keep_git_dir = keep_git_dir,
        .no_submodules = url->submodules == GIT_OPTION_OFF,
        .mtime = url->mtime_checkout == GIT_OPTION_ON ? build->now : GIT_COMMIT_TIME,
        .dir_fd = dir_fd,
    };
}

int context_git_check_access(struct build *build, const struct context_git *git, bool keep_git_dir,
                             struct error **err)
{
    const struct git_checkout checkout = checkout_of(build, git, keep_git_dir, -1);
    return git_cache_check_access(build->store, &checkout, err);
}

/* A directory with the commit's files: those of an earlier build, else fetched. */
static int get_files(struct build *build, const struct context_git *git, bool keep_git_dir,
                     int64_t *time, struct error **err)
{
    AUTO(close) int kept_fd = context_remote_dir(build->store, "git", err);
    if (kept_fd < 0)
        return -1;
    const struct git_checkout kept = checkout_of(build, git, keep_git_dir, kept_fd);
    int found = git_cache_get(build->store, &kept, time, err);
    if (found != 0)
        return found < 0 ? -1 : take_fd(&kept_fd);
    AUTO(close) int fd = context_remote_dir(build->store, "git", err);
    if (fd < 0)
        return -1;
    const struct git_checkout checkout = checkout_of(build, git, keep_git_dir, fd);
    if (git_checkout(&checkout, time, err) < 0)
        return -1;
    AUTO(error_free) struct error *trouble = NULL;
    if (git_cache_put(build->store, &checkout, *time, &trouble) < 0)
        progress_warning(build->progress, 0, "git repository %s: keeping its files: %s",
                         git->url.remote, error_message(trouble));
    return take_fd(&fd);
}

struct context *context_git_open(struct build *build, const struct context_git *git,
                                 bool keep_git_dir, struct error **err)
{
    const struct git_url *url = &git->url;
    int64_t time = 0;
    AUTO(close) int dir_fd = get_files(build, git, keep_git_dir, &time, err);
    if (dir_fd < 0)
        return NULL;
    /* a link in the repository leads inside it */
    int fd = fs_open_in_root(dir_fd, *url->subdir ? url->subdir : ".", O_RDONLY | O_DIRECTORY, err);
    if (fd < 0)
        return error_wrap_null(err, "git repository %s: directory", url->remote);
    struct context *context = context_adopt(build->store, url->remote, fd);
    context_set_time(context, time);
    return context;
}
