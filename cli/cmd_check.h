/* SPDX-License-Identifier: Apache-2.0 */
/* build --check and --call: no image is built. */
#ifndef CBUILD_CLI_CMD_CHECK_H
#define CBUILD_CLI_CMD_CHECK_H

#include "builder/check.h"
#include "cli/app.h"

enum call_kind { CALL_BUILD, CALL_CHECK, CALL_OUTLINE, CALL_TARGETS };

struct call {
    enum call_kind kind;
    bool json;
};

/* "check", "outline,format=json", ... ERR_USAGE. */
int call_parse(const char *text, struct call *ret, struct error **err) WARN_UNUSED;
/* ERR_CHECKS: the checks found something (which is printed). */
int call_run(struct app *app, const struct call *call, const struct build_options *options,
             struct error **err) WARN_UNUSED;

#endif
