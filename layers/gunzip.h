/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gzip stream as a source of its content. RFC 1952: all members, each with its CRC
 * and length checked; after a member only a header or zeros up to the end may come.
 *
 * ISA-L inflates over five times faster than zlib, which remains where ISA-L isn't
 * built (and under CBUILD_FORCE=no-isal). Neither reads across members by itself.
 */
#ifndef CBUILD_LAYERS_GUNZIP_H
#define CBUILD_LAYERS_GUNZIP_H

#include "base/source.h"

/* Owns next. Cut, damaged or followed by other bytes: ERR_INVALID. */
struct source *gunzip_source_new(struct source *next);

#endif
