// SPDX-License-Identifier: Apache-2.0
/* history: keeps what happened and tells the checkers; see history.h. Thread: one. */
#include "history.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/prng.h"
#include "check.h"

static const uint32_t value_magic = 0x6b6c616d;

void history_init(struct history *h)
{
    *h = (struct history){0};
}

void history_deinit(struct history *h)
{
    for (uint32_t i = 0; i < h->partition_count; i++) {
        mem_free(h->partitions[i].seen);
        mem_free(h->partitions[i].promised);
        mem_free(h->partitions[i].audit);
    }
    mem_free(h->partitions);
    mem_free(h->topics);
    mem_free(h->records);
    mem_free(h->producer_ids);
    history_groups_deinit(h);
    *h = (struct history){0};
}

void history_fail(struct history *h, const char *checker, const char *format, ...)
{
    if (h->has_failed)
        return;
    h->has_failed = true;
    int len = snprintf(h->failure, sizeof(h->failure), "%s: ", checker);
    va_list args;
    va_start(args, format);
    vsnprintf(h->failure + len, sizeof(h->failure) - (size_t)len, format, args);
    va_end(args);
    if (h->on_failure != NULL)
        h->on_failure(h->on_failure_arg);
}

uint32_t history_add_topic(struct history *h, const char *name)
{
    h->topics = mem_realloc(h->topics, (h->topic_count + 1) * sizeof(*h->topics));
    struct history_topic *topic = &h->topics[h->topic_count];
    *topic = (struct history_topic){.state = TOPIC_ABSENT};
    snprintf(topic->name, sizeof(topic->name), "%s", name);
    return h->topic_count++;
}

uint32_t history_add_partition(struct history *h, uint32_t topic, int32_t index, bool is_durable)
{
    h->partitions = mem_realloc(h->partitions, (h->partition_count + 1) * sizeof(*h->partitions));
    struct history_partition *p = &h->partitions[h->partition_count];
    *p = (struct history_partition){
        .topic_index = topic,
        .index = index,
        .is_durable = is_durable,
        .leader_epoch = -1,
        .audit_end = -1,
    };
    snprintf(p->topic, sizeof(p->topic), "%s", h->topics[topic].name);
    return h->partition_count++;
}

/* ---- records */

uint32_t history_add_record(struct history *h, const struct history_new_record *options)
{
    ASSERT(options->bytes >= HISTORY_RECORD_BYTES_MIN);
    ASSERT(options->partition < h->partition_count);
    if (h->record_count == h->record_capacity) {
        h->record_capacity = MAX(h->record_capacity * 2, 1024u);
        h->records = mem_realloc(h->records, h->record_capacity * sizeof(*h->records));
    }
    h->records[h->record_count] = (struct history_record){
        .partition = options->partition,
        .producer = options->producer,
        .instance = options->instance,
        .number = options->number,
        .bytes = options->bytes,
        .key = options->key,
        .is_tombstone = options->is_tombstone,
        .acked_offset = -1,
        .created_ns = h->now_ns != NULL ? *h->now_ns : 0,
    };
    h->producer_count = MAX(h->producer_count, options->producer + 1);
    return h->record_count++;
}

/* Number, magic, number again, then noise that follows from the number. */
void history_fill(const struct history *h, uint32_t record, uint8_t *out)
{
    struct prng noise;
    prng_seed(&noise, record);
    bytes_store_u32(out, record);
    bytes_store_u32(out + 4, value_magic);
    bytes_store_u32(out + 8, ~record);
    prng_fill(&noise, out + HISTORY_RECORD_BYTES_MIN,
              h->records[record].bytes - HISTORY_RECORD_BYTES_MIN);
}

int32_t history_recognise(const struct history *h, const uint8_t *data, size_t len)
{
    if (len < HISTORY_RECORD_BYTES_MIN)
        return -1;
    uint32_t record = bytes_load_u32(data);
    if (record >= h->record_count || h->records[record].bytes != len)
        return -1;
    uint8_t *expected = mem_alloc(len);
    history_fill(h, record, expected);
    bool is_equal = memcmp(expected, data, len) == 0;
    mem_free(expected);
    return is_equal ? (int32_t)record : -1;
}

void history_sent(struct history *h, uint32_t record)
{
    struct history_record *r = &h->records[record];
    r->power_cuts = h->power_cuts;
    r->sendings++;
}

static void note(int32_t **array, int64_t *count, int64_t *capacity, int64_t offset, int32_t record)
{
    if (offset >= *capacity) {
        *capacity = MAX(*capacity * 2, offset + 1024);
        *array = mem_realloc(*array, (size_t)*capacity * sizeof(**array));
    }
    while (*count <= offset)
        (*array)[(*count)++] = -1;
    (*array)[offset] = record;
}

