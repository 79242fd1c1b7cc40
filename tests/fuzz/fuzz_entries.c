/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes in the place of a layer's entry list, with the check sum that they should end in: as if
 * there were none, or a list that is written and read as the same again. */
#include "layers/entries.h"

#include "tests/fuzz/fuzz_store.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const struct digest *blob, const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    uint8_t check[SHA256_SIZE];
    char name[DIGEST_HEX_SIZE];
    strbuf_adds(&text, "cbuild entries 1\n");
    strbuf_add(&text, data, size);
    sha256_of(text.data, text.size, check);
    strbuf_add(&text, check, sizeof(check));
    digest_format_hex(blob, name);
    if (fs_write_file(store_dir_fd(fuzz_store(), STORE_ENTRIES), name, text.data, text.size, 0600,
                      &err) < 0)
        abort();
}

static void check_again(const struct digest *blob, const struct entries *entries)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(entries_release) struct entries again = { .tar_size = 0 };
    if (entries_write(fuzz_store(), blob, entries, &err) < 0 ||
        entries_read(fuzz_store(), blob, &again, &err) < 0)
        abort();
    if (again.list.n_entries != entries->list.n_entries || again.n_members != entries->n_members)
        abort();
    for (size_t i = 0; i < again.list.n_entries; i++)
        if (strcmp(again.list.entries[i].path, entries->list.entries[i].path) != 0 ||
            !entry_same_attributes(&again.list.entries[i], &entries->list.entries[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    AUTO(entries_release) struct entries members = { .tar_size = 0 };
    const struct digest blob = digest_of("blob", 4);
    put(&blob, data, size);
    (void)!entries_read_members(fuzz_store(), &blob, &members, &ignored); /* or there are none */
    if (entries_read(fuzz_store(), &blob, &entries, &err) == 0)
        check_again(&blob, &entries);
    else if (!error_is(err, ERR_NOT_FOUND))
        abort();
    return 0;
}
