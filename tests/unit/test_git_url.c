/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git_url.h"

#include "base/mem.h"
#include "tests/unit/test.h"

#define CMD GIT_URL_COMMAND_LINE
#define COMMIT_ID "0123456789abcdef0123456789abcdef01234567"

/* "remote host ref kind subdir checksum options", "-" for what isn't there */
static char *describe(const struct git_url *url)
{
    static const char kinds[] = "abt", states[] = "?-+";
    return xasprintf("%s %s %s %c %s %s %c%c%c%c", url->remote, *url->host ? url->host : "-",
                     url->ref ? url->ref : "-", kinds[url->ref_kind],
                     *url->subdir ? url->subdir : "-", url->checksum ? url->checksum : "-",
                     states[url->keep_git_dir], states[url->submodules],
                     states[url->fetch_by_commit], states[url->mtime_checkout]);
}

static const struct {
    const char *text;
    unsigned flags;
    const char *expected; /* NULL: not git */
} cases[] = {
    { "https://h/x.git", 0, "https://h/x.git h - a - - ????" },
    { "http://H:8080/a/x.git#v1", 0, "http://H:8080/a/x.git h:8080 v1 a - - ????" },
    { "https://h/x.git#:sub", 0, "https://h/x.git h - a sub - ????" },
    { "https://h/x.git#main:a/../b/", 0, "https://h/x.git h main a b - ????" },
    { "https://h/x.git#main:../../etc", 0, "https://h/x.git h main a etc - ????" },
    { "https://h/x.git#feature/y:", 0, "https://h/x.git h feature/y a - - ????" },
    { "https://h/x", 0, NULL },
    { "https://h/x", CMD, NULL },
    { "https://h/x.git/y", 0, NULL },
    { "https://h/x?a=.git", 0, NULL },
    { "git@h:a/x", 0, "git@h:a/x h - a - - ????" },
    { "git@h:a/x.git#b:c", 0, "git@h:a/x.git h b a c - ????" },
    { "a/git@h:x", 0, NULL },
    { "ssh://git@h:22/x", 0, "ssh://git@h:22/x h:22 - a - - ????" },
    { "git://h/x", 0, "git://h/x h - a - - ????" },
    { "github.com/o/r", 0, NULL },
    { "github.com/o/r", CMD, "https://github.com/o/r.git github.com - a - - ????" },
    { "github.com/o/r.git#v:s", CMD, "https://github.com/o/r.git github.com v a s - ????" },
    { "github.com/o/r?branch=b", CMD, "https://github.com/o/r.git github.com b b - - ????" },
    { "github.com/o", CMD, NULL },
    { "file:///srv/x", 0, NULL },
    { "file:///srv/x#b", CMD, "file:///srv/x - b a - - ????" },
    { "https://h/x.git?ref=v1&subdir=a%2Fb", 0, "https://h/x.git h v1 a a/b - ????" },
    { "https://h/x.git?tag=v1", 0, "https://h/x.git h v1 t - - ????" },
    { "https://h/x.git?branch=v1#v1:s", 0, "https://h/x.git h v1 b s - ????" },
    { "https://h/x.git?commit=ABCDEF0", 0, "https://h/x.git h - a - abcdef0 ????" },
    { "https://h/x.git?checksum=abcdef0&mtime=commit", 0,
      "https://h/x.git h - a - abcdef0 ??"
      "?-" },
    { "https://h/x.git?keep-git-dir&submodules=false&mtime=checkout", 0,
      "https://h/x.git h - a - - +-?+" },
    { "https://h/x.git?fetch-by-commit=true&commit=" COMMIT_ID, 0,
      "https://h/x.git h - a - " COMMIT_ID " ??+?" },
    { "https://h/x.git?", 0, "https://h/x.git h - a - - ????" },
    { "./x.git", CMD, NULL },
    { "/srv/x.git", CMD, NULL },
};

