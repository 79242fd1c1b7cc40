/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tree.h"

#include "layers/tree_internal.h"
#include "tests/unit/layers_fixture.h"

#include <semaphore.h>
#include <time.h>

#define BASE                                                                                       \
    "d d; d d/keep; f d/keep/a=a1; f d/keep/b=b1; d d/opq; f d/opq/old=old; d d/opq/sub; "         \
    "f d/opq/sub/x=x; f d/file-then-dir=f; d d/dir-then-file; f d/dir-then-file/inner=i; "         \
    "d d/dir-then-link; f d/dir-then-link/inner=i; f d/gone=gone; f h1=hard; h h2->h1; "           \
    "l absdir->/d/keep; l dangling->nowhere"
#define CHANGES                                                                                    \
    "d d; w d/gone; d d/keep 0700,3; w d/keep/a; d d/opq; o d/opq; f d/opq/new=new; "              \
    "d d/file-then-dir; f d/file-then-dir/in=in; f d/dir-then-file=now; l d/dir-then-link->keep; " \
    "f h2=no"

static const struct {
    const char *layers, *tree;
} merged[] = {
    { "f a=1", "a=1" },
    { BASE " | " CHANGES,
      "absdir->/d/keep d/ d/dir-then-file=now d/dir-then-link->keep d/file-then-dir/ "
      "d/file-then-dir/in=in d/keep/ d/keep/b=b1 d/opq/ d/opq/new=new dangling->nowhere h1=hard "
      "h2=no" },
    { "f ./a=1; f /b=2; f ./c/../d=3", "a=1 b=2 d=3" },
    { "f x=1; f x=2", "x=2" },
    { "f a/b/c=1 | w a/b | f a/b/d=2", "a/ a/b/ a/b/d=2" },
    { "f a=1 | w a", "" },
    { "f a=1; f b=2 | o ; f c=3", "c=3" },
    { "l a->b; f b/x=1 | f a/y=2", "a/ a/y=2 b/ b/x=1" },
    { "d d 0755,1; f d/x=1 | o d", "d/" },
    { "p p; l s->p; h t->s", "p! s->p t->p" },
};

static void layers_merge(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(merged); i++) {
        AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, merged[i].layers);
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        describe_tree(tree, "", &text);
        assert_string_equal(text.data, merged[i].tree);
    }
}

static const struct {
    const char *path;
    unsigned flags;
    int found;
    const char *real; /* NULL: not set */
} lookups[] = {
    { "", 0, 1, "" },
    { "/", 0, 1, "" },
    { "d/keep/b", 0, 1, "d/keep/b" },
    { "/d//keep/./b/", 0, 1, "d/keep/b" },
    { "absdir", 0, 1, "absdir" },
    { "absdir", TREE_FOLLOW, 1, "d/keep" },
    { "absdir/b", 0, 1, "d/keep/b" },
    { "absdir/b", TREE_NO_LINKS, 0, NULL },
    { "d/dir-then-link/b", 0, 1, "d/keep/b" },
    { "d/dir-then-link/../opq/new", 0, 1, "d/opq/new" },
    { "d/keep/../../../../h1", 0, 1, "h1" },
    { "dangling", 0, 1, "dangling" },
    { "dangling", TREE_FOLLOW, 0, "nowhere" },
    { "d/gone", 0, 0, "d/gone" },
    { "d/gone/more", 0, 0, NULL },
    { "h1/x", 0, 0, NULL },
    { "h1/..", 0, 0, NULL },
    { "d/opq/old", 0, 0, "d/opq/old" },
    { "d/opq/sub/x", 0, 0, NULL },
};

static void paths_are_looked_up(void **state)
{
    struct fixture *fixture = *state;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE " | " CHANGES);
    for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
        struct error *err = NULL;
        AUTO(tree_entry_release) struct tree_entry found = { 0 };
        int result = tree_lookup(tree, lookups[i].path, lookups[i].flags, &found, &err);
        assert_ok(result, err);
        const char *real = found.path ? found.path : "(null)";
        const char *wanted = lookups[i].real ? lookups[i].real : "(null)";
        if (result != lookups[i].found || strcmp(real, wanted) != 0)
            fail_msg("%s: %d \"%s\", expected %d \"%s\"", lookups[i].path, result, real,
                     lookups[i].found, wanted);
    }
}

