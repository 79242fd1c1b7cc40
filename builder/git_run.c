/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git_run.h"

#include "base/as_user.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <string.h>
#include <sys/mman.h>

#define DETAIL_LINES 10

/* --- surroundings ---------------------------------------------------------------------------- */

/* A value in double quotes, as git's configuration has them. */
static void add_quoted(struct strbuf *config, const char *value)
{
    strbuf_addc(config, '"');
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            strbuf_addc(config, '\\');
        strbuf_addc(config, *value);
    }
    strbuf_adds(config, "\"\n");
}

static const char settings[] =
    "[core]\n hooksPath = /dev/null\n fsmonitor = false\n autocrlf = false\n"
    " attributesFile = /dev/null\n excludesFile = /dev/null\n logAllRefUpdates = false\n"
    "[init]\n defaultBranch = main\n"
    "[advice]\n detachedHead = false\n"
    "[gc]\n auto = 0\n"
    "[maintenance]\n auto = false\n"
    "[http]\n lowSpeedLimit = 1\n lowSpeedTime = 60\n";

/* The scheme and host that credentials are for. */
static char *origin_of(const char *remote)
{
    const char *host = strstr(remote, "://");
    size_t size = host ? (size_t)(host - remote) + 3 : 0;
    return xasprintf("%.*s/", (int)(size + strcspn(remote + size, "/")), remote);
}

static int write_config(const struct git_repository *repository, struct error **err)
{
    AUTO(strbuf_release) struct strbuf config = STRBUF_INIT;
    const char *authorization = repository->authorization;
    strbuf_adds(&config, settings);
    if (authorization) {
        if (strpbrk(authorization, "\r\n"))
            return error_set(err, ERR_INVALID, "credentials for git: more than one line");
        AUTO(free) char *origin = origin_of(repository->url->remote);
        strbuf_adds(&config, "[http \"");
        strbuf_adds(&config, origin);
        strbuf_adds(&config, "\"]\n extraHeader = ");
        AUTO(free) char *header = xasprintf("Authorization: %s", authorization);
        add_quoted(&config, header);
        explicit_bzero(header, strlen(header));
    }
    AUTO(close) int fd = memfd_create("gitconfig", MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "making a file in memory");
    int result = io_write_full(fd, config.data, config.size, "git's configuration", err);
    if (config.size)
        explicit_bzero(config.data, config.size);
    return result < 0 ? -1 : take_fd(&fd);
}

static void pass(struct strvec *env, const char *const *names)
{
    for (; *names; names++)
        if (getenv(*names))
            strvec_pushf(env, "%s=%s", *names, getenv(*names));
}

static void pass_socket(struct strvec *env, const char *path)
{
    if (path)
        strvec_pushf(env, "SSH_AUTH_SOCK=%s", path);
}

/*
 * config_fd is inherited: our own entry of /proc would be closed to git in its namespace. The keys
 * of
 * ~/.ssh are the user's, and a Dockerfile may come from anywhere.
 */