static void urls_are_told_apart_and_parsed(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bool is_git = git_url_is_git(cases[i].text, cases[i].flags);
        if (is_git != (cases[i].expected != NULL))
            fail_msg("%s: is_git %d", cases[i].text, is_git);
        if (!is_git)
            continue;
        AUTO(git_url_release) struct git_url url = { .remote = NULL };
        struct error *err = NULL;
        assert_ok(git_url_parse(cases[i].text, cases[i].flags, &url, &err), err);
        AUTO(free) char *got = describe(&url);
        assert_string_equal(got, cases[i].expected);
    }
}

static void credentials_of_http_are_set_apart(void **state UNUSED)
{
    AUTO(git_url_release) struct git_url url = { .remote = NULL };
    struct error *err = NULL;
    assert_ok(git_url_parse("https://me:s%40cret@h/x.git#b", 0, &url, &err), err);
    assert_string_equal(url.remote, "https://h/x.git");
    assert_string_equal(url.userinfo, "me:s%40cret");
    assert_string_equal(url.host, "h");
}

static const struct {
    const char *text, *error;
} failures[] = {
    { "https://h/x.git#-x", "begins with \"-\"" },
    { "https://h/x.git?ref=--upload-pack%3Dx", "begins with \"-\"" },
    { "https://h/x.git#a..b", "no name of a ref" },
    { "https://h/x.git#a b", "no ref has" },
    { "https://h/x.git#a^{}", "no ref has" },
    { "https://h/x.git?ref=a#b", "two refs" },
    { "https://h/x.git?ref=a&tag=b", "two refs" },
    { "https://h/x.git?subdir=a#:b", "two subdirectories" },
    { "https://h/x.git?subdr=a", "unknown option \"subdr\"" },
    { "https://h/x.git?commit=xyz", "hex digits" },
    { "https://h/x.git?commit=abc", "at least 7" },
    { "https://h/x.git?submodules=maybe", "true or false" },
    { "https://h/x.git?mtime=now", "checkout or commit" },
    { "https://h/x.git?fetch-by-commit=true", "needs commit=" },
    { "https://h/x.git?fetch-by-commit=1&commit=abcdef0", "needs commit=" },
    { "ssh://-oProxyCommand=x/y", "begins with \"-\"" },
    { "ssh:///x", "no host" },
    { "git@-oProxyCommand=x:y", "begins with \"-\"" },
    { "https://u:geheim@h/x.git#-y", "https://h/x.git" },
};

static void malformed_urls_are_refused(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        AUTO(git_url_release) struct git_url url = { .remote = NULL };
        struct error *err = NULL;
        assert_true(git_url_is_git(failures[i].text, 0));
        assert_fails(git_url_parse(failures[i].text, 0, &url, &err), err, ERR_SYNTAX,
                     failures[i].error);
        assert_null(url.remote);
    }
}

static void errors_hide_credentials(void **state UNUSED)
{
    AUTO(git_url_release) struct git_url url = { .remote = NULL };
    struct error *err = NULL;
    assert_int_equal(git_url_parse("https://u:geheim@h/x.git#-y", 0, &url, &err), -1);
    assert_null(strstr(error_message(err), "geheim"));
    error_free(err);
}

static void commits_are_known_by_their_length(void **state UNUSED)
{
    assert_true(git_is_commit(COMMIT_ID));
    assert_true(git_is_commit(COMMIT_ID "0123456789abcdef01234567"));
    assert_false(git_is_commit("0123456"));
    assert_false(git_is_commit("g123456789abcdef0123456789abcdef01234567"));
    assert_string_equal(git_check_commit_prefix("0123456"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_told_apart_and_parsed),
        cmocka_unit_test(credentials_of_http_are_set_apart),
        cmocka_unit_test(malformed_urls_are_refused),
        cmocka_unit_test(errors_hide_credentials),
        cmocka_unit_test(commits_are_known_by_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