/* Somebody knows now that this record is committed there. */
static void know_key(struct history *h, uint32_t record, int64_t offset)
{
    const struct history_record *r = &h->records[record];
    if (r->key == 0)
        return;
    struct history_key *key = &h->partitions[r->partition].keys[r->key - 1];
    if (offset > key->offset)
        *key = (struct history_key){offset, r->is_tombstone};
}

void history_acked(struct history *h, uint32_t record, int64_t offset, bool wants_all)
{
    struct history_record *r = &h->records[record];
    ASSERT(r->state == RECORD_SENT);
    r->is_promised = wants_all && h->partitions[r->partition].is_durable;
    if (!r->is_promised && r->power_cuts != h->power_cuts) {
        r->state = RECORD_UNKNOWN;
        return;
    }
    r->state = RECORD_ACKED;
    r->acked_offset = offset;
    struct history_partition *p = &h->partitions[r->partition];
    if (r->is_promised && offset >= 0)
        note(&p->promised, &p->promised_count, &p->promised_capacity, offset, (int32_t)record);
    know_key(h, record, offset);
    check_acked_on_ack(h, record);
}

void history_unknown(struct history *h, uint32_t record)
{
    ASSERT(h->records[record].state == RECORD_SENT);
    h->records[record].state = RECORD_UNKNOWN;
}

void history_refused(struct history *h, uint32_t record)
{
    ASSERT(h->records[record].state == RECORD_SENT);
    h->records[record].state = RECORD_REFUSED;
}

void history_producer_id(struct history *h, int64_t producer_id, int16_t epoch)
{
    int64_t given = (producer_id << 16) | epoch;
    check_producer_ids_on_given(h, producer_id, epoch);
    h->producer_ids =
        mem_realloc(h->producer_ids, (h->producer_id_count + 1) * sizeof(*h->producer_ids));
    h->producer_ids[h->producer_id_count++] = given;
}

/* ---- reading */

struct history_floor history_floor_of(const struct history *h, uint32_t partition)
{
    const struct history_partition *p = &h->partitions[partition];
    return (struct history_floor){
        .generation = p->generation,
        .starts = h->starts,
        .high_watermark = p->high_watermark,
        .log_start = p->log_start,
        .leader_epoch = MAX(p->leader_epoch, p->leader_epoch_min),
    };
}

bool history_is_current(const struct history *h, uint32_t partition,
                        const struct history_floor *floor)
{
    return h->partitions[partition].generation == floor->generation;
}

void history_read(struct history *h, uint32_t partition, int64_t expected, int64_t offset,
                  int32_t record)
{
    struct history_partition *p = &h->partitions[partition];
    enum { OFFSETS_MAX = 1 << 26 };
    if (offset < 0 || offset > OFFSETS_MAX) {
        history_fail(h, "offsets", "%s-%d has a record at offset %lld", p->topic, p->index,
                     (long long)offset);
        return;
    }
    check_offsets_on_read(h, partition, expected, offset);
    check_acked_on_read(h, partition, offset, record);
    check_stable_on_read(h, partition, offset, record);
    note(&p->seen, &p->seen_count, &p->seen_capacity, offset, record);
    if (record >= 0)
        know_key(h, (uint32_t)record, offset);
    if (h->is_auditing)
        note(&p->audit, &p->audit_count, &p->audit_capacity, offset, record);
    h->records_read++;
}

void history_told(struct history *h, uint32_t partition, const struct history_floor *floor,
                  const struct history_offsets *offsets)
{
    struct history_partition *p = &h->partitions[partition];
    if (!history_is_current(h, partition, floor))
        return;
    check_offsets_on_told(h, partition, floor, offsets);
    check_retention_on_told(h, partition, offsets->log_start);
    p->high_watermark = MAX(p->high_watermark, offsets->high_watermark);
    if (!p->has_retention || floor->starts == h->starts)
        p->log_start = MAX(p->log_start, offsets->log_start);
    p->leader_epoch = MAX(p->leader_epoch, offsets->leader_epoch);
}

void history_set_compacted(struct history *h, uint32_t partition, int32_t key_count,
                           int64_t tombstones_stay_ns)
{
    struct history_partition *p = &h->partitions[partition];
    ASSERT(key_count > 0 && key_count <= HISTORY_KEYS_MAX);
    p->key_count = key_count;
    p->tombstones_stay_ns = tombstones_stay_ns;
    for (int32_t i = 0; i < key_count; i++)
        p->keys[i].offset = -1;
}

