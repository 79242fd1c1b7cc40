/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "base/io.h"
#include "base/mem.h"
#include "cli/app.h"
#include "registry/login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#define PASSWORD_MAX 65536

static const struct command_help login_help = {
    .usage = "cbuild login [OPTIONS] [REGISTRY]",
    .summary =
        "Verifies credentials with a registry and stores them; Docker Hub where none is named.",
};

static const struct command_help logout_help = {
    .usage = "cbuild logout [REGISTRY]",
    .summary = "Removes the stored credentials of a registry; of Docker Hub where none is named.",
};

/* A line from the terminal, without the newline; `echo` off for passwords. */
static int prompt(const char *text, bool echo, struct strbuf *line, struct error **err)
{
    AUTO(close) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) {
        error_set_(err, ERR_USAGE, "no terminal to ask for %s",
                   echo ? "a user name" : "a password");
        error_hint(err, "give -u NAME and --password-stdin");
        return -1;
    }
    struct termios old, quiet;
    if (!echo) {
        if (tcgetattr(tty, &old) < 0)
            return error_errno(err, "terminal");
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(tty, TCSAFLUSH, &quiet);
    }
    int result = io_write_full(tty, text, strlen(text), "terminal", err);
    char c = '\0';
    while (result == 0 && c != '\n') {
        struct pollfd fd = { .fd = tty, .events = POLLIN };
        if (cancel_poll(&fd, 1, -1, err) < 0) /* half a password isn't sent */
            result = -1;
        else if (read(tty, &c, 1) != 1)
            break;
        else if (c != '\n')
            result = strbuf_add_capped(line, &c, 1, err);
    }
    if (!echo) {
        (void)tcsetattr(tty, TCSAFLUSH, &old);
        (void)!write(tty, "\n", 1); /* the user's own newline wasn't shown */
    }
    return result;
}

static int read_password(bool from_stdin, struct strbuf *password, struct error **err)
{
    if (!from_stdin)
        return prompt("Password: ", false, password, err);
    if (io_read_all(STDIN_FILENO, password, PASSWORD_MAX, "password on standard input", err) < 0)
        return -1;
    strbuf_rtrim(password);
    return 0;
}

static int ask_user(struct app *app, const char *registry, struct strbuf *user, struct error **err)
{
    AUTO(free) char *known = registry_known_user(app_session(app), registry);
    AUTO(free) char *text = known ? xasprintf("Username (%s): ", known) : xstrdup("Username: ");
    if (prompt(text, true, user, err) < 0)
        return -1;
    if (!user->size && known)
        strbuf_adds(user, known);
    return user->size ? 0 : error_set(err, ERR_USAGE, "a user name is needed");
}

static int login(struct app *app, const char *registry, const char *user, const char *password,
                 bool from_stdin, struct error **err)
{
    AUTO(strbuf_release) struct strbuf asked_user = STRBUF_INIT_CAPPED(PASSWORD_MAX);
    AUTO(strbuf_release) struct strbuf asked_password = STRBUF_INIT_CAPPED(PASSWORD_MAX);
    if (!user) {
        if (from_stdin)
            return error_set(err, ERR_USAGE, "--password-stdin needs -u NAME");
        if (ask_user(app, registry, &asked_user, err) < 0)
            return -1;
        user = asked_user.data;
    }
    if (password) {
        progress_warning(
            app->progress, 0,
            "a password on the command line can be seen by others: use --password-stdin");
    } else {
        if (read_password(from_stdin, &asked_password, err) < 0)
            return -1;
        password = asked_password.data;
    }
    if (!*password)
        return error_set(err, ERR_USAGE, "a password is needed");
    AUTO(free) char *where = NULL;
    int result = registry_login(app_session(app), registry, user, password, &where, err);
    explicit_bzero(asked_password.data, asked_password.size);
    if (result < 0)
        return -1;
    printf("Login Succeeded\n");
    progress_note(app->progress, 0, "stored in %s", where);
    return 0;
}

int cmd_login(struct app *app, char *const *argv, struct error **err)
{
    const char *user = NULL, *password = NULL;
    bool from_stdin = false;
    const struct option options[] = {
        OPT_STRING('u', "username", "NAME", &user, "user name"),
        OPT_STRING('p', "password", "PASSWORD", &password,
                   "password; others on this machine can see it"),
        OPT_FLAG(0, "password-stdin", &from_stdin, "read the password from standard input"),
        APP_CONNECTION_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &login_help, argv, &operands, 0, 1, err);
    if (parsed <= 0)
        return parsed;
    if (app_set_progress(app, "plain", err) < 0)
        return -1;
    if (password && from_stdin)
        return error_set(err, ERR_USAGE, "--password and --password-stdin exclude each other");
    return login(app, operands.n ? operands.items[0] : NULL, user, password, from_stdin, err);
}

int cmd_logout(struct app *app, char *const *argv, struct error **err)
{
    const struct option options[] = { OPT_END() };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &logout_help, argv, &operands, 0, 1, err);
    if (parsed <= 0)
        return parsed;
    if (app_set_progress(app, "plain", err) < 0)
        return -1;
    const char *registry = operands.n ? operands.items[0] : NULL;
    const char *name = registry ? registry : "docker.io";
    AUTO(free) char *where = NULL;
    if (registry_logout(app_session(app), registry, &where, err) < 0) {
        if (!error_is(*err, ERR_NOT_FOUND))
            return -1;
        /* what was asked for is so: scripts clean up without knowing */
        error_clear(err);
        printf("Not logged in to %s\n", name);
        return 0;
    }
    printf("Removed login credentials for %s\n", name);
    progress_note(app->progress, 0, "from %s", where);
    return 0;
}
