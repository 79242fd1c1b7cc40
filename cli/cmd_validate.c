/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "cli/place.h"
#include "layers/validate.h"

#include <stdio.h>

static const struct command_help help = {
    .usage = "cbuild validate [OPTIONS] IMAGE",
    .summary = "Reads an image whole and tells what is wrong with it: digests, sizes, layers "
               "against their config.",
    .more = "IMAGE is a name or id of the store, else a registry's; or with a transport, as "
            "`cbuild copy` has them. The status is 6 where something is wrong.",
};

static void tell_problem(void *data UNUSED, const char *what, const struct error *error)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_add_printable(&text, error_message(error));
    printf("FAIL: %s: %s\n", what, text.data);
}

static int tell(const char *name, const struct validate_result *result, bool fast,
                struct error **err)
{
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&result->digest, digest);
    if (result->n_problems)
        return error_set(err, ERR_CHECKS, "%s: %llu things are wrong with it", name,
                         (unsigned long long)result->n_problems);
    printf("PASS: %s: %s: %llu manifests, %llu blobs of %llu bytes%s\n", name, digest,
           (unsigned long long)result->n_documents, (unsigned long long)result->n_blobs,
           (unsigned long long)result->size, fast ? ", which weren't read" : "");
    return 0;
}

int cmd_validate(struct app *app, char *const *argv, struct error **err)
{
    bool fast = false;
    AUTO(place_release) struct place from = PLACE_INIT;
    const struct option options[] = {
        OPT_FLAG(0, "fast", &fast, "look only whether the blobs are there"),
        APP_REGISTRY_OPTIONS(app),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    const char *name = operands.items[0];
    struct validate_result result = { .n_problems = 0 };
    struct validate_request request = { .fast = fast, .problem = tell_problem };
    if (place_open_local_first(app, name, &from, err) < 0)
        return error_wrap(err, "validating %s", name);
    request.from = from.transport;
    if (validate_image(&request, &result, err) < 0)
        return error_wrap(err, "validating %s", name);
    return tell(name, &result, fast, err);
}
