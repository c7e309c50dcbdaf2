// SPDX-License-Identifier: Apache-2.0
/*
 * history: what the simulated clients have sent, were told and have seen. The checkers
 * (check_*.c) look at it while the world runs and once it is over.
 *
 * Every record is numbered; its bytes follow from the number, so that a record that is
 * read back names itself and can be compared byte by byte.
 *
 * What a client has sees is compared with what was known when its request left: answers
 * overtake each other.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_HISTORY_H
#define TEST_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/uuid.h"
#include "group_history.h"

enum {
    HISTORY_NAME_SIZE = 64,
    HISTORY_RECORD_BYTES_MIN = 12,
    HISTORY_FAILURE_SIZE = 600,
    HISTORY_KEYS_MAX = 64,
};

enum record_state {
    RECORD_SENT,    /* nobody knows yet */
    RECORD_ACKED,   /* it lies at acked_offset */
    RECORD_UNKNOWN, /* given up, or acks=0: it may be in the log or not */
    RECORD_REFUSED, /* the broker said that it is not in the log */
};

struct history_record {
    uint32_t partition;
    uint32_t producer;
    int32_t instance; /* of an idempotent producer: changes with its producer id; -1: not one */
    uint32_t number;  /* order of sending, per producer and partition */
    uint32_t bytes;
    int32_t key;       /* of a compacted partition, from 1 on; 0: none */
    bool is_tombstone; /* sent without a value */
    enum record_state state;
    bool is_promised;     /* a power cut may not take it */
    int64_t created_ns;   /* as h->now_ns tells it */
    int64_t acked_offset; /* -1: none */
    uint32_t power_cuts;  /* that had been when it was last sent */
    uint32_t sendings;
};

/* What is known of one key of a compacted partition. */
struct history_key {
    int64_t offset;    /* the largest of a record that was acknowledged or seen; -1: none */
    bool is_tombstone; /* that record */
};

/* One reading from the start on, of a compacted partition. */
struct history_pass {
    int64_t began_ns;
    int64_t found[HISTORY_KEYS_MAX];       /* the last offset of each key; -1: none */
    int64_t clean_found[HISTORY_KEYS_MAX]; /* below clean_end */
};

enum { HISTORY_FLIPS_MAX = 16 };

/* A bit that changed in a sealed segment: the bytes and offsets that are lost with it. */
struct history_flip {
    uint32_t partition;
    uint64_t file; /* which inode */
    int64_t segment_base;
    int64_t pos; /* of its batch */
    int64_t end;
    int64_t offset;
    int64_t end_offset;
    bool is_found; /* the broker says so */
};

struct history_partition {
    char topic[HISTORY_NAME_SIZE];
    uint32_t topic_index; /* in `topics` */
    int32_t index;
    bool is_durable;    /* klamm.ack=disk: what consumers see survives power cuts */
    bool has_retention; /* its start moves up, and may go back when a process ends before the names
                           of its segments have gone */
    int64_t trim_asked; /* the highest start that a client has asked for */
    bool is_rotten;     /* bits have changed in one of its files, anywhere */
    bool is_reported;   /* and the broker has said so */
    bool is_scrubbed;   /* all that has changed there is in `flips`, and should have been found */
    int64_t retention_ms;       /* 0: nothing goes for its age */
    int64_t retention_bytes;    /* 0: nothing goes for its size */
    int64_t retention_checked;  /* what lies below was looked at when it went */
    uint32_t generation;        /* rises when a power cut may have taken what was seen */
    int32_t key_count;          /* of a compacted one: keys 1 to this; 0: it is not compacted */
    int64_t tombstones_stay_ns; /* delete.retention.ms */
    int64_t clean_end;          /* all below was compacted together; 0: nobody knows */
    int64_t due_end;            /* tombstones below have had their time */
    struct history_key keys[HISTORY_KEYS_MAX]; /* key 1 first */

    /* Floors: what clients have been told already. */
    int64_t high_watermark;
    int64_t log_start;
    int32_t leader_epoch;
    int32_t leader_epoch_min; /* what a newer process has to say at least */

    /* The record at each offset that somebody has read; -1: nobody has. */
    int32_t *seen;
    int64_t seen_count;
    int64_t seen_capacity;

    /* The record that was promised at each offset; -1: none. */
    int32_t *promised;
    int64_t promised_count;
    int64_t promised_capacity;

    /* As `seen`, of the last reading, when all is calm again. */
    int32_t *audit;
    int64_t audit_count;
    int64_t audit_capacity;
    int64_t audit_end; /* the end offset that the auditor was told; -1: not audited */
};

enum topic_state {
    TOPIC_ABSENT,  /* surely not there */
    TOPIC_PRESENT, /* surely there, with this id */
    TOPIC_UNSURE,  /* a request about it got no answer */
};

struct history_topic {
    char name[HISTORY_NAME_SIZE];
    enum topic_state state;
    struct uuid id;
    int32_t partitions;
    uint32_t changes; /* rises with every request and answer about it */
};

struct history {
    struct history_record *records;
    uint32_t record_count;
    uint32_t record_capacity;
    struct history_partition *partitions;
    uint32_t partition_count;
    struct history_topic *topics;
    uint32_t topic_count;
    uint32_t producer_count;
    uint32_t power_cuts;
    uint32_t starts;       /* of the broker */
    int64_t *producer_ids; /* with the epoch in the low 16 bits */
    uint32_t producer_id_count;
    struct history_groups groups;