static void attributes_come_from_the_topmost_that_names_it(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref)
    struct tree *tree =
        tree_of_words(fixture->store, "d d 0700,3,4,9; d e 0711 | f d/x=1; f n/x=1 | "
                                      "f d/y=2; d e 0755 | f unrelated=1");
    AUTO(tree_entry_release) struct tree_entry d = { 0 }, e = { 0 }, n = { 0 };
    assert_int_equal(tree_lookup(tree, "d", 0, &d, &err), 1);
    assert_int_equal(d.entry->mode, 0700);
    assert_int_equal(d.entry->uid, 3);
    assert_int_equal(d.layer, 0);
    assert_int_equal(tree_lookup(tree, "e", 0, &e, &err), 1);
    assert_int_equal(e.entry->mode, 0755);
    assert_int_equal(e.layer, 2);
    assert_int_equal(tree_lookup(tree, "n", 0, &n, &err), 1);
    assert_null(n.entry);
    assert_true(tree_entry_is_directory(&n));
    assert_int_equal(n.layer, 1);
}

static void circles_of_links_end(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref)
    struct tree *tree = tree_of_words(fixture->store, "l a->b; l b->a; h x->y; h y->x; h z->none");
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    assert_fails(tree_lookup(tree, "a/c", 0, &found, &err), err, ERR_LIMIT, "symbolic links");
    AUTO(tree_entry_release) struct tree_entry x = { 0 }, file = { 0 };
    assert_int_equal(tree_lookup(tree, "x", TREE_NO_LINKS, &x, &err), 1);
    assert_fails(tree_resolve_hardlink(tree, &x, &file, &err), err, ERR_INVALID, "circles");
    assert_fails(tree_lookup(tree, "z", TREE_FOLLOW, &found, &err), err, ERR_INVALID,
                 "hard link z to none, which isn't there");
}

static const struct {
    const char *path;
    bool follow;
    const char *real;
} real_paths[] = {
    { "/d/keep", false, "d/keep" },
    { "absdir/new/deep", false, "d/keep/new/deep" },
    { "absdir", false, "absdir" },
    { "absdir", true, "d/keep" },
    { "dangling/x", false, "nowhere/x" },
    { "no/../such", false, "such" },
    { "/../..", false, "" },
    { "h1/x", false, "h1/x" },
};

static void real_paths_go_as_far_as_there_is_something(void **state)
{
    struct fixture *fixture = *state;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE);
    for (size_t i = 0; i < ARRAY_SIZE(real_paths); i++) {
        struct error *err = NULL;
        AUTO(free) char *real = NULL;
        assert_ok(tree_real_path(tree, real_paths[i].path, real_paths[i].follow, &real, &err), err);
        assert_string_equal(real, real_paths[i].real);
    }
}

static void small_files_are_read(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE " | f empty=");
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_int_equal(tree_read_file(tree, "/absdir/a", &text, 10, &err), 1);
    assert_string_equal(text.data, "a1");
    assert_int_equal(tree_read_file(tree, "h2", &text, 10, &err), 1);
    assert_string_equal(text.data, "a1hard");
    assert_int_equal(tree_read_file(tree, "empty", &text, 10, &err), 1);
    assert_int_equal(tree_read_file(tree, "none", &text, 10, &err), 0);
    assert_fails(tree_read_file(tree, "d", &text, 10, &err), err, ERR_INVALID, "not a regular");
    assert_fails(tree_read_file(tree, "h1", &text, 3, &err), err, ERR_LIMIT, "4 bytes");
}

static void lists_need_a_directory(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_fails(tree_list(tree, "none", &names, &err), err, ERR_NOT_FOUND, "no such directory");
    assert_fails(tree_list(tree, "h1", &names, &err), err, ERR_INVALID, "not a directory");
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    assert_ok(tree_list(empty, "", &names, &err), err);
    assert_int_equal(names.n, 0);
}

