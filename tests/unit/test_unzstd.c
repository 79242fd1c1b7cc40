/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "layers/encoder.h"
#include "layers/unzstd.h"
#include "tests/unit/test.h"

static void add_frame(struct strbuf *out, const char *text)
{
    const struct compression zstd = { COMPRESSION_ZSTD, 0 };
    AUTO(encoder_free) struct encoder *encoder = encoder_new(&zstd);
    encoder_member(encoder, text, strlen(text), out);
}

static int unzstd(const struct strbuf *in, struct strbuf *out, struct error **err)
{
    AUTO(source_free)
    struct source *source = unzstd_source_new(source_memory_new(in->data, in->size));
    return source_read_all(source, out, 1 << 20, err);
}

static void all_frames_are_read(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    static const char skippable[] = "\x51\x2a\x4d\x18\x03\0\0\0abc";
    strbuf_add(&in, skippable, sizeof(skippable) - 1);
    add_frame(&in, "hello ");
    add_frame(&in, "");
    strbuf_add(&in, skippable, sizeof(skippable) - 1);
    add_frame(&in, "world");
    strbuf_add(&in, skippable, sizeof(skippable) - 1);
    assert_ok(unzstd(&in, &out, &err), err);
    assert_string_equal(out.data, "hello world");
}

static void a_cut_stream_is_an_error_at_every_byte(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    add_frame(&in, "hello hello hello hello");
    for (size_t size = in.size - 1; size > 0; size--) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        strbuf_set_size(&in, size);
        assert_fails(unzstd(&in, &out, &err), err, ERR_INVALID, "ends inside a frame");
    }
}

static void other_data_and_large_windows_are_refused(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    add_frame(&in, "hello");
    strbuf_adds(&in, "garbage garbage");
    assert_fails(unzstd(&in, &out, &err), err, ERR_INVALID, "zstd: ");
    strbuf_reset(&in);
    /* magic; no single segment, no size; window descriptor: exponent 18 is 2^28 */
    strbuf_add(&in, "\x28\xb5\x2f\xfd\0\x90\1\0\0", 9);
    assert_fails(unzstd(&in, &out, &err), err, ERR_LIMIT, "128 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_frames_are_read),
        cmocka_unit_test(a_cut_stream_is_an_error_at_every_byte),
        cmocka_unit_test(other_data_and_large_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
