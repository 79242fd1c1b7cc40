/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ran_record.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "builder/cache.h"

#include <ctype.h>
#include <string.h>

#define RAN_MAX_SIZE (1u << 20)
#define STATE "ran"

void ran_record_release(struct ran_record *record)
{
    free(record->step);
    free(record->created);
    free(record->form);
    free(record->upon);
    memset(record, 0, sizeof(*record));
}

/* "u-root/p-12-345-6": two names, of letters, digits and "-" */
static bool is_form(const char *text)
{
    const char *slash = strchr(text, '/');
    if (strncmp(text, "u-", 2) != 0 || !slash || strncmp(slash + 1, "p-", 2) != 0)
        return false;
    for (const char *p = text; *p; p++)
        if (p != slash && *p != '-' && !isalnum((unsigned char)*p))
            return false;
    return true;
}

static int check_head(const json_t *root, const char *boot, struct error **err)
{
    const char *state = NULL, *recorded = NULL;
    uint64_t version = 0;
    if (json_get_uint64(root, "", "version", JSON_REQUIRED, &version, err) < 0 ||
        json_get_string(root, "", "state", JSON_REQUIRED, &state, err) < 0)
        return -1;
    if (version != CACHE_KEY_VERSION || strcmp(state, STATE) != 0)
        return error_set(err, ERR_INVALID, "no version %d record of state " STATE,
                         CACHE_KEY_VERSION);
    if (json_get_string(root, "", "boot", JSON_REQUIRED, &recorded, err) < 0)
        return -1;
    return boot && strcmp(boot, recorded) == 0
               ? 0
               : error_set(err, ERR_NOT_FOUND, "a record of another boot");
}

int ran_record_parse(const char *text, size_t size, const char *boot, struct ran_record *ret,
                     struct error **err)
{
    AUTO(json_decref) json_t *root = json_parse_object(text, size, err);
    const char *step = NULL, *created = NULL, *form = NULL, *inputs = NULL, *below = NULL,
               *upon = NULL;
    int64_t seconds;
    uint32_t nanoseconds;
    if (!root || check_head(root, boot, err) < 0 ||
        json_get_string(root, "", "step", JSON_REQUIRED, &step, err) < 0 ||
        json_get_string(root, "", "created", JSON_REQUIRED, &created, err) < 0 ||
        json_get_string(root, "", "form", JSON_REQUIRED, &form, err) < 0 ||
        json_get_string(root, "", "inputs", JSON_REQUIRED, &inputs, err) < 0 ||
        json_get_string(root, "", "below", JSON_OPTIONAL, &below, err) < 0 ||
        json_get_string(root, "", "upon", JSON_OPTIONAL, &upon, err) < 0)
        return -1;
    struct ran_record record = { .step = NULL };
    if (digest_parse(inputs, &record.inputs, err) < 0 ||
        (below && digest_parse(below, &record.below, err) < 0) ||
        clock_parse(created, &seconds, &nanoseconds, err) < 0)
        return -1;
    if (!is_form(form))
        return error_set(err, ERR_INVALID, "/form: \"%s\" is no private form", form);
    if (upon && (below || !is_form(upon)))
        return error_set(err, ERR_INVALID, "/upon: \"%s\" is no private form below", upon);
    if (json_object_size(root) != (below || upon ? 8 : 7))
        return error_set(err, ERR_INVALID, "members that a record of state " STATE " doesn't have");
    record.step = xstrdup(step);
    record.created = xstrdup(created);
    record.form = xstrdup(form);
    record.upon = xstrdup(upon);
    *ret = record;
    return 0;
}

static void set_digest(json_t *root, const char *key, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    json_set(root, key, json_from_string(text));
}

int ran_record_put(struct store *store, const struct digest *recipe,
                   const struct ran_record *record, struct error **err)
{
    const char *boot = store_boot(store);
    if (!boot)
        return 0;
    AUTO(json_decref) json_t *root = json_object();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    char name[DIGEST_HEX_SIZE];
    json_set(root, "version", json_integer(CACHE_KEY_VERSION));
    json_set(root, "state", json_from_string(STATE));
    json_set(root, "boot", json_from_string(boot));
    json_set(root, "step", json_from_string(record->step));
    json_set(root, "created", json_from_string(record->created));
    json_set(root, "form", json_from_string(record->form));
    set_digest(root, "inputs", &record->inputs);
    if (record->below.is_set)
        set_digest(root, "below", &record->below);
    if (record->upon)
        json_set(root, "upon", json_from_string(record->upon));
    json_format_canonical(root, &text);
    digest_format_hex(recipe, name);
    return fs_write_file(store_dir_fd(store, STORE_CACHE_RECORDS), name, text.data, text.size, 0600,
                         err);
}

int ran_record_find(struct store *store, const struct digest *recipe, struct ran_record *ret,
                    struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *bad = NULL; /* what can't be read is no record: the step runs */
    char name[DIGEST_HEX_SIZE];
    if (!store_boot(store))
        return 0;
    /* before the look that counts: collecting can't slip in between */
    if (store_lease(store, recipe, err) < 0)
        return -1;
    digest_format_hex(recipe, name);
    return fs_read_file(store_dir_fd(store, STORE_CACHE_RECORDS), name, &text, RAN_MAX_SIZE,
                        &bad) == 0 &&
           ran_record_parse(text.data, text.size, store_boot(store), ret, &bad) == 0;
}

void ran_record_drop(struct store *store, const struct digest *recipe)
{
    AUTO(ran_record_release) struct ran_record record = { .step = NULL };
    AUTO(error_free) struct error *ignored = NULL;
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(recipe, name);
    if (ran_record_find(store, recipe, &record, &ignored) > 0 &&
        fs_unlink(store_dir_fd(store, STORE_CACHE_RECORDS), name, &ignored) < 0)
        return;
}
