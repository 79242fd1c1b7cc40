/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/app.h"
#include "layers/compress.h"

#include <stdio.h>

static const struct command_help help = {
    .usage = "cbuild version",
    .summary = "Shows the versions of cbuild and of the codecs, which layer digests depend on.",
};

int cmd_version(struct app *app UNUSED, char *const *argv, struct error **err)
{
    const struct option options[] = { OPT_END() };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 0, 0, err);
    if (parsed <= 0)
        return parsed;
    printf("cbuild %s\n", CBUILD_VERSION);
    for (int kind = COMPRESSION_GZIP; kind <= COMPRESSION_ZSTD; kind++) {
        struct compression compression = { .kind = (enum compression_kind)kind };
        AUTO(free) char *codec = compression_codec_version(&compression);
        printf("%s\n", codec);
    }
    return 0;
}
