/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers from a few words, as a foreign tool would write them (any order, no
 * parents added), and trees as text:
 *
 *     "d dir 0700,3,4,1000; f dir/file=content; l link->target; h other->dir/file; w gone; o dir; p
 * fifo"
 *
 * After the name: mode,uid,gid,mtime, all optional (0644 or 0755, 0, 0, 1000).
 */
#ifndef CBUILD_TESTS_UNIT_LAYERS_FIXTURE_H
#define CBUILD_TESTS_UNIT_LAYERS_FIXTURE_H

#include "layers/apply.h"
#include "layers/tree.h"
#include "layers/whiteout.h"
#include "tests/unit/store_fixture.h"

#include <sys/statfs.h>
#include <sys/xattr.h>

struct tar_member {
    const char *name;
    char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6' fifo
                */
    const char *link, *content;
    unsigned mode, uid, gid;
    long mtime;
};

static inline void tar_checksum(char header[512])
{
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)header[i];
    (void)snprintf(header + 148, 8, "%06o", sum);
}

static inline void tar_header(char header[512], const struct tar_member *member)
{
    memset(header, 0, 512);
    size_t size = member->content ? strlen(member->content) : 0;
    memcpy(header, member->name, strnlen(member->name, 100));
    (void)snprintf(header + 100, 8, "%07o", member->mode & 07777777);
    (void)snprintf(header + 108, 8, "%07o", member->uid & 07777777);
    (void)snprintf(header + 116, 8, "%07o", member->gid & 07777777);
    (void)snprintf(header + 124, 12, "%011llo", (unsigned long long)size & 077777777777);
    (void)snprintf(header + 136, 12, "%011llo", (unsigned long long)member->mtime & 077777777777);
    header[156] = member->type;
    if (member->link)
        memcpy(header + 157, member->link, strnlen(member->link, 100));
    memcpy(header + 257, "ustar\00000", 8);
    memcpy(header + 329, "0000001", 8);
    memcpy(header + 337, "0000003", 8);
    tar_checksum(header);
}

static inline void tar_pad(struct strbuf *tar)
{
    static const char zeros[512];
    strbuf_add(tar, zeros, (512 - tar->size % 512) % 512);
}

static inline void tar_add(struct strbuf *tar, const struct tar_member *member)
{
    char header[512];
    tar_header(header, member);
    strbuf_add(tar, header, sizeof(header));
    if (member->content)
        strbuf_adds(tar, member->content);
    tar_pad(tar);
}

static inline void tar_add_name(struct strbuf *tar, const char *name, char type, const char *link)
{
    struct tar_member member = { name, type, link, NULL, 0644, 0, 0, 1000 };
    tar_add(tar, &member);
}

/* A pax header with one record for the member that follows. */
static inline void tar_add_pax(struct strbuf *tar, const char *key, const void *value, size_t size)
{
    AUTO(strbuf_release) struct strbuf record = STRBUF_INIT;
    size_t rest = 1 + strlen(key) + 1 + size + 1, digits = 1;
    for (size_t total = rest + digits; total >= 10; total /= 10)
        digits++;
    if (snprintf(NULL, 0, "%zu", rest + digits) > (int)digits)
        digits++;
    strbuf_addf(&record, "%zu %s=", rest + digits, key);
    strbuf_add(&record, value, size);
    strbuf_addc(&record, '\n');
    struct tar_member member = { "pax", 'x', NULL, NULL, 0644, 0, 0, 0 };
    char header[512];
    tar_header(header, &member);
    (void)snprintf(header + 124, 12, "%011o", (unsigned)record.size & 077777777);
    tar_checksum(header);
    strbuf_add(tar, header, sizeof(header));
    strbuf_add(tar, record.data, record.size);
    tar_pad(tar);
}

static inline void tar_end(struct strbuf *tar)
{
    static const char zeros[1024];
    strbuf_add(tar, zeros, sizeof(zeros));
}

static inline void tar_add_word(struct strbuf *tar, char *word)
{
    static const char kinds[] = "dflhwopcb", types[] = "502100634";
    char *kind = strchr(kinds, word[0]);
    assert_true(kind && word[1] == ' ');
    char *name = word + 2, *attributes = strchr(name, ' ');
    if (attributes)
        *attributes++ = '\0';
    char *link = strstr(name, "->"), *content = strchr(name, '=');
    if (link) {
        *link = '\0';
        link += 2;
    }
    if (content)
        *content++ = '\0';
    AUTO(free) char *whiteout = NULL;
    if (word[0] == 'w')
        name = whiteout = whiteout_format(name);
    if (word[0] == 'o')
        name = whiteout = whiteout_format_opaque(name);
    struct tar_member member = { name, types[kind - kinds], link, content, 0644, 0, 0, 1000 };
    if (word[0] == 'd')
        member.mode = 0755;
    if (attributes)
        (void)sscanf(attributes, "%o,%u,%u,%ld", &member.mode, &member.uid, &member.gid,
                     &member.mtime);
    tar_add(tar, &member);
}

