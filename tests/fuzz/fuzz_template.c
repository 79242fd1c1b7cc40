/* SPDX-License-Identifier: Apache-2.0 */
/* --format: input is a template, run over an image's document twice, and over a table's head. */
#include "cli/template.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] =
    "{\"Id\":\"sha256:12\",\"Size\":6,\"Real\":-1.5,\"Yes\":true,\"Nil\":null,\"Empty\":\"\","
    "\"Tags\":[\"a:1\",\"b:2\",\"\\u00e9\\u4e2d\"],\"Most\":9223372036854775807,"
    "\"Config\":{\"Labels\":{\"a.b\":\"x\",\"c\":\"y\"},\"Cmd\":null,\"Env\":[\"A=1\"]},"
    "\"Deep\":{\"er\":{\"x\":[1,2,[3,[]]]}}}";

static void run_twice(const struct template *template, const json_t *value)
{
    AUTO(error_free) struct error *err = NULL, *err_again = NULL, *err_head = NULL;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT, again = STRBUF_INIT, head = STRBUF_INIT;
    int result = template_run(template, value, &out, &err);
    if (result != template_run(template, value, &again, &err_again) || out.size != again.size ||
        (out.size && memcmp(out.data, again.data, out.size) != 0))
        abort();
    (void)!template_run_head(template, value, &head, &err_head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    AUTO(free) char *text = xstrndup((const char *)data, size);
    AUTO(error_free) struct error *err = NULL;
    AUTO(json_decref) json_t *value = json_parse(document, strlen(document), &err);
    if (!value)
        abort();
    AUTO(template_free) struct template *template = template_parse(text, &err);
    if (!template) {
        if (!error_is(err, ERR_USAGE))
            abort();
        return 0;
    }
    run_twice(template, value);
    return 0;
}
