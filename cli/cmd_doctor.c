/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/doctor.h"

#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild doctor [OPTIONS]",
    .summary = "Tells what works on this machine, and how to mend what doesn't.",
    .more = "Each probe does what a build does. The status is 0 when builds work, else 1; what is "
            "lacking\nmakes builds poorer, what fails prevents RUN.",
};

static const char *const verdicts[] = {
    [VERDICT_WORKS] = "works",
    [VERDICT_LACKS] = "lacks",
    [VERDICT_FAILS] = "fails",
};

static void print_plain(const struct findings *findings)
{
    for (size_t i = 0; i < findings->n_items; i++) {
        const struct finding *finding = &findings->items[i];
        AUTO(strbuf_release) struct strbuf line = STRBUF_INIT;
        strbuf_add_printable(&line, finding->text);
        if (finding->fix) {
            strbuf_adds(&line, "; fix: ");
            strbuf_add_printable(&line, finding->fix);
        }
        printf("%-19s %s  %s\n", finding->subject, verdicts[finding->verdict], line.data);
    }
}

static void print_json(const struct findings *findings)
{
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; i < findings->n_items; i++) {
        const struct finding *finding = &findings->items[i];
        json_t *object = json_object();
        json_set(object, "subject", json_from_string(finding->subject));
        json_set(object, "verdict", json_from_string(verdicts[finding->verdict]));
        json_set(object, "text", json_from_string(finding->text));
        json_set(object, "fix", finding->fix ? json_from_string(finding->fix) : json_null());
        json_array_append_new(list, object);
    }
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_format_pretty(list, &text);
    printf("%s\n", text.data);
}

static int judge(const struct findings *findings, struct error **err)
{
    AUTO(strbuf_release) struct strbuf failed = STRBUF_INIT;
    for (size_t i = 0; i < findings->n_items; i++)
        if (findings->items[i].verdict == VERDICT_FAILS)
            strbuf_addf(&failed, "%s%s", failed.size ? ", " : "", findings->items[i].subject);
    return failed.size ? error_set(err, ERR_FAILED, "RUN doesn't work here: %s", failed.data) : 0;
}

int cmd_doctor(struct app *app, char *const *argv, struct error **err)
{
    const char *format = NULL;
    const struct option options[] = {
        OPT_STRING(0, "format", "FORMAT", &format, "json: an array of objects"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 0, 0, err);
    if (parsed <= 0)
        return parsed;
    AUTO(findings_release) struct findings findings = { .items = NULL };
    if (format && strcmp(format, "json") != 0)
        return error_set(err, ERR_USAGE, "--format %s: json is what there is", format);
    if (doctor_examine(app, &findings, err) < 0)
        return -1;
    if (format)
        print_json(&findings);
    else
        print_plain(&findings);
    return judge(&findings, err);
}
