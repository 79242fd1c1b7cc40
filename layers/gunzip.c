/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/gunzip.h"

#include "base/force.h"
#include "base/mem.h"

#include <stdbool.h>
#include <zlib.h>

#if __has_include(<isa-l/igzip_lib.h>) && !defined(CBUILD_NO_ISAL)
#define HAVE_ISAL 1
#include <isa-l/igzip_lib.h>
#else
#define HAVE_ISAL 0
#endif

#define INPUT_SIZE ((size_t)64 * 1024)
#define OUTPUT_MAX ((size_t)1 << 30) /* of one read: the libraries count in 32 bits */

struct window {
    const unsigned char *in;
    size_t in_size;
    unsigned char *out;
    size_t out_size;
};

enum step { STEP_MORE, STEP_MEMBER_ENDS, STEP_DAMAGED };

/* One member at a time, header and trailer included. `run` moves the window. */
struct inflater {
    void *(*new)(void);
    void (*begin)(void *state);
    enum step (*run)(void *state, struct window *window, const char **why);
    void (*free)(void *state);
};

struct gunzip {
    struct source source;
    struct source *next;
    const struct inflater *inflater;
    void *state;
    unsigned char *buffer;      /* where next doesn't lend */
    const unsigned char *input; /* what is left of it */
    size_t size;
    bool input_ends, in_member, any_member, padding;
};

/* zlib */

static void *zlib_new(void)
{
    z_stream *stream = NEW(z_stream);
    if (inflateInit2(stream, 15 + 16) != Z_OK) /* 16: gzip and nothing else */
        abort();                               /* memory is out */
    return stream;
}

static void zlib_begin(void *state)
{
    (void)inflateReset(state); /* fails only on a state that isn't one */
}

static enum step zlib_run(void *state, struct window *window, const char **why)
{
    z_stream *stream = state;
    stream->next_in = (Bytef *)(uintptr_t)window->in; /* not changed, but not const either */
    stream->avail_in = (uInt)window->in_size;
    stream->next_out = window->out;
    stream->avail_out = (uInt)window->out_size;
    int result = inflate(stream, Z_NO_FLUSH);
    window->in = stream->next_in;
    window->in_size = stream->avail_in;
    window->out = stream->next_out;
    window->out_size = stream->avail_out;
    if (result == Z_STREAM_END)
        return STEP_MEMBER_ENDS;
    if (result == Z_OK || result == Z_BUF_ERROR)
        return STEP_MORE;
    *why = stream->msg ? stream->msg : "damaged data";
    return STEP_DAMAGED;
}

static void zlib_free(void *state)
{
    (void)inflateEnd(state); /* its result tells what we know */
    free(state);
}

static const struct inflater by_zlib = { zlib_new, zlib_begin, zlib_run, zlib_free };

/* ISA-L */

#if HAVE_ISAL
/*
 * The header is read here: ISA-L 2.30 keeps its flags on the stack, so that a header
 * cut by the end of its input is misread.
 */
enum header_part {
    HEADER_FIXED,
    HEADER_EXTRA_SIZE,
    HEADER_EXTRA,
    HEADER_NAME,
    HEADER_COMMENT,
    HEADER_CHECK,
    HEADER_ENDS,
};

struct isal {
    enum header_part part;
    unsigned at;    /* bytes of this part that are through */
    unsigned value; /* number being read: size of the extra field, check */
    unsigned char flags;
    uLong crc; /* of the header */
    struct inflate_state inflate;
};

#define FLAG_CHECK 0x02
#define FLAG_EXTRA 0x04
#define FLAG_NAME 0x08
#define FLAG_COMMENT 0x10
#define FLAGS_RESERVED 0xe0

static void *isal_new(void)
{
    struct isal *isal = NEW(struct isal);
    isal_inflate_init(&isal->inflate);
    return isal;
}

static void isal_begin(void *state)
{
    struct isal *isal = state;
    isal->part = HEADER_FIXED;
    isal->at = isal->value = 0;
    isal->flags = 0;
    isal->crc = crc32(0, NULL, 0);
    isal_inflate_reset(&isal->inflate);
    isal->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER; /* CRC and length are compared */
}

static void enter_part(struct isal *isal, enum header_part part)
{
    static const unsigned char needs[] = {
        [HEADER_EXTRA_SIZE] = FLAG_EXTRA, [HEADER_EXTRA] = FLAG_EXTRA, [HEADER_NAME] = FLAG_NAME,
        [HEADER_COMMENT] = FLAG_COMMENT,  [HEADER_CHECK] = FLAG_CHECK,
    };
    while (part != HEADER_ENDS &&
           (!(isal->flags & needs[part]) || (part == HEADER_EXTRA && isal->value == 0)))
        part++;
    isal->part = part;
    isal->at = 0;
    if (part != HEADER_EXTRA)
        isal->value = 0;
}

static bool fixed_byte(struct isal *isal, unsigned char byte, const char **why)
{
    static const unsigned char magic[] = { 0x1f, 0x8b, 8 };
    unsigned at = isal->at++;
    if (at < sizeof(magic) ? byte != magic[at] : (at == 3 && (byte & FLAGS_RESERVED))) {
        *why = at == 2 ? "unknown compression method" : "incorrect header";
        return false;
    }
    if (at == 3)
        isal->flags = byte;
    if (isal->at == 10)
        enter_part(isal, HEADER_EXTRA_SIZE);
    return true;
}

