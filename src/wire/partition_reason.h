// SPDX-License-Identifier: Apache-2.0
/*
 * partition_reason: the numbers in Klamm's own part of DescribeLogDirs (schema/api/
 * describe_log_dirs.api, docs/decisions/015-explaining-a-partition.md). They never change their
 * meaning; who gets one that it does not know says so.
 *
 * To add a reason: a number here, the place that finds it in broker/partition_reasons.c, a sentence
 * and a word in cli/topic_why_text.c.
 *
 * Thread: any.
 */
#ifndef WIRE_PARTITION_REASON_H
#define WIRE_PARTITION_REASON_H

/* ExplainedPartition.State. */
enum partition_condition {
    PARTITION_IS_OPENING = 0, /* its log is being read, or waits for its turn */
    PARTITION_IS_SERVING = 1,
    PARTITION_IS_CLOSING = 2,  /* it is being deleted, or the broker stops */
    PARTITION_IS_OFFLINE = 3,  /* its log or its directory failed after it was opened */
    PARTITION_IS_UNOPENED = 4, /* its log could not be opened */
    PARTITION_CONDITION_COUNT
};

/* Reason.Kind; what is in the other fields besides SinceMs. */
enum partition_reason {
    PARTITION_REASON_UNKNOWN = 0,
    PARTITION_REASON_DIR_OFFLINE = 1,  /* Error, Step; Detail: the partition at which it failed */
    PARTITION_REASON_FAILED = 2,       /* here it failed: Step, Error, File, Position */
    PARTITION_REASON_UNOPENED = 3,     /* Error; Detail: file and position of what is bad */
    PARTITION_REASON_NO_DIR = 4,       /* no directory is in service that could hold it */
    PARTITION_REASON_FULL = 5,         /* no room to write: Amount: bytes that the disk has left */
    PARTITION_REASON_SYNC_SLOW = 6,    /* a sync is under way: Amount: records that wait for it */
    PARTITION_REASON_UNSYNCED = 7,     /* as the topic wants: Amount: records that are not synced */
    PARTITION_REASON_CUT = 8,          /* opening cut a torn tail: Amount: bytes; Detail: where */
    PARTITION_REASON_ROT = 9,          /* the same of damaged bytes, kept in a side file */
    PARTITION_REASON_RESERVE = 10,     /* only the reserve is left: Amount: bytes that the disk has
                                          left;    Position: bytes that are kept back */
    PARTITION_REASON_RETRIED = 11,     /* as UNOPENED, and it is tried again by itself: Error */
    PARTITION_REASON_UNCLEANABLE = 12, /* it is not compacted any more: Detail */
    PARTITION_REASON_SCRUB = 13, /* the scrub found a damaged place: Error, File, Position; Amount:
                                    bytes; Offset to EndOffset: what cannot be read; Detail: how
                                    many more places there are */
    PARTITION_REASON_LOST = 14,  /* its end was synced further on before: Detail: where it ends */
    PARTITION_REASON_COUNT
};

/* Reason.Step: what the disk was asked for. */
enum partition_reason_step {
    PARTITION_AT_UNKNOWN = 0,
    PARTITION_AT_WRITE = 1,
    PARTITION_AT_SYNC = 2,
    PARTITION_AT_DELETE = 3,  /* renames of segments that retention took out */
    PARTITION_AT_JOURNAL = 4, /* the log directory's journal was written or synced */
    PARTITION_REASON_STEP_COUNT
};

#endif
