/* SPDX-License-Identifier: Apache-2.0 */
/* The file name of a Content-Disposition header. Pure. RFC 6266 */
#ifndef CBUILD_REGISTRY_DISPOSITION_H
#define CBUILD_REGISTRY_DISPOSITION_H

#include "base/auto.h"

/* A plain name, never a path, nor "." or ".."; filename* before filename. NULL: none that is safe.
 * free() it. */
char *disposition_file_name(const char *header) WARN_UNUSED;

#endif
