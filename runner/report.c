/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/report.h"

#include <errno.h>
#include <string.h>

static void fill(struct report *report, int error, const char *what, const char *name)
{
    const size_t max_name = sizeof(report->text) / 2;
    size_t used = 0;
    report->kind = REPORT_SETUP;
    report->error = error;
    report->interpreter_missing = false;
    report->text[0] = '\0';
    (void)text_append(report->text, sizeof(report->text), &used, what); /* ours, short */
    if (!name)
        return;
    size_t size = strlen(name);
    if (size > max_name)
        size = max_name;
    report->text[used++] = ' ';
    memcpy(report->text + used, name, size);
    report->text[used + size] = '\0';
}

int report_errno(struct report *report, const char *what, const char *name)
{
    fill(report, errno, what, name);
    return -1;
}

int report_error(const struct report *report, struct error **err)
{
    if (!report->error)
        return error_set(err, ERR_RUN, "%s", report->text);
    errno = report->error;
    return error_errno(err, "%s", report->text);
}

int report_text(struct report *report, const char *what, const char *name)
{
    fill(report, 0, what, name);
    return -1;
}

bool text_append(char *buf, size_t size, size_t *used, const char *text)
{
    size_t extra = strlen(text);
    if (extra >= size - *used)
        return false;
    memcpy(buf + *used, text, extra + 1);
    *used += extra;
    return true;
}

const char *text_number(char buf[TEXT_NUMBER_SIZE], unsigned long long value)
{
    char digits[TEXT_NUMBER_SIZE];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < n; i++)
        buf[i] = digits[n - 1 - i];
    buf[n] = '\0';
    return buf;
}