    struct history_flip flips[HISTORY_FLIPS_MAX];
    uint32_t flip_count;

    int64_t acked_operations;
    int64_t records_read;
    int64_t repeats_read; /* of producers that are not idempotent */
    bool is_auditing;
    char cluster_id[HISTORY_NAME_SIZE]; /* "" until somebody was told */

    const int64_t *now_ns; /* the world's clock; NULL: there is none */

    bool has_failed;
    char failure[HISTORY_FAILURE_SIZE]; /* the first one: "checker: what" */
    void (*on_failure)(void *arg);      /* may be NULL */
    void *on_failure_arg;
};

void history_init(struct history *h);
void history_deinit(struct history *h);

/* Only the first one counts. */
void history_fail(struct history *h, const char *checker, const char *format, ...)
    PRINTF_LIKE(3, 4);

uint32_t history_add_topic(struct history *h, const char *name);
uint32_t history_add_partition(struct history *h, uint32_t topic, int32_t index, bool is_durable);

/* ---- records */

struct history_new_record {
    uint32_t partition;
    uint32_t producer;
    int32_t instance;
    uint32_t number;
    uint32_t bytes; /* at least HISTORY_RECORD_BYTES_MIN */
    int32_t key;    /* 0: none */
    bool is_tombstone;
};

uint32_t history_add_record(struct history *h, const struct history_new_record *options);

/* The record's value. */
void history_fill(const struct history *h, uint32_t record, uint8_t *out);

/* Which record these bytes are; -1: none that was ever sent. */
int32_t history_recognise(const struct history *h, const uint8_t *data, size_t len);

/* It leaves, for the first time or again. */
void history_sent(struct history *h, uint32_t record);

/* `wants_all`: the producer asked for acks=all. An answer that a power cut has overtaken proves
 * something only then. */
void history_acked(struct history *h, uint32_t record, int64_t offset, bool wants_all);
void history_unknown(struct history *h, uint32_t record);
void history_refused(struct history *h, uint32_t record);

/* The broker has given this producer id to somebody. */
void history_producer_id(struct history *h, int64_t producer_id, int16_t epoch);

/* ---- what consumers see */

/* What is known when a request leaves. */
struct history_floor {
    uint32_t generation;
    uint32_t starts;
    int64_t high_watermark;
    int64_t log_start;
    int32_t leader_epoch;
};

struct history_floor history_floor_of(const struct history *h, uint32_t partition);

/* False: a power cut came between, and what was asked before it proves nothing. */
bool history_is_current(const struct history *h, uint32_t partition,
                        const struct history_floor *floor);

/* `expected` is the offset that the reader should find next; -1: any. */
void history_read(struct history *h, uint32_t partition, int64_t expected, int64_t offset,
                  int32_t record);

/* Values of -1: the answer did not say. */
struct history_offsets {
    int64_t high_watermark;
    int64_t log_start;
    int32_t leader_epoch;
};

void history_told(struct history *h, uint32_t partition, const struct history_floor *floor,
                  const struct history_offsets *offsets);

/* ---- compacted partitions */

void history_set_compacted(struct history *h, uint32_t partition, int32_t key_count,
                           int64_t tombstones_stay_ns);

/* A reading begins at the log's start, comes to each record, and has come to `end`, where the
 * broker said that there is no more. */
void history_pass_begin(const struct history *h, uint32_t partition, int64_t now_ns,
                        struct history_pass *pass);
void history_pass_found(struct history *h, struct history_pass *pass, int64_t offset,
                        int32_t record);
void history_pass_end(struct history *h, uint32_t partition, int64_t now_ns, int64_t end,
                      const struct history_pass *pass);

/* A request to delete what lies below this offset is on its way. */
void history_trim_asked(struct history *h, uint32_t partition, int64_t offset);

/* Another process of the broker begins: its leader epochs are higher than any told before. */
void history_broker_starts(struct history *h, bool epoch_may_lag);

/* Its topic was deleted and made anew: nothing of the old one may be seen any more. */
void history_renewed(struct history *h, uint32_t partition);

/* A machine lost what it had not synced. */
void history_power_cut(struct history *h);

/* Every answer names the same cluster, through all crashes. */
void history_cluster(struct history *h, const char *id, size_t len);

/* ---- topics */

void history_topic_asked(struct history *h, uint32_t topic); /* create or delete is on its way */
void history_topic_created(struct history *h, uint32_t topic, struct uuid id, int32_t partitions);
void history_topic_deleted(struct history *h, uint32_t topic);

/* An answer about the topic to a request that left when it had `state` and `changes`;
 * `is_there` false: UNKNOWN_TOPIC_OR_PARTITION. */
struct history_topic_view {
    enum topic_state state;
    uint32_t changes;
};

struct history_topic_view history_topic_view(const struct history *h, uint32_t topic);

struct history_topic_answer {
    bool is_there;
    struct uuid id;
    int32_t partitions;
};

void history_topic_seen(struct history *h, uint32_t topic, const struct history_topic_view *view,
                        const struct history_topic_answer *answer);

/* ---- the broker's disk */

enum { HISTORY_FILES_MAX = 4000 };

struct history_file {
    int64_t base_offset;
    int64_t size;
};

/* Of one partition: its .log files by offset. */
struct history_files {
    struct history_file items[HISTORY_FILES_MAX];
    uint32_t count;
    uint32_t deleted_count; /* files that are to be unlinked */
};

/* After the audit: everything that only the end can tell. */
void history_check_end(struct history *h);

#endif
