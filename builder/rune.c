/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/rune.h"

#include "base/mem.h"

#include <string.h>

/* Bytes of the sequence that `lead` begins, 0: none. */
static size_t sequence_size(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead < 0xe0)
        return 2;
    if (lead >= 0xe0 && lead < 0xf0)
        return 3;
    if (lead >= 0xf0 && lead < 0xf5)
        return 4;
    return 0;
}

size_t rune_decode(const char *text, size_t size, uint32_t *rune)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    static const unsigned char lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    if (!size)
        return 0;
    unsigned char lead = (unsigned char)text[0];
    size_t n = sequence_size(lead);
    *rune = RUNE_ERROR;
    if (!n || n > size)
        return 1;
    uint32_t value = lead & lead_mask[n];
    for (size_t i = 1; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c & 0xc0) != 0x80)
            return 1;
        value = value << 6 | (c & 0x3f);
    }
    if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 1;
    *rune = value;
    return n;
}

struct rune_range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t rune, const struct rune_range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rune >= ranges[i].first && rune <= ranges[i].last)
            return true;
    }
    return false;
}

#define IN(rune, ranges) in_ranges((rune), (ranges), sizeof(ranges) / sizeof((ranges)[0]))

bool rune_is_space(uint32_t rune)
{
    static const struct rune_range spaces[] = {
        { 0x85, 0x85 },     { 0xa0, 0xa0 },     { 0x1680, 0x1680 }, { 0x2000, 0x200a },
        { 0x2028, 0x2029 }, { 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
    };
    if (rune < 0x80)
        return rune == ' ' || (rune >= '\t' && rune <= '\r');
    return IN(rune, spaces);
}

bool rune_is_letter(uint32_t rune)
{
    /* Blocks of punctuation, symbols, emoji and private use. */
    static const struct rune_range others[] = {
        { 0x80, 0xa9 },        { 0xab, 0xb4 },     { 0xb6, 0xb9 },       { 0xbb, 0xbf },
        { 0xd7, 0xd7 },        { 0xf7, 0xf7 },     { 0x2000, 0x206f },   { 0x20a0, 0x20ff },
        { 0x2190, 0x2bff },    { 0x2e00, 0x2e7f }, { 0x3000, 0x3004 },   { 0x3007, 0x3030 },
        { 0xd800, 0xf8ff },    { 0xfe00, 0xfe6f }, { 0xff00, 0xff20 },   { 0xff3b, 0xff40 },
        { 0xff5b, 0xff65 },    { 0xffe0, 0xffff }, { 0x1d000, 0x1d3ff }, { 0x1f000, 0x1faff },
        { 0xe0000, 0x10ffff },
    };
    if (rune < 0x80)
        return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
    return !IN(rune, others);
}

char *trim_space(const char *text)
{
    while (is_space_byte(*text))
        text++;
    size_t size = strlen(text);
    while (size && is_space_byte(text[size - 1]))
        size--;
    return xstrndup(text, size);
}
