// SPDX-License-Identifier: Apache-2.0
/* http_input: see http_private.h. Foreign bytes: http_parser checks the syntax, the bounds are
 * checked here. Thread: owner's. */
#include <string.h>

#include "base/assert.h"
#include "http/http_private.h"

static struct http_input *input_of(struct http_parser *parser)
{
    return parser->data;
}

static int on_url(struct http_parser *parser, const char *at, size_t len)
{
    struct http_input *input = input_of(parser);
    if (len > LIMIT_HTTP_HEAD_BYTES - input->target_len) {
        input->state = HTTP_INPUT_HEAD_LONG;
        return 1;
    }
    memcpy(input->target + input->target_len, at, len);
    input->target_len += len;
    return 0;
}

static int on_headers_complete(struct http_parser *parser)
{
    input_of(parser)->in_body = true;
    /* An offer to change the protocol (Java's client makes one each time) may be ignored. */
    parser->upgrade = parser->method == HTTP_CONNECT;
    return 0;
}

static int on_body(struct http_parser *parser, const char *at, size_t len)
{
    struct http_input *input = input_of(parser);
    input->body_bytes += len;
    if (input->body_bytes <= LIMIT_HTTP_BODY_BYTES)
        return 0;
    input->state = HTTP_INPUT_BODY_LONG;
    return 1;
}

static int on_message_complete(struct http_parser *parser)
{
    input_of(parser)->state = HTTP_INPUT_WHOLE;
    http_parser_pause(parser, 1); /* what follows is the next request */
    return 0;
}

static const struct http_parser_settings input_settings = {
    .on_url = on_url,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_input_init(struct http_input *input)
{
    *input = (struct http_input){.state = HTTP_INPUT_MORE};
    http_parser_init(&input->parser, HTTP_REQUEST);
    input->parser.data = input;
}

void http_input_deinit(struct http_input *input)
{
    input->parser.data = NULL;
}

void http_input_reset(struct http_input *input)
{
    http_input_init(input);
}

static void split_target(struct http_input *input)
{
    input->target[input->target_len] = '\0';
    char *mark = strchr(input->target, '?');
    input->query_at = input->target_len;
    if (mark == NULL)
        return;
    *mark = '\0';
    input->query_at = (size_t)(mark - input->target) + 1;
}

enum http_input_state http_input_feed(struct http_input *input, const char *data, size_t len,
                                      size_t *used)
{
    ASSERT(input->state == HTTP_INPUT_MORE);
    *used = http_parser_execute(&input->parser, &input_settings, data, len);
    enum http_errno error = HTTP_PARSER_ERRNO(&input->parser);
    if (!input->in_body) {
        input->head_bytes += *used;
        if (input->head_bytes > LIMIT_HTTP_HEAD_BYTES && input->state == HTTP_INPUT_MORE)
            input->state = HTTP_INPUT_HEAD_LONG;
    }
    if (error != HPE_OK && error != HPE_PAUSED && input->state == HTTP_INPUT_MORE)
        input->state = HTTP_INPUT_BAD;
    if (input->parser.upgrade && input->state == HTTP_INPUT_WHOLE)
        input->state = HTTP_INPUT_BAD; /* CONNECT is not for us */
    if (input->state == HTTP_INPUT_WHOLE)
        split_target(input);
    return input->state;
}

int http_input_refusal(enum http_input_state state)
{
    switch (state) {
    case HTTP_INPUT_HEAD_LONG:
        return 431;
    case HTTP_INPUT_BODY_LONG:
        return 413;
    case HTTP_INPUT_BAD:
    case HTTP_INPUT_MORE:
    case HTTP_INPUT_WHOLE:
        break;
    }
    return 400;
}

const char *http_input_path(const struct http_input *input)
{
    return input->target;
}

const char *http_input_query(const struct http_input *input)
{
    return input->target + input->query_at;
}

bool http_input_is_get(const struct http_input *input)
{
    return input->parser.method == HTTP_GET || input->parser.method == HTTP_HEAD;
}

bool http_input_is_post(const struct http_input *input)
{
    return input->parser.method == HTTP_POST;
}

bool http_input_is_head(const struct http_input *input)
{
    return input->parser.method == HTTP_HEAD;
}

bool http_input_keeps_alive(const struct http_input *input)
{
    return http_should_keep_alive(&input->parser) != 0;
}
