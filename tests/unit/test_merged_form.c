/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/merged_form.h"

#include "tests/unit/overlay_fixture.h"

#include "oci/store_gc.h"

#define BASE                                                                                       \
    "d d; d d/keep; f d/keep/a=a1; f d/keep/b=b1 0640,3; d d/opq; f d/opq/old=old; d d/opq/sub; "  \
    "f d/opq/sub/x=x; f d/file=f; d d/dir; f d/dir/inner=i; d d/linked; f d/linked/inner=i; "      \
    "f d/gone=gone; f h1=hard; h h2->h1; l abs->/d/keep; p fifo"

/* In one group of layers, upon a group that has BASE. */
static const struct {
    const char *layers;
    bool stays; /* it can't be merged */
} cases[] = {
    { .layers = "f new=1" },
    { .layers = "w d/gone | f d/gone=back" },
    { .layers = "f x=1 | f x=2 0600,5 | f x=3" },
    { .layers = "w d/keep | d d/keep; f d/keep/c=c" },
    { .layers = "d d/opq; o d/opq; f d/opq/new=new | f d/opq/newer=n" },
    { .layers = "f d/opq/new=new | d d/opq; o d/opq | f d/opq/newer=n" },
    { .layers = "f d/dir=file | d d/dir; f d/dir/other=o" },
    { .layers = "d d/file; f d/file/in=in" },
    { .layers = "l d/linked->keep | w d/linked | d d/linked 0700; f d/linked/z=z" },
    { .layers = "f a=1; h b->a; h c/d->a | f e=2" },
    { .layers = "f q/w/e/r/t=1 | w q/w/e | f q/w/e/u=2 | w q" },
    { .layers = "f q/w/e=1 | d q 0711,4; d q/w; o q/w; p q/w/p" },
    { .layers = "f a=1; h b->a | w a", .stays = true },
    { .layers = "f a=1 | o ; f b=2", .stays = true },
};

/* `words` and as many layers of one small file as complete its group. */
static void add_group(struct strbuf *text, const char *words)
{
    int n = 1;
    for (const char *p = words; *p; p++)
        n += *p == '|';
    strbuf_addf(text, "%s%s", text->size ? " | " : "", words);
    for (; n < MERGED_LAYERS; n++)
        strbuf_addf(text, " | f pad/%d=%zu", n, text->size);
}

static size_t n_lowers(struct tree *tree)
{
    struct error *err = NULL;
    AUTO(free) int *fds = NULL;
    size_t n;
    assert_ok(tree_lowers(tree, NULL, &fds, &n, &err), err);
    return n;
}

/* By names that are short enough for a mount of 65 layers. False where overlay can't be mounted. */
static bool shows(struct fixture *fixture, struct tree *tree, struct strbuf *text)
{
    struct error *err = NULL;
    AUTO(free) char *at = overlay_place(fixture, "mnt");
    AUTO(free) int *fds = NULL;
    AUTO(strbuf_release) struct strbuf lowers = STRBUF_INIT;
    size_t n;
    assert_ok(tree_lowers(tree, NULL, &fds, &n, &err), err);
    for (size_t i = 0; i < n; i++) {
        AUTO(free) char *self = xasprintf("/proc/self/fd/%d", fds[i]);
        AUTO(free) char *path = fs_read_link(AT_FDCWD, self, &err);
        AUTO(free) char *link = xasprintf("%s/%zu", fixture->dir, i);
        (void)unlink(link); /* of a call before */
        assert_int_equal(symlink(path, link), 0);
        strbuf_addf(&lowers, "%s%s", i ? ":" : "", link);
    }
    struct overlay overlay;
    AUTO(free) char *list = xasprintf("%s/list", fixture->dir);
    AUTO(free)
    char *script = xasprintf("find . -mindepth 1 -printf '%%p %%y %%m %%U:%%G %%T@ ' "
                             "'(' -type d -printf '\\n' -o -printf '%%n\\n' ')' | sort >%s",
                             list);
    int status = overlay_start(lowers.data, NULL, NULL, at, script, &overlay);
    if (status == 0) {
        describe_directory(overlay.fd, "", text);
        strip_opaque(text);
        strbuf_addc(text, '\n');
        assert_ok(fs_read_file(AT_FDCWD, list, text, 1 << 20, &err), err);
    }
    overlay_stop(&overlay);
    return status == 0;
}

