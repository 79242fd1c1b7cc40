/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ssh_agents.h"

#include "base/array.h"
#include "base/as_user.h"
#include "base/cancel.h"
#include "base/companion.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_MAX ((size_t)100 * 1024) /* as BuildKit */
#define START_TIMEOUT_MS 10000
#define ADD_TIMEOUT_MS 30000
#define LOOK_MS 10

/* One of our own. */
struct ssh_agent {
    char *id;
    char *dir, *socket; /* NULL: it isn't started */
    struct companion companion;
};

static void agent_release(struct ssh_agent *agent)
{
    companion_stop(&agent->companion);
    if (agent->socket)
        (void)unlink(agent->socket); /* the agent has done that, unless it was killed */
    if (agent->dir)
        (void)rmdir(agent->dir);
    free(agent->socket);
    free(agent->dir);
    free(agent->id);
    *agent = (struct ssh_agent){ .companion = COMPANION_INIT };
}

void ssh_agents_release(struct build *build)
{
    for (size_t i = 0; i < build->n_agents; i++) {
        agent_release(build->agents[i]);
        free(build->agents[i]);
    }
    free(build->agents);
    build->agents = NULL;
    build->n_agents = build->agents_capacity = 0;
}

/* Short, since a socket's name is at most 107 bytes long; and 0700. */
static int make_dir(struct ssh_agent *agent, struct error **err)
{
    const char *places[] = { getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp" };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (!places[i] || *places[i] != '/' || strlen(places[i]) > 70)
            continue;
        AUTO(free) char *name = xasprintf("%s/cbuild-ssh-XXXXXX", places[i]);
        if (!mkdtemp(name))
            continue;
        agent->dir = TAKE(name);
        return 0;
    }
    return error_errno(err, "making a directory for an ssh agent");
}

static int wait_for_socket(struct ssh_agent *agent, struct error **err)
{
    struct stat st;
    for (int waited = 0; stat(agent->socket, &st) < 0; waited += LOOK_MS) {
        if (cancel_check(err) < 0)
            return -1;
        if (companion_has_ended(&agent->companion) || waited > START_TIMEOUT_MS) {
            error_set_(err, ERR_NOT_FOUND, "ssh-agent can't be run, and keys need one");
            error_hint(err, "install it (package openssh-client), or pass an agent's socket");
            return -1;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    return 0;
}

static int start(struct ssh_agent *agent, struct error **err)
{
    if (make_dir(agent, err) < 0)
        return -1;
    agent->socket = xasprintf("%s/agent", agent->dir);
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    strvec_push(&argv, "ssh-agent");
    strvec_push(&argv, "-D"); /* not in the background: it is ours to end */
    strvec_push(&argv, "-a");
    strvec_push(&argv, agent->socket);
    as_user_wrap(&argv);
    if (companion_start(&argv, "/", &agent->companion, err) < 0)
        return -1;
    return wait_for_socket(agent, err);
}

static int explain(const char *key, const struct spawn_result *result, struct error **err)
{
    if (strstr(result->error_out.data, "invalid format") ||
        strstr(result->error_out.data, "error in libcrypto"))
        return error_set(err, ERR_INVALID, "%s: no private key", key);
    error_set_(err, ERR_UNSUPPORTED, "%s: the key has a passphrase, or isn't one for ssh-add", key);
    error_hint(err, "add it to an agent with ssh-add, and give that: --ssh ID=$SSH_AUTH_SOCK");
    error_detail(err, "%s", result->error_out.data);
    return -1;
}

/*
 * As text on standard input: ssh-add refuses files that others may read, and checkouts of CI are
 * such. Nobody is asked for a passphrase.
 */
static int add_key(const struct ssh_agent *agent, const char *key, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(spawn_result_release) struct spawn_result result;
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    AUTO(strvec_release) struct strvec env = STRVEC_INIT;
    spawn_result_init(&result);
    if (fs_read_file(AT_FDCWD, key, &text, KEY_MAX, err) < 0)
        return -1;
    strvec_push(&argv, "ssh-add");
    strvec_push(&argv, "-q");
    strvec_push(&argv, "-");
    as_user_wrap(&argv);
    strvec_pushf(&env, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    strvec_pushf(&env, "SSH_AUTH_SOCK=%s", agent->socket);
    strvec_push(&env, "SSH_ASKPASS_REQUIRE=force");
    strvec_push(&env, "SSH_ASKPASS=/bin/false");
    strvec_push(&env, "LC_ALL=C");
    const struct spawn_spec spec = { .argv = (const char *const *)argv.items,
                                     .env = (const char *const *)env.items,
                                     .input = text.data,
                                     .input_size = text.size,
                                     .max_output = KEY_MAX,
                                     .timeout_ms = ADD_TIMEOUT_MS };
    int status = spawn_run(&spec, &result, err);
    explicit_bzero(text.data, text.size);
    if (status < 0)
        return -1;
    return result.status ? explain(key, &result, err) : 0;
}

/* The last of an id counts. */
static const char *given(const struct build *build, const char *id)
{
    const struct strvec *ssh = build->options->ssh;
    for (size_t i = ssh ? ssh->n : 0; i-- > 0;) {
        size_t size = strcspn(ssh->items[i], "=");
        if (strlen(id) == size && strncmp(ssh->items[i], id, size) == 0)
            return ssh->items[i] + size;
    }
    return NULL;
}

static int add_keys(struct ssh_agent *agent, const char *keys, struct error **err)
{
    for (const char *p = keys; *p;) {
        size_t size = strcspn(p, ",");
        AUTO(free) char *key = xstrndup(p, size);
        if (size && add_key(agent, key, err) < 0)
            return -1;
        p += size + (p[size] == ',');
    }
    return 0;
}

static int own_socket(struct build *build, const char *id, const char *keys, const char **socket,
                      struct error **err)
{
    for (size_t i = 0; i < build->n_agents; i++) {
        if (strcmp(build->agents[i]->id, id) == 0) {
            *socket = build->agents[i]->socket;
            return 0;
        }
    }
    struct ssh_agent *agent = NEW(struct ssh_agent);
    agent->id = xstrdup(id);
    agent->companion = (struct companion)COMPANION_INIT;
    if (start(agent, err) < 0 || add_keys(agent, keys, err) < 0) {
        agent_release(agent);
        free(agent);
        return -1;
    }
    *ARRAY_PUSH(build, agents) = agent;
    *socket = agent->socket;
    return 0;
}

static bool is_socket(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

int ssh_agents_socket(struct build *build, const char *id, const char **socket, struct error **err)
{
    const char *value = given(build, id);
    if (!value)
        return 0;
    if (!*value) {
        *socket = getenv("SSH_AUTH_SOCK");
        if (*socket && **socket)
            return 1;
        error_set_(err, ERR_NOT_FOUND, "--ssh %s: $SSH_AUTH_SOCK isn't set: there is no agent", id);
        error_hint(err,
                   "start one (eval \"$(ssh-agent)\"; ssh-add), or give a key: "
                   "--ssh %s=$HOME/.ssh/id_ed25519",
                   id);
        return -1;
    }
    value++;
    if (is_socket(value)) {
        *socket = value;
        return 1;
    }
    pthread_mutex_lock(&build->agents_lock);
    int result = own_socket(build, id, value, socket, err);
    pthread_mutex_unlock(&build->agents_lock);
    return result < 0 ? error_wrap(err, "--ssh %s", id) : 1;
}
