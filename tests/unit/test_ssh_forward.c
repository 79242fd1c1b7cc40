/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ssh_forward.h"

#include "base/pool.h"
#include "tests/unit/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BIG ((size_t)300 * 1000) /* more than fits into sockets and buffers */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

/* An agent that answers with what it was asked, until the question ends. */
static void *echo(void *data)
{
    int listen_fd = *(int *)data, fd;
    while ((fd = accept(listen_fd, NULL, NULL)) >= 0) {
        char buf[4096];
        ssize_t n;
        while ((n = read(fd, buf, sizeof(buf))) > 0)
            for (ssize_t at = 0, m; at < n; at += m)
                if ((m = send(fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL)) < 0)
                    break;
        (void)close(fd);
    }
    return NULL;
}

struct agent {
    int fd;
    struct thread *thread;
    char *path;
};

static void agent_start(struct agent *agent, const struct temp_dir *dir)
{
    struct error *err = NULL;
    agent->path = xasprintf("%s/agent", dir->path);
    struct sockaddr_un address = address_of(agent->path);
    agent->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(agent->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(agent->fd, 8), 0);
    agent->thread = thread_start(echo, &agent->fd, &err);
    assert_ok_ptr(agent->thread, err);
}

static void agent_stop(struct agent *agent)
{
    (void)shutdown(agent->fd, SHUT_RDWR);
    (void)thread_join(agent->thread);
    (void)close(agent->fd);
    free(agent->path);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Asks `size` bytes, ends the question, and reads the answer's end. */
static void ask(int fd, size_t size)
{
    AUTO(free) char *question = xmalloc(size), *answer = xmalloc(size + 1);
    for (size_t i = 0; i < size; i++)
        question[i] = (char)(i * 7);
    size_t sent = 0, got = 0;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (ssize_t n = 1; n != 0;) {
        struct pollfd wait = { .fd = fd, .events = POLLIN | (sent < size ? POLLOUT : 0) };
        assert_int_equal(poll(&wait, 1, 120000), 1);
        if (sent < size && (n = send(fd, question + sent, size - sent, MSG_NOSIGNAL)) > 0) {
            sent += (size_t)n;
            if (sent == size)
                assert_int_equal(shutdown(fd, SHUT_WR), 0);
        }
        n = read(fd, answer + got, size + 1 - got);
        assert_true(n >= 0 || errno == EAGAIN);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, size);
    assert_memory_equal(answer, question, size);
}

static void bytes_go_both_ways_on_each_connection(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct agent agent;
    agent_start(&agent, dir);
    const struct ssh_forward_options options = {
        .agent = agent.path, .dir_fd = dir->fd, .uid = getuid(), .gid = getgid(), .mode = 0640
    };
    struct ssh_forward *forward = ssh_forward_start(&options, &err);
    assert_ok_ptr(forward, err);
    AUTO(free) char *path = xstrdup(ssh_forward_path(forward));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0640);
    assert_int_equal(st.st_uid, getuid());

    static const size_t sizes[] = { 1, 5, BIG };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        int fd = connect_to(path);
        ask(fd, sizes[i]);
        (void)close(fd);
    }
    /* one that asks nothing keeps nobody from ending */
    int idle = connect_to(path);
    ssh_forward_free(forward);
    char byte;
    assert_true(read(idle, &byte, 1) <= 0);
    (void)close(idle);
    assert_int_equal(stat(path, &st), -1);
    agent_stop(&agent);
}

static void an_agent_that_is_gone_ends_the_connection(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct agent agent;
    agent_start(&agent, dir);
    AUTO(free) char *missing = xasprintf("%s/nowhere", dir->path);
    const struct ssh_forward_options none = { .agent = missing, .dir_fd = dir->fd, .mode = 0600 };
    assert_null(ssh_forward_start(&none, &err));
    assert_non_null(strstr(error_message(err), "nowhere"));
    error_clear(&err);

    const struct ssh_forward_options options = {
        .agent = agent.path, .dir_fd = dir->fd, .uid = getuid(), .gid = getgid(), .mode = 0600
    };
    AUTO(ssh_forward_free) struct ssh_forward *forward = ssh_forward_start(&options, &err);
    assert_ok_ptr(forward, err);
    agent_stop(&agent);
    int fd = connect_to(ssh_forward_path(forward));
    char byte;
    assert_true(read(fd, &byte, 1) <= 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(bytes_go_both_ways_on_each_connection),
        TEMP_DIR_TEST(an_agent_that_is_gone_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
