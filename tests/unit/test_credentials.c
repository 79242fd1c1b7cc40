/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include "tests/unit/temp_dir.h"

#include <pthread.h>
#include <sys/stat.h>

/* user:NAME in base64, to tell the places apart */
#define ENTRY(auth) "{\"auths\":{\"r.example\":{\"auth\":\"" auth "\"}}}"
#define AUTH_ONE ENTRY("dToxYWFh")   /* u:1aaa */
#define AUTH_TWO ENTRY("dToyYmJi")   /* u:2bbb */
#define AUTH_THREE ENTRY("dTozY2Nj") /* u:3ccc */
#define AUTH_FOUR ENTRY("dTo0ZGRk")  /* u:4ddd */
#define AUTH_FIVE ENTRY("dTo1ZWVl")  /* u:5eee */
#define AUTH_SIX ENTRY("dTo2ZmZm")   /* u:6fff */

struct warnings {
    struct progress progress;
    struct strbuf text;
};

static void emit(struct progress *progress, const struct progress_event *event)
{
    struct warnings *warnings = CONTAINER_OF(progress, struct warnings, progress);
    if (event->kind == PROGRESS_WARNING)
        strbuf_addf(&warnings->text, "%s\n", event->text);
}

static unsigned vertex(struct progress *progress UNUSED)
{
    return 1;
}

static void clean_environment(const struct temp_dir *dir)
{
    static const char *const names[] = { "DOCKER_CONFIG", "DOCKER_AUTH_CONFIG",
                                         "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unsetenv(names[i]);
    AUTO(free) char *runtime = xasprintf("%s/run", dir->path);
    setenv("HOME", dir->path, 1);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
}

static void put(const struct temp_dir *dir, const char *path, const char *text)
{
    struct error *err = NULL;
    AUTO(free) char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    if (slash) {
        *slash = '\0';
        assert_ok(fs_mkdirs(dir->fd, parent, 0755, &err), err);
    }
    assert_ok(fs_write_file(dir->fd, path, text, strlen(text), 0700, &err), err);
}

/* "user password source" as far as they are set; "" without a credential */
static char *find(const char *fixed, const char *docker_config, struct progress *progress,
                  const char *domain, const char *path)
{
    struct error *err = NULL;
    AUTO(credentials_free)
    struct credentials *credentials = credentials_new(fixed, docker_config, progress);
    AUTO(credential_release) struct credential found = { 0 };
    assert_ok(credentials_find(credentials, domain, path, &found, &err), err);
    if (!found.source)
        return xstrdup("");
    return xasprintf("%s %s %s%s", found.username ? found.username : "-",
                     found.password ? found.password : "-",
                     found.identity_token ? found.identity_token : "-",
                     found.registry_token ? found.registry_token : "");
}

static void first_place_that_knows_the_registry_wins(void **state)
{
    const struct temp_dir *dir = *state;
    AUTO(free) char *auth_file = xasprintf("%s/auth", dir->path);
    AUTO(free) char *docker = xasprintf("%s/docker", dir->path);
    clean_environment(dir);
    put(dir, ".docker/config.json", AUTH_SIX);
    put(dir, ".config/containers/auth.json", AUTH_FIVE);
    put(dir, "run/containers/auth.json", AUTH_FOUR);
    put(dir, "docker/config.json", AUTH_THREE);
    put(dir, "auth", AUTH_TWO);
    setenv("DOCKER_CONFIG", docker, 1);
    setenv("REGISTRY_AUTH_FILE", auth_file, 1);
    setenv("DOCKER_AUTH_CONFIG", AUTH_ONE, 1);
    static const struct {
        const char *expected, *unset, *remove; /* what is taken away after it */
    } steps[] = {
        { "u 1aaa -", "DOCKER_AUTH_CONFIG", NULL },
        { "u 2bbb -", "REGISTRY_AUTH_FILE", NULL },
        { "u 3ccc -", "DOCKER_CONFIG", NULL },
        { "u 4ddd -", NULL, "run/containers/auth.json" },
        { "u 5eee -", NULL, ".config/containers/auth.json" },
        { "u 6fff -", NULL, ".docker/config.json" },
        { "", NULL, "auth" },
    };
    AUTO(free) char *fixed = find("me:pass:word", NULL, NULL, "r.example", "x");
    assert_string_equal(fixed, "me pass:word -");
    AUTO(free) char *option = find(NULL, docker, NULL, "r.example", "x");
    assert_string_equal(option, "u 1aaa -");
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        AUTO(free) char *found = find(NULL, NULL, NULL, "r.example", "x");
        assert_string_equal(found, steps[i].expected);
        if (steps[i].unset)
            unsetenv(steps[i].unset);
        if (steps[i].remove)
            assert_int_equal(unlinkat(dir->fd, steps[i].remove, 0), 0);
    }
}

static void old_dockercfg_is_the_last(void **state)
{
    const struct temp_dir *dir = *state;
    clean_environment(dir);
    put(dir, ".dockercfg", "{\"https://r.example/v1/\":{\"auth\":\"dTo2ZmZm\"}}");
    AUTO(free) char *found = find(NULL, NULL, NULL, "r.example", "x");
    assert_string_equal(found, "u 6fff -");
}

static void broken_files_are_warned_of_and_passed_over(void **state)
{
    const struct temp_dir *dir = *state;
    struct warnings warnings = { { emit, vertex }, STRBUF_INIT };
    clean_environment(dir);
    put(dir, "run/containers/auth.json", "{\"auths\":");
    put(dir, ".docker/config.json", AUTH_SIX);
    AUTO(free) char *found = find(NULL, NULL, &warnings.progress, "r.example", "x");
    assert_string_equal(found, "u 6fff -");
    assert_non_null(strstr(warnings.text.data, "run/containers/auth.json: "));
    assert_non_null(strstr(warnings.text.data, "passed over"));
    strbuf_release(&warnings.text);
}