void history_pass_begin(const struct history *h, uint32_t partition, int64_t now_ns,
                        struct history_pass *pass)
{
    const struct history_partition *p = &h->partitions[partition];
    ASSERT(p->key_count > 0);
    pass->began_ns = now_ns;
    for (int32_t i = 0; i < p->key_count; i++)
        pass->found[i] = pass->clean_found[i] = -1;
}

void history_pass_found(struct history *h, struct history_pass *pass, int64_t offset,
                        int32_t record)
{
    if (record < 0 || h->records[record].key == 0)
        return;
    int32_t key = h->records[record].key;
    pass->found[key - 1] = offset;
    if (offset >= h->partitions[h->records[record].partition].clean_end)
        return;
    check_clean_on_found(h, (uint32_t)record, offset, pass->clean_found[key - 1]);
    pass->clean_found[key - 1] = offset;
}

void history_pass_end(struct history *h, uint32_t partition, int64_t now_ns, int64_t end,
                      const struct history_pass *pass)
{
    check_compacted_on_pass(h, partition, now_ns, end, pass);
    check_clean_on_pass(h, partition, pass);
}

void history_trim_asked(struct history *h, uint32_t partition, int64_t offset)
{
    struct history_partition *p = &h->partitions[partition];
    p->trim_asked = MAX(p->trim_asked, offset);
}

void history_broker_starts(struct history *h, bool epoch_may_lag)
{
    h->starts++;
    history_groups_broker_starts(h);
    for (uint32_t i = 0; i < h->partition_count; i++) {
        struct history_partition *p = &h->partitions[i];
        p->leader_epoch_min = p->leader_epoch + !epoch_may_lag;
        if (p->has_retention)
            p->log_start = 0;
    }
}

void history_renewed(struct history *h, uint32_t partition)
{
    struct history_partition *p = &h->partitions[partition];
    p->generation++;
    p->high_watermark = p->log_start = p->trim_asked = p->retention_checked = 0;
    p->leader_epoch = -1;
    p->leader_epoch_min = 0;
    p->seen_count = p->promised_count = p->audit_count = 0;
    for (int32_t i = 0; i < p->key_count; i++)
        p->keys[i] = (struct history_key){.offset = -1};
    for (uint32_t i = 0; i < h->record_count; i++) {
        struct history_record *r = &h->records[i];
        if (r->partition != partition)
            continue;
        r->state = RECORD_REFUSED;
        r->is_promised = false;
    }
}

void history_power_cut(struct history *h)
{
    h->power_cuts++;
    for (uint32_t i = 0; i < h->partition_count; i++) {
        struct history_partition *p = &h->partitions[i];
        if (p->is_durable)
            continue;
        p->generation++;
        p->high_watermark = 0;
        p->seen_count = 0;
    }
    for (uint32_t i = 0; i < h->record_count; i++) {
        struct history_record *r = &h->records[i];
        if (r->state == RECORD_ACKED && !r->is_promised)
            r->state = RECORD_UNKNOWN;
    }
}

void history_cluster(struct history *h, const char *id, size_t len)
{
    if (h->cluster_id[0] == '\0')
        snprintf(h->cluster_id, sizeof(h->cluster_id), "%.*s", (int)len, id);
    else if (strlen(h->cluster_id) != len || memcmp(h->cluster_id, id, len) != 0)
        history_fail(h, "a broker stays in its cluster", "it was %s and is %.*s", h->cluster_id,
                     (int)len, id);
}

/* ---- topics */

void history_topic_asked(struct history *h, uint32_t topic)
{
    h->topics[topic].state = TOPIC_UNSURE;
    h->topics[topic].changes++;
}

void history_topic_created(struct history *h, uint32_t topic, struct uuid id, int32_t partitions)
{
    h->topics[topic].state = TOPIC_PRESENT;
    h->topics[topic].id = id;
    h->topics[topic].partitions = partitions;
    h->topics[topic].changes++;
    h->acked_operations++;
}

void history_topic_deleted(struct history *h, uint32_t topic)
{
    h->topics[topic].state = TOPIC_ABSENT;
    h->topics[topic].changes++;
    h->acked_operations++;
}

struct history_topic_view history_topic_view(const struct history *h, uint32_t topic)
{
    return (struct history_topic_view){h->topics[topic].state, h->topics[topic].changes};
}

void history_topic_seen(struct history *h, uint32_t topic, const struct history_topic_view *view,
                        const struct history_topic_answer *answer)
{
    struct history_topic *t = &h->topics[topic];
    if (view->changes != t->changes || view->state == TOPIC_UNSURE)
        return;
    check_topics_on_seen(h, topic, answer);
}

void history_check_end(struct history *h)
{
    check_acked_at_end(h);
    check_order_at_end(h);
    check_offsets_at_end(h);
    check_stable_at_end(h);
    check_retention_at_end(h);
}
