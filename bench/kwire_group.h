// SPDX-License-Identifier: Apache-2.0
/*
 * kwire_group: the frames of consumer groups and of metadata, at fixed versions
 * that Kafka 4.4 and Klamm both serve: JoinGroup 3, SyncGroup 1, Heartbeat 1,
 * LeaveGroup 1, OffsetCommit 6, FindCoordinator 1, ListGroups 1, Metadata 12,
 * and CreateTopics 4 of many topics.
 *
 * JoinGroup 3 is the last that needs one round trip: from 4 on a member first
 * fetches its id (KIP-394).
 *
 * Thread: each object belongs to one thread.
 */
#ifndef KLAMM_BENCH_KWIRE_GROUP_H
#define KLAMM_BENCH_KWIRE_GROUP_H

#include "kwire.h"

enum {
    API_METADATA = 3,
    API_OFFSET_COMMIT = 8,
    API_FIND_COORDINATOR = 10,
    API_JOIN_GROUP = 11,
    API_HEARTBEAT = 12,
    API_LEAVE_GROUP = 13,
    API_SYNC_GROUP = 14,
    API_LIST_GROUPS = 16,

    ERROR_COORDINATOR_LOADING = 14,
    ERROR_COORDINATOR_MISSING = 15,
    ERROR_NOT_COORDINATOR = 16,
    ERROR_REBALANCE = 27,

    MEMBER_ID_SIZE = 64,
};

/* Who speaks: what every request of a group member begins with. */
struct group_member_id {
    const char *group;
    const char *member; /* "": not known yet */
    int32_t generation;
};

/* Subscribes to one topic; a rebalance may take as long as a session. */
void put_join_group(struct kbuf *b, const struct group_member_id *who, const char *topic,
                    int32_t session_ms);
void put_heartbeat(struct kbuf *b, const struct group_member_id *who);
void put_leave_group(struct kbuf *b, const struct group_member_id *who);
/* `joined`: for the leader the answer that made it so, whose n-th member gets
 * the topic's n-th partition; NULL for all others. */
struct join_answer;
void put_sync_group(struct kbuf *b, const struct group_member_id *who, const char *topic,
                    const struct join_answer *joined);
/* Of partition 0. */
void put_offset_commit(struct kbuf *b, const struct group_member_id *who, const char *topic,
                       int64_t offset);
void put_find_coordinator(struct kbuf *b, const char *group);
void put_list_groups(struct kbuf *b);

/* Topics `first` to first + count - 1 of the names that topic_name() gives,
 * with one partition each. */
void put_create_topics(struct kbuf *b, int first, int count);
void put_metadata_all(struct kbuf *b);
/* `count` numbers of topics. */
void put_metadata_of(struct kbuf *b, const int *numbers, int count);
void topic_name(char name[32], int number);

/* All readers: see kwire.h. */
struct join_answer {
    int16_t error;
    int32_t generation;
    bool is_leader;
    char member[MEMBER_ID_SIZE];
    int32_t member_count; /* the leader's view, else 0 */
    struct kreader members;
};
bool read_join_answer(const uint8_t *frame, size_t size, struct join_answer *out);
/* SyncGroup 1, Heartbeat 1, LeaveGroup 1, FindCoordinator 1. */
bool read_group_answer(const uint8_t *frame, size_t size, int16_t *error);
bool read_offset_commit_answer(const uint8_t *frame, size_t size, int16_t *error);
bool read_list_groups_answer(const uint8_t *frame, size_t size, int16_t *error, int32_t *count);
/* How many topics; the first error of any. */
bool read_create_topics_answer(const uint8_t *frame, size_t size, int16_t *error, int32_t *count);
/* The answer is read to its end: topics, their partitions, and how many of those
 * have a leader. */
struct metadata_answer {
    int16_t error; /* the first of any topic or partition */
    int32_t topics;
    int32_t led;
};
bool read_metadata_answer(const uint8_t *frame, size_t size, struct metadata_answer *out);

#endif
