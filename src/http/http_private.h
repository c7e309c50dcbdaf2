// SPDX-License-Identifier: Apache-2.0
/*
 * http_private: one request as it comes in, piece by piece. Around http_parser.
 *
 * Thread: whoever owns the input.
 */
#ifndef HTTP_HTTP_PRIVATE_H
#define HTTP_HTTP_PRIVATE_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

enum http_input_state {
    HTTP_INPUT_MORE, /* all bytes taken, the request is not whole yet */
    HTTP_INPUT_WHOLE,
    HTTP_INPUT_BAD,
    HTTP_INPUT_HEAD_LONG,
    HTTP_INPUT_BODY_LONG,
};

struct http_input {
    struct http_parser parser;
    char target[LIMIT_HTTP_HEAD_BYTES + 1]; /* path, NUL, query, NUL once whole */
    size_t target_len;
    size_t query_at; /* position in target */
    size_t head_bytes;
    size_t body_bytes;
    enum http_input_state state;
    bool in_body;
};

void http_input_init(struct http_input *input);
void http_input_deinit(struct http_input *input);

/* For the next request of the connection. */
void http_input_reset(struct http_input *input);

/* Takes bytes up to the end of one request; *used says how many. */
enum http_input_state http_input_feed(struct http_input *input, const char *data, size_t len,
                                      size_t *used);

/* The status for a state that is neither MORE nor WHOLE. */
int http_input_refusal(enum http_input_state state);

/* Of a whole request. */
const char *http_input_path(const struct http_input *input);
const char *http_input_query(const struct http_input *input);
bool http_input_is_get(const struct http_input *input); /* GET or HEAD */
bool http_input_is_post(const struct http_input *input);
bool http_input_is_head(const struct http_input *input);
bool http_input_keeps_alive(const struct http_input *input);

#endif
