/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "tests/unit/test.h"

#include <errno.h>

static int inner(struct error **err)
{
    errno = ENOSPC;
    return error_errno(err, "writing %s", "blob");
}

static int outer(struct error **err)
{
    return inner(err) < 0 ? error_wrap(err, "layer %d", 3) : 0;
}

static void context_is_put_in_front(void **state UNUSED)
{
    AUTO(error_free) struct error *err = NULL;
    assert_int_equal(outer(&err), -1);
    assert_string_equal(error_message(err), "layer 3: writing blob: No space left on device");
    assert_int_equal(error_code(err), ERR_NO_SPACE);
    assert_int_equal(error_errno_value(err), ENOSPC);
    assert_int_equal(error_exit_status(err), 7);
    error_recode(&err, ERR_STORE);
    assert_true(error_is(err, ERR_STORE));
}

static void errno_chooses_the_code(void **state UNUSED)
{
    static const struct {
        int value;
        enum error_code code;
    } cases[] = { { ENOENT, ERR_NOT_FOUND }, { EEXIST, ERR_EXISTS },       { ENOSPC, ERR_NO_SPACE },
                  { EDQUOT, ERR_NO_SPACE },  { ECANCELED, ERR_CANCELLED }, { EIO, ERR_IO } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(error_free) struct error *err = NULL;
        errno = cases[i].value;
        assert_int_equal(error_errno(&err, "x"), -1);
        assert_int_equal(error_code(err), cases[i].code);
    }
}

static void first_hint_and_detail_win(void **state UNUSED)
{
    struct error *err = NULL;
    assert_null(error_set_null(&err, ERR_USAGE, "bad"));
    assert_null(error_hint_text(err));
    error_hint(&err, "try %s", "this");
    error_hint(&err, "or that");
    error_detail(&err, "lines");
    error_detail(&err, "more");
    AUTO(error_free) struct error *copy = error_copy(err);
    error_clear(&err);
    assert_null(err);
    assert_string_equal(error_hint_text(copy), "try this");
    assert_string_equal(error_detail_text(copy), "lines");
    assert_string_equal(error_message(copy), "bad");
    assert_int_equal(error_exit_status(copy), 2);
    error_move(&err, TAKE(copy));
    error_move(&err, NULL);
    assert_true(error_is(err, ERR_USAGE));
    error_clear(&err);
}

static void no_error_is_answered_too(void **state UNUSED)
{
    assert_false(error_is(NULL, ERR_FAILED));
    assert_int_equal(error_code(NULL), 0);
    assert_int_equal(error_errno_value(NULL), 0);
    assert_string_equal(error_message(NULL), "");
    assert_null(error_hint_text(NULL));
    assert_null(error_detail_text(NULL));
    assert_int_equal(error_exit_status(NULL), 0);
    assert_null(error_copy(NULL));
    error_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_is_put_in_front),
        cmocka_unit_test(errno_chooses_the_code),
        cmocka_unit_test(first_hint_and_detail_win),
        cmocka_unit_test(no_error_is_answered_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
