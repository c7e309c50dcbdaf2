// SPDX-License-Identifier: Apache-2.0
/*
 * kwire_group: the frames of consumer groups and of metadata (see kwire_group.h).
 *
 * Thread: each object belongs to one thread.
 */
#include "kwire_group.h"

#include <stdio.h>
#include <string.h>

static const char protocol[] = "range";

void topic_name(char name[32], int number)
{
    snprintf(name, 32, "bench-topic-%06d", number);
}

/* -- requests of members ------------------------------------------------ */

/* The consumer protocol's subscription, version 0, as bytes with their length. */
static void put_subscription(struct kbuf *b, const char *topic)
{
    put_i32(b, (int32_t)(2 + 4 + 2 + strlen(topic) + 4));
    put_i16(b, 0);
    put_i32(b, 1);
    put_string(b, topic);
    put_i32(b, -1); /* no user data */
}

static void put_assignment(struct kbuf *b, const char *topic, int32_t partition)
{
    put_i32(b, (int32_t)(2 + 4 + 2 + strlen(topic) + 4 + 4 + 4));
    put_i16(b, 0);
    put_i32(b, 1);
    put_string(b, topic);
    put_i32(b, 1);
    put_i32(b, partition);
    put_i32(b, -1);
}

void put_join_group(struct kbuf *b, const struct group_member_id *who, const char *topic,
                    int32_t session_ms)
{
    size_t start = begin_frame(b, API_JOIN_GROUP, 3, false);
    put_string(b, who->group);
    put_i32(b, session_ms);
    put_i32(b, 60000); /* rebalance timeout */
    put_string(b, who->member);
    put_string(b, "consumer");
    put_i32(b, 1);
    put_string(b, protocol);
    put_subscription(b, topic);
    end_frame(b, start);
}

static void put_who(struct kbuf *b, const struct group_member_id *who)
{
    put_string(b, who->group);
    put_i32(b, who->generation);
    put_string(b, who->member);
}

void put_heartbeat(struct kbuf *b, const struct group_member_id *who)
{
    size_t start = begin_frame(b, API_HEARTBEAT, 1, false);
    put_who(b, who);
    end_frame(b, start);
}

void put_leave_group(struct kbuf *b, const struct group_member_id *who)
{
    size_t start = begin_frame(b, API_LEAVE_GROUP, 1, false);
    put_string(b, who->group);
    put_string(b, who->member);
    end_frame(b, start);
}

void put_sync_group(struct kbuf *b, const struct group_member_id *who, const char *topic,
                    const struct join_answer *joined)
{
    size_t start = begin_frame(b, API_SYNC_GROUP, 1, false);
    put_who(b, who);
    put_i32(b, joined != NULL ? joined->member_count : 0);
    struct kreader r = joined != NULL ? joined->members : (struct kreader){0};
    for (int32_t i = 0; joined != NULL && i < joined->member_count; i++) {
        int16_t size = get_i16(&r);
        put_i16(b, size);
        put_bytes(b, get_bytes(&r, (size_t)size), (size_t)size);
        put_assignment(b, topic, i);
        get_bytes(&r, (size_t)get_i32(&r)); /* what it subscribes to */
    }
    end_frame(b, start);
}

void put_offset_commit(struct kbuf *b, const struct group_member_id *who, const char *topic,
                       int64_t offset)
{
    size_t start = begin_frame(b, API_OFFSET_COMMIT, 6, false);
    put_who(b, who);
    put_i32(b, 1);
    put_string(b, topic);
    put_i32(b, 1);
    put_i32(b, 0);
    put_i64(b, offset);
    put_i32(b, -1); /* leader epoch */
    put_string(b, "");
    end_frame(b, start);
}

void put_find_coordinator(struct kbuf *b, const char *group)
{
    size_t start = begin_frame(b, API_FIND_COORDINATOR, 1, false);
    put_string(b, group);
    put_i8(b, 0);
    end_frame(b, start);
}

void put_list_groups(struct kbuf *b)
{
    end_frame(b, begin_frame(b, API_LIST_GROUPS, 1, false));
}

/* -- requests about topics ---------------------------------------------- */

void put_create_topics(struct kbuf *b, int first, int count)
{
    size_t start = begin_frame(b, API_CREATE_TOPICS, 4, false);
    put_i32(b, count);
    for (int i = 0; i < count; i++) {
        char name[32];
        topic_name(name, first + i);
        put_string(b, name);
        put_i32(b, 1); /* partitions */
        put_i16(b, 1); /* replication factor */
        put_i32(b, 0); /* assignments */
        put_i32(b, 0); /* configs */
    }
    put_i32(b, 120000); /* timeout */
    put_i8(b, 0);       /* validate only */
    end_frame(b, start);
}

static void put_metadata_end(struct kbuf *b, size_t start)
{
    put_i8(b, 0); /* create none */
    put_i8(b, 0); /* no authorized operations */
    put_uvarint(b, 0);
    end_frame(b, start);
}

void put_metadata_all(struct kbuf *b)
{
    size_t start = begin_frame(b, API_METADATA, 12, true);
    put_uvarint(b, 0);
    put_metadata_end(b, start);
}

