// SPDX-License-Identifier: Apache-2.0
/*
 * partition_fixture: one partition in a world of memory, with the owner that the tests play.
 *
 * Thread: the test's.
 */
#ifndef REPLICA_PARTITION_FIXTURE_H
#define REPLICA_PARTITION_FIXTURE_H

#include "env/mem_env.h"
#include "log/journal.h"
#include "replica/partition.h"

struct fixture {
    struct mem_env m;
    struct loop *loop;
    struct log_dir *dir;
    struct log_stats stats;
    struct journal_stats journal_stats;
    struct partition *p;
    struct topic_config config;
    enum err storage_error;
    int64_t due_ms;
    int64_t round_ms;
    int rounds;
    enum err closed_with;
    int closed;
    struct partition_trim *saving; /* the last that was to be saved */
    bool saves_at_once;
    bool journal_is_closed;
};

struct sent {
    struct partition_append append;
    int done;
};

/* Opens the log directory "d" and a partition, without a journal, or with one. */
void fixture_init(struct fixture *f);
void fixture_init_journal(struct fixture *f);
enum err fixture_open_partition(struct fixture *f, int32_t leader_epoch);
/* For partition_close, with the fixture: counts. */
void fixture_on_closed(void *arg, enum err e);
/* Closes all cleanly, and checks that it went well. */
void fixture_close(struct fixture *f);

/* Appends one batch of `count` records; producer -1: not idempotent. */
void send_batch(struct fixture *f, struct sent *s, int64_t producer, int32_t sequence, int count);

/* What a consumer at this offset gets; the range is still to be released. */
struct partition_read_result read_at(struct fixture *f, int64_t offset);

#endif
