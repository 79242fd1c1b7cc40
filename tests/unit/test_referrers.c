/* SPDX-License-Identifier: Apache-2.0 */
/* registry/referrers.c: the interface, its pages, and the tag of registries without it */
#include "registry/referrers.h"

#include "registry/manifests.h"
#include "tests/unit/registry_fixture.h"

static void referrers_come_from_the_interface_or_the_tag(void **state)
{
    static const struct {
        const char *fault, *type;
        size_t n;
        bool by_tag;
        unsigned n_asked;
    } cases[] = {
        { "referrers", NULL, 10, false, 3 },
        { "referrers", "application/x-1", 5, false, 3 }, /* which the registry doesn't filter */
        { "referrers-filtered", "application/x-1", 5, false, 1 },
        { "referrers-filtered", "application/x-9", 0, false, 1 },
        { "referrers-404", NULL, 3, true, 1 },
        { "referrers-404", "application/x-0", 2, true, 1 },
        { "referrers-page", NULL, 3, true, 1 },
        { "referrers-none", NULL, 0, true, 1 },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(index_release) struct index found = { 0 };
        bool by_tag = !cases[i].by_tag;
        fixture_use(fixture, faults.http, cases[i].fault);
        fixture->reference.digest = digest_of("x", 1);
        assert_ok(referrers_list(fixture->session, &fixture->reference, cases[i].type, &found,
                                 &by_tag, &err),
                  err);
        assert_int_equal(found.n_manifests, cases[i].n);
        assert_int_equal(by_tag, cases[i].by_tag);
        assert_int_equal(faults_count(fixture->path, "/referrers/", NULL), cases[i].n_asked);
        for (size_t k = 0; k < found.n_manifests && cases[i].type; k++)
            assert_string_equal(found.manifests[k].artifact_type, cases[i].type);
    }
}

static void a_refusal_is_no_empty_list(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(index_release) struct index found = { 0 };
    bool by_tag;
    fixture_use(fixture, faults.http, "referrers-denied");
    fixture->reference.digest = digest_of("x", 1);
    assert_fails(referrers_list(fixture->session, &fixture->reference, NULL, &found, &by_tag, &err),
                 err, ERR_UNAUTHORIZED, "403");
}

/* How many entries the index under the tag has */
static size_t count_tagged(struct fixture *fixture)
{
    struct error *err = NULL;
    AUTO(index_release) struct index found = { 0 };
    bool by_tag;
    assert_ok(referrers_list(fixture->session, &fixture->reference, NULL, &found, &by_tag, &err),
              err);
    assert_true(by_tag);
    return found.n_manifests;
}

static void the_tag_is_written_again_where_another_writer_was_quicker(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor entry = { 0 };
    struct digest digest = digest_of("artifact", 8);
    descriptor_set(&entry, MEDIA_TYPE_OCI_MANIFEST, &digest, 8);
    fixture_use(fixture, faults.http, "attach-forgets");
    fixture->reference.digest = digest_of("x", 1);
    assert_ok(referrers_add_to_tag(fixture->session, &fixture->reference, &entry, &err), err);
    assert_int_equal(count_tagged(fixture), 2); /* the other's and ours */
    unsigned before = faults_count(fixture->path, "PUT", NULL);
    assert_int_equal(before, 2);
    assert_ok(referrers_add_to_tag(fixture->session, &fixture->reference, &entry, &err), err);
    assert_int_equal(count_tagged(fixture), 2); /* it is there: nothing is written */
    assert_int_equal(faults_count(fixture->path, "PUT", NULL), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(referrers_come_from_the_interface_or_the_tag),
        FIXTURE_TEST(a_refusal_is_no_empty_list),
        FIXTURE_TEST(the_tag_is_written_again_where_another_writer_was_quicker),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
