/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/trail.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAIL_VERSION 1
#define TRAIL_MAX_SIZE ((size_t)8 << 20)

static void step_release(struct trail_step *step)
{
    free(step->platform);
    free(step->stage);
    free(step->text);
    free(step->base);
}

static void index_release(struct trail *trail)
{
    hashmap_release(&trail->alike);
    hashmap_release(&trail->there);
}

void trail_release(struct trail *trail)
{
    for (size_t i = 0; i < trail->n_steps; i++)
        step_release(&trail->steps[i]);
    free(trail->steps);
    index_release(trail);
    *trail = (struct trail){ 0 };
}

/* --- steps by what is asked for -------------------------------------------------------------- */

/* Steps with one key, in the trail's order. */
struct chain {
    size_t first, last; /* places + 1 */
};

static char *alike_key(const struct trail_step *step)
{
    return xasprintf("%s\n%s", step->stage, step->text); /* names of stages hold no newline */
}

static char *there_key(const struct trail_step *step)
{
    return xasprintf("%s\n%zu", step->stage, step->index);
}

/* Appends a place to the chain of the key; the place + 1 that was last, 0 for the first. */
static size_t link_place(struct hashmap *map, const char *key, size_t place)
{
    struct chain *chain = hashmap_get(map, key);
    if (!chain) {
        if (!map->n)
            hashmap_init(map, free);
        chain = NEW(struct chain);
        chain->first = place + 1;
        hashmap_put(map, key, chain);
    }
    size_t before = chain->last;
    chain->last = place + 1;
    return before;
}

static void index_step(struct trail *trail, size_t place)
{
    struct trail_step *step = &trail->steps[place];
    AUTO(free) char *alike = alike_key(step);
    AUTO(free) char *there = there_key(step);
    size_t before = link_place(&trail->alike, alike, place);
    step->next_alike = step->next_there = 0;
    if (before)
        trail->steps[before - 1].next_alike = place + 1;
    before = link_place(&trail->there, there, place);
    if (before)
        trail->steps[before - 1].next_there = place + 1;
}

static const struct trail_step *first_of(const struct trail *trail, const struct hashmap *map,
                                         const char *key)
{
    const struct chain *chain = map->n ? hashmap_get(map, key) : NULL;
    return chain ? &trail->steps[chain->first - 1] : NULL;
}

static const struct trail_step *step_at(const struct trail *trail, size_t place)
{
    return place ? &trail->steps[place - 1] : NULL;
}

struct trail_step *trail_add(struct trail *trail, const struct trail_step *step)
{
    struct trail_step *copy = ARRAY_PUSH(trail, steps);
    *copy = *step;
    copy->platform = xstrdup(step->platform);
    copy->stage = xstrdup(step->stage);
    copy->text = xstrdup(step->text);
    copy->base = xstrdup(step->base);
    index_step(trail, trail->n_steps - 1);
    return copy;
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* Less is nearer. An instruction that moved is nearer than another one at its place. */
static bool is_nearer(const struct trail_step *a, const struct trail_step *than,
                      const struct trail_step *like)
{
    if (!than)
        return true;
    bool a_platform = !strcmp(a->platform, like->platform);
    bool b_platform = !strcmp(than->platform, like->platform);
    if (a_platform != b_platform)
        return a_platform;
    bool a_text = !strcmp(a->text, like->text), b_text = !strcmp(than->text, like->text);
    if (a_text != b_text)
        return a_text;
    return distance(a->index, like->index) < distance(than->index, like->index);
}

/* The same instruction, or another text of one in its place. */
static bool may_be(const struct trail_step *step, const struct trail_step *like)
{
    size_t keyword = strcspn(like->text, " ");
    return !strcmp(step->text, like->text) ||
           (step->index == like->index && !strncmp(step->text, like->text, keyword) &&
            strcspn(step->text, " ") == keyword);
}

static bool is_same(const struct trail_step *step, const struct trail_step *like)
{
    return !strcmp(step->text, like->text) && !strcmp(step->platform, like->platform);
}

const struct trail_step *trail_find(const struct trail *trail, const struct trail_step *like)
{
    AUTO(free) char *alike = alike_key(like);
    AUTO(free) char *there = there_key(like);
    const struct trail_step *best = NULL, *step;
    for (step = first_of(trail, &trail->there, there); step;
         step = step_at(trail, step->next_there)) {
        if (is_same(step, like)) /* none is nearer, and many may have its text */
            return step;
        if (may_be(step, like) && is_nearer(step, best, like))
            best = step;
    }
    for (step = first_of(trail, &trail->alike, alike); step;
         step = step_at(trail, step->next_alike))
        if (is_nearer(step, best, like))
            best = step;
    return best;
}

static char *part_key(const char *platform, const char *stage)
{
    return xasprintf("%s\n%s", platform, stage);
}

static bool is_replaced(const struct trail_part *part, const struct trail_step *step)
{
    const struct trail *steps = part->steps;
    if (!part->keep_rest)
        return true;
    return steps->n_steps && step->index <= steps->steps[steps->n_steps - 1].index;
}

static void remove_replaced(struct trail *trail, const struct hashmap *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < trail->n_steps; i++) {
        struct trail_step *step = &trail->steps[i];
        AUTO(free) char *key = part_key(step->platform, step->stage);
        const struct trail_part *part = hashmap_get(parts, key);
        if (part && is_replaced(part, step))
            step_release(step);
        else
            trail->steps[n++] = *step;
    }
    trail->n_steps = n;
    index_release(trail);
    for (size_t i = 0; i < n; i++)
        index_step(trail, i);
}

