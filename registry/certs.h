/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for one registry: HOST[:PORT] folders of certs.d with *.crt
 * (trusted in addition to the system's) and NAME.cert with NAME.key (ours).
 *
 * containers-certs.d(5); Docker "Verify repository client with certificates"
 */
#ifndef CBUILD_REGISTRY_CERTS_H
#define CBUILD_REGISTRY_CERTS_H

#include "registry/http.h"
#include "registry/url.h"

/*
 * authority: "host" or "host:port". cert_dir: a folder that holds the files itself, instead of all
 * certs.d folders; NULL: ~/.config/containers, /etc/containers, /etc/docker and ~/.docker. What
 * isn't there is no error; a .cert without its .key is.
 */
int certs_load(const char *authority, const char *cert_dir, struct http_tls *tls,
               struct error **err) WARN_UNUSED;
/* The file or folder of those that the system trusts; ERR_NOT_FOUND: there is none. */
const char *certs_system_place(struct error **err);
/* After a connection failed: where it was the certificate, says where one's own CA goes. */
void certs_hint(enum http_failure failure, const struct url *url, struct error **err);

#endif