static bool header_byte(struct isal *isal, unsigned char byte, const char **why)
{
    uLong crc = isal->crc;
    isal->crc = crc32(crc, &byte, 1);
    switch (isal->part) {
    case HEADER_FIXED:
        return fixed_byte(isal, byte, why);
    case HEADER_EXTRA_SIZE:
        isal->value |= (unsigned)byte << (8 * isal->at++);
        if (isal->at == 2)
            enter_part(isal, HEADER_EXTRA);
        return true;
    case HEADER_EXTRA:
        if (++isal->at == isal->value)
            enter_part(isal, HEADER_NAME);
        return true;
    case HEADER_NAME:
    case HEADER_COMMENT:
        if (byte == 0)
            enter_part(isal, isal->part + 1);
        return true;
    case HEADER_CHECK:
        isal->crc = crc; /* of what stands before the check */
        isal->value |= (unsigned)byte << (8 * isal->at++);
        if (isal->at < 2)
            return true;
        *why = "incorrect header check";
        isal->part = HEADER_ENDS;
        return isal->value == (crc & 0xffff);
    case HEADER_ENDS:
        break;
    }
    return true;
}

static const char *isal_text(int result)
{
    return result == ISAL_INCORRECT_CHECKSUM ? "incorrect data check" : "damaged data";
}

static enum step isal_run(void *state, struct window *window, const char **why)
{
    struct isal *isal = state;
    for (; isal->part != HEADER_ENDS && window->in_size; window->in++, window->in_size--)
        if (!header_byte(isal, *window->in, why))
            return STEP_DAMAGED;
    if (isal->part != HEADER_ENDS)
        return STEP_MORE;
    struct inflate_state *inflate = &isal->inflate;
    inflate->next_in = (uint8_t *)(uintptr_t)window->in; /* not changed, but not const either */
    inflate->avail_in = (uint32_t)window->in_size;
    inflate->next_out = window->out;
    inflate->avail_out = (uint32_t)window->out_size;
    int result = isal_inflate(inflate);
    window->in = inflate->next_in;
    window->in_size = inflate->avail_in;
    window->out = inflate->next_out;
    window->out_size = inflate->avail_out;
    if (result < 0 || result == ISAL_NEED_DICT) {
        *why = isal_text(result);
        return STEP_DAMAGED;
    }
    return inflate->block_state == ISAL_BLOCK_FINISH ? STEP_MEMBER_ENDS : STEP_MORE;
}

static const struct inflater by_isal = { isal_new, isal_begin, isal_run, free };
#endif

/* the stream */

static int fill(struct gunzip *self, struct error **err)
{
    if (self->size || self->input_ends)
        return 0;
    const void *input = NULL;
    ssize_t n = source_borrow(self->next, self->buffer, INPUT_SIZE, &input, err);
    if (n < 0)
        return -1;
    self->input = input;
    self->size = (size_t)n;
    self->input_ends = n == 0;
    return 0;
}

/* Between members: 1 when one follows, 0 at the end. */
static int next_member(struct gunzip *self, struct error **err)
{
    for (;;) {
        if (fill(self, err) < 0)
            return -1;
        if (!self->size)
            return self->any_member ? 0 : error_set(err, ERR_INVALID, "gzip: no data");
        if (self->input[0] == 0 && self->any_member) {
            self->padding = true;
            self->input++;
            self->size--;
            continue;
        }
        if (self->padding || (self->any_member && self->input[0] != 0x1f))
            return error_set(err, ERR_INVALID, "gzip: other data after the last member");
        self->inflater->begin(self->state);
        self->in_member = self->any_member = true;
        return 1;
    }
}

static ssize_t gunzip_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct gunzip *self = (struct gunzip *)source;
    if (size > OUTPUT_MAX)
        size = OUTPUT_MAX;
    for (;;) {
        if (!self->in_member) {
            int more = next_member(self, err);
            if (more <= 0)
                return more;
        }
        if (fill(self, err) < 0)
            return -1;
        const char *why = NULL;
        struct window window = { self->input, self->size, data, size };
        enum step step = self->inflater->run(self->state, &window, &why);
        if (step == STEP_DAMAGED)
            return error_set(err, ERR_INVALID, "gzip: %s", why);
        bool starved = !self->size && self->input_ends;
        self->input = window.in;
        self->size = window.in_size;
        self->in_member = step != STEP_MEMBER_ENDS;
        if (window.out_size < size)
            return (ssize_t)(size - window.out_size);
        if (starved && self->in_member)
            return error_set(err, ERR_INVALID, "gzip: the stream ends inside a member");
    }
}

static void gunzip_free(struct source *source)
{
    struct gunzip *self = (struct gunzip *)source;
    self->inflater->free(self->state);
    source_free(self->next);
    free(self->buffer);
    free(self);
}

struct source *gunzip_source_new(struct source *next)
{
    static const struct source_ops ops = { "gunzip", gunzip_read, gunzip_free };
    struct gunzip *self = NEW(struct gunzip);
    self->source.ops = &ops;
    self->next = next;
    self->inflater = &by_zlib;
#if HAVE_ISAL
    if (!force_has("no-isal"))
        self->inflater = &by_isal;
#endif
    self->state = self->inflater->new ();
    self->buffer = xmalloc(INPUT_SIZE);
    return &self->source;
}
