/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML 1.0 as a jansson value, for configuration files: tables are objects, dates
 * stay the text that they are. Pure.
 */
#ifndef CBUILD_BASE_TOML_H
#define CBUILD_BASE_TOML_H

#include "base/json.h"

/*
 * A new reference to the document's table. ERR_SYNTAX with the line, never with text of a value;
 * ERR_LIMIT when arrays and inline tables nest deeper than JSON_MAX_DEPTH. Strings hold no NUL.
 */
json_t *toml_parse(const char *data, size_t size, struct error **err) WARN_UNUSED;

#endif
