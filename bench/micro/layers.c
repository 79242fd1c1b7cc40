/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a layer's bytes: tar, digests, members, and back. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/source.h"
#include "bench/micro/micro.h"
#include "layers/apply.h"
#include "layers/encoder.h"
#include "layers/entries.h"
#include "layers/gunzip.h"
#include "layers/member_sink.h"
#include "layers/tar_read.h"
#include "layers/tar_write.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB ((size_t)1024 * 1024)
#define N_ENTRIES 2000
#define FILE_SIZE 4096
#define PIECE 4096

struct material {
    char *text;
    struct strbuf tar, gzip;
    struct store *store;
};

static void write_tar(struct sink *sink, const char *text)
{
    struct error *err = NULL;
    AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(sink);
    for (size_t i = 0; i < N_ENTRIES; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "usr/lib/modules/m%zu/file%zu.js", i / 50, i);
        const struct entry entry = {
            .path = path, .mode = 0644, .size = FILE_SIZE, .mtime = 1700000000
        };
        MUST(tar_writer_entry(tar, &entry, &err));
        MUST(tar_writer_data(tar, text + i % 64 * PIECE, FILE_SIZE, &err));
    }
    MUST(tar_writer_finish(tar, &err));
    MUST(sink_finish(sink, &err));
}

static void run_tar(void *data)
{
    const struct material *material = data;
    uint64_t size;
    AUTO(sink_free) struct sink *sink = sink_null_new(&size);
    write_tar(sink, material->text);
}

static void run_sha256(void *data)
{
    const struct material *material = data;
    struct error *err = NULL;
    uint8_t digest[SHA256_SIZE];
    uint64_t size, n;
    AUTO(sink_free) struct sink *sink = sink_sha256_new(sink_null_new(&n), digest, &size);
    MUST(sink_write(sink, material->tar.data, material->tar.size, &err));
    MUST(sink_finish(sink, &err));
}

static void run_encoder(void *data)
{
    struct material *material = data;
    const struct compression compression = { COMPRESSION_GZIP, 3 };
    AUTO(encoder_free) struct encoder *encoder = encoder_new(&compression);
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    encoder_member(encoder, material->text, MIB, &out);
}

static void run_members(void *data)
{
    struct material *material = data;
    struct error *err = NULL;
    struct member_list list = { NULL, 0, 0 };
    const struct member_options options = { { COMPRESSION_GZIP, 3 }, NULL, 0, NULL };
    strbuf_release(&material->gzip);
    AUTO(sink_free)
    struct sink *sink = member_sink_new(sink_strbuf_new(&material->gzip), &options, &list);
    for (size_t at = 0; at < material->tar.size; at += PIECE) {
        char path[32];
        (void)snprintf(path, sizeof(path), "file%zu", at / PIECE);
        const size_t rest = material->tar.size - at;
        MUST(member_sink_entry(sink, path, &err));
        MUST(sink_write(sink, material->tar.data + at, rest < PIECE ? rest : PIECE, &err));
    }
    MUST(sink_finish(sink, &err));
    free(list.members);
}

static void run_gunzip(void *data)
{
    const struct material *material = data;
    struct error *err = NULL;
    AUTO(source_free)
    struct source *source =
        gunzip_source_new(source_memory_new(material->gzip.data, material->gzip.size));
    char buf[65536];
    ssize_t got;
    while ((got = source_read(source, buf, sizeof(buf), &err)) > 0)
        ;
    MUST((int)got);
}

static void run_apply(void *data)
{
    const struct material *material = data;
    struct error *err = NULL;
    struct source *source = source_memory_new(material->tar.data, material->tar.size);
    AUTO(tar_reader_free) struct tar_reader *tar = tar_reader_new(source, 0, &err);
    MUST(tar ? 0 : -1);
    AUTO(form_writer_free) struct form_writer *form = form_writer_new(material->store, NULL, &err);
    MUST(form ? 0 : -1);
    struct entry entry = { 0 };
    int found;
    while ((found = tar_reader_next(tar, &entry, &err)) > 0)
        MUST(form_writer_unpack(form, tar, &entry, &err));
    MUST(found);
    MUST(form_writer_finish(form, &err));
}

/* The entry list of a layer to the store and back. */
static void run_entries(void *data)
{
    const struct material *material = data;
    struct error *err = NULL;
    const struct digest blob = digest_of("blob", 4);
    char path[64];
    struct entry list[N_ENTRIES];
    AUTO(entries_release) struct entries again = { .tar_size = 0 };
    for (size_t i = 0; i < N_ENTRIES; i++) {
        (void)snprintf(path, sizeof(path), "usr/lib/modules/m%zu/file%zu.js", i / 50, i);
        list[i] = (struct entry){ .path = xstrdup(path), .mode = 0644, .size = FILE_SIZE };
    }
    const struct entries entries = { .list = { list, N_ENTRIES, N_ENTRIES } };
    MUST(entries_write(material->store, &blob, &entries, &err));
    MUST(entries_read(material->store, &blob, &again, &err));
    for (size_t i = 0; i < N_ENTRIES; i++)
        free(list[i].path);
}

int main(void)
{
    struct error *err = NULL;
    struct material material = { .text = made_text(MIB), .tar = STRBUF_INIT, .gzip = STRBUF_INIT };
    AUTO(sink_free) struct sink *keep = sink_strbuf_new(&material.tar);
    write_tar(keep, material.text);
    const uint64_t size = material.tar.size;
    measure(&(struct loop){ "tar writer, a file of 4 KiB", N_ENTRIES, size, 1 }, run_tar,
            &material);
    measure(&(struct loop){ "sha256, of 8 MiB", 1, size, 1 }, run_sha256, &material);
    measure(&(struct loop){ "gzip 3, a member of 1 MiB", 1, MIB, 1 }, run_encoder, &material);
    measure(&(struct loop){ "member sink, one thread, of 8 MiB", 1, size, 1 }, run_members,
            &material);
    measure(&(struct loop){ "gunzip, of 8 MiB", 1, size, 1 }, run_gunzip, &material);

    /* in memory: on disks it is the file system that is measured */
    char folder[] = "/dev/shm/cbuild-bench-XXXXXX";
    if (!mkdtemp(folder))
        MUST(error_errno(&err, "mkdtemp"));
    material.store = store_open(folder, &err);
    MUST(material.store ? 0 : -1);
    measure(&(struct loop){ "apply and remove, a file of 4 KiB", N_ENTRIES, size, 1 }, run_apply,
            &material);
    measure(&(struct loop){ "entry list kept and read, an entry", N_ENTRIES, 0, 1 }, run_entries,
            &material);
    store_close(material.store);
    MUST(fs_remove_tree(AT_FDCWD, folder, &err));
    strbuf_release(&material.tar);
    strbuf_release(&material.gzip);
    free(material.text);
    return 0;
}