static void merge(struct tree *tree)
{
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    tree_merge_forms(tree, group);
    assert_ok(pool_group_wait(group, &err), err);
}

static void a_merged_form_shows_what_its_layers_do(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf before = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf after = STRBUF_INIT;
        add_group(&words, BASE);
        add_group(&words, cases[i].layers);
        strbuf_adds(&words, " | f top=1");
        AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, words.data);
        const size_t n = n_lowers(tree);
        if (!shows(fixture, tree, &before))
            skip();
        merge(tree);
        assert_true(shows(fixture, tree, &after));
        if (strcmp(before.data, after.data) != 0)
            fail_msg("%s:\n%s\n%s", cases[i].layers, before.data, after.data);
        if (cases[i].stays)
            assert_true(n_lowers(tree) >= n - MERGED_LAYERS + 1);
        else
            assert_int_equal(n_lowers(tree), 3);
    }
}

static void another_process_finds_it_and_collecting_takes_it(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store_gc_result result;
    AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
    add_group(&words, BASE);
    strbuf_adds(&words, " | f top=1");
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, words.data);
    AUTO(tree_unref) struct tree *short_one = tree_of_words(fixture->store, "f a=1 | f b=1");
    assert_int_equal(n_lowers(tree), MERGED_LAYERS + 1);
    assert_int_equal(n_lowers(short_one), 2);
    merge(tree);
    AUTO(tree_unref) struct tree *again = tree_of_words(fixture->store, words.data);
    assert_int_equal(n_lowers(again), 2);
    struct digest chain, none = { 0 };
    assert_ok(tree_chain_id(again, &chain, &err), err);
    assert_int_equal(merged_form_find(fixture->store, &chain, &err), -1);
    assert_null(err);
    const struct digest a = merged_form_name(&chain, &none), b = merged_form_name(&chain, &chain);
    assert_false(digest_equal(&a, &b));
    assert_ok(store_gc(fixture->store, 0, &result, &err), err); /* leased by us */
    AUTO(tree_unref) struct tree *still = tree_of_words(fixture->store, words.data);
    assert_int_equal(n_lowers(still), 2);
}

static void what_is_too_large_stays_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf many = STRBUF_INIT;
    for (int i = 0; i <= MERGED_MAX_ENTRIES; i++)
        strbuf_addf(&many, "%sf m/%d=", i ? "; " : "", i);
    add_group(&words, many.data);
    strbuf_adds(&words, " | f top=1");
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, words.data);
    assert_int_equal(n_lowers(tree), MERGED_LAYERS + 1);
    merge(tree);
    assert_int_equal(n_lowers(tree), MERGED_LAYERS + 1);
}

/* In the form of one layer: as large as wanted, without a byte on the disk. */
static void enlarge(struct tree *tree, const char *name, uint64_t size)
{
    struct error *err = NULL;
    AUTO(free) int *fds = NULL;
    size_t n;
    bool found = false;
    assert_ok(tree_lowers(tree, NULL, &fds, &n, &err), err);
    for (size_t i = 0; i < n && !found; i++) {
        AUTO(close) int fd = openat(fds[i], name, O_WRONLY | O_CLOEXEC);
        found = fd >= 0 && ftruncate(fd, (off_t)size) == 0;
    }
    assert_true(found);
}

static void layers_of_many_bytes_stay_as_they_are(void **state)
{
    static const uint64_t sizes[] = { MERGED_MAX_BYTES / 2, MERGED_MAX_BYTES };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
        AUTO(free) char *large = xasprintf("f large=%zu", i);
        add_group(&words, large);
        strbuf_adds(&words, " | f top=1");
        AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, words.data);
        enlarge(tree, "large", sizes[i]);
        merge(tree);
        assert_int_equal(n_lowers(tree), i ? MERGED_LAYERS + 1 : 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_merged_form_shows_what_its_layers_do, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(another_process_finds_it_and_collecting_takes_it,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_too_large_stays_as_it_is, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(layers_of_many_bytes_stay_as_they_are, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
