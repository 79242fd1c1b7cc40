/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/terminal.h"

#include "base/cancel.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BUFFER_SIZE 4096
#define ESCAPE_RESET "\033[0m" /* colours that the command left on */

/* Process-wide by nature, as signals are. */
static atomic_int resize_fd = -1;

struct pipe {
    char data[BUFFER_SIZE];
    size_t size; /* waiting to be written */
};

struct relay_state {
    const struct terminal *terminal;
    int pty_fd;
    struct pipe keys, output;
};

static void on_resize(int signal_number UNUSED)
{
    int saved = errno;
    uint64_t one = 1;
    (void)!write(atomic_load(&resize_fd), &one, sizeof(one)); /* a full eventfd is readable, too */
    errno = saved;
}

int terminal_init(struct terminal *terminal, int in_fd, int out_fd, struct error **err)
{
    *terminal = (struct terminal){ .in_fd = in_fd, .out_fd = out_fd };
    if (!isatty(out_fd) || tcgetattr(in_fd, &terminal->mode) < 0)
        return error_set(err, ERR_UNSUPPORTED,
                         "a shell needs a terminal as standard input and as standard error");
    return 0;
}

struct winsize terminal_window(const struct terminal *terminal)
{
    struct winsize window;
    if (ioctl(terminal->out_fd, TIOCGWINSZ, &window) < 0 || !window.ws_row || !window.ws_col)
        window = (struct winsize){ .ws_row = 24, .ws_col = 80 };
    return window;
}

/* What could be read is added; false at the end of it. */
static bool fill(int fd, struct pipe *pipe)
{
    ssize_t n = read(fd, pipe->data + pipe->size, sizeof(pipe->data) - pipe->size);
    if (n > 0)
        pipe->size += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int empty(int fd, struct pipe *pipe, struct error **err)
{
    if (!pipe->size)
        return 0;
    ssize_t n = write(fd, pipe->data, pipe->size);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return error_errno(err, "writing to the terminal");
    if (n > 0) {
        pipe->size -= (size_t)n;
        memmove(pipe->data, pipe->data + n, pipe->size);
    }
    return 0;
}

/* What is in the pty now: nobody is left to write more. */
static int show_rest(struct relay_state *state, struct error **err)
{
    struct pipe *output = &state->output;
    for (;;) {
        while (output->size)
            if (empty(state->terminal->out_fd, output, err) < 0)
                return -1;
        if (!fill(state->pty_fd, output) || !output->size)
            return 0;
    }
}

static void pass_window(const struct relay_state *state)
{
    struct winsize window = terminal_window(state->terminal);
    uint64_t times;
    (void)!read(atomic_load(&resize_fd), &times, sizeof(times));
    (void)ioctl(state->pty_fd, TIOCSWINSZ, &window); /* a command that has just ended has none */
}

/* 1: the command has ended. */
static int turn(struct relay_state *state, int end_fd, struct error **err)
{
    const struct terminal *terminal = state->terminal;
    struct pipe *keys = &state->keys, *output = &state->output;
    enum { KEYS, KEYS_OUT, PTY, SCREEN, RESIZE, END };
    struct pollfd fds[] = {
        [KEYS] = { keys->size ? -1 : terminal->in_fd, POLLIN, 0 },
        [KEYS_OUT] = { keys->size ? state->pty_fd : -1, POLLOUT, 0 },
        [PTY] = { output->size ? -1 : state->pty_fd, POLLIN, 0 },
        [SCREEN] = { output->size ? terminal->out_fd : -1, POLLOUT, 0 },
        [RESIZE] = { atomic_load(&resize_fd), POLLIN, 0 },
        [END] = { end_fd, POLLIN, 0 },
    };
    if (cancel_poll(fds, sizeof(fds) / sizeof(fds[0]), -1, err) < 0)
        return -1;
    if (fds[RESIZE].revents)
        pass_window(state);
    if (fds[KEYS].revents && !fill(terminal->in_fd, keys))
        return error_set(err, ERR_IO, "the terminal is gone");
    if (fds[KEYS_OUT].revents && empty(state->pty_fd, keys, err) < 0)
        return -1;
    if (fds[SCREEN].revents && empty(terminal->out_fd, output, err) < 0)
        return -1;
    if (fds[PTY].revents & POLLIN)
        (void)fill(state->pty_fd, output); /* its end is told by end_fd */
    if (fds[END].revents)
        return show_rest(state, err) < 0 ? -1 : 1;
    /* nobody has the other end open just now: no event for that, else this loop would spin */
    if (fds[PTY].revents && !(fds[PTY].revents & POLLIN))
        return cancel_sleep_ms(10, err);
    return 0;
}

static int relay(const struct terminal *terminal, int pty_fd, int end_fd, struct error **err)
{
    struct relay_state state = { .terminal = terminal, .pty_fd = pty_fd };
    struct termios raw = terminal->mode;
    int ended = 0;
    cfmakeraw(&raw);
    if (tcsetattr(terminal->in_fd, TCSADRAIN, &raw) < 0)
        return error_errno(err, "raw mode of the terminal");
    pass_window(&state); /* it may have changed since the pty was made */
    while (ended == 0)
        ended = turn(&state, end_fd, err);
    (void)!write(terminal->out_fd, ESCAPE_RESET, sizeof(ESCAPE_RESET) - 1); /* it may be gone */
    (void)tcsetattr(terminal->in_fd, TCSADRAIN, &terminal->mode);
    return ended < 0 ? -1 : 0;
}

int terminal_relay(const struct terminal *terminal, int pty_fd, int end_fd, struct error **err)
{
    struct sigaction action = { .sa_handler = on_resize, .sa_flags = SA_RESTART }, before;
    AUTO(close) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return error_errno(err, "making an eventfd");
    atomic_store(&resize_fd, fd);
    if (sigaction(SIGWINCH, &action, &before) < 0)
        return error_errno(err, "handling changes of the window");
    int result = relay(terminal, pty_fd, end_fd, err);
    (void)sigaction(SIGWINCH, &before, NULL); /* it was so a moment ago */
    atomic_store(&resize_fd, -1);
    return result;
}