static void set_env(struct strvec *env, const struct git_repository *repository, int config_fd)
{
    static const char *const always[] = {
        "PATH",         "TMPDIR",    "http_proxy",     "https_proxy",    "HTTPS_PROXY",
        "all_proxy",    "ALL_PROXY", "no_proxy",       "NO_PROXY",       "SSL_CERT_FILE",
        "SSL_CERT_DIR", "SUDO_UID",  "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", NULL,
    };
    static const char *const users[] = { "HOME", "GIT_SSH", "GIT_SSH_COMMAND", NULL };
    pass(env, always);
    strvec_push(env, "LC_ALL=C");
    strvec_push(env, "GIT_TERMINAL_PROMPT=0");
    strvec_push(env, "GIT_CONFIG_NOSYSTEM=1");
    strvec_push(env, "GIT_ATTR_NOSYSTEM=1");
    strvec_push(env, "GIT_CEILING_DIRECTORIES=/");
    strvec_push(env, "GIT_OPTIONAL_LOCKS=0");
    strvec_pushf(env, "GIT_CONFIG_GLOBAL=/proc/self/fd/%d", config_fd);
    strvec_pushf(env, "GIT_ALLOW_PROTOCOL=http:https:git:ssh%s",
                 git_url_is_file(repository->url) ? ":file" : "");
    if (repository->is_typed) {
        pass(env, users);
        /* --ssh comes before what the user has at hand */
        pass_socket(env, repository->ssh_socket ? repository->ssh_socket : getenv("SSH_AUTH_SOCK"));
        if (!getenv("GIT_SSH") && !getenv("GIT_SSH_COMMAND"))
            strvec_push(env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes");
        return;
    }
    strvec_push(env, "HOME=/nonexistent");
    strvec_push(env, "GIT_SSH_COMMAND=ssh -F /dev/null -o BatchMode=yes -o IdentityFile=/dev/null");
    pass_socket(env, repository->ssh_socket);
}

/* --- failures -------------------------------------------------------------------------------- */

enum error_code git_explain(const char *output, char **line)
{
    static const struct {
        const char *text;
        enum error_code code;
    } signs[] = {
        { "could not read Username", ERR_UNAUTHORIZED },
        { "could not read Password", ERR_UNAUTHORIZED },
        { "Authentication failed", ERR_UNAUTHORIZED },
        { "Permission denied", ERR_UNAUTHORIZED },
        { "error: 401", ERR_UNAUTHORIZED },
        { "error: 403", ERR_UNAUTHORIZED },
        { "Host key verification failed", ERR_UNAUTHORIZED },
        { "not found", ERR_NOT_FOUND },
        { "does not appear to be a git repository", ERR_NOT_FOUND },
        { "does not exist", ERR_NOT_FOUND },
        { "not our ref", ERR_NOT_FOUND },
        { "find remote ref", ERR_NOT_FOUND },
        { "Could not resolve host", ERR_NETWORK },
        { "unable to look up", ERR_NETWORK },
        { "unable to connect", ERR_NETWORK },
        { "unable to access", ERR_NETWORK },
        { "Connection", ERR_NETWORK },
        { "timed out", ERR_NETWORK },
        { "hung up", ERR_NETWORK },
        { "early EOF", ERR_NETWORK },
        { "RPC failed", ERR_NETWORK },
        { "No space left", ERR_NO_SPACE },
    };
    /* the first line that says "fatal: ": later ones are advice */
    const char *fatal = strncmp(output, "fatal: ", 7) == 0 ? output : strstr(output, "\nfatal: ");
    const char *from = fatal ? fatal + (*fatal == '\n') + 7 : output;
    if (strncmp(from, "Could not read from remote", 26) == 0)
        from = output; /* ssh has said why */
    *line = xstrndup(from, strcspn(from, "\n"));
    for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
        if (strstr(output, signs[i].text))
            return signs[i].code;
    return ERR_FAILED;
}

void git_clean_output(struct strbuf *output)
{
    for (size_t i = 0; i < output->size; i++) {
        unsigned char c = (unsigned char)output->data[i];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
            output->data[i] = c == '\r' ? '\n' : '?';
    }
    strbuf_rtrim(output);
    size_t lines = 0;
    for (size_t i = output->size; i-- > 0;) {
        if (output->data[i] == '\n' && ++lines == DETAIL_LINES) {
            strbuf_remove(output, 0, i + 1);
            return;
        }
    }
}

static int fail(const struct git_run *run, struct spawn_result *result, struct error **err)
{
    AUTO(free) char *line = NULL;
    git_clean_output(&result->error_out);
    enum error_code code = git_explain(result->error_out.data, &line);
    error_set_(err, code, "git %s: %s", run->args->items[0],
               *line ? line : "it failed without a word");
    if (strchr(result->error_out.data, '\n'))
        error_detail(err, "%s", result->error_out.data);
    if (code == ERR_UNAUTHORIZED && !run->repository->is_typed)
        error_hint(err,
                   "hand out credentials with --secret id=GIT_AUTH_TOKEN,... or --ssh default");
    return -1;
}

int git_run(const struct git_run *run, struct strbuf *output, struct error **err)
{
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    AUTO(strvec_release) struct strvec env = STRVEC_INIT;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    AUTO(close) int config_fd = write_config(run->repository, err);
    if (config_fd < 0)
        return -1;
    strvec_push(&argv, "git");
    strvec_append(&argv, run->args);
    as_user_wrap(&argv);
    set_env(&env, run->repository, config_fd);
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = (const char *const *)argv.items;
    spec.env = (const char *const *)env.items;
    spec.dir = run->dir;
    spec.timeout_ms = run->timeout_ms;
    spec.pass_fd = config_fd;
    if (spawn_run(&spec, &result, err) < 0) {
        if (error_is(*err, ERR_NOT_FOUND)) {
            error_recode(err, ERR_UNSUPPORTED);
            error_hint(err, "git repositories need the git program: install it");
        }
        return -1;
    }
    if (result.status != 0)
        return fail(run, &result, err);
    if (output)
        strbuf_add(output, result.out.data, result.out.size);
    return 0;
}
