/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf of this machine, and after an empty line that of systemd: name servers on loopback
 * are nobody else's. */
#include "runner/network_resolv.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *host = xstrndup((const char *)data, size);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf copy = STRBUF_INIT;
    char *systemd = strstr(host, "\n\n");
    if (systemd) {
        systemd[1] = '\0';
        systemd += 2;
    }
    (void)network_resolv_of_others(host, systemd ? systemd : "", &text);
    for (const char *line = text.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, "nameserver 127.", 15) || !strncmp(line, "nameserver ::1", 14))
            abort();
    }
    if (network_resolv_copy(host, false, &copy))
        abort();
    return 0;
}
