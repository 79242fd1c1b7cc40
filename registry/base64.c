/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct strbuf *buf, const void *data, size_t size)
{
    const unsigned char *in = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)in[i] << 16;
        bits |= n > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= n > 2 ? in[i + 2] : 0;
        strbuf_addc(buf, alphabet[bits >> 18]);
        strbuf_addc(buf, alphabet[bits >> 12 & 63]);
        strbuf_addc(buf, (char)(n > 1 ? alphabet[bits >> 6 & 63] : '='));
        strbuf_addc(buf, (char)(n > 2 ? alphabet[bits & 63] : '='));
    }
}

bool base64_decode(struct strbuf *buf, const char *text)
{
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    size_t size = strlen(text), start = buf->size;
    while (size && strchr(blanks, text[size - 1]))
        size--;
    for (int i = 0; i < 2 && size && text[size - 1] == '='; i++)
        size--;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < size; i++) {
        const char *place = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (!place) {
            strbuf_set_size(buf, start);
            return false;
        }
        bits = bits << 6 | (uint32_t)(place - alphabet);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            strbuf_addc(buf, (char)(bits >> n_bits & 0xff));
        }
    }
    if (size % 4 == 1) {
        strbuf_set_size(buf, start);
        return false;
    }
    return true;
}
