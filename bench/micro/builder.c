/* SPDX-License-Identifier: Apache-2.0 */
/* What a build with nothing to do consists of: words, keys, records, the walk of its context. */
#include "base/env.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "bench/micro/micro.h"
#include "builder/context.h"
#include "builder/copy_dest.h"
#include "builder/inputs.h"
#include "builder/words.h"
#include "oci/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define N_OPS 10000
#define N_FOLDERS 100
#define N_IN_EACH 100

static void run_expand(void *data)
{
    struct error *err = NULL;
    const struct words_expander expander = { .escape = '\\',
                                             .lookup = words_lookup_env,
                                             .context = data };
    for (int i = 0; i < N_OPS; i++) {
        char *value;
        MUST(words_expand(&expander, "${PREFIX:-/usr/local}/lib/$NAME-\"${VERSION%.*}\"", &value,
                          &err));
        free(value);
    }
}

static void run_key(void *data UNUSED)
{
    AUTO(inputs_release) struct inputs inputs = { 0 };
    for (int i = 0; i < N_OPS; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "node_modules/package%d/file%d.js", i / 50, i);
        inputs_add(&inputs, "file", name,
                   "f 0644 0:0 "
                   "sha256:8bc2a4b3d384f9aa4e55f815b750e0e1636613cd083743620549fdd439ffa67f");
    }
    (void)inputs_digest(&inputs);
}

static void run_json(void *data)
{
    const struct strbuf *text = data;
    struct error *err = NULL;
    AUTO(json_decref) json_t *value = json_parse_object(text->data, text->size, &err);
    MUST(value ? 0 : -1);
    AUTO(strbuf_release) struct strbuf again = STRBUF_INIT;
    json_format_canonical(value, &again);
}

/* As a COPY of many files does: each is put, then the layer's list is made. */
static void run_copy_dest(void *data UNUSED)
{
    struct error *err = NULL;
    AUTO(copy_content_free) struct copy_content *content = copy_content_new();
    AUTO(copy_dest_free) struct copy_dest *dest = copy_dest_new(NULL, content, 0, NULL);
    const struct copy_made made = { .mode = 0755 };
    const struct file_times times = { .kind = FILE_TIMES_KEEP };
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    for (int i = 0; i < N_OPS; i++) {
        AUTO(free) char *dir = xasprintf("node_modules/package%d", i / 50);
        if (i % 50 == 0)
            MUST(copy_dest_make_dirs(dest, dir, &made, &err));
        AUTO(entry_release)
        struct entry entry = { .path = xasprintf("%s/file%d.js", dir, i), .mode = 0644 };
        MUST(copy_dest_put(dest, &entry, NULL, &err));
    }
    MUST(copy_dest_finish(dest, &times, &list, &err));
}

struct place {
    struct store *store;
    char folder[64];
    uint64_t n_entries;
};

static int count(void *data, const struct entry *entry UNUSED, struct error **err UNUSED)
{
    ((struct place *)data)->n_entries++;
    return 0;
}

static void run_walk(void *data)
{
    struct place *place = data;
    struct error *err = NULL;
    AUTO(context_free)
    struct context *context = context_open(place->store, place->folder, NULL, &err);
    MUST(context ? 0 : -1);
    MUST(context_walk(context, "in", count, place, &err));
}

static void fill(const char *folder)
{
    struct error *err = NULL;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/in", folder);
    for (int i = -1; i < N_FOLDERS; i++) {
        if (i >= 0)
            (void)snprintf(path, sizeof(path), "%s/in/d%d", folder, i);
        if (mkdir(path, 0755) < 0)
            MUST(error_errno(&err, "%s", path));
        for (int j = 0; i >= 0 && j < N_IN_EACH; j++) {
            (void)snprintf(path, sizeof(path), "%s/in/d%d/file%d", folder, i, j);
            AUTO(close) int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
            MUST(fd < 0 ? error_errno(&err, "%s", path) : 0);
        }
    }
}

static void measure_walk(void)
{
    struct error *err = NULL;
    struct place place = { .folder = "/tmp/cbuild-bench-XXXXXX" };
    if (!mkdtemp(place.folder))
        MUST(error_errno(&err, "mkdtemp"));
    char store[80];
    (void)snprintf(store, sizeof(store), "%s/store", place.folder);
    fill(place.folder);
    place.store = store_open(store, &err);
    MUST(place.store ? 0 : -1);
    measure(&(struct loop){ "context walk, an entry", N_FOLDERS * N_IN_EACH, 0, 2 }, run_walk,
            &place);
    store_close(place.store);
    MUST(fs_remove_tree(AT_FDCWD, place.folder, &err));
}

int main(void)
{
    struct env env = { 0 };
    env_set(&env, "NAME", "cbuild");
    env_set(&env, "VERSION", "1.2.3");
    measure(&(struct loop){ "expansion of a word", N_OPS, 0, 1 }, run_expand, &env);
    env_release(&env);
    measure(&(struct loop){ "step key, an input", N_OPS, 0, 1 }, run_key, NULL);

    measure(&(struct loop){ "destination of a COPY, a file", N_OPS, 0, 1 }, run_copy_dest, NULL);

    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "{\"layers\":[");
    for (int i = 0; i < 200; i++)
        strbuf_addf(&text,
                    "%s{\"digest\":\"sha256:%064d\",\"mediaType\":\"application/x\",\"size\":%d}",
                    i ? "," : "", i, i);
    strbuf_adds(&text, "]}");
    measure(&(struct loop){ "JSON read and written, a layer", 200, text.size, 1 }, run_json, &text);
    measure_walk();
    return 0;
}
