// SPDX-License-Identifier: Apache-2.0
/*
 * partition_explain: how a partition of this broker is, for whoever asks why it does not serve or
 * is behind its disk: facts only, no words and no judgement (broker/partition_reasons.h makes
 * reasons of them).
 *
 * Thread: any.
 */
#ifndef REPLICA_PARTITION_EXPLAIN_H
#define REPLICA_PARTITION_EXPLAIN_H

#include "log/scrub.h"
#include "replica/replica_set.h"
#include "wire/partition_reason.h"

/* Something that the disk did not do. `error` ERR_OK: nothing. */
struct partition_failure {
    enum log_step step;
    enum err error;
    int64_t at_ms;
    struct log_position at; /* segment_base -1: not known; pos -1: not known */
};

/* A log directory that failed. at_ms 0: it serves. */
struct log_dir_failure {
    int64_t at_ms;
    char topic[PARTITION_TOPIC_NAME_SIZE]; /* the partition at which that was found out */
    int32_t index;
    struct partition_failure failure; /* there */
};

enum { PARTITION_ROT_TOLD = 8 };

struct partition_explanation {
    enum partition_condition condition;
    size_t dir;        /* number of its log directory; SIZE_MAX: none */
    int64_t opened_ms; /* when it was opened, or could not be; 0: not yet */
    enum err open_error;
    struct log_open_report report; /* of opening */
    bool is_tried_again;           /* opening, by itself */
    struct log_dir_failure dir_failure;
    int64_t uncleanable_ms;    /* since when it is compacted no more; 0: it is not so */
    char uncleanable[256];     /* and why */
    int64_t dir_low_since_ms;  /* since when its directory takes no records; 0: it does */
    int64_t dir_reserve_bytes; /* what is kept back of its disk */

    /* Of a partition that was opened; else zeros, and offsets -1: */
    struct partition_offsets at;
    int64_t flush_messages;
    int64_t flush_ms;
    bool is_ack_disk;
    int64_t unsynced_since_ms;              /* -1: all is synced */
    int64_t sync_began_ms;                  /* of the sync that is under way; 0: none is */
    int64_t synced_ms;                      /* when the last sync ended; 0: none yet */
    int64_t full_since_ms;                  /* since when a write finds no room; 0: it does */
    struct partition_failure failure;       /* the last one */
    struct log_rot rot[PARTITION_ROT_TOLD]; /* what the scrub found, the first of it */
    size_t rot_count;                       /* all of it */
};

/* False: there is no such partition here. */
bool replica_set_explain(struct replica_set *set, struct uuid topic_id, int32_t index,
                         struct partition_explanation *out);

/* The part that the partition itself knows. */
void partition_explain(struct partition *p, struct partition_explanation *out);

#endif
