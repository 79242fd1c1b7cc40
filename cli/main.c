/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that ends the process, and the only one that prints errors. */
#include "base/array.h"
#include "base/as_user.h"
#include "base/cancel.h"
#include "base/companion.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "base/tempfile.h"
#include "cli/app.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct app_command commands[] = {
    { "build", cmd_build, "build an image from a Dockerfile (the word may be left out)" },
    { "plan", cmd_plan, "show what a build would do" },
    { "push", cmd_push, "send images to a registry" },
    { "pull", cmd_pull, "get an image from a registry" },
    { "copy", cmd_copy, "copy an image between registries, archives, folders and the store" },
    { "ls", cmd_ls, "list the tags of a repository" },
    { "catalog", cmd_catalog, "list the repositories of a registry" },
    { "digest", cmd_digest, "print an image's digest" },
    { "manifest", cmd_manifest, "print manifests; make, annotate and push indexes" },
    { "config", cmd_config, "print an image's config" },
    { "blob", cmd_blob, "write a blob of a registry to standard output" },
    { "referrers", cmd_referrers, "list what refers to an image: signatures, SBOMs" },
    { "attach", cmd_attach, "put files beside an image, as an artifact that refers to it" },
    { "delete", cmd_delete, "remove tags or images from a registry" },
    { "login", cmd_login, "store credentials of a registry" },
    { "logout", cmd_logout, "remove the stored credentials of a registry" },
    { "images", cmd_images, "list images" },
    { "tag", cmd_tag, "give an image another name" },
    { "rmi", cmd_rmi, "remove names and images" },
    { "inspect", cmd_inspect, "show what is known of an image" },
    { "history", cmd_history, "show an image's layers and instructions" },
    { "save", cmd_save, "write images to an archive" },
    { "load", cmd_load, "read images from an archive" },
    { "import", cmd_import, "make an image from a root file system tar" },
    { "export", cmd_export, "write an image's root file system as a tar" },
    { "validate", cmd_validate, "verify an image, wherever it lies" },
    { "prune", cmd_prune, "remove what nothing refers to" },
    { "df", cmd_df, "show what the store takes on disk" },
    { "fsck", cmd_fsck, "verify the store by digest" },
    { "doctor", cmd_doctor, "tell what works on this machine, and how to mend the rest" },
    { "version", cmd_version, "show versions" },
    { "bud", cmd_build, NULL },
    { "cp", cmd_copy, NULL },
    { "list-tags", cmd_list_tags, NULL },
    { "discover", cmd_referrers, NULL },
    { "imagetools", cmd_imagetools, NULL },
};

/* "cbuild image ls" and the like, as docker has them */
static const struct {
    const char *group, *name, *command;
} grouped[] = {
    { "image", "ls", "images" },       { "image", "list", "images" },
    { "image", "rm", "rmi" },          { "image", "build", "build" },
    { "image", "push", "push" },       { "image", "pull", "pull" },
    { "image", "tag", "tag" },         { "image", "inspect", "inspect" },
    { "image", "history", "history" }, { "image", "save", "save" },
    { "image", "load", "load" },       { "image", "import", "import" },
    { "image", "prune", "prune" },     { "system", "df", "df" },
    { "system", "prune", "prune" },    { "builder", "build", "build" },
    { "builder", "prune", "prune" },   { "buildx", "build", "build" },
    { "buildx", "du", "df" },          { "buildx", "prune", "prune" },
    { "auth", "login", "login" },      { "auth", "logout", "logout" },
    { "repo", "tags", "ls" },          { "buildx", "imagetools", "imagetools" },
};

static void print_help(void)
{
    printf("Usage: cbuild [build] [OPTIONS] CONTEXT|-\n"
           "       cbuild [--root DIR] COMMAND [OPTIONS] [ARGUMENTS]\n\n"
           "Builds container images from Dockerfiles, and moves them to and from "
           "registries.\n\nCommands:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (commands[i].summary)
            printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n`cbuild COMMAND --help` tells a command's options.\n");
}

static const struct app_command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static const struct app_command *find_grouped(char *const *argv)
{
    if (!argv[1] || !argv[2])
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(grouped); i++)
        if (!strcmp(grouped[i].group, argv[1]) && !strcmp(grouped[i].name, argv[2]))
            return find_command(grouped[i].command);
    return NULL;
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(grouped); i++)
        if (!strcmp(grouped[i].group, word))
            return true;
    return false;
}

/* "image lss": one of a group that there is */
static int unknown_in_group(const char *group, const char *name, struct error **err)
{
    const char *names[ARRAY_SIZE(grouped)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(grouped); i++)
        if (!strcmp(grouped[i].group, group))
            names[n++] = grouped[i].name;
    const char *near = suggest_nearest(name, names, n);
    error_set_(err, ERR_USAGE, "\"%s %s\" is no command", group, name);
    if (near)
        error_hint(err, "did you mean \"cbuild %s %s\"?", group, near);
    else
        error_hint(err, "cbuild --help lists the commands");
    return -1;
}

