/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Characters of UTF-8 text, classed without asking the locale. A byte that is no
 * UTF-8 counts as a character of its own (RUNE_ERROR) and is kept by all who copy.
 */
#ifndef CBUILD_BUILDER_RUNE_H
#define CBUILD_BUILDER_RUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNE_ERROR 0xfffd

/* The character at text[0..size); returns its bytes, 0 where size is 0. */
size_t rune_decode(const char *text, size_t size, uint32_t *rune);

/* Unicode white space, line ends included. */
bool rune_is_space(uint32_t rune);
/* Can stand in a variable's name: beyond ASCII whole blocks count as letters. */
bool rune_is_letter(uint32_t rune);

/* Blanks between words on one line: \t \v \f \r and space. */
static inline bool is_blank_byte(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The same and newlines. */
static inline bool is_space_byte(char c)
{
    return is_blank_byte(c) || c == '\n';
}

/* A copy without these at both ends. */
char *trim_space(const char *text);

#endif
