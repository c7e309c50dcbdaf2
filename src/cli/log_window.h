// SPDX-License-Identifier: Apache-2.0
/*
 * log_window: a file of any size through a buffer: some bytes at some position, read many at a
 * time. Does not know what is in it.
 *
 * Thread: main; blocks.
 * Limits: the buffer grows to the largest piece that was asked for, which is never larger than the
 *         file.
 */
#ifndef CLI_LOG_WINDOW_H
#define CLI_LOG_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "env/env.h"

struct log_window {
    struct env_file *file;
    int64_t size; /* of the file, when it was opened: what comes later is not looked at */
    int64_t pos;  /* of data[0] */
    uint8_t *data;
    size_t len;
    size_t capacity;
};

/* On failure there is nothing to close. Errors as env_file_open. */
enum err log_window_open(struct env *env, const char *path, struct log_window *out) MUST_USE;

/* Accepts one that is all zeros. */
void log_window_close(struct log_window *w);

/* `len` bytes at `pos`, valid until the next call. ERR_RANGE: they are not there. ERR_NO_MEMORY,
 * ERR_IO. */
enum err log_window_get(struct log_window *w, int64_t pos, size_t len, const uint8_t **out)
    MUST_USE;

#endif
