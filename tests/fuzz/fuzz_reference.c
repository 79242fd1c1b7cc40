/* SPDX-License-Identifier: Apache-2.0 */
/* What parses is written normally and shortly, and both parse to the same again. */
#include "base/mem.h"
#include "oci/platform.h"
#include "oci/reference.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_the_same(const char *text, const char *normal)
{
    struct error *err = NULL;
    AUTO(reference_release) struct reference again = { 0 };
    if (reference_parse(text, &again, &err) < 0)
        abort();
    AUTO(free) char *normal_again = reference_format(&again);
    if (strcmp(normal, normal_again) != 0)
        abort();
}

static void check_platform(const char *text)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(platform_release) struct platform platform = { 0 };
    if (platform_parse(text, &platform, &err) < 0)
        return;
    AUTO(strbuf_release) struct strbuf normal = STRBUF_INIT;
    AUTO(platform_release) struct platform again = { 0 };
    platform_format(&platform, &normal);
    if (platform_parse(normal.data, &again, &err) < 0 || !platform_equal(&platform, &again))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xstrndup((const char *)data, size);
    AUTO(error_free) struct error *err = NULL;
    AUTO(reference_release) struct reference reference = { 0 };
    check_platform(text);
    if (reference_parse(text, &reference, &err) < 0)
        return 0;
    AUTO(free) char *normal = reference_format(&reference);
    AUTO(free) char *familiar = reference_familiar(&reference);
    must_be_the_same(normal, normal);
    must_be_the_same(familiar, normal);
    return 0;
}
