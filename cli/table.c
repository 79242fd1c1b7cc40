/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "base/mem.h"
#include "cli/template.h"

#include <stdio.h>
#include <string.h>

#define TABLE_PREFIX "table "

void table_release(struct table *table)
{
    strvec_release(&table->cells);
}

void table_print(const struct table *table)
{
    size_t *widths = xcalloc(table->n_columns, sizeof(*widths));
    for (size_t i = 0; i < table->cells.n; i++) {
        size_t size = strlen(table->cells.items[i]);
        if (size > widths[i % table->n_columns])
            widths[i % table->n_columns] = size;
    }
    for (size_t i = 0; i < table->cells.n; i++) {
        bool last = i % table->n_columns == table->n_columns - 1;
        if (last)
            printf("%s\n", table->cells.items[i]);
        else
            printf("%-*s   ", (int)widths[i % table->n_columns], table->cells.items[i]);
    }
    free(widths);
}

static void print_shown(const json_t *rows, const struct column *columns, size_t n_columns)
{
    AUTO(table_release) struct table table = { .n_columns = 0 };
    for (size_t i = 0; i < n_columns; i++) {
        if (!columns[i].shown)
            continue;
        strvec_push(&table.cells, columns[i].title);
        table.n_columns++;
    }
    size_t n;
    json_t *row;
    json_array_foreach(rows, n, row) for (size_t i = 0; i < n_columns; i++) if (columns[i].shown)
        strvec_push(&table.cells, json_string_value(json_object_get(row, columns[i].member)));
    table_print(&table);
}

/* Cells of a line, separated by tabs; short lines are filled up with empty ones. */
static int add_line(struct table *table, const char *template, const json_t *values,
                    struct error **err)
{
    AUTO(strbuf_release) struct strbuf line = STRBUF_INIT;
    if (template_expand(template, values, &line, err) < 0)
        return -1;
    const char *p = line.size ? line.data : "";
    size_t n = 0;
    bool first = table->n_columns == 0;
    do {
        size_t size = strcspn(p, "\t");
        if (first || n < table->n_columns) {
            strvec_pushn(&table->cells, p, size);
            n++;
        }
        p += size + (p[size] == '\t');
    } while (*p);
    if (first)
        table->n_columns = n;
    for (; n < table->n_columns; n++)
        strvec_push(&table->cells, "");
    return 0;
}

static int print_template_table(const json_t *rows, const struct column *columns, size_t n_columns,
                                const char *template, struct error **err)
{
    AUTO(table_release) struct table table = { .n_columns = 0 };
    AUTO(json_decref) json_t *titles = json_object();
    for (size_t i = 0; i < n_columns; i++)
        json_set(titles, columns[i].member, json_from_string(columns[i].title));
    if (add_line(&table, template, titles, err) < 0)
        return -1;
    size_t n;
    json_t *row;
    json_array_foreach(rows, n, row) if (add_line(&table, template, row, err) < 0) return -1;
    table_print(&table);
    return 0;
}

int rows_print(const json_t *rows, const struct column *columns, size_t n_columns,
               const char *format, struct error **err)
{
    if (!format || !*format || !strcmp(format, "table")) {
        print_shown(rows, columns, n_columns);
        return 0;
    }
    if (!strncmp(format, TABLE_PREFIX, strlen(TABLE_PREFIX)))
        return print_template_table(rows, columns, n_columns, format + strlen(TABLE_PREFIX), err);
    size_t n;
    json_t *row;
    json_array_foreach(rows, n, row)
    {
        AUTO(strbuf_release) struct strbuf line = STRBUF_INIT;
        if (!strcmp(format, "json"))
            json_format_canonical(row, &line);
        else if (template_expand(format, row, &line, err) < 0)
            return -1;
        printf("%s\n", line.size ? line.data : "");
    }
    return 0;
}
