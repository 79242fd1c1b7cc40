/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/chmod_spec.h"

#include "base/mem.h"

#include <string.h>

void chmod_spec_release(struct chmod_spec *spec)
{
    free(spec->symbolic);
    *spec = (struct chmod_spec){ 0 };
}

/* Bits of the classes named by letters u, g, o as a mask over 0777 and the special bits. */
static uint32_t class_mask(char letter)
{
    switch (letter) {
    case 'u':
        return 04700;
    case 'g':
        return 02070;
    case 'o':
        return 01007;
    case 'a':
        return 07777;
    default:
        return 0;
    }
}

/* The rwx bits of one class spread over all three. */
static uint32_t copied_bits(char letter, uint32_t mode)
{
    unsigned shift = letter == 'u' ? 6 : letter == 'g' ? 3 : 0;
    uint32_t bits = mode >> shift & 7;
    return bits << 6 | bits << 3 | bits;
}

/* Bits that one letter stands for, in all classes. */
static uint32_t letter_bits(char letter, uint32_t mode, bool is_directory)
{
    switch (letter) {
    case 'r':
        return 0444;
    case 'w':
        return 0222;
    case 'x':
        return 0111;
    case 'X':
        return is_directory || (mode & 0111) ? 0111 : 0;
    case 's':
        return 06000;
    case 't':
        return 01000;
    default:
        return copied_bits(letter, mode);
    }
}

static uint32_t apply_operator(char operator, uint32_t mode, uint32_t mask, uint32_t bits)
{
    if (operator== '+')
        return mode | (bits & mask);
    if (operator== '-')
        return mode & ~(bits & mask);
    return (mode & ~mask) | (bits & mask);
}

/*
 * One clause, "ug+rwX-x". NULL: malformed; else its end. The sticky bit belongs to no class:
 * only a clause for all may touch it.
 */
static const char *apply_clause(const char *at, uint32_t *mode, bool is_directory)
{
    uint32_t mask = 0;
    for (; *at && strchr("ugoa", *at); at++)
        mask |= class_mask(*at);
    if (!mask)
        mask = 07777;
    if (!*at || !strchr("+-=", *at))
        return NULL;
    while (*at && strchr("+-=", *at)) {
        char operator= * at++;
        uint32_t bits = 0;
        if (*at && strchr("ugo", *at)) {
            bits = letter_bits(*at++, *mode, is_directory);
        } else {
            for (; *at && strchr("rwxXst", *at); at++)
                bits |= letter_bits(*at, *mode, is_directory);
        }
        uint32_t touched = mask;
        /* chmod(1): "=" keeps a directory's setuid and setgid bits unless they are named */
        if (operator== '=' && is_directory && !(bits & 06000))
            touched &= ~06000u;
        *mode = apply_operator(operator, * mode, touched, bits);
    }
    return at;
}

static bool apply_symbolic(const char *text, uint32_t *mode, bool is_directory)
{
    for (const char *at = text;;) {
        at = apply_clause(at, mode, is_directory);
        if (!at || (*at && *at != ','))
            return false;
        if (!*at)
            return true;
        at++;
    }
}

int chmod_spec_parse(const char *text, struct chmod_spec *ret, struct error **err)
{
    size_t digits = strspn(text, "01234567");
    if (digits && !text[digits]) {
        uint32_t mode = 0;
        for (size_t i = 0; i < digits && mode <= 07777; i++)
            mode = mode << 3 | (uint32_t)(text[i] - '0');
        if (mode > 07777)
            return error_set(err, ERR_SYNTAX, "mode \"%s\": more than 07777", text);
        *ret = (struct chmod_spec){ .is_octal = true, .mode = mode };
        return 0;
    }
    uint32_t unused = 0;
    if (!apply_symbolic(text, &unused, false)) {
        (void)error_set(err, ERR_SYNTAX, "mode \"%s\": neither octal nor symbolic", text);
        error_hint(err, "modes are like 0755, +x or u=rwX,go=rX");
        return -1;
    }
    *ret = (struct chmod_spec){ .symbolic = xstrdup(text) };
    return 0;
}

uint32_t chmod_spec_apply(const struct chmod_spec *spec, uint32_t mode, bool is_directory)
{
    if (spec->is_octal)
        return spec->mode;
    mode &= 07777;
    (void)apply_symbolic(spec->symbolic, &mode, is_directory); /* was checked when parsed */
    return mode;
}
