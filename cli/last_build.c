/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/last_build.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

/* One small file per user and directory, among what is kept of build contexts. */
static char *file_name(uid_t uid, struct error **err)
{
    AUTO(free) char *directory = getcwd(NULL, 0);
    if (!directory)
        return error_errno_null(err, "the current directory");
    struct digest digest = digest_of(directory, strlen(directory));
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    return xasprintf("tags-%u-%s", (unsigned)uid, hex);
}

int last_build_write(struct store *store, uid_t uid, const struct strvec *tags, struct error **err)
{
    AUTO(free) char *name = file_name(uid, err);
    if (!name)
        return -1;
    AUTO(json_decref) json_t *root = json_object();
    json_set(root, "tags", json_from_strvec(tags));
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_format_canonical(root, &text);
    return fs_write_file(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, text.data, text.size,
                         0600, err);
}

int last_build_read(struct store *store, uid_t uid, struct strvec *tags, struct error **err)
{
    AUTO(free) char *name = file_name(uid, err);
    if (!name)
        return -1;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *missing = NULL;
    if (fs_read_file(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, &text, 1 << 20, &missing) <
        0) {
        if (error_is(missing, ERR_NOT_FOUND))
            return 0;
        error_move(err, TAKE(missing));
        return -1;
    }
    AUTO(json_decref) json_t *root = json_parse_object(text.data, text.size, err);
    if (!root || json_get_strings(root, "", "tags", JSON_REQUIRED, tags, err) < 0)
        return -1;
    return tags->n > 0;
}
