/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/transport_name.h"

#include "tests/unit/test.h"

#include "base/mem.h"

#include <string.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void names_are_read_as_skopeo_and_crane_read_them(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum transport_kind kind;
        bool is_bare;
        const char *path, *ref, *reference;
        bool has_digest;
    } cases[] = {
        { "alpine", TRANSPORT_REGISTRY, true, NULL, NULL, "docker.io/library/alpine", false },
        { "localhost:5000/a:1", TRANSPORT_REGISTRY, true, NULL, NULL, "localhost:5000/a:1", false },
        { "docker://quay.io/a/b:1", TRANSPORT_REGISTRY, false, NULL, NULL, "quay.io/a/b:1", false },
        { "store:app:1", TRANSPORT_STORE, false, "app:1", NULL, NULL, false },
        { "oci:/a/dir", TRANSPORT_LAYOUT, false, "/a/dir", NULL, NULL, false },
        { "oci:dir:1.0", TRANSPORT_LAYOUT, false, "dir", "1.0", NULL, false },
        { "oci:dir:name:1.0", TRANSPORT_LAYOUT, false, "dir", "name:1.0", NULL, false },
        { "oci:a@b/dir", TRANSPORT_LAYOUT, false, "a@b/dir", NULL, NULL, false },
        { "oci:dir@sha256:" ZEROS, TRANSPORT_LAYOUT, false, "dir", NULL, NULL, true },
        { "oci-archive:f.tar", TRANSPORT_OCI_ARCHIVE, false, "f.tar", NULL, NULL, false },
        { "oci-archive:f.tar:a/b:1", TRANSPORT_OCI_ARCHIVE, false, "f.tar", "a/b:1", NULL, false },
        { "docker-archive:/f:@1", TRANSPORT_DOCKER_ARCHIVE, false, "/f", "@1", NULL, false },
        { "dir:/a:b", TRANSPORT_DIR, false, "/a:b", NULL, NULL, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(transport_name_release) struct transport_name name = { .kind = TRANSPORT_DIR };
        AUTO(error_free) struct error *err = NULL;
        print_message("%s\n", cases[i].text);
        assert_ok(transport_name_parse(cases[i].text, &name, &err), err);
        assert_int_equal(name.kind, cases[i].kind);
        assert_int_equal(name.is_bare, cases[i].is_bare);
        assert_int_equal(name.digest.is_set, cases[i].has_digest);
        AUTO(free) char *reference = name.reference.path ? reference_format(&name.reference) : NULL;
        assert_string_equal(name.path ? name.path : "-", cases[i].path ? cases[i].path : "-");
        assert_string_equal(name.ref ? name.ref : "-", cases[i].ref ? cases[i].ref : "-");
        assert_string_equal(reference ? reference : "-",
                            cases[i].reference ? cases[i].reference : "-");
    }
}

static void other_names_are_refused_with_the_way_out(void **state UNUSED)
{
    static const struct {
        const char *text, *error, *hint;
    } cases[] = {
        { "", "", NULL },
        { "Alpine", "lower case", NULL },
        { "docker://", "docker://", NULL },
        { "store:", "nothing follows", NULL },
        { "dir:", "nothing follows", NULL },
        { "oci:", "expected a folder", NULL },
        { "oci::tag", "expected a folder", NULL },
        { "oci:dir:", "expected a folder", NULL },
        { "oci:@sha256:" ZEROS, "expected DIR@DIGEST", NULL },
        { "oci:dir@sha256:12", "digest", NULL },
        { "oci-archive::a", "expected a file", NULL },
        { "docker-archive:f:", "expected a file", NULL },
        { "containers-storage:a", "isn't known", "store:NAME" },
        { "docker-daemon:a:1", "isn't known", "docker save" },
        { "docker:a", "isn't known", "docker://NAME" },
        { "oci-layout://dir", "isn't known", "oci:DIR" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(transport_name_release) struct transport_name name = { .kind = TRANSPORT_DIR };
        AUTO(error_free) struct error *err = NULL;
        print_message("%s\n", cases[i].text);
        assert_int_equal(transport_name_parse(cases[i].text, &name, &err), -1);
        assert_true(error_is(err, ERR_USAGE));
        assert_non_null(strstr(error_message(err), cases[i].error));
        if (cases[i].hint)
            assert_non_null(strstr(error_hint_text(err), cases[i].hint));
        assert_null(name.path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_as_skopeo_and_crane_read_them),
        cmocka_unit_test(other_names_are_refused_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
