/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text: no disk access. */
#ifndef CBUILD_BASE_PATH_H
#define CBUILD_BASE_PATH_H

#include "base/auto.h"
#include "base/strbuf.h"

#include <stdbool.h>

/*
 * Lexical cleaning as Go's path.Clean: no //, . or inner ..; "" becomes ".";
 * ".." at the root is dropped, ".." at the front of a relative path stays.
 */
char *path_clean(const char *path) WARN_UNUSED;
/* As path_clean("/" + path), without the leading slash: "" is the root. Nothing leaves the root. */
char *path_clean_rooted(const char *path) WARN_UNUSED;
/* a/b, or b where b is absolute; not cleaned. */
char *path_join(const char *a, const char *b) WARN_UNUSED;
/* Text after the last slash; points into path. */
const char *path_base(const char *path);
/* Text before the last slash; "" where there is none. */
char *path_dir(const char *path) WARN_UNUSED;
/* path equals dir or lies below it; both clean. "" contains everything. */
bool path_is_within(const char *path, const char *dir);
/* Order of tars and walks: by component, so that a directory's content follows it before "a-b". */
int path_compare(const char *a, const char *b);
/* No NUL, no "..", not absolute, no empty or "." component: safe to use beneath a directory. */
bool path_is_clean_relative(const char *path);

#endif
