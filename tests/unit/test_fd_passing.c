/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/fd_passing.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_descriptor_arrives_with_its_bytes(void **state UNUSED)
{
    int sockets[2], pipes[2], fd = -2;
    char text[8] = "abc";
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(fd_send(sockets[0], pipes[1], text, 3), 0);
    assert_int_equal(fd_receive(sockets[1], &fd, text, sizeof(text)), 3);
    assert_string_equal(text, "abc");
    assert_true(fd >= 0 && fd != pipes[1]);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipes[0], text, 1), 1);
    const int all[] = { sockets[0], sockets[1], pipes[0], pipes[1], fd };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        (void)close(all[i]);
}

static void where_none_comes_it_says_so(void **state UNUSED)
{
    int sockets[2], fd = -2;
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(fd_receive(sockets[1], &fd, &byte, 1), -1); /* nothing yet */
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fd, -1);
    assert_int_equal(write(sockets[0], "x", 1), 1); /* bytes alone */
    assert_int_equal(fd_receive(sockets[1], &fd, &byte, 1), 1);
    assert_int_equal(fd, -1);
    (void)close(sockets[0]);
    assert_int_equal(fd_receive(sockets[1], &fd, &byte, 1), 0);
    assert_int_equal(fd, -1);
    (void)close(sockets[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_arrives_with_its_bytes),
        cmocka_unit_test(where_none_comes_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
