/* SPDX-License-Identifier: Apache-2.0 */
/* Lists on stdout: as a table, as JSON, or by a template of the user's. */
#ifndef CBUILD_CLI_TABLE_H
#define CBUILD_CLI_TABLE_H

#include "base/json.h"
#include "base/strvec.h"

/* Columns as wide as their widest cell, three blanks between. */
struct table {
    struct strvec cells; /* row after row, the header first */
    size_t n_columns;
};
void table_print(const struct table *table);
void table_release(struct table *table);
DEFINE_AUTO_STRUCT(struct table, table_release)

/* A column that a list may show. */
struct column {
    const char *member; /* of a row: "Repository" */
    const char *title;  /* "REPOSITORY" */
    bool shown;         /* where no format says otherwise */
};

/*
 * `rows`: an array of objects of strings. `format` is --format: NULL or "table" for the shown
 * columns, "json" for an object per line, "table TEMPLATE" for a table with a column at each tab,
 * or a template for each row. ERR_USAGE.
 */
int rows_print(const json_t *rows, const struct column *columns, size_t n_columns,
               const char *format, struct error **err) WARN_UNUSED;

#endif
