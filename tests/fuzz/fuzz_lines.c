/* SPDX-License-Identifier: Apache-2.0 */
/* Logical lines and heredoc bodies never lie outside of the text, and each line is read once. */
#include "builder/lines.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(source_text_free)
    struct source_text *source = source_text_new("Dockerfile", (const char *)data, size);
    AUTO(logical_line_release) struct logical_line line = LOGICAL_LINE_INIT;
    AUTO(directives_release) struct directives directives = { 0 };
    AUTO(error_free) struct error *err = NULL;
    struct lines lines;
    lines_init(&lines, source);
    if (lines_read_directives(&lines, &directives, &err) < 0)
        return 0;
    for (size_t last = 0; lines_next(&lines, &line); last = line.range.last) {
        AUTO(heredoc_list_release) struct heredoc_list heredocs = { 0 };
        if (line.range.first <= last || line.range.last < line.range.first ||
            line.range.last > source->n_lines)
            abort();
        if (heredoc_scan(line.text.data, &heredocs, &err) < 0 ||
            lines_read_heredocs(&lines, &line, &heredocs, &err) < 0) {
            (void)source_text_locate(source, line.range, line.text.data, &err);
            break;
        }
    }
    return 0;
}