static int unknown_command(const char *word, struct error **err)
{
    const char *names[ARRAY_SIZE(commands)];
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        names[i] = commands[i].name;
    const char *near = suggest_nearest(word, names, ARRAY_SIZE(names));
    error_set_(err, ERR_USAGE, "\"%s\" is neither a command nor a directory", word);
    if (near)
        error_hint(err, "did you mean \"cbuild %s\"?", near);
    else
        error_hint(err, "cbuild --help lists the commands");
    return -1;
}

/*
 * A word that is neither a command nor an option nor a directory, with nothing or another word
 * after it, was meant as a command: without this, `cbuild pusj` would look for a context of that
 * name, and `cbuild run app` complain of a second one.
 */
static bool is_meant_as_command(char *const *argv)
{
    const char *word = argv[1];
    struct stat st;
    return word[0] != '-' && !strpbrk(word, "/:") && (!argv[2] || argv[2][0] != '-') &&
           stat(word, &st) < 0;
}

/* "cbuild --root DIR COMMAND": what every command takes may stand before it. */
static int take_global_options(struct app *app, char *const **argv, struct error **err)
{
    static const char name[] = "--root";
    const size_t size = sizeof(name) - 1;
    for (const char *word; (word = (*argv)[1]) && !strncmp(word, name, size); ++*argv) {
        if (word[size] == '=') {
            app->root = word + size + 1;
        } else if (!word[size] && (*argv)[2]) {
            app->root = (*argv)[2];
            ++*argv;
        } else if (!word[size]) {
            return error_set(err, ERR_USAGE, "--root needs a value: DIR");
        } else {
            break;
        }
    }
    return 0;
}

/* `argv[0]` is --help or the like; a command, or a group with one, may come after it. */
static int help(struct app *app, char *const *argv, struct error **err)
{
    const struct app_command *asked = argv[0] && argv[1] ? find_command(argv[1]) : NULL;
    if (!asked && argv[0])
        asked = find_grouped(argv);
    if (asked)
        return asked->run(app, (char *const[]){ argv[1], (char[]){ "--help" }, NULL }, err);
    bool is_word = argv[0] && !strcmp(argv[0], "help") && argv[1] && argv[1][0] != '-' &&
                   strcmp(argv[1], "help") != 0;
    if (is_word && !is_group(argv[1]))
        return unknown_command(argv[1], err);
    print_help();
    return 0;
}

static int dispatch(struct app *app, char *const *argv, struct error **err)
{
    if (take_global_options(app, &argv, err) < 0)
        return -1;
    const char *word = argv[1];
    if (!word || !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
        return help(app, argv + 1, err);
    if (!strcmp(word, "--version") || !strcmp(word, "-v"))
        return cmd_version(app, (char *const[]){ argv[1], NULL }, err);
    const struct app_command *command = find_command(word);
    if (command)
        return command->run(app, argv + 1, err);
    command = find_grouped(argv);
    if (command)
        return command->run(app, argv + 2, err);
    if (is_meant_as_command(argv))
        return argv[2] && is_group(word) ? unknown_in_group(word, argv[2], err)
                                         : unknown_command(word, err);
    return cmd_build(app, argv, err);
}

/* What it is about first, at length; the message last, where the eye is. */
static void print_error(const struct error *error)
{
    const char *detail = error_detail_text(error);
    const char *hint = error_hint_text(error);
    if (detail && *detail)
        fprintf(stderr, "%s%s", detail, detail[strlen(detail) - 1] == '\n' ? "" : "\n");
    /* names in it may come from a registry, an archive or a Dockerfile; a step's own output is the
     * detail */
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "cbuild: ");
    strbuf_add_printable(&text, error_message(error));
    strbuf_addc(&text, '\n');
    if (hint) {
        strbuf_adds(&text, "hint: ");
        strbuf_add_printable(&text, hint);
        strbuf_addc(&text, '\n');
    }
    (void)fwrite(text.data, 1, text.size, stderr);
}

static int status_of(const struct error *error)
{
    if (cancel_signal())
        return 128 + cancel_signal();
    return error_exit_status(error);
}

/*
 * A standard stream that the caller closed would be the next file that is opened, and get our
 * output. In its place stands one that can't be used: writing to it fails, as it does on a closed
 * one.
 */
static int open_standard_streams(struct error **err)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* the lowest free number is fd; kept by exec, as the others are */
        int opened = open("/dev/null",
                          fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); // NOLINT(android-cloexec-open)
        if (opened != fd)
            return error_errno(err, "opening /dev/null in place of descriptor %d", fd);
    }
    return 0;
}

int main(int argc UNUSED, char **argv)
{
    mem_init();
    as_user_main(argv);
    companion_main(argv);
    AUTO(error_free) struct error *error = NULL;
    struct app app = { .uid = getuid(), .tls_verify = true };
    int result = open_standard_streams(&error);
    if (result == 0)
        result = cancel_init(&error);
    if (result == 0)
        result =
            app_set_progress(&app, "plain", &error); /* where a command doesn't say otherwise */
    if (result == 0)
        result = dispatch(&app, argv, &error);
    /* output that could not be written (a full disk, a closed pipe) is a failure too */
    if (result == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        result = error_errno(&error, "writing to standard output");
    app_release(&app);
    tempfile_remove_all();
    if (result == 0)
        return 0;
    print_error(error);
    return status_of(error);
}
