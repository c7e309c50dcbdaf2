// SPDX-License-Identifier: Apache-2.0
/*
 * checkpoint_file: Kafka's small text files: a version (0), a count, so many lines.
 * Offset checkpoints have "topic partition offset" lines, the epoch file "epoch
 * offset" lines. Reads and writes the text; does not know where it is kept.
 *
 * Thread: any.
 * Limits: CHECKPOINT_FILE_BYTES and EPOCHS_FILE_BYTES for one file.
 */
#ifndef LOG_CHECKPOINT_FILE_H
#define LOG_CHECKPOINT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/strbuf.h"

enum { CHECKPOINT_TOPIC_SIZE = LIMIT_TOPIC_NAME_BYTES + 1 };

/* A place in the text of one file; `is_bad` sticks. */
struct checkpoint_reader {
    const char *at;
    const char *end;
    int64_t left; /* lines that the count announces and that were not read yet */
    bool is_bad;
};

/* Reads version and count. */
void checkpoint_reader_init(struct checkpoint_reader *r, const void *data, size_t size);

/* Is there another line? False also when the text is bad. */
bool checkpoint_reader_next(struct checkpoint_reader *r);

/* Within the line, then its end. What does not fit the form sets is_bad and gives 0 or "". */
int64_t checkpoint_read_number(struct checkpoint_reader *r, int64_t min, int64_t max);
void checkpoint_read_word(struct checkpoint_reader *r, char *out, size_t size);
void checkpoint_read_line_end(struct checkpoint_reader *r);

/* After the last line: ERR_CORRUPT when something was bad or lies behind. */
enum err checkpoint_reader_finish(const struct checkpoint_reader *r) MUST_USE;

/* Version and count; the caller adds the lines. */
void checkpoint_write_head(struct strbuf *out, size_t count);

#endif
