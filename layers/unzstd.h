/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zstd stream as a source of its content: all frames, skippable ones too (RFC
 * 8878). The window is at most 128 MiB (zstd --long=27): more is ERR_LIMIT.
 */
#ifndef CBUILD_LAYERS_UNZSTD_H
#define CBUILD_LAYERS_UNZSTD_H

#include "base/source.h"

/* Owns next. Cut or damaged: ERR_INVALID. */
struct source *unzstd_source_new(struct source *next);

#endif
