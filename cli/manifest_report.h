/* SPDX-License-Identifier: Apache-2.0 */
/* An image's documents in the forms of docker's `manifest inspect -v` and buildx's `imagetools
 * inspect`. */
#ifndef CBUILD_CLI_MANIFEST_REPORT_H
#define CBUILD_CLI_MANIFEST_REPORT_H

#include "cli/remote.h"

/*
 * Docker's: {Ref, Descriptor, Raw, SchemaV2Manifest or OCIManifest}, of an index a list with an
 * entry for each image, those of nested indexes too. `text` is what the user called it.
 */
int manifest_report_verbose(struct place *place, const char *text, const struct document *document,
                            json_t **ret, struct error **err) WARN_UNUSED;
/* buildx's, for templates: .Name, .Manifest (descriptor, and entries), .Image (config, of an index
 * one for each platform). */
int manifest_report_value(struct place *place, const char *text, const struct document *document,
                          json_t **ret, struct error **err) WARN_UNUSED;
/* buildx's, for people. */
int manifest_report_text(const struct place *place, const char *text,
                         const struct document *document, struct strbuf *out,
                         struct error **err) WARN_UNUSED;

#endif