#define HELPER                                                                                     \
    "#!/bin/sh\nread -r server\necho \"$1 $server\" >>\"$0.log\"\ncase $server in\n"               \
    "r.example) echo '{\"ServerURL\":\"r.example\",\"Username\":\"h\",\"Secret\":\"s\"}' ;;\n"     \
    "t.example) echo '{\"Username\":\"<token>\",\"Secret\":\"id\"}' ;;\n"                          \
    "b.example) echo 'no keyring'; exit 2 ;;\n"                                                    \
    "j.example) echo 'no json' ;;\n"                                                               \
    "s.example) exec sleep 60 ;;\n"                                                                \
    "*) echo 'credentials not found in native keychain'; exit 1 ;;\nesac\n"

static void helpers_answer_for_their_registries(void **state)
{
    static const struct {
        const char *domain, *expected, *warning;
    } cases[] = {
        { "r.example", "h s -", NULL },
        { "t.example", "- - id", NULL },
        { "n.example", "", NULL },
        { "b.example", "", "docker-credential-test: status 2: no keyring" },
        { "j.example", "", "docker-credential-test" },
        { "s.example", "", "docker-credential-test" },
        { "docker.io", "", NULL },
        { "own.example", "", "docker-credential-nowhere" },
        { "file.example", "u 6fff -", NULL },
    };
    const struct temp_dir *dir = *state;
    clean_environment(dir);
    AUTO(free) char *path = xasprintf("%s/bin:%s", dir->path, getenv("PATH"));
    AUTO(free) char *old = xstrdup(getenv("PATH"));
    setenv("PATH", path, 1);
    put(dir, "bin/docker-credential-test", HELPER);
    put(dir, ".docker/config.json",
        "{\"credsStore\":\"test\",\"credHelpers\":{\"own.example\":\"nowhere\"},"
        "\"auths\":{\"file.example\":{\"auth\":\"dTo2ZmZm\"}}}");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct warnings warnings = { { emit, vertex }, STRBUF_INIT };
        AUTO(free) char *found = find(NULL, NULL, &warnings.progress, cases[i].domain, "x");
        assert_string_equal(found, cases[i].expected);
        if (cases[i].warning && !strstr(warnings.text.data, cases[i].warning))
            fail_msg("%s: warnings: %s", cases[i].domain, warnings.text.data);
        if (!cases[i].warning)
            assert_string_equal(warnings.text.data, "");
        strbuf_release(&warnings.text);
    }
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf log = STRBUF_INIT;
    assert_ok(fs_read_file(dir->fd, "bin/docker-credential-test.log", &log, 4096, &err), err);
    assert_non_null(strstr(log.data, "get https://index.docker.io/v1/\n"));
    setenv("PATH", old, 1);
}

static void helper_is_asked_once_per_registry(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    clean_environment(dir);
    AUTO(free) char *old = xstrdup(getenv("PATH"));
    AUTO(free) char *path = xasprintf("%s/bin:%s", dir->path, old);
    setenv("PATH", path, 1);
    put(dir, "bin/docker-credential-test", HELPER);
    put(dir, ".docker/config.json", "{\"credsStore\":\"test\"}");
    AUTO(credentials_free) struct credentials *credentials = credentials_new(NULL, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        AUTO(credential_release) struct credential found = { 0 };
        assert_ok(credentials_find(credentials, "r.example", "x", &found, &err), err);
        assert_string_equal(found.password, "s");
    }
    AUTO(strbuf_release) struct strbuf log = STRBUF_INIT;
    assert_ok(fs_read_file(dir->fd, "bin/docker-credential-test.log", &log, 4096, &err), err);
    assert_string_equal(log.data, "get r.example\n");
    setenv("PATH", old, 1);
}

/* For who is refused: the first broken file, and of helpers that of the registry. */
static void what_was_passed_over_is_remembered(void **state)
{
    static const struct {
        const char *domain, *trouble;
    } cases[] = {
        { "a.example", "docker-credential-nowhere-a" },
        { "b.example", "docker-credential-nowhere-b" },
        { "c.example", "run/containers/auth.json: " },
    };
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    clean_environment(dir);
    put(dir, ".docker/config.json",
        "{\"credHelpers\":{\"a.example\":\"nowhere-a\",\"b.example\":\"nowhere-b\"}}");
    AUTO(credentials_free) struct credentials *good = credentials_new(NULL, NULL, NULL);
    AUTO(credential_release) struct credential found = { 0 };
    assert_ok(credentials_look_up(good, "a.example", "x", &found, &err), err);
    assert_null(credentials_trouble(good, "c.example"));
    put(dir, "run/containers/auth.json", "{\"auths\":");
    put(dir, ".config/containers/auth.json", "{\"auths\":");
    AUTO(credentials_free) struct credentials *credentials = credentials_new(NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_ok(credentials_look_up(credentials, cases[i].domain, "x", &found, &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *trouble = credentials_trouble(credentials, cases[i].domain);
        assert_non_null(trouble);
        if (!strstr(trouble, cases[i].trouble))
            fail_msg("%s: %s", cases[i].domain, trouble);
    }
}

int main(void)
{
    setenv("CBUILD_FORCE", "fast-timeout", 1); /* a helper that never answers */
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(first_place_that_knows_the_registry_wins),
        TEMP_DIR_TEST(old_dockercfg_is_the_last),
        TEMP_DIR_TEST(broken_files_are_warned_of_and_passed_over),
        TEMP_DIR_TEST(helpers_answer_for_their_registries),
        TEMP_DIR_TEST(helper_is_asked_once_per_registry),
        TEMP_DIR_TEST(what_was_passed_over_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
