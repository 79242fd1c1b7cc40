/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/members.h"

#include "base/mem.h"

#include <string.h>

json_t *members_iterable(const json_t *object)
{
    return (json_t *)(uintptr_t)object;
}

static bool is_known(const char *key, const char *const *known, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, known[i]) == 0)
            return true;
    return false;
}

json_t *members_unknown(const json_t *object, const char *const *known, size_t n)
{
    json_t *other = NULL;
    const char *key;
    json_t *value;
    json_object_foreach(members_iterable(object), key, value)
    {
        if (is_known(key, known, n))
            continue;
        if (!other)
            other = json_object();
        json_set(other, key, json_deep_copy(value));
    }
    return other;
}

int members_get_map(const json_t *object, const char *pointer, const char *key, json_t **ret,
                    struct error **err)
{
    const json_t *map = NULL;
    if (json_get_object(object, pointer, key, JSON_OPTIONAL, &map, err) < 0)
        return -1;
    const char *name;
    json_t *value;
    if (map) {
        json_object_foreach(
            members_iterable(map), name,
            value) if (!json_is_string(value)) return error_set(err, ERR_INVALID,
                                                                "%s/%s/%.100s: expected a string",
                                                                pointer, key, name);
    }
    if (map && json_object_size(map))
        *ret = json_deep_copy(map);
    return 0;
}

int members_get_text(const json_t *object, const char *pointer, const char *key, char **text,
                     struct error **err)
{
    const char *value = NULL;
    if (json_get_string(object, pointer, key, JSON_OPTIONAL, &value, err) < 0)
        return -1;
    if (value && *value) {
        free(*text);
        *text = xstrdup(value);
    }
    return 0;
}

void members_set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_set(object, key, json_from_string(text));
}

void members_map_set(json_t **map, const char *key, const char *text)
{
    if (!*map)
        *map = json_object();
    json_set(*map, key, json_from_string(text));
}