void put_metadata_of(struct kbuf *b, const int *numbers, int count)
{
    static const uint8_t no_id[16];
    size_t start = begin_frame(b, API_METADATA, 12, true);
    put_uvarint(b, (uint32_t)count + 1);
    for (int i = 0; i < count; i++) {
        char name[32];
        topic_name(name, numbers[i]);
        put_bytes(b, no_id, sizeof no_id);
        put_compact_string(b, name);
        put_uvarint(b, 0);
    }
    put_metadata_end(b, start);
}

/* -- answers ------------------------------------------------------------ */

static struct kreader reader_of(const uint8_t *frame, size_t size)
{
    struct kreader r = {.at = frame, .end = frame + size};
    get_i32(&r); /* correlation id */
    return r;
}

bool read_join_answer(const uint8_t *frame, size_t size, struct join_answer *out)
{
    struct kreader r = reader_of(frame, size);
    get_i32(&r); /* throttle */
    *out = (struct join_answer){.error = get_i16(&r), .generation = get_i32(&r)};
    skip_string(&r); /* protocol */
    int16_t leader_size = get_i16(&r);
    const uint8_t *leader = get_bytes(&r, leader_size > 0 ? (size_t)leader_size : 0);
    int16_t member_size = get_i16(&r);
    const uint8_t *member = get_bytes(&r, member_size > 0 ? (size_t)member_size : 0);
    out->member_count = get_i32(&r);
    out->members = r;
    if (r.failed || member_size >= MEMBER_ID_SIZE)
        return false;
    if (member_size > 0)
        memcpy(out->member, member, (size_t)member_size);
    out->is_leader = member_size > 0 && leader_size == member_size &&
                     memcmp(leader, member, (size_t)member_size) == 0;
    return true;
}

bool read_group_answer(const uint8_t *frame, size_t size, int16_t *error)
{
    struct kreader r = reader_of(frame, size);
    get_i32(&r);
    *error = get_i16(&r);
    return !r.failed;
}

bool read_offset_commit_answer(const uint8_t *frame, size_t size, int16_t *error)
{
    struct kreader r = reader_of(frame, size);
    get_i32(&r);
    if (get_i32(&r) != 1) /* one topic */
        return false;
    skip_string(&r);
    if (get_i32(&r) != 1) /* one partition */
        return false;
    get_i32(&r);
    *error = get_i16(&r);
    return !r.failed;
}

bool read_list_groups_answer(const uint8_t *frame, size_t size, int16_t *error, int32_t *count)
{
    struct kreader r = reader_of(frame, size);
    get_i32(&r);
    *error = get_i16(&r);
    *count = get_i32(&r);
    return !r.failed;
}

bool read_create_topics_answer(const uint8_t *frame, size_t size, int16_t *error, int32_t *count)
{
    struct kreader r = reader_of(frame, size);
    get_i32(&r);
    *count = get_i32(&r);
    *error = 0;
    for (int32_t i = 0; i < *count && !r.failed; i++) {
        skip_string(&r);
        int16_t e = get_i16(&r);
        if (*error == 0)
            *error = e;
        skip_string(&r);
    }
    return !r.failed;
}

static void skip_compact_i32s(struct kreader *r)
{
    uint32_t size = get_uvarint(r);
    if (size > 1)
        get_bytes(r, ((size_t)size - 1) * 4);
}

static void read_partition(struct kreader *r, struct metadata_answer *out)
{
    int16_t error = get_i16(r);
    get_i32(r); /* index */
    out->led += get_i32(r) >= 0;
    get_i32(r); /* leader epoch */
    for (int i = 0; i < 3; i++)
        skip_compact_i32s(r); /* replicas, ISR, offline */
    skip_tags(r);
    if (out->error == 0)
        out->error = error;
}

static void read_topic(struct kreader *r, struct metadata_answer *out)
{
    int16_t error = get_i16(r);
    if (out->error == 0)
        out->error = error;
    skip_compact_string(r);
    get_bytes(r, 16); /* id */
    get_i8(r);        /* internal */
    uint32_t partitions = get_uvarint(r);
    for (uint32_t p = 1; p < partitions && !r->failed; p++)
        read_partition(r, out);
    get_i32(r); /* authorized operations */
    skip_tags(r);
    out->topics++;
}

bool read_metadata_answer(const uint8_t *frame, size_t size, struct metadata_answer *out)
{
    struct kreader r = reader_of(frame, size);
    *out = (struct metadata_answer){0};
    skip_tags(&r);
    get_i32(&r); /* throttle */
    uint32_t brokers = get_uvarint(&r);
    for (uint32_t i = 1; i < brokers && !r.failed; i++) {
        get_i32(&r);
        skip_compact_string(&r);
        get_i32(&r);
        skip_compact_string(&r); /* rack */
        skip_tags(&r);
    }
    skip_compact_string(&r); /* cluster */
    get_i32(&r);             /* controller */
    uint32_t topics = get_uvarint(&r);
    for (uint32_t t = 1; t < topics && !r.failed; t++)
        read_topic(&r, out);
    skip_tags(&r);
    return !r.failed && r.at == r.end;
}
