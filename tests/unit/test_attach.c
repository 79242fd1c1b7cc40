/* SPDX-License-Identifier: Apache-2.0 */
/* registry/attach.c, and deleting what was attached to (registry/manifests.c) */
#include "registry/attach.h"

#include "base/array.h"
#include "oci/index.h"
#include "registry/manifests.h"
#include "registry/referrers.h"
#include "tests/unit/registry_fixture.h"

static int attach(struct fixture *fixture, struct descriptor *made, bool *by_tag,
                  struct error **err)
{
    AUTO(free) char *path = xasprintf("%s/file", fixture->dir->path);
    const char *const files[] = { path };
    AUTO(manifest_release) struct manifest artifact = { .artifact_type = xstrdup("a/b") };
    AUTO(descriptor_release) struct descriptor subject = { 0 };
    struct attach_request request = { .repository = &fixture->reference,
                                      .subject = &subject,
                                      .artifact = &artifact,
                                      .files = files };
    ARRAY_PUSH(&artifact, layers)->media_type = xstrdup("c/d");
    if (fs_write_file(AT_FDCWD, path, "content", 7, 0600, err) < 0 ||
        manifest_resolve(fixture->session, &fixture->reference, &subject, err) < 0)
        return -1;
    fixture->reference.digest = subject.digest;
    return registry_attach(fixture->session, &request, made, by_tag, err);
}

static void an_artifact_is_listed_by_the_registry_or_by_the_tag(void **state)
{
    static const struct {
        const char *fault;
        bool by_tag;
    } cases[] = {
        { "attach", false },
        { "attach-by-tag", true },
        { "attach-forgets", true },
        { "attach-ecr", true }, /* which says that it lists it */
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor made = { 0 }, again = { 0 };
        AUTO(index_release) struct index found = { 0 };
        bool by_tag = !cases[i].by_tag, is_there = false;
        fixture_use(fixture, faults.http, cases[i].fault);
        assert_ok(attach(fixture, &made, &by_tag, &err), err);
        assert_int_equal(by_tag, cases[i].by_tag);
        assert_ok(attach(fixture, &again, &by_tag, &err), err);
        assert_true(digest_equal(&made.digest, &again.digest));
        assert_ok(
            referrers_list(fixture->session, &fixture->reference, "a/b", &found, &by_tag, &err),
            err);
        for (size_t k = 0; k < found.n_manifests; k++)
            is_there = is_there || digest_equal(&found.manifests[k].digest, &made.digest);
        if (!is_there)
            fail_msg("%s: not listed", cases[i].fault);
        assert_int_equal(found.n_manifests, 1);
    }
}

static void deleting_takes_a_tag_or_a_digest(void **state)
{
    static const struct {
        const char *fault;
        bool by_digest;
        enum error_code code; /* 0: it works */
        const char *hint;
    } cases[] = {
        { "delete", false, 0, NULL },
        { "delete", true, 0, NULL },
        { "delete-disabled", false, ERR_REFUSED, "deleting is disabled there, or" },
        { "delete-disabled", true, ERR_REFUSED, "deleting is disabled at this registry" },
        { "delete-by-digest", false, ERR_REFUSED, "by digest only" },
        { "delete-by-digest", true, 0, NULL },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor image = { 0 };
        fixture_use(fixture, faults.http, cases[i].fault);
        assert_ok(manifest_resolve(fixture->session, &fixture->reference, &image, &err), err);
        if (cases[i].by_digest)
            fixture->reference.digest = image.digest;
        int result = manifest_delete(fixture->session, &fixture->reference, &err);
        const char *hint = error_hint_text(err);
        if ((result < 0) != (cases[i].code != 0) || (err && error_code(err) != cases[i].code) ||
            (cases[i].hint && (!hint || !strstr(hint, cases[i].hint))))
            fail_msg("case %zu: %s, %s", i, error_message(err), hint ? hint : "(no hint)");
        error_clear(&err);
        assert_int_equal(faults_count(fixture->path, "DELETE", NULL), 1);
        if (cases[i].by_digest && !cases[i].code)
            assert_fails(manifest_delete(fixture->session, &fixture->reference, &err), err,
                         ERR_NOT_FOUND, "404");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(an_artifact_is_listed_by_the_registry_or_by_the_tag),
        FIXTURE_TEST(deleting_takes_a_tag_or_a_digest),
    };
    return cmocka_run_group_tests(tests, faults_start, faults_stop);
}