void trail_replace(struct trail *trail, const struct trail_part *parts, size_t n)
{
    AUTO(hashmap_release) struct hashmap by_name = HASHMAP_INIT(NULL);
    for (size_t i = 0; i < n; i++) {
        AUTO(free) char *key = part_key(parts[i].platform, parts[i].stage);
        hashmap_put(&by_name, key, (void *)(uintptr_t)&parts[i]);
    }
    remove_replaced(trail, &by_name);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < parts[i].steps->n_steps; k++)
            (void)trail_add(trail, &parts[i].steps->steps[k]);
}

/* --- the file -------------------------------------------------------------------------------- */

void trail_name(const char *context, const char *dockerfile, char out[TRAIL_NAME_SIZE])
{
    AUTO(free) char *path = realpath(context, NULL); /* NULL: no path, a URL or "-" */
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    uint8_t bytes[SHA256_SIZE];
    sha256_update_field(hash, path ? path : context);
    sha256_update_field(hash, dockerfile);
    sha256_finish(hash, bytes);
    struct digest digest = digest_from_sha256(bytes);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    (void)snprintf(out, TRAIL_NAME_SIZE, "trail-%s", hex);
}

static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    { "platform", offsetof(struct trail_step, platform) },
    { "stage", offsetof(struct trail_step, stage) },
    { "text", offsetof(struct trail_step, text) },
    { "base", offsetof(struct trail_step, base) },
}, digests[] = {
    { "inputs", offsetof(struct trail_step, rest) },
    { "first", offsetof(struct trail_step, first) },
    { "below", offsetof(struct trail_step, below) },
};

static int parse_step(const json_t *object, struct trail *ret, struct error **err)
{
    struct trail_step *step = ARRAY_PUSH(ret, steps);
    uint64_t index = 0;
    if (json_get_uint64(object, "/steps", "index", JSON_REQUIRED, &index, err) < 0)
        return -1;
    step->index = index;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *text = NULL;
        if (json_get_string(object, "/steps", texts[i].name, JSON_REQUIRED, &text, err) < 0)
            return -1;
        *(char **)((char *)step + texts[i].offset) = xstrdup(text);
    }
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
        const char *text = NULL;
        if (json_get_string(object, "/steps", digests[i].name, JSON_OPTIONAL, &text, err) < 0 ||
            (text &&
             digest_parse(text, (struct digest *)((char *)step + digests[i].offset), err) < 0))
            return -1;
    }
    return 0;
}

static int parse(const struct strbuf *text, struct trail *ret, struct error **err)
{
    AUTO(json_decref) json_t *root = json_parse_object(text->data, text->size, err);
    AUTO(trail_release) struct trail trail = { 0 };
    uint64_t version = 0;
    const json_t *steps = NULL;
    if (!root || json_get_uint64(root, "", "version", JSON_REQUIRED, &version, err) < 0)
        return -1;
    if (version != TRAIL_VERSION)
        return error_set(err, ERR_UNSUPPORTED, "trail of version %llu",
                         (unsigned long long)version);
    if (json_get_array(root, "", "steps", JSON_REQUIRED, &steps, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(steps); i++)
        if (parse_step(json_array_get(steps, i), &trail, err) < 0)
            return -1;
    for (size_t i = 0; i < trail.n_steps; i++)
        index_step(&trail, i);
    *ret = trail;
    trail = (struct trail){ 0 };
    return 0;
}

void trail_read(struct store *store, const char *name, struct trail *ret)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* it is a hint: without it less is said */
    if (fs_read_file(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, &text, TRAIL_MAX_SIZE,
                     &ignored) == 0 &&
        parse(&text, ret, &ignored) < 0)
        *ret = (struct trail){ 0 };
}

static json_t *format_step(const struct trail_step *step)
{
    json_t *object = json_object();
    json_set(object, "index", json_integer((json_int_t)step->index));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        json_set(object, texts[i].name,
                 json_from_string(*(char *const *)((const char *)step + texts[i].offset)));
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
        const struct digest *digest =
            (const struct digest *)((const char *)step + digests[i].offset);
        char hex[DIGEST_TEXT_SIZE];
        if (!digest->is_set)
            continue;
        digest_format(digest, hex);
        json_set(object, digests[i].name, json_from_string(hex));
    }
    return object;
}

static bool stands_there(struct store *store, const char *name, const struct strbuf *text)
{
    AUTO(strbuf_release) struct strbuf there = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* then it is written */
    return fs_read_file(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, &there, TRAIL_MAX_SIZE,
                        &ignored) == 0 &&
           there.size == text->size && !memcmp(there.data, text->data, text->size);
}

int trail_write(struct store *store, const char *name, const struct trail *trail,
                struct error **err)
{
    AUTO(json_decref) json_t *root = json_object();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_t *steps = json_array();
    for (size_t i = 0; i < trail->n_steps; i++)
        json_array_append_new(steps, format_step(&trail->steps[i]));
    json_set(root, "steps", steps);
    json_set(root, "version", json_integer(TRAIL_VERSION));
    json_format_canonical(root, &text);
    if (stands_there(store, name, &text))
        return 0;
    return fs_write_file(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, text.data, text.size,
                         0600, err);
}
