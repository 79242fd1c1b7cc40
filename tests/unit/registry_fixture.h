/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the registry client share: the fault server (tests/e2e/fault_server.py,
 * started once per program), its log, and a session with a store of its own.
 *
 *     FIXTURE_TEST(name)   with   struct fixture *fixture = *state;
 *     cmocka_run_group_tests(tests, faults_start, faults_stop)
 */
#ifndef CBUILD_TESTS_UNIT_REGISTRY_FIXTURE_H
#define CBUILD_TESTS_UNIT_REGISTRY_FIXTURE_H

#include "base/array.h"
#include "base/io.h"
#include "base/mem.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "oci/store_gc.h"
#include "oci/store_ingest.h"
#include "registry/session.h"
#include "tests/unit/temp_dir.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PASSWORD_ENTRY "{\"auth\":\"dXNlcjpzZWNyZXQ=\"}" /* user:secret */

extern char **environ;

static struct {
    pid_t pid;
    int in; /* closing it ends the server */
    char *dir;
    unsigned http, other, https, odd, socks; /* ports */
    unsigned n_names;
} faults;

static int faults_start(void **state UNUSED)
{
    int in[2], out[2];
    char text[64] = "";
    /* faults are many, and each costs waits: not seconds of them */
    setenv("CBUILD_FORCE", "fast-retry,fast-timeout", 1);
    signal(SIGPIPE, SIG_IGN);
    faults.dir = xstrdup("/tmp/cbuild-faults.XXXXXX");
    if (!mkdtemp(faults.dir) || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -1;
    setenv("HOME", faults.dir, 1); /* nobody's own credentials */
    setenv("XDG_RUNTIME_DIR", faults.dir, 1);
    char *argv[] = { xstrdup("python3"), xstrdup("tests/e2e/fault_server.py"), faults.dir, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    int failed = posix_spawnp(&faults.pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(argv[0]);
    free(argv[1]);
    close(in[0]);
    close(out[1]);
    faults.in = in[1];
    if (failed)
        return -1;
    FILE *ready = fdopen(out[0], "r");
    bool started = ready && fgets(text, sizeof(text), ready) &&
                   sscanf(text, "%u %u %u %u %u", &faults.http, &faults.other, &faults.https,
                          &faults.odd, &faults.socks) == 5;
    if (ready)
        fclose(ready);
    return started ? 0 : -1;
}

static int faults_stop(void **state UNUSED)
{
    int status;
    struct error *err = NULL;
    close(faults.in);
    waitpid(faults.pid, &status, 0);
    if (fs_remove_tree(AT_FDCWD, faults.dir, &err) < 0)
        error_clear(&err);
    free(faults.dir);
    return 0;
}

/* Lines of the log that hold all of the texts (NULL ends them). */
static UNUSED unsigned faults_count(const char *first, ...)
{
    AUTO(strbuf_release) struct strbuf log = STRBUF_INIT;
    AUTO(free) char *name = xasprintf("%s/log", faults.dir);
    struct error *err = NULL;
    unsigned n = 0;
    assert_ok(fs_read_file(AT_FDCWD, name, &log, 64 << 20, &err), err);
    for (char *line = log.data, *end; *line; line = end + 1) {
        va_list args;
        bool all = true;
        end = strchr(line, '\n');
        *end = '\0';
        va_start(args, first);
        for (const char *text = first; text; text = va_arg(args, const char *))
            all = all && strstr(line, text);
        va_end(args);
        n += all;
    }
    return n;
}

struct fixture {
    struct temp_dir *dir;
    struct store *store;
    struct progress progress;
    pthread_mutex_t mutex;
    struct strbuf warnings;
    unsigned n_vertices;
    struct registry_options options;
    struct registry_session *session;
    char *repository; /* "127.0.0.1:1234/FAULT/3", see fixture_use() */
    char *path;       /* "FAULT/3" */
    struct reference reference;
};

static void fixture_emit(struct progress *progress, const struct progress_event *event)
{
    struct fixture *fixture = CONTAINER_OF(progress, struct fixture, progress);
    pthread_mutex_lock(&fixture->mutex);
    if (event->kind == PROGRESS_WARNING)
        strbuf_addf(&fixture->warnings, "%s\n", event->text);
    pthread_mutex_unlock(&fixture->mutex);
}

static unsigned fixture_vertex(struct progress *progress)
{
    struct fixture *fixture = CONTAINER_OF(progress, struct fixture, progress);
    return ++fixture->n_vertices;
}

static UNUSED void fixture_new_session(struct fixture *fixture)
{
    registry_session_free(fixture->session);
    fixture->session = registry_session_new(&fixture->options);
}

static UNUSED int fixture_setup(void **state)
{
    struct fixture *fixture = NEW(struct fixture);
    setenv("CONTAINERS_REGISTRIES_CONF", "/dev/null", 1); /* not what this machine says */
    struct error *err = NULL;
    void *dir = NULL;
    if (temp_dir_setup(&dir) < 0)
        return -1;
    fixture->dir = dir;
    AUTO(free) char *path = xasprintf("%s/store", fixture->dir->path);
    fixture->store = store_open(path, &err);
    if (!fixture->store) {
        print_error("%s\n", error_message(err));
        return -1;
    }
    pthread_mutex_init(&fixture->mutex, NULL);
    strbuf_init(&fixture->warnings);
    fixture->progress.emit = fixture_emit;
    fixture->progress.new_vertex = fixture_vertex;
    fixture->options = (struct registry_options){ .docker_config = fixture->dir->path,
                                                  .cert_dir = faults.dir,
                                                  .progress = &fixture->progress };
    fixture_new_session(fixture);
    *state = fixture;
    return 0;
}

static UNUSED int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    void *dir = fixture->dir;
    registry_session_free(fixture->session);
    store_close(fixture->store);
    strbuf_release(&fixture->warnings);
    pthread_mutex_destroy(&fixture->mutex);
    reference_release(&fixture->reference);
    free(fixture->repository);
    free(fixture->path);
    free(fixture);
    return temp_dir_teardown(&dir);
}

/* One more, with an empty store, beside that of the test */
static UNUSED struct fixture *fixture_new(void)
{
    void *state = NULL;
    if (fixture_setup(&state) < 0 || !state)
        abort();
    return state;
}

static UNUSED void fixture_free(struct fixture *fixture)
{
    void *state = fixture;
    assert_int_equal(fixture_teardown(&state), 0);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* A new repository of a fault, on the server with that port. */
static UNUSED void fixture_use(struct fixture *fixture, unsigned port, const char *fault)
{
    struct error *err = NULL;
    free(fixture->repository);
    free(fixture->path);
    fixture->path = xasprintf("%s/%u", fault, ++faults.n_names);
    fixture->repository = xasprintf("127.0.0.1:%u/%s", port, fixture->path);
    AUTO(free) char *name = xasprintf("%s:1", fixture->repository);
    reference_release(&fixture->reference);
    assert_ok(reference_parse(name, &fixture->reference, &err), err);
}

/* config.json with an entry for the server with that port */
static UNUSED void fixture_login(struct fixture *fixture, unsigned port, const char *entry)
{
    struct error *err = NULL;
    AUTO(free) char *text = xasprintf("{\"auths\":{\"127.0.0.1:%u\":%s}}", port, entry);
    assert_ok(fs_write_file(fixture->dir->fd, "config.json", text, strlen(text), 0600, &err), err);
    fixture_new_session(fixture);
}

/* Nothing unverified in the store, nothing half in partial/ but what may be continued. */
static UNUSED void fixture_check_store(struct fixture *fixture, bool may_have_partial)
{
    struct error *err = NULL;
    struct store_fsck_result result = { 0 };
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(store_fsck(fixture->store, false, NULL, NULL, &result, &err), err);
    assert_int_equal(result.n_bad, 0);
    assert_ok(fs_list_fd(store_dir_fd(fixture->store, STORE_PARTIAL), &names, "partial", &err),
              err);
    if (!may_have_partial)
        assert_int_equal(names.n, 0);
}

/* A blob of that size whose bytes depend on seed. */
static UNUSED void put_noise(struct store *store, size_t size, unsigned seed,
                             struct descriptor *desc)
{
    struct error *err = NULL;
    AUTO(free) char *data = xmalloc(size);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        data[i] = (char)(seed >> 24);
    }
    assert_ok(store_put_blob(store, data, size, desc, &err), err);
}

/* An image with layers of these sizes (0 ends them); equal sizes are the same layer. */
static UNUSED void make_image(struct store *store, const size_t *sizes, struct descriptor *image)
{
    struct error *err = NULL;
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(image_config_release) struct image_config config;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    image_config_init(&config);
    platform_host(&config.platform);
    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    for (size_t i = 0; sizes[i]; i++) {
        struct descriptor *layer = ARRAY_PUSH(&manifest, layers);
        layer->media_type = xstrdup(MEDIA_TYPE_OCI_LAYER);
        put_noise(store, sizes[i], (unsigned)sizes[i], layer);
        image_config_add_diff_id(&config, &layer->digest);
    }
    image_config_format(&config, &text);
    manifest.config.media_type = xstrdup(MEDIA_TYPE_OCI_CONFIG);
    assert_ok(store_put_blob(store, text.data, text.size, &manifest.config, &err), err);
    strbuf_reset(&text);
    manifest_format(&manifest, &text);
    descriptor_set(image, MEDIA_TYPE_OCI_MANIFEST, &manifest.config.digest, 0);
    assert_ok(store_put_blob(store, text.data, text.size, image, &err), err);
}

#endif
