/* SPDX-License-Identifier: Apache-2.0 */
/* What a credential helper says: secrets, of which no part is shown. */
#include "registry/credentials.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xstrndup((const char *)data, size);
    AUTO(error_free) struct error *err = NULL;
    AUTO(credential_release) struct credential credential = { 0 };
    if (credential_parse_answer("x", text, &credential, &err) < 0) {
        if (strstr(text, "hunter2") && strstr(error_message(err), "hunter2"))
            abort();
        return 0;
    }
    bool has_token = credential.identity_token, has_password = credential.password;
    if (!credential.source != !(has_token || has_password) || (has_token && has_password) ||
        !credential.username != !has_password)
        abort();
    if ((has_token && !*credential.identity_token) || (has_password && !*credential.password))
        abort();
    return 0;
}
