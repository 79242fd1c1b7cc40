/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/arrival.h"

#include "layers/entries.h"
#include "layers/tree_internal.h"
#include "tests/unit/layers_fixture.h"

/* As a pull would: the layer's bytes go by, then its blob is in the store. */
static void let_arrive(struct arrival *arrival, struct store *store, struct layer *layer)
{
    const struct blob_watcher *watcher = arrival_watcher(arrival);
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor blob = { 0 };
    void *made = NULL;
    assert_ok(layer_wait(layer, &blob, NULL, &err), err);
    int fd = store_open_blob(store, &blob.digest, &err);
    assert_ok(fd, err);
    struct source *bytes = source_fd_new(fd, true, "layer");
    assert_ok(watcher->look(watcher->data, &blob, bytes, &made, &err), err);
    watcher->keep(watcher->data, store, &blob, made);
}

static bool has_form(struct tree *node)
{
    struct error *err = NULL;
    struct digest diff_id;
    assert_ok(layer_wait(node->layer, NULL, &diff_id, &err), err);
    AUTO(close) int fd = tree_find_form(node, &diff_id, &err);
    assert_null(err);
    return fd >= 0;
}

static bool has_entries(struct store *store, struct layer *layer)
{
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    AUTO(descriptor_release) struct descriptor blob = { 0 };
    AUTO(error_free) struct error *absent = NULL;
    struct error *err = NULL;
    assert_ok(layer_wait(layer, &blob, NULL, &err), err);
    return entries_read(store, &blob.digest, &entries, &absent) == 0;
}

/* The upper one needs the lower: a link into it, and a parent that it leaves out. */
#define LAYERS "d d 0700,3; f d/a=a1; f x=hard | f d/b=b1; h y->x; w d/a"

static void layers_are_unpacked_while_they_arrive(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, LAYERS);
    AUTO(arrival_free) struct arrival *arrival = arrival_new(fixture->store, tree, true);
    for (size_t i = tree_n_layers(tree); i-- > 0;) /* the upper is here first */
        let_arrive(arrival, fixture->store, tree_layer(tree, i));
    for (size_t i = 0; i < tree_n_layers(tree); i++) {
        assert_true(has_entries(fixture->store, tree_layer(tree, i)));
        assert_false(has_form(tree_at_layer(tree, i)));
    }
    assert_ok(arrival_finish(arrival, &err), err);
    for (size_t i = 0; i < tree_n_layers(tree); i++)
        assert_true(has_form(tree_at_layer(tree, i)));
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    describe_tree(tree, "", &text);
    assert_string_equal(text.data, "d/ d/b=b1 x=hard y=hard");
}

static void without_forms_there_are_entries_alone(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, LAYERS);
    AUTO(arrival_free) struct arrival *arrival = arrival_new(fixture->store, tree, false);
    let_arrive(arrival, fixture->store, tree_layer(tree, 0));
    assert_ok(arrival_finish(arrival, &err), err);
    assert_true(has_entries(fixture->store, tree_layer(tree, 0)));
    assert_false(has_form(tree_at_layer(tree, 0)));
}

/* RELIABILITY 13: only a tree that has the diff_id is named by it. */
static void what_the_image_does_not_say_gets_no_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *made = tree_of_words(fixture->store, "f a=1");
    AUTO(descriptor_release) struct descriptor blob = { 0 };
    assert_ok(layer_wait(tree_layer(made, 0), &blob, NULL, &err), err);
    struct digest other = digest_of("other", 5);
    AUTO(layer_unref) struct layer *liar = layer_from_blob(fixture->store, &blob, &other, NULL);
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    AUTO(tree_unref) struct tree *tree = tree_push(empty, liar);
    AUTO(arrival_free) struct arrival *arrival = arrival_new(fixture->store, tree, true);
    let_arrive(arrival, fixture->store, liar);
    assert_ok(arrival_finish(arrival, &err), err);
    assert_false(has_form(tree));
    assert_false(has_form(made));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(layers_are_unpacked_while_they_arrive),
        fixture_test(without_forms_there_are_entries_alone),
        fixture_test(what_the_image_does_not_say_gets_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
