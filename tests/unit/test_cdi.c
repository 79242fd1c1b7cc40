/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cdi.h"

#include "tests/unit/test.h"

static void requests_name_a_device_and_whether_it_must_be_there(void **state UNUSED)
{
    static const struct {
        const char *text, *name;
        bool required;
        const char *error;
    } cases[] = {
        { "a.b/c=d", "a.b/c=d", false, NULL },
        { "a.b/c=*", "a.b/c=*", false, NULL },
        { "a.b/c", "a.b/c", false, NULL },
        { "class", "class", false, NULL },
        { "a.b/c=d,required", "a.b/c=d", true, NULL },
        { "required,a.b/c=d", "a.b/c=d", true, NULL },
        { "a.b/c=d,required=false", "a.b/c=d", false, NULL },
        { "name=a.b/c=d,Required=1", "a.b/c=d", true, NULL },
        { "NAME=class", "class", false, NULL },
        { "required", NULL, false, "--device=required: no name" },
        { "", NULL, false, "--device=: no name" },
        { "name=", NULL, false, "--device=name=: no name" },
        { "a/b=c,d", NULL, false, "--device=a/b=c,d: \"d\": required is the only option" },
        { "a/b=c,required=x", NULL, false,
          "--device=a/b=c,required=x: \"x\" is neither true nor false" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(cdi_request_release) struct cdi_request request = { .name = NULL };
        struct error *err = NULL;
        int result = cdi_request_parse(cases[i].text, &request, &err);
        if (cases[i].error) {
            assert_fails(result, err, ERR_SYNTAX, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        assert_string_equal(request.name, cases[i].name);
        assert_int_equal(request.required, cases[i].required);
    }
}

static void without_specs_there_are_no_devices(void **state UNUSED)
{
    AUTO(cdi_edits_release) struct cdi_edits edits = { .mounts = NULL };
    AUTO(strvec_release) struct strvec dirs = STRVEC_INIT;
    struct error *err = NULL;
    strvec_push(&dirs, "/nonexistent/cdi");
    assert_ok(cdi_find(&dirs, "a/b=c", &edits, &err), err);
    assert_int_equal(edits.names.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_name_a_device_and_whether_it_must_be_there),
        cmocka_unit_test(without_specs_there_are_no_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