static void chain_ids_are_those_of_the_specification(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1 | f b=2");
    struct digest diff[2], unset = { 0 }, chain;
    for (size_t i = 0; i < 2; i++)
        assert_ok(layer_wait(tree_layer(tree, i), NULL, &diff[i], &err), err);
    struct digest first = digest_chain_id(&unset, &diff[0]);
    struct digest second = digest_chain_id(&first, &diff[1]);
    assert_ok(tree_chain_id(tree, &chain, &err), err);
    assert_true(digest_equal(&chain, &second));
    assert_ok(tree_chain_id(tree_parent(tree), &chain, &err), err);
    assert_true(digest_equal(&chain, &first));
    assert_true(digest_equal(&chain, &diff[0]));
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    assert_ok(tree_chain_id(empty, &chain, &err), err);
    assert_false(chain.is_set);
}

static void few_indexes_serve_many_layers(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    enum { LAYERS = 500 };
    struct tree *tree = tree_new(fixture->store);
    for (int i = 0; i < LAYERS; i++) {
        AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
        for (int k = 0; k < 20; k++)
            strbuf_addf(&words, "%sf d%d/f%d-%d=%d", k ? "; " : "", k, i, k, i);
        strbuf_addf(&words, "; f last=%d; w d0/f%d-0", i, i - 1);
        struct layer *layer = layer_of_words(fixture->store, words.data);
        struct tree *next = tree_push(tree, layer);
        layer_unref(layer);
        tree_unref(tree);
        tree = next;
    }
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(tree_list(tree, "d0", &names, &err), err);
    assert_int_equal(names.n, 1);
    assert_ok(tree_list(tree, "d1", &names, &err), err);
    assert_int_equal(names.n, 1 + LAYERS);
    AUTO(tree_entry_release) struct tree_entry last = { 0 };
    assert_int_equal(tree_lookup(tree, "last", 0, &last, &err), 1);
    assert_int_equal(last.layer, LAYERS - 1);
    size_t n = 0;
    for (const struct tree *node = tree; node; node = node->rest)
        n += node->index != NULL;
    assert_in_range(n, 1, 14);
    tree_unref(tree);
}

/* A member that takes long to compress: until somebody says so, or for long. */
struct busy {
    sem_t enough;
    bool was_told;
};

static int be_busy(void *data, struct error **err UNUSED)
{
    struct busy *busy = data;
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += 300;
    busy->was_told = sem_timedwait(&busy->enough, &until) == 0;
    return 0;
}

static void forms_that_are_there_wait_for_no_thread_that_compresses(void **state)
{
    static const char layers[] = "f a=1 | f b=2 | f c=3";
    struct fixture *fixture = *state;
    struct error *err = NULL;
    size_t n;
    AUTO(free) int *made = NULL;
    AUTO(free) int *fds = NULL;
    AUTO(tree_unref) struct tree *first = tree_of_words(fixture->store, layers);
    assert_ok(tree_lowers(first, NULL, &made, &n, &err), err);
    assert_int_equal(n, 3);
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, layers);
    struct busy busy;
    assert_int_equal(sem_init(&busy.enough, 0, 0), 0);
    struct pool *pool = pool_new(1);
    struct pool_group *group = pool_group_new(pool);
    pool_submit(group, be_busy, NULL, &busy);
    assert_ok(tree_lowers(tree, pool, &fds, &n, &err), err);
    assert_int_equal(n, 3);
    assert_int_equal(sem_post(&busy.enough), 0);
    assert_ok(pool_group_wait(group, &err), err);
    assert_true(busy.was_told);
    pool_group_free(group);
    pool_free(pool);
    assert_int_equal(sem_destroy(&busy.enough), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(layers_merge),
        fixture_test(paths_are_looked_up),
        fixture_test(attributes_come_from_the_topmost_that_names_it),
        fixture_test(circles_of_links_end),
        fixture_test(real_paths_go_as_far_as_there_is_something),
        fixture_test(small_files_are_read),
        fixture_test(lists_need_a_directory),
        fixture_test(chain_ids_are_those_of_the_specification),
        fixture_test(few_indexes_serve_many_layers),
        fixture_test(forms_that_are_there_wait_for_no_thread_that_compresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
