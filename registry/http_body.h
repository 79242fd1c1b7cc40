/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's body while it is sent. The loop thread takes bytes and must never
 * wait: memory and files answer at once; a producer writes on a thread of its
 * own into a bounded ring, and a loop that found the ring empty is woken when
 * there is more.
 */
#ifndef CBUILD_REGISTRY_HTTP_BODY_H
#define CBUILD_REGISTRY_HTTP_BODY_H

#include "registry/http.h"

#include <sys/types.h>

struct http_body_reader;

/* body is borrowed. wake: called on the producer's thread after http_body_take() gave nothing. */
struct http_body_reader *http_body_reader_new(const struct http_body *body,
                                              void (*wake)(void *data), void *data);
/* 1..size bytes; 0: none yet, or none left; -1: none will come. Starts the producer. */
ssize_t http_body_take(struct http_body_reader *reader, void *buffer, size_t size);
/* Bytes taken so far */
uint64_t http_body_taken(const struct http_body_reader *reader);
/* Back to an offset; false: what a producer wrote is gone. */
bool http_body_seek(struct http_body_reader *reader, uint64_t offset);
/* The request has ended: so does the producer, which is waited for. */
void http_body_stop(struct http_body_reader *reader);
/* After stop: why take gave -1, or 0 where it never did. */
int http_body_error(struct http_body_reader *reader, struct error **err) WARN_UNUSED;
void http_body_reader_free(struct http_body_reader *reader);
DEFINE_AUTO(struct http_body_reader, http_body_reader_free)

#endif
