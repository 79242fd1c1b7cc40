/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/network_resolv.h"

#include <string.h>

/* The address on a line of a name server, NULL on others. */
static const char *name_server(const char *line, size_t size)
{
    static const char key[] = "nameserver";
    size_t at = sizeof(key) - 1;
    if (size <= at || strncmp(line, key, at) != 0 || !strchr(" \t", line[at]))
        return NULL;
    while (at < size && strchr(" \t\r", line[at]))
        at++;
    return at < size ? line + at : NULL;
}

static bool is_of_others(const char *address)
{
    return strncmp(address, "127.", 4) != 0 && strcspn(address, ":") >= strcspn(address, " \t\r\n");
}

enum servers { NO_SERVERS, SERVERS_OF_OTHERS, ALL_SERVERS };

/* others: the lines that aren't name servers. True when a server was kept. */
static bool copy(const char *text, bool others, enum servers servers, struct strbuf *buf)
{
    bool kept = false;
    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n");
        const char *server = name_server(line, size);
        bool wanted = server ? servers == ALL_SERVERS ||
                                   (servers == SERVERS_OF_OTHERS && is_of_others(server))
                             : others;
        if (wanted) {
            strbuf_add(buf, line, size);
            strbuf_addc(buf, '\n');
            kept = kept || server;
        }
        line += size;
        line += *line == '\n';
    }
    return kept;
}

bool network_resolv_copy(const char *host, bool keep_servers, struct strbuf *buf)
{
    return copy(host, true, keep_servers ? ALL_SERVERS : NO_SERVERS, buf);
}

bool network_resolv_of_others(const char *host, const char *systemd, struct strbuf *ret)
{
    AUTO(strbuf_release) struct strbuf all = STRBUF_INIT;
    return copy(host, true, SERVERS_OF_OTHERS, ret) ||
           copy(systemd, false, SERVERS_OF_OTHERS, ret) || !copy(host, false, ALL_SERVERS, &all);
}
