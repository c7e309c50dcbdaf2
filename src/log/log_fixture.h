// SPDX-License-Identifier: Apache-2.0
/*
 * log_fixture: batches and commits for the tests of this folder.
 *
 * Thread: the test's.
 */
#ifndef LOG_LOG_FIXTURE_H
#define LOG_LOG_FIXTURE_H

#include "env/mem_env.h"
#include "log/partition_log.h"

enum { FIXTURE_GENERATION = 2 }; /* of the journal that there seems to be */

struct fixture_batch {
    int32_t records;
    size_t payload; /* bytes of each value */
    int64_t timestamp_ms;
    int64_t producer_id; /* -1: none */
    int16_t epoch;
    int32_t sequence;
    bool times_fall;
    enum compress_codec codec;
};

/* Defaults of Kafka, ack_disk. */
struct log_config fixture_config(void);

/* One batch of whole records, timestamps rising (or falling) by one from timestamp_ms. */
struct iobuf_slice fixture_bytes(const struct fixture_batch *batch);

/* A log and what waits to be written. */
struct fixture {
    struct mem_env m;
    struct log_config config;
    struct log_open_report report;
    struct partition_log *log;
    int64_t recovery_point;
    int64_t log_start;
    bool was_clean;
    int32_t leader_epoch;
    size_t held_max; /* for commits: as if a journal took what is held */
};

void fixture_init(struct fixture *f);
void fixture_deinit(struct fixture *f);
enum err fixture_open(struct fixture *f);
void fixture_free(struct fixture *f);

/* Assigns; the append is freed by fixture_commit. */
enum err fixture_append(struct fixture *f, const struct fixture_batch *batch);
/* Takes, writes, publishes, syncs when wanted, publishes. On an error: fails the commit. */
enum err fixture_commit(struct fixture *f, bool force_sync);
/* Appends plain batches of these numbers, each committed. */
void fixture_fill(struct fixture *f, int batches, int32_t records, size_t payload);

/* Frees what is in the list. */
void fixture_free_appends(struct list *appends);

/* The base offset of the batch that a reader gets for this offset, below the written end; -1: none,
 * -2: an error. */
int64_t fixture_read(struct fixture *f, int64_t offset);

/* The bytes of "t-0/NAME". */
uint8_t *fixture_file(struct fixture *f, const char *name, size_t *size);

#endif
