/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git.h"

#include "builder/git_run.h"
#include "tests/unit/temp_dir.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

static const struct {
    const char *ref;
    enum git_ref_kind kind;
    const char *output, *id, *full;
} picks[] = {
    { NULL, GIT_REF_ANY, A "\tHEAD\n" B "\trefs/remotes/x/HEAD\n", A, "HEAD" },
    { "main", GIT_REF_ANY, B "\trefs/heads/a/main\n" A "\trefs/heads/main\n", A,
      "refs/heads/main" },
    { "v1", GIT_REF_ANY, A "\trefs/tags/v1\n" B "\trefs/tags/v1^{}\n", B, "refs/tags/v1" },
    { "v1", GIT_REF_ANY, A "\trefs/heads/v1\n" B "\trefs/tags/v1\n", A, "refs/heads/v1" },
    { "v1", GIT_REF_TAG, A "\trefs/heads/v1\n" B "\trefs/tags/v1\n", B, "refs/tags/v1" },
    { "v1", GIT_REF_BRANCH, B "\trefs/tags/v1\n", NULL, NULL },
    { "refs/pull/1/head", GIT_REF_ANY, C "\trefs/pull/1/head\n", C, "refs/pull/1/head" },
    { "pull/1/head", GIT_REF_ANY, C "\trefs/pull/1/head\n", C, "refs/pull/1/head" },
    { "main", GIT_REF_ANY, "", NULL, NULL },
    { "main", GIT_REF_ANY, "ref: refs/heads/main\tHEAD\nx\trefs/heads/main", NULL, NULL },
};

static void a_ref_is_picked_as_git_would(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(picks); i++) {
        AUTO(free) char *ref = xstrdup(picks[i].ref);
        const struct git_url url = { .ref = ref, .ref_kind = picks[i].kind };
        AUTO(git_commit_release) struct git_commit commit = { .id = NULL };
        int found = git_pick_ref(picks[i].output, &url, &commit);
        assert_int_equal(found, picks[i].id != NULL);
        if (!found)
            continue;
        assert_string_equal(commit.id, picks[i].id);
        assert_string_equal(commit.ref, picks[i].full);
    }
}

static const struct {
    const char *output;
    enum error_code code;
    const char *line;
} words[] = {
    { "Cloning\nfatal: could not read Username for 'https://h': terminal prompts disabled\n",
      ERR_UNAUTHORIZED, "could not read Username for 'https://h': terminal prompts disabled" },
    { "fatal: repository 'http://h/x.git/' not found", ERR_NOT_FOUND,
      "repository 'http://h/x.git/' not found" },
    { "fatal: unable to access 'http://h/': Failed to connect\n", ERR_NETWORK,
      "unable to access 'http://h/': Failed to connect" },
    { "something else", ERR_FAILED, "something else" },
    { "", ERR_FAILED, "" },
};

static void failures_of_git_get_a_code(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        AUTO(free) char *line = NULL;
        assert_int_equal(git_explain(words[i].output, &line), words[i].code);
        assert_string_equal(line, words[i].line);
    }
}

static char *run_script(const struct temp_dir *dir, const char *script)
{
    AUTO(free)
    char *command = xasprintf(
        "cd '%s' && export HOME=\"$PWD\" GIT_AUTHOR_DATE=@1600000000 "
        "GIT_COMMITTER_DATE=@1600000000 "
        "GIT_AUTHOR_NAME=a GIT_COMMITTER_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_EMAIL=a && %s",
        dir->path, script);
    FILE *pipe = popen(command, "r");
    char line[200] = "";
    assert_non_null(pipe);
    (void)!fgets(line, sizeof(line), pipe);
    assert_int_equal(pclose(pipe), 0);
    line[strcspn(line, "\n")] = '\0';
    return xstrdup(line);
}

static void checkout(const struct temp_dir *dir, const char *name, const char *fragment,
                     struct git_checkout *spec, struct error **err)
{
    AUTO(git_url_release) struct git_url url = { .remote = NULL };
    AUTO(git_commit_release) struct git_commit commit = { .id = NULL };
    AUTO(free) char *text = xasprintf("file://%s/repo%s", dir->path, fragment);
    assert_int_equal(mkdirat(dir->fd, name, 0700), 0);
    AUTO(close) int fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct git_repository repository = { .url = &url, .is_typed = true };
    spec->repository = &repository;
    spec->commit = &commit;
    spec->dir_fd = fd;
    if (git_url_parse(text, GIT_URL_COMMAND_LINE, &url, err) < 0 ||
        git_resolve(&repository, &commit, err) < 0)
        return;
    int64_t time = 0;
    if (git_checkout(spec, &time, err) == 0)
        assert_int_equal(time, 1600000000);
}