static inline void tar_from_words(const char *words, struct strbuf *tar)
{
    AUTO(free) char *copy = xstrdup(words);
    for (char *p = copy, *end; p && *p; p = end) {
        end = strstr(p, "; ");
        if (end) {
            *end = '\0';
            end += 2;
        }
        tar_add_word(tar, p);
    }
    tar_end(tar);
}

static inline struct layer *layer_of_tar(struct store *store, const struct strbuf *tar)
{
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    desc.media_type = xstrdup("application/vnd.oci.image.layer.v1.tar");
    assert_ok(store_put_blob(store, tar->data, tar->size, &desc, &err), err);
    struct digest diff_id = digest_of(tar->data, tar->size);
    return layer_from_blob(store, &desc, &diff_id, NULL);
}

static inline struct layer *layer_of_words(struct store *store, const char *words)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    tar_from_words(words, &tar);
    return layer_of_tar(store, &tar);
}

/* Layers separated by " | ", lowest first. */
static inline struct tree *tree_of_words(struct store *store, const char *words)
{
    AUTO(free) char *copy = xstrdup(words);
    struct tree *tree = tree_new(store);
    for (char *p = copy, *end; p; p = end) {
        end = strstr(p, " | ");
        if (end) {
            *end = '\0';
            end += 3;
        }
        struct layer *layer = layer_of_words(store, p);
        struct tree *next = tree_push(tree, layer);
        layer_unref(layer);
        tree_unref(tree);
        tree = next;
    }
    return tree;
}

static inline void describe_entry(struct tree *tree, const struct tree_entry *found,
                                  struct strbuf *text)
{
    struct error *err = NULL;
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    assert_ok(tree_resolve_hardlink(tree, found, &file, &err), err);
    strbuf_addf(text, "%s%s", text->size ? " " : "", found->path);
    if (tree_entry_is_directory(&file)) {
        strbuf_addc(text, '/');
    } else if (file.entry->type == ENTRY_SYMLINK) {
        strbuf_addf(text, "->%s", file.entry->link);
    } else if (file.entry->type == ENTRY_FILE) {
        AUTO(source_free) struct source *source = tree_open(tree, found, &err);
        assert_ok_ptr(source, err);
        strbuf_addc(text, '=');
        assert_ok(source_read_all(source, text, 1 << 20, &err), err);
    } else {
        strbuf_addc(text, '!');
    }
}

/* "d/ d/f=content l->target p!", sorted */
static inline void describe_tree(struct tree *tree, const char *dir, struct strbuf *text)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(tree_list(tree, dir, &names, &err), err);
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free)
        char *path = *dir ? xasprintf("%s/%s", dir, names.items[i]) : xstrdup(names.items[i]);
        AUTO(tree_entry_release) struct tree_entry found = { 0 };
        assert_int_equal(tree_lookup(tree, path, TREE_NO_LINKS, &found, &err), 1);
        describe_entry(tree, &found, text);
        if (tree_entry_is_directory(&found))
            describe_tree(tree, path, text);
    }
}

/* The same of a directory on disk; whiteouts are "name#", opaque directories "name/" and a star. */
static inline void describe_directory(int dir_fd, const char *dir, struct strbuf *text)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(dir_fd, *dir ? dir : ".", &names, &err), err);
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free)
        char *path = *dir ? xasprintf("%s/%s", dir, names.items[i]) : xstrdup(names.items[i]);
        struct stat st;
        assert_int_equal(fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        strbuf_addf(text, "%s%s", text->size ? " " : "", path);
        if (S_ISDIR(st.st_mode)) {
            AUTO(free) char *real = xasprintf("/proc/self/fd/%d/%s", dir_fd, path);
            char value;
            bool opaque = lgetxattr(real, "user.overlay.opaque", &value, 1) == 1;
            strbuf_adds(text, opaque ? "/*" : "/");
            describe_directory(dir_fd, path, text);
        } else if (S_ISLNK(st.st_mode)) {
            AUTO(free) char *target = fs_read_link(dir_fd, path, &err);
            strbuf_addf(text, "->%s", target);
        } else if (S_ISREG(st.st_mode)) {
            strbuf_addc(text, '=');
            assert_ok(fs_read_file(dir_fd, path, text, 1 << 20, &err), err);
        } else {
            strbuf_adds(text, S_ISCHR(st.st_mode) && st.st_rdev == 0 ? "#" : "!");
        }
    }
}

#define SKIP_UNLESS_ROOT()                                                                         \
    do {                                                                                           \
        if (geteuid() != 0) {                                                                      \
            print_message("SKIP: needs root\n");                                                   \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#endif
