// SPDX-License-Identifier: Apache-2.0
/*
 * journal_fixture: a journal and the logs of some partitions that commit through it, without the
 * partitions: jobs run when the test says so.
 *
 * Thread: the test's.
 */
#ifndef LOG_JOURNAL_FIXTURE_H
#define LOG_JOURNAL_FIXTURE_H

#include "env/env.h"
#include "log/journal.h"

enum { BENCH_MEMBERS = 8, BENCH_JOURNAL_BYTES = 131072 };

struct bench;

/* A partition. */
struct member {
    struct bench *bench;
    struct uuid topic_id;
    int32_t index;
    char dir[32];
    struct log_config config;
    int64_t checkpoint; /* the recovery point that a next open is given */
    struct partition_log *log;
    struct log_open_report report;
    enum err open_error;
    struct journal_client client;
    struct journal_entry entry;
    struct log_commit commit;
    int32_t leader_epoch;
    bool is_waiting; /* its commit is in the journal */
    bool is_failed;
    bool wants_flush; /* the journal asked */
    bool is_closed;
    bool is_gone; /* nobody knows it any more, but the journal may have to release it */
    int covers;
    int done_calls;
    int releases;
    void (*on_durable)(struct member *m); /* NULL: nothing */
    void (*on_released)(struct member *m);
    int64_t durable; /* what was reported */
};

struct bench {
    struct env *env;
    struct list *jobs; /* of the env, ENV_QUEUE_COUNT of them */
    struct journal_options options;
    struct journal_stats stats;
    struct journal *journal;
    struct member members[BENCH_MEMBERS];
    int member_count;
    int64_t time_ms; /* of the next batch: no two are alike */
    bool is_close_done;
    enum err close_error;
};

enum member_way { WAY_FAILED, WAY_STRAIGHT, WAY_JOURNAL };

/* `jobs`: where the env keeps what was submitted. */
void bench_init(struct bench *b, struct env *env, struct list *jobs, int members);

/* Opens the journal, then the members; each may fail. Then what is left of others is dropped. */
enum err bench_open_journal(struct bench *b);
enum err member_open(struct member *m);
void bench_settle(struct bench *b);
/* All of it; the first error. */
enum err bench_open(struct bench *b);

/* One step of a job; false: there is none. All. */
bool bench_step(struct bench *b);
void bench_run(struct bench *b);

/* Closes all cleanly, then the journal. */
enum err bench_close(struct bench *b);
/* As a process that was killed: nothing is written. Jobs that wait are dropped. */
void bench_drop(struct bench *b);

/* One batch of so many records; ERR_NO_MEMORY. */
enum err member_append(struct member *m, int32_t records, size_t payload);
/* Commits what is pending. WAY_JOURNAL: `is_waiting` until jobs have run. */
enum member_way member_commit(struct member *m);
/* Both, and the jobs until it is durable. */
enum member_way member_put(struct member *m, int32_t records, size_t payload);
/* If the journal asked. */
void member_flush(struct member *m);
/* As a partition's housekeeping. */
void member_save(struct member *m);
/* To this batch border or the one before. ERR_BUSY: the journal has no room to say it. */
enum err member_cut(struct member *m, int64_t offset);
/* Closes the log: cleanly, or because its directory goes. */
enum err member_close(struct member *m, bool is_clean);

#endif