#define MAKE_REPOSITORY                                                                            \
    "umask 077 && git init -q -b main repo && cd repo && echo one >f && ln -s f l && mkdir d && "  \
    "echo x >d/x && chmod 755 d/x && git add . && git commit -qm one && git tag v1 && "            \
    "echo two >f && git commit -qam two && git rev-parse HEAD~1"

static void a_checkout_is_the_commit_s_files_alone(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(free) char *first = run_script(dir, MAKE_REPOSITORY);
    AUTO(free) char *by_commit = xasprintf("#%s", first);
    const struct {
        const char *fragment, *content;
    } rows[] = {
        { "", "two\n" }, { "#main", "two\n" }, { "#v1", "one\n" }, { by_commit, "one\n" }
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO(free) char *name = xasprintf("out%zu", i);
        AUTO(free) char *file = xasprintf("%s/f", name);
        AUTO(free) char *program = xasprintf("%s/d/x", name);
        AUTO(free) char *git_dir = xasprintf("%s/.git", name);
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        struct git_checkout spec = { .mtime = GIT_COMMIT_TIME };
        struct stat st;
        checkout(dir, name, rows[i].fragment, &spec, &err);
        assert_ok(0, err);
        assert_ok(fs_read_file(dir->fd, file, &text, 100, &err), err);
        assert_string_equal(text.data, rows[i].content);
        assert_int_equal(fstatat(dir->fd, file, &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(st.st_mtime, 1600000000);
        assert_int_equal(fstatat(dir->fd, program, &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(faccessat(dir->fd, git_dir, F_OK, 0), -1);
    }
}

static void the_git_directory_is_kept_when_asked(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(free) char *first = run_script(dir, MAKE_REPOSITORY);
    struct git_checkout spec = { .mtime = GIT_COMMIT_TIME, .keep_git_dir = true };
    checkout(dir, "out", "#main", &spec, &err);
    assert_ok(0, err);
    AUTO(free)
    char *status = run_script(dir, "cd out && git status --porcelain && git log --oneline | wc -l");
    assert_string_equal(status, "1");
}

static void what_isn_t_there_is_told(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(free) char *first = run_script(dir, MAKE_REPOSITORY);
    static const struct {
        const char *fragment;
        enum error_code code;
        const char *text;
    } rows[] = {
        { "#nothing", ERR_NOT_FOUND, "no ref \"nothing\"" },
        { "?tag=main", ERR_NOT_FOUND, "no tag \"main\"" },
        { "?commit=1234567#main", ERR_DIGEST, "not 1234567" },
        { "#" A, ERR_NOT_FOUND, A },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO(free) char *name = xasprintf("out%zu", i);
        struct git_checkout spec = { .mtime = GIT_COMMIT_TIME };
        checkout(dir, name, rows[i].fragment, &spec, &err);
        assert_fails(-1, err, rows[i].code, rows[i].text);
    }
    AUTO(git_url_release) struct git_url url = { .remote = NULL };
    AUTO(git_commit_release) struct git_commit commit = { .id = NULL };
    AUTO(free) char *text = xasprintf("file://%s/absent", dir->path);
    assert_ok(git_url_parse(text, GIT_URL_COMMAND_LINE, &url, &err), err);
    const struct git_repository repository = { .url = &url, .is_typed = true };
    assert_fails(git_resolve(&repository, &commit, &err), err, ERR_NOT_FOUND, "git ls-remote");
}

static void configuration_of_the_user_doesn_t_count(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(free)
    char *first = run_script(dir, MAKE_REPOSITORY
                             " && printf '[core]\\n autocrlf = true\\n' >$HOME/.gitconfig");
    AUTO(free) char *home = xstrdup(getenv("HOME"));
    setenv("HOME", dir->path, 1);
    struct git_checkout spec = { .mtime = GIT_COMMIT_TIME };
    checkout(dir, "out", "#main", &spec, &err);
    home ? setenv("HOME", home, 1) : unsetenv("HOME");
    assert_ok(0, err);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(fs_read_file(dir->fd, "out/f", &text, 100, &err), err);
    assert_string_equal(text.data, "two\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ref_is_picked_as_git_would),
        cmocka_unit_test(failures_of_git_get_a_code),
        TEMP_DIR_TEST(a_checkout_is_the_commit_s_files_alone),
        TEMP_DIR_TEST(the_git_directory_is_kept_when_asked),
        TEMP_DIR_TEST(what_isn_t_there_is_told),
        TEMP_DIR_TEST(configuration_of_the_user_doesn_t_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
