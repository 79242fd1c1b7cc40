/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "builder/explain.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_MAX_SIZE (1u << 20)
#define INPUTS_CHUNK ((size_t)256 << 10)

void cache_record_release(struct cache_record *record)
{
    free(record->step);
    free(record->created);
    descriptor_release(&record->blob);
    strvec_release(&record->warnings);
    memset(record, 0, sizeof(*record));
}

static struct digest key_of(const char *kind, const struct digest *below, const struct digest *rest)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    sha256_update_field(hash, kind);
    char version[16];
    (void)snprintf(version, sizeof(version), "%d", CACHE_KEY_VERSION);
    sha256_update_field(hash, version);
    sha256_update(hash, below->bytes, sizeof(below->bytes));
    sha256_update(hash, rest->bytes, sizeof(rest->bytes));
    uint8_t bytes[SHA256_SIZE];
    sha256_finish(hash, bytes);
    return digest_from_sha256(bytes);
}

struct digest cache_recipe_key(const struct digest *parent_recipe, const struct digest *rest)
{
    return key_of("recipe", parent_recipe, rest);
}

struct digest cache_result_key(const struct digest *parent_chain, const struct digest *rest)
{
    return key_of("result", parent_chain, rest);
}

struct digest cache_selection_key(const struct digest *chain, const struct digest *choice)
{
    return key_of("selection", chain, choice);
}

struct digest cache_history_key(const struct digest *below, const char *created_by)
{
    struct digest text = digest_of(created_by, strlen(created_by));
    return key_of("history", below, &text);
}

static int record_parse(const struct strbuf *text, const char *codec, struct cache_record *ret,
                        struct error **err)
{
    AUTO(json_decref) json_t *root = json_parse_object(text->data, text->size, err);
    if (!root)
        return -1;
    AUTO(cache_record_release) struct cache_record record = { 0 };
    uint64_t version = 0;
    const char *state = NULL, *step = NULL, *created = NULL, *diff_id = NULL, *chain_id = NULL;
    const json_t *layers = NULL;
    if (json_get_uint64(root, "", "version", JSON_REQUIRED, &version, err) < 0)
        return -1;
    if (version != CACHE_KEY_VERSION)
        return error_set(err, ERR_UNSUPPORTED, "record version %llu", (unsigned long long)version);
    if (json_get_string(root, "", "state", JSON_REQUIRED, &state, err) < 0)
        return -1;
    if (strcmp(state, "done") != 0) /* "ran" is ran_record.h's */
        return error_set(err, ERR_NOT_FOUND, "record of state %s", state);
    if (json_get_string(root, "", "step", JSON_REQUIRED, &step, err) < 0 ||
        json_get_string(root, "", "created", JSON_REQUIRED, &created, err) < 0 ||
        json_get_string(root, "", "diff_id", JSON_OPTIONAL, &diff_id, err) < 0 ||
        json_get_string(root, "", "chain_id", JSON_OPTIONAL, &chain_id, err) < 0 ||
        json_get_object(root, "", "layers", JSON_OPTIONAL, &layers, err) < 0 ||
        json_get_strings(root, "", "warnings", JSON_OPTIONAL, &record.warnings, err) < 0)
        return -1;
    record.step = xstrdup(step);
    record.created = xstrdup(created);
    if (diff_id) {
        record.has_layer = true;
        const json_t *blob = layers ? json_object_get(layers, codec) : NULL;
        if (!blob)
            return error_set(err, ERR_NOT_FOUND, "no layer in %s", codec);
        if (digest_parse(diff_id, &record.diff_id, err) < 0 ||
            (chain_id && digest_parse(chain_id, &record.chain_id, err) < 0) ||
            descriptor_from_json(blob, "/layers", &record.blob, err) < 0)
            return -1;
    }
    *ret = record;
    memset(&record, 0, sizeof(record));
    return 0;
}

int cache_find(struct store *store, const struct digest *key, const struct compression *compression,
               struct cache_record *ret, struct error **err)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(key, name);
    int records = store_dir_fd(store, STORE_CACHE_RECORDS);
    struct stat st;
    if (fstatat(records, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return 0;
        return error_errno(err, "cache record %s", name);
    }
    /* the lease comes before the look that counts: collecting can't slip in between */
    if (store_lease(store, key, err) < 0)
        return -1;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(free) char *codec = compression_codec_version(compression);
    AUTO(cache_record_release) struct cache_record record = { 0 };
    AUTO(error_free) struct error *bad = NULL; /* an unreadable record is a miss: the step runs */
    if (fs_read_file(records, name, &text, RECORD_MAX_SIZE, &bad) < 0 ||
        record_parse(&text, codec, &record, &bad) < 0)
        return 0;
    if (record.has_layer) {
        if (store_lease(store, &record.blob.digest, err) < 0)
            return -1;
        uint64_t size;
        if (!store_has_blob(store, &record.blob.digest, &size) || size != record.blob.size)
            return 0;
    }
    /* a hit makes the record young again: least recently used goes first */
    (void)utimensat(records, name, NULL, 0);
    *ret = record;
    memset(&record, 0, sizeof(record));
    return 1;
}

