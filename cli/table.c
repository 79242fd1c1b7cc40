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
static void add_line(struct table *table, const char *line)
{
    size_t n = 0;
    bool first = table->n_columns == 0, more = true;
    for (const char *p = line; more;) {
        size_t size = strcspn(p, "\t");
        if (first || n < table->n_columns) {
            strvec_pushn(&table->cells, p, size);
            n++;
        }
        more = p[size];
        p += size + more;
    }
    if (first)
        table->n_columns = n;
    for (; n < table->n_columns; n++)
        strvec_push(&table->cells, "");
}

static int print_template_table(const json_t *rows, const struct column *columns, size_t n_columns,
                                const struct template *template, struct error **err)
{
    AUTO(table_release) struct table table = { .n_columns = 0 };
    AUTO(strbuf_release) struct strbuf line = STRBUF_INIT;
    AUTO(json_decref) json_t *titles = json_object();
    for (size_t i = 0; i < n_columns; i++)
        json_set(titles, columns[i].member, json_from_string(columns[i].title));
    if (template_run_head(template, titles, &line, err) < 0)
        return -1;
    add_line(&table, line.data);
    size_t n;
    json_t *row;
    json_array_foreach(rows, n, row)
    {
        strbuf_reset(&line);
        if (template_run(template, row, &line, err) < 0)
            return -1;
        add_line(&table, line.data);
    }
    table_print(&table);
    return 0;
}

static int print_lines(const json_t *rows, const struct template *template, struct error **err)
{
    AUTO(strbuf_release) struct strbuf lines = STRBUF_INIT;
    size_t n;
    json_t *row;
    json_array_foreach(rows, n, row)
    {
        if (!template)
            json_format_canonical(row, &lines);
        else if (template_run(template, row, &lines, err) < 0)
            return -1;
        strbuf_addc(&lines, '\n');
    }
    (void)fwrite(lines.data, 1, lines.size, stdout);
    return 0;
}

int rows_print(const json_t *rows, const struct column *columns, size_t n_columns,
               const char *format, struct error **err)
{
    if (!format || !*format || !strcmp(format, "table")) {
        print_shown(rows, columns, n_columns);
        return 0;
    }
    if (!strcmp(format, "json"))
        return print_lines(rows, NULL, err);
    bool is_table = !strncmp(format, TABLE_PREFIX, strlen(TABLE_PREFIX));
    AUTO(template_free)
    struct template *template =
        template_parse(is_table ? format + strlen(TABLE_PREFIX) : format, err);
    if (!template)
        return -1; /* also where there are no rows */
    return is_table ? print_template_table(rows, columns, n_columns, template, err)
                    : print_lines(rows, template, err);
}
