/* SPDX-License-Identifier: Apache-2.0 */
/* What unit tests share: cmocka, and assertions that print an error object. */
#ifndef CBUILD_TESTS_UNIT_TEST_H
#define CBUILD_TESTS_UNIT_TEST_H

#include "base/auto.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* result is 0 or more (or non-NULL); prints the error's message otherwise */
#define assert_ok(result, err)                                                                     \
    do {                                                                                           \
        long long result_ = (long long)(result);                                                   \
        if (result_ < 0 || (err))                                                                  \
            fail_msg("%s: %s", #result, error_message(err));                                       \
    } while (0)

#define assert_ok_ptr(result, err)                                                                 \
    do {                                                                                           \
        if (!(result) || (err))                                                                    \
            fail_msg("%s: %s", #result, error_message(err));                                       \
    } while (0)

/* result is -1 with this code and a message that holds `text`; the error is freed and err made NULL
 */
#define assert_fails(result, err, code, text)                                                      \
    do {                                                                                           \
        long long result_ = (long long)(result);                                                   \
        if (result_ >= 0 || !(err))                                                                \
            fail_msg("%s succeeded", #result);                                                     \
        if (!error_is((err), (code)) || !strstr(error_message(err), (text)))                       \
            fail_msg("%s: code %d, message \"%s\"; expected code %d and \"%s\"", #result,          \
                     (int)error_code(err), error_message(err), (int)(code), (text));               \
        error_clear(&(err));                                                                       \
    } while (0)

#endif
