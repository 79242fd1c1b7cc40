/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "layers/encoder.h"
#include "layers/gunzip.h"
#include "tests/unit/test.h"

#include <sys/wait.h>

static void add_member(struct strbuf *out, const char *text)
{
    const struct compression gzip = { COMPRESSION_GZIP, 0 };
    AUTO(encoder_free) struct encoder *encoder = encoder_new(&gzip);
    encoder_member(encoder, text, strlen(text), out);
}

/* Hands out at most `step` bytes at a time, so that every boundary is met. */
struct trickle {
    struct source source;
    const char *data;
    size_t left, step;
};

static ssize_t trickle_read(struct source *source, void *data, size_t size,
                            struct error **err UNUSED)
{
    struct trickle *self = (struct trickle *)source;
    if (size > self->step)
        size = self->step;
    if (size > self->left)
        size = self->left;
    if (size)
        memcpy(data, self->data, size);
    self->data += size;
    self->left -= size;
    return (ssize_t)size;
}

static void trickle_free(struct source *source)
{
    free(source);
}

static int gunzip(const struct strbuf *in, size_t step, struct strbuf *out, struct error **err)
{
    static const struct source_ops ops = { "trickle", trickle_read, trickle_free };
    struct trickle *trickle = NEW(struct trickle);
    *trickle = (struct trickle){ { &ops }, in->data, in->size, step };
    AUTO(source_free) struct source *source = gunzip_source_new(&trickle->source);
    return source_read_all(source, out, 1 << 20, err);
}

static void all_members_are_read(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    add_member(&in, "hello ");
    add_member(&in, "");
    add_member(&in, "world");
    for (size_t step = 1; step < 100; step += 7) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        assert_ok(gunzip(&in, step, &out, &err), err);
        assert_string_equal(out.data, "hello world");
    }
}

static void only_zeros_may_follow(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    char zeros[600] = { 0 };
    add_member(&in, "hello");
    size_t size = in.size;
    strbuf_add(&in, zeros, sizeof(zeros));
    assert_ok(gunzip(&in, 512, &out, &err), err);
    assert_string_equal(out.data, "hello");
    strbuf_reset(&out);
    strbuf_addc(&in, 'x');
    assert_fails(gunzip(&in, 512, &out, &err), err, ERR_INVALID, "after the last member");
    strbuf_set_size(&in, size);
    strbuf_adds(&in, "garbage");
    assert_fails(gunzip(&in, 512, &out, &err), err, ERR_INVALID, "after the last member");
    strbuf_set_size(&in, size);
    strbuf_addc(&in, '\0');
    add_member(&in, "more");
    assert_fails(gunzip(&in, 512, &out, &err), err, ERR_INVALID, "after the last member");
}

static void a_cut_stream_is_an_error_at_every_byte(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    add_member(&in, "hello hello hello hello");
    size_t first = in.size;
    add_member(&in, "world");
    for (size_t size = in.size - 1; size > 0; size--) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        strbuf_set_size(&in, size);
        if (size == first)
            assert_ok(gunzip(&in, 1000, &out, &err), err);
        else
            assert_fails(gunzip(&in, 1000, &out, &err), err, ERR_INVALID, "ends inside a member");
    }
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    strbuf_set_size(&in, 0);
    assert_fails(gunzip(&in, 1000, &out, &err), err, ERR_INVALID, "no data");
}

static void checks_are_compared(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    add_member(&in, "hello");
    in.data[in.size - 8] ^= 1;
    assert_fails(gunzip(&in, 1000, &out, &err), err, ERR_INVALID, "incorrect data check");
    in.data[in.size - 8] ^= 1;
    in.data[in.size - 4] ^= 1;
    assert_fails(gunzip(&in, 1000, &out, &err), err, ERR_INVALID, "incorrect");
}

static void optional_header_fields_are_skipped(void **state UNUSED)
{
    static const char header[] = "\x1f\x8b\x08\x1c\1\2\3\4\0\3" /* extra, name, comment */
                                 "\3\0abc"
                                 "file.tar\0"
                                 "a comment";
    AUTO(strbuf_release) struct strbuf member = STRBUF_INIT;
    add_member(&member, "hello");
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    strbuf_add(&in, header, sizeof(header));
    strbuf_add(&in, member.data + 10, member.size - 10);
    for (size_t step = 1; step < 50; step++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        assert_ok(gunzip(&in, step, &out, &err), err);
        assert_string_equal(out.data, "hello");
    }
}

static void flip_bit(struct strbuf *buf, size_t i)
{
    unsigned char *bytes = (unsigned char *)buf->data;
    bytes[i / 8] = (unsigned char)(bytes[i / 8] ^ (1U << i % 8));
}

static void damage_never_passes(void **state UNUSED)
{
    static const char text[] = "hello hello, what is this? hello hello, what is this?";
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    add_member(&in, text);
    for (size_t i = 0; i < in.size * 8; i++) {
        AUTO(error_free) struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        flip_bit(&in, i);
        int result = gunzip(&in, 1000, &out, &err);
        flip_bit(&in, i);
        if (result < 0)
            assert_true(error_is(err, ERR_INVALID));
        else /* time, OS, or bits that fill the last byte */
            assert_string_equal(out.data, text);
    }
}

static void header_checks_are_compared(void **state UNUSED)
{
    static const char header[] =
        "\x1f\x8b\x08\x02\0\0\0\0\0\3\xa7\x77"; /* 0x77a7: CRC-32's low half */
    AUTO(strbuf_release) struct strbuf member = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf in = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    struct error *err = NULL;
    add_member(&member, "hello");
    strbuf_add(&in, header, sizeof(header) - 1);
    strbuf_add(&in, member.data + 10, member.size - 10);
    assert_ok(gunzip(&in, 3, &out, &err), err);
    assert_string_equal(out.data, "hello");
    in.data[10] ^= 1;
    assert_int_equal(gunzip(&in, 3, &out, &err), -1);
    assert_true(error_is(err, ERR_INVALID));
    error_clear(&err);
}

/* The same tests, by zlib. */
static void zlib_behaves_alike(void **state UNUSED)
{
    if (getenv("CBUILD_FORCE"))
        return;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("CBUILD_FORCE", "no-isal", 1);
        setenv("CMOCKA_MESSAGE_OUTPUT", "stdout", 1); /* its lines are not tests of this run */
        execl("/proc/self/exe", "test_gunzip", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_are_read),
        cmocka_unit_test(only_zeros_may_follow),
        cmocka_unit_test(a_cut_stream_is_an_error_at_every_byte),
        cmocka_unit_test(checks_are_compared),
        cmocka_unit_test(optional_header_fields_are_skipped),
        cmocka_unit_test(header_checks_are_compared),
        cmocka_unit_test(damage_never_passes),
        cmocka_unit_test(zlib_behaves_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
