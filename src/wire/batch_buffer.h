// SPDX-License-Identifier: Apache-2.0
/*
 * batch_buffer: bytes that grow while a batch is built or compressed, up to a
 * limit. Sizes follow from what peers sent, so every growth may fail.
 *
 * Thread: whoever owns it.
 */
#ifndef WIRE_BATCH_BUFFER_H
#define WIRE_BATCH_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct batch_buffer {
    uint8_t *data; /* NULL until something was reserved */
    size_t len;
    size_t capacity;
    size_t size_max; /* `len` never passes this */
};

/* Allocates nothing yet. */
void batch_buffer_init(struct batch_buffer *b, size_t size_max);
void batch_buffer_deinit(struct batch_buffer *b);

/* Room for `more` bytes behind `len`. The room may pass size_max by what the
 * caller will not fill; batch_buffer_advance is what checks.
 * ERR_NO_MEMORY: nothing changed. */
enum err batch_buffer_reserve(struct batch_buffer *b, size_t more) MUST_USE;

/* `count` bytes were written behind `len`, inside what was reserved.
 * ERR_TOO_LARGE: past size_max; `len` is as it was. */
enum err batch_buffer_advance(struct batch_buffer *b, size_t count) MUST_USE;

/* Copies bytes behind `len`. ERR_NO_MEMORY or ERR_TOO_LARGE: nothing changed. */
enum err batch_buffer_add(struct batch_buffer *b, const void *data, size_t count) MUST_USE;

#endif
