// SPDX-License-Identifier: Apache-2.0
/* http_fuzz: bytes as they might come to the admin port, in pieces. Thread: main. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_private.h"

int fuzz_http(const uint8_t *data, size_t size);

int fuzz_http(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = (size_t)data[0] + 1;
    const char *at = (const char *)data + 1;
    size_t left = size - 1;
    struct http_input *input = mem_alloc(sizeof(*input));
    http_input_init(input);
    while (left > 0) {
        size_t used = 0;
        size_t len = left < piece ? left : piece;
        enum http_input_state state = http_input_feed(input, at, len, &used);
        ASSERT(used <= len);
        if (state == HTTP_INPUT_WHOLE) {
            ASSERT(http_input_path(input) != NULL && http_input_query(input) != NULL);
            (void)http_input_keeps_alive(input);
            http_input_reset(input);
        } else if (state != HTTP_INPUT_MORE) {
            ASSERT(http_input_refusal(state) >= 400);
            break;
        } else {
            used = len;
        }
        at += used;
        left -= used;
    }
    http_input_deinit(input);
    mem_free(input);
    return 0;
}
