// SPDX-License-Identifier: Apache-2.0
/*
 * message_header: what stands in front of a request or a response.
 *
 * Knows which header version goes with which API and version. Whether that
 * version is served is the caller's question (an ApiVersions request from the
 * future still gets an answer).
 *
 * Thread: any.
 */
#ifndef WIRE_MESSAGE_HEADER_H
#define WIRE_MESSAGE_HEADER_H

#include "base/err.h"
#include "wire/api.h"
#include "wire/header.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* Reads a request's header; the body follows in `r`.
 * ERR_UNSUPPORTED: an API that we do not speak; key, version and correlation id are set.
 * ERR_CORRUPT: cut short or malformed; `out` is garbage. *api is set on ERR_OK only. */
enum err wire_request_header_read(struct wire_reader *r, struct request_header *out,
                                  const struct wire_api **api) MUST_USE;

/* Reads a response's header; the body follows in `r`. ERR_CORRUPT as above. */
enum err wire_response_header_read(struct wire_reader *r, const struct wire_api *api,
                                   int16_t version, int32_t *correlation_id) MUST_USE;

/* Starts a frame: a size to be filled in by wire_write_size_end after the body,
 * and the header. */
struct wire_mark wire_response_begin(struct wire_writer *w, const struct wire_api *api,
                                     int16_t version, int32_t correlation_id);

/* The same for a request of ours, with its key from `api` and its version from `header`. */
struct wire_mark wire_request_begin(struct wire_writer *w, const struct wire_api *api,
                                    const struct request_header *header);

#endif
