/* SPDX-License-Identifier: Apache-2.0 */
#include "base/companion.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define WORD "companion" /* after SELF, which nobody types */
#define LOOK_MS 200      /* how soon an end of the program is seen */

extern char **environ;

static int spawn(const struct strvec *argv, const char *dir, int pipe_fd, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipe_fd, pipe_fd); /* kept by exec */
    posix_spawn_file_actions_addchdir_np(&actions, dir);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); /* Ctrl-C isn't meant for it */
    int number = posix_spawn(pid, SELF, &actions, &attributes, argv->items, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return number;
}

int companion_start(const struct strvec *argv, const char *dir, struct companion *ret,
                    struct error **err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "pipe");
    AUTO(strvec_release) struct strvec all = STRVEC_INIT;
    strvec_push(&all, SELF);
    strvec_push(&all, WORD);
    strvec_pushf(&all, "%d", ends[0]);
    strvec_append(&all, argv);
    pid_t pid = 0;
    int number = spawn(&all, dir, ends[0], &pid);
    (void)close(ends[0]);
    if (number) {
        (void)close(ends[1]);
        errno = number;
        return error_errno(err, "starting %s", argv->items[0]);
    }
    *ret = (struct companion){ .pid = pid, .control_fd = ends[1] };
    return 0;
}

bool companion_has_ended(struct companion *companion)
{
    siginfo_t info = { .si_pid = 0 };
    return companion->pid &&
           waitid(P_PID, (id_t)companion->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == companion->pid;
}

void companion_stop(struct companion *companion)
{
    close_auto(&companion->control_fd);
    while (companion->pid && waitpid(companion->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *companion = (struct companion)COMPANION_INIT;
}

/* Until the pipe's other end is closed, or the program has ended. */
static void watch(int pipe_fd, pid_t pid)
{
    struct pollfd end = { .fd = pipe_fd };
    while (poll(&end, 1, LOOK_MS) >= 0 || errno == EINTR) {
        if (end.revents)
            break;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            _exit(0);
    }
    (void)kill(pid, SIGTERM);
    for (int i = 0; i < 10; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return;
        (void)poll(NULL, 0, LOOK_MS / 10);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

void companion_main(char *const *argv)
{
    if (!argv[0] || strcmp(argv[0], SELF) != 0 || !argv[1] || strcmp(argv[1], WORD) != 0 ||
        !argv[2] || !argv[3])
        return;
    int pipe_fd = (int)strtol(argv[2], NULL, 10);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pipe_fd);
        (void)execvp(argv[3], argv + 3);
        _exit(127);
    }
    if (pid > 0)
        watch(pipe_fd, pid);
    _exit(pid < 0);
}