/* Files beside the records are named by a kind and a digest. */
#define KIND_REST "rest-"
#define KIND_SHAPE "shape-"
#define KIND_NAME_SIZE (sizeof(KIND_SHAPE) - 1 + DIGEST_HEX_SIZE)

static void name_of_kind(const char *kind, const struct digest *digest, char out[KIND_NAME_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    (void)snprintf(out, KIND_NAME_SIZE, "%s%s", kind, hex);
}

bool cache_has_rest(struct store *store, const struct digest *rest)
{
    char name[KIND_NAME_SIZE];
    name_of_kind(KIND_REST, rest, name);
    return faccessat(store_dir_fd(store, STORE_CACHE_RECORDS), name, F_OK, 0) == 0;
}

static void record_format(const struct cache_record *record, const char *codec,
                          const struct digest *rest, const struct inputs *inputs,
                          struct strbuf *text)
{
    AUTO(json_decref) json_t *root = json_object();
    char digest[DIGEST_TEXT_SIZE];
    json_set(root, "version", json_integer(CACHE_KEY_VERSION));
    json_set(root, "state", json_from_string("done"));
    json_set(root, "step", json_from_string(record->step));
    json_set(root, "created", json_from_string(record->created));
    if (rest) {
        digest_format(rest, digest);
        json_set(root, "inputs", json_from_string(digest));
    }
    AUTO(json_decref) json_t *contents = json_array();
    for (size_t i = 0; inputs && i < inputs->n_items; i++)
        if (!strcmp(inputs->items[i].kind, "content"))
            json_array_append_new(contents, json_from_string(inputs->items[i].value));
    if (json_array_size(contents))
        json_set(root, "contents", json_incref(contents));
    if (record->warnings.n)
        json_set(root, "warnings", json_from_strvec(&record->warnings));
    if (record->has_layer) {
        digest_format(&record->diff_id, digest);
        json_set(root, "diff_id", json_from_string(digest));
        if (record->chain_id.is_set) {
            digest_format(&record->chain_id, digest);
            json_set(root, "chain_id", json_from_string(digest));
        }
        json_t *layers = json_object();
        json_set(layers, codec, descriptor_to_json(&record->blob));
        json_set(root, "layers", layers);
    }
    json_format_canonical(root, text);
}

/* Inputs on their way into a file. */
struct writing {
    struct strbuf text;
    struct tempfile *file;
    struct error *error;
};

static void flush_inputs(struct writing *writing)
{
    const struct strbuf *text = &writing->text;
    const char *name = tempfile_name(writing->file);
    if (writing->error || io_write_full(tempfile_fd(writing->file), text->data, text->size, name,
                                        &writing->error) < 0)
        assert(writing->error); /* the first one counts */
    strbuf_reset(&writing->text);
}

static void write_input(void *data, const struct input *item)
{
    struct writing *writing = data;
    struct strbuf *text = &writing->text;
    strbuf_addc(text, '[');
    strbuf_add_json_string(text, item->kind);
    strbuf_addc(text, ',');
    strbuf_add_json_string(text, item->name);
    strbuf_addc(text, ',');
    strbuf_add_json_string(text, item->value);
    strbuf_adds(text, "]\n");
    if (text->size >= INPUTS_CHUNK)
        flush_inputs(writing);
}

/* Inputs stand in a file of their own: only an explanation reads them, and they may be many. */
static struct tempfile *inputs_write_temp(int records, const struct inputs *inputs,
                                          struct error **err)
{
    AUTO(tempfile_free) struct tempfile *file = tempfile_new(records, FS_TEMP_PREFIX, err);
    if (!file)
        return NULL;
    struct writing writing = { STRBUF_INIT, file, NULL };
    inputs_each(inputs, write_input, &writing);
    flush_inputs(&writing);
    strbuf_release(&writing.text);
    if (writing.error) {
        error_move(err, writing.error);
        return NULL;
    }
    return TAKE(file);
}

static int inputs_commit(int records, struct tempfile *file, const struct digest *rest,
                         struct error **err)
{
    char name[KIND_NAME_SIZE];
    name_of_kind(KIND_REST, rest, name);
    return tempfile_commit(file, records, name, err);
}

static int inputs_write(int records, const struct digest *rest, const struct inputs *inputs,
                        struct error **err)
{
    AUTO(tempfile_free) struct tempfile *file = inputs_write_temp(records, inputs, err);
    return file ? inputs_commit(records, file, rest, err) : -1;
}

int cache_stage_inputs(struct store *store, struct inputs *inputs, struct tempfile **ret,
                       struct error **err)
{
    struct tempfile *file =
        inputs_write_temp(store_dir_fd(store, STORE_CACHE_RECORDS), inputs, err);
    if (!file)
        return error_wrap(err, "inputs of a step");
    AUTO(inputs_release) struct inputs all = *inputs;
    *inputs = (struct inputs){ 0 };
    for (size_t i = 0; i < all.n_items; i++)
        if (!strcmp(all.items[i].kind, "content"))
            inputs_add(inputs, all.items[i].kind, all.items[i].name, all.items[i].value);
    *ret = file;
    return 0;
}

int cache_put_content(struct store *store, const struct inputs *content, struct digest *ret,
                      struct error **err)
{
    struct digest digest = inputs_digest(content);
    if (!cache_has_rest(store, &digest) &&
        inputs_write(store_dir_fd(store, STORE_CACHE_RECORDS), &digest, content, err) < 0)
        return -1;
    *ret = digest;
    return 0;
}

#define SELECTION_PREFIX "from-"
#define SELECTION_NAME_SIZE (sizeof(SELECTION_PREFIX) - 1 + DIGEST_HEX_SIZE)
#define SELECTION_MAX_SIZE 4096

static void selection_name(const struct digest *selection, char out[SELECTION_NAME_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(selection, hex);
    (void)snprintf(out, SELECTION_NAME_SIZE, SELECTION_PREFIX "%s", hex);
}

int cache_find_selection(struct store *store, const struct digest *selection, struct digest *ret)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *bad = NULL; /* what can't be read is found out again */
    int contexts = store_dir_fd(store, STORE_CACHE_CONTEXTS);
    char name[SELECTION_NAME_SIZE];
    selection_name(selection, name);
    if (fs_read_file(contexts, name, &text, SELECTION_MAX_SIZE, &bad) < 0)
        return 0;
    AUTO(json_decref) json_t *root = json_parse_object(text.data, text.size, &bad);
    const char *content = NULL;
    uint64_t version = 0;
    if (!root || json_get_uint64(root, "", "version", JSON_REQUIRED, &version, &bad) < 0 ||
        version != CACHE_KEY_VERSION ||
        json_get_string(root, "", "content", JSON_REQUIRED, &content, &bad) < 0 ||
        digest_parse(content, ret, &bad) < 0)
        return 0;
    (void)utimensat(contexts, name, NULL, 0); /* the collector goes by that */
    return 1;
}

int cache_put_selection(struct store *store, const struct digest *selection,
                        const struct digest *content, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(json_decref) json_t *root = json_object();
    char digest[DIGEST_TEXT_SIZE], name[SELECTION_NAME_SIZE];
    digest_format(content, digest);
    json_set(root, "content", json_from_string(digest));
    json_set(root, "version", json_integer(CACHE_KEY_VERSION));
    json_format_canonical(root, &text);
    selection_name(selection, name);
    return fs_write_file(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, text.data, text.size,
                         0600, err);
}

bool cache_has_shape(struct store *store, const struct digest *shape)
{
    char name[KIND_NAME_SIZE];
    name_of_kind(KIND_SHAPE, shape, name);
    /* the collector goes by the time of the latest use */
    return utimensat(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, NULL, 0) == 0;
}

int cache_put_shape(struct store *store, const struct digest *shape, struct error **err)
{
    char name[KIND_NAME_SIZE];
    if (cache_has_shape(store, shape))
        return 0;
    name_of_kind(KIND_SHAPE, shape, name);
    AUTO(close)
    int fd =
        fs_open(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, O_WRONLY | O_CREAT, 0600, err);
    return fd < 0 ? error_wrap(err, "shape of a step") : 0;
}

int cache_read_inputs(struct store *store, const struct digest *rest, size_t max_size,
                      struct inputs *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    char name[KIND_NAME_SIZE];
    name_of_kind(KIND_REST, rest, name);
    if (fs_read_file(store_dir_fd(store, STORE_CACHE_RECORDS), name, &text, max_size, err) < 0)
        return -1;
    return explain_parse_inputs(text.data, text.size, ret, err);
}

int cache_put(struct store *store, const struct cache_keys *keys,
              const struct compression *compression, const struct cache_record *record,
              const struct inputs *inputs, struct error **err)
{
    int records = store_dir_fd(store, STORE_CACHE_RECORDS);
    AUTO(free) char *codec = compression_codec_version(compression);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    record_format(record, codec, keys->rest, inputs, &text);
    int kept = !keys->rest         ? 0
               : keys->inputs_file ? inputs_commit(records, keys->inputs_file, keys->rest, err)
               : inputs            ? inputs_write(records, keys->rest, inputs, err)
                                   : 0;
    if (kept < 0)
        return error_wrap(err, "cache record of %s", record->step);
    const struct digest *names[] = { keys->result, keys->recipe };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char name[DIGEST_HEX_SIZE];
        if (!names[i])
            continue;
        digest_format_hex(names[i], name);
        if (fs_write_file(records, name, text.data, text.size, 0600, err) < 0)
            return error_wrap(err, "cache record of %s", record->step);
    }
    return 0;
}
