// SPDX-License-Identifier: Apache-2.0
/*
 * log_import_kraft: what Apache Kafka's own metadata log, __cluster_metadata-0, says of topics:
 * ids, partitions, leader epochs, configs, which producer ids are given out; and what else there
 * is, which log_import_leftover.c tells of. The newest snapshot, then the records behind it; what
 * stands in a transaction counts when that has ended.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "cli/log_import.h"
#include "log/log_file.h"
#include "wire/codec.h"
#include "wire/kraft.h"

enum {
    KRAFT_FRAME_VERSION = 1,
    KRAFT_TOPIC = 2,
    KRAFT_PARTITION = 3,
    KRAFT_CONFIG = 4,
    KRAFT_PARTITION_CHANGE = 5,
    KRAFT_REMOVE_TOPIC = 9,
    KRAFT_TOKEN = 10,
    KRAFT_SCRAM_USER = 11,
    KRAFT_QUOTA = 14,
    KRAFT_PRODUCER_IDS = 15,
    KRAFT_ACL = 18,
    KRAFT_REMOVE_ACL = 19,
    KRAFT_REMOVE_SCRAM_USER = 22,
    KRAFT_BEGIN = 23,
    KRAFT_END = 24,
    KRAFT_ABORT = 25,
    KRAFT_REMOVE_TOKEN = 26,
    RECORD_ARENA_BYTES = 64 << 20,
};

union kraft_record {
    struct kraft_topic topic;
    struct kraft_partition partition;
    struct kraft_config config;
    struct kraft_partition_change change;
    struct kraft_remove_topic remove;
    struct kraft_producer_ids producer_ids;
    struct kraft_client_quota quota;
    struct kraft_user_scram_credential scram_user;
    struct kraft_remove_user_scram_credential remove_scram_user;
    struct kraft_access_control_entry acl;
    struct kraft_remove_access_control_entry remove_acl;
    struct kraft_delegation_token token;
    struct kraft_remove_delegation_token remove_token;
};

/* A record that waits for the end of its transaction. */
struct waiting {
    uint8_t *data;
    size_t size;
};

struct kraft_reader {
    struct import *import;
    const char *path;
    int64_t from; /* records before this offset are in the snapshot */
    bool in_transaction;
    struct waiting *waiting;
    size_t waiting_count;
    size_t waiting_capacity;
};

/* ---- what records do */

static void set_config(struct import_topic *topic, const struct kraft_config *record)
{
    char *key = mem_alloc((size_t)record->name.len + 1);
    memcpy(key, record->name.data, (size_t)record->name.len);
    size_t i = 0;
    while (i < topic->config_count && strcmp(topic->configs[i].key, key) != 0)
        i++;
    if (i < topic->config_count) {
        mem_free(topic->configs[i].key);
        mem_free(topic->configs[i].value);
        topic->configs[i] = topic->configs[--topic->config_count];
    }
    if (record->value.len < 0) { /* back to its default */
        mem_free(key);
        return;
    }
    char *value = mem_alloc((size_t)record->value.len + 1);
    memcpy(value, record->value.data, (size_t)record->value.len);
    topic->configs =
        mem_realloc(topic->configs, (topic->config_count + 1) * sizeof(*topic->configs));
    topic->configs[topic->config_count++] = (struct import_config){key, value};
}

static enum err apply_topic(struct import *im, const struct kraft_topic *record)
{
    if (record->name.len <= 0 ||
        import_topic_find(im, record->name.data, (size_t)record->name.len) != NULL)
        return ERR_CORRUPT;
    struct import_topic *topic = import_topic_add(im, record->name.data, (size_t)record->name.len);
    topic->id = record->topic_id;
    topic->is_known = true;
    return ERR_OK;
}

static bool has_source(const struct import *im, const struct wire_i32_array *replicas)
{
    for (int32_t i = 0; i < replicas->count; i++) {
        if (replicas->items[i] == im->sources[0].identity.node_id)
            return true;
    }
    return false;
}

static enum err apply_partition(struct import *im, const struct kraft_partition *record)
{
    struct import_topic *topic = import_topic_by_id(im, record->topic_id);
    struct import_partition *partition =
        topic != NULL ? import_partition_at(topic, record->partition_id) : NULL;
    if (partition == NULL)
        return ERR_CORRUPT;
    partition->is_assigned = true;
    partition->is_replica = has_source(im, &record->replicas);
    partition->leader_epoch = MAX(partition->leader_epoch, record->leader_epoch);
    return ERR_OK;
}

/* A new leader is a new epoch; other changes leave it. */
static enum err apply_change(struct import *im, const struct kraft_partition_change *record)
{
    struct import_topic *topic = import_topic_by_id(im, record->topic_id);
    if (topic == NULL || record->partition_id < 0 || record->partition_id >= topic->partition_count)
        return ERR_CORRUPT;
    struct import_partition *partition = &topic->partitions[record->partition_id];
    if (record->leader != -2)
        partition->leader_epoch++;
    if (record->replicas.count >= 0)
        partition->is_replica = has_source(im, &record->replicas);
    return ERR_OK;
}

static void apply_config(struct import *im, const struct kraft_config *record)
{
    if (record->name.len <= 0)
        return;
    if (record->resource_type != RESOURCE_TOPIC) {
        import_leave_config(im, record);
        return;
    }
    struct import_topic *topic =
        record->resource_name.len > 0
            ? import_topic_find(im, record->resource_name.data, (size_t)record->resource_name.len)
            : NULL;
    if (topic != NULL)
        set_config(topic, record);
}

static enum err apply_remove(struct import *im, const struct kraft_remove_topic *record)
{
    struct import_topic *topic = import_topic_by_id(im, record->topic_id);
    if (topic == NULL)
        return ERR_CORRUPT;
    topic->is_removed = true;
    return ERR_OK;
}

static enum err apply_other(struct import *im, uint32_t type, const union kraft_record *record)
{
    switch (type) {
    case KRAFT_PRODUCER_IDS:
        im->next_producer_id = MAX(im->next_producer_id, record->producer_ids.next_producer_id);
        break;
    case KRAFT_CONFIG:
        apply_config(im, &record->config);
        break;
    case KRAFT_QUOTA:
        import_leave_quota(im, &record->quota);
        break;
    case KRAFT_SCRAM_USER:
        import_leave_scram_user(im, record->scram_user.name, record->scram_user.mechanism, true);
        break;
    case KRAFT_REMOVE_SCRAM_USER:
        import_leave_scram_user(im, record->remove_scram_user.name,
                                record->remove_scram_user.mechanism, false);
        break;
    case KRAFT_ACL:
        import_leave_acl(im, &record->acl);
        break;
    case KRAFT_REMOVE_ACL:
        import_forget_acl(im, record->remove_acl.id);
        break;
    case KRAFT_TOKEN:
        import_leave_token(im, record->token.token_id, &record->token.owner);
        break;
    default:
        ASSERT(type == KRAFT_REMOVE_TOKEN);
        import_leave_token(im, record->remove_token.token_id, NULL);
    }
    return ERR_OK;
}

static enum err apply(struct import *im, uint32_t type, const union kraft_record *record)
{
    switch (type) {
    case KRAFT_TOPIC:
        return apply_topic(im, &record->topic);
    case KRAFT_PARTITION:
        return apply_partition(im, &record->partition);
    case KRAFT_PARTITION_CHANGE:
        return apply_change(im, &record->change);
    case KRAFT_REMOVE_TOPIC:
        return apply_remove(im, &record->remove);
    default:
        return apply_other(im, type, record);
    }
}

/* ---- from bytes */

static enum err take_record(struct kraft_reader *k, struct wire_reader r);

static enum err end_transaction(struct kraft_reader *k, bool counts)
{
    enum err e = ERR_OK;
    k->in_transaction = false;
    for (size_t i = 0; i < k->waiting_count; i++) {
        if (counts && e == ERR_OK)
            e = take_record(k, wire_reader_of(k->waiting[i].data, k->waiting[i].size));
        mem_free(k->waiting[i].data);
    }
    k->waiting_count = 0;
    return e;
}

static void wait_for_end(struct kraft_reader *k, const struct wire_reader *r)
{
    size_t size = wire_left(r);
    if (k->waiting_count == k->waiting_capacity) {
        k->waiting_capacity = MAX(2 * k->waiting_capacity, (size_t)64);
        k->waiting = mem_realloc(k->waiting, k->waiting_capacity * sizeof(*k->waiting));
    }
    uint8_t *copy = mem_alloc(size + 1);
    memcpy(copy, r->pos, size);
    k->waiting[k->waiting_count++] = (struct waiting){copy, size};
}

/* One record's value: frame version, type, version, message. */
static enum err take_record(struct kraft_reader *k, struct wire_reader r)
{
    struct wire_reader whole = r;
    uint32_t frame = wire_read_uvarint(&r);
    uint32_t type = wire_read_uvarint(&r);
    uint32_t version = wire_read_uvarint(&r);
    if (r.failed || frame != KRAFT_FRAME_VERSION || version > INT16_MAX)
        return ERR_CORRUPT;
    if (type == KRAFT_END || type == KRAFT_ABORT)
        return end_transaction(k, type == KRAFT_END);
    if (type == KRAFT_BEGIN)
        k->in_transaction = true;
    const struct wire_message *m = log_kraft_message(type);
    if (m == NULL || type == KRAFT_BEGIN)
        return ERR_OK;
    if (k->in_transaction) {
        wait_for_end(k, &whole);
        return ERR_OK;
    }
    union kraft_record record;
    struct arena arena;
    ASSERT(m->body->size <= sizeof(record));
    arena_init(&arena, RECORD_ARENA_BYTES);
    enum err e = wire_decode(m, (int16_t)version, &r, &arena, &record);
    if (e == ERR_OK)
        e = apply(k->import, type, &record);
    arena_deinit(&arena);
    return e;
}

static struct kraft_reader *reader_of(struct log_scan *s)
{
    struct verify *v = s->owner;
    return v->kraft_reader;
}

static void on_record(struct log_scan *s, const struct log_batch *b, const struct record *r)
{
    struct kraft_reader *k = reader_of(s);
    int64_t offset = b->header.base_offset + r->offset_delta;
    if (batch_is_control(&b->header) || offset < k->from || r->value.len < 0)
        return;
    enum err e = take_record(k, wire_reader_of(r->value.data, (size_t)r->value.len));
    if (e != ERR_OK)
        import_refuse(k->import, "%s: the record at offset %lld cannot be followed: %s", k->path,
                      (long long)offset, err_text(e));
}

static void read_file(struct kraft_reader *k, const char *path)
{
    struct import *im = k->import;
    struct verify *v = &im->verify;
    struct log_segment_facts facts;
    k->path = path;
    v->kraft_reader = k;
    v->scan.record = on_record;
    enum err e = log_scan_segment(&v->scan, path, &facts);
    v->scan.record = NULL;
    v->kraft_reader = NULL;
    if (e == ERR_OK && v->faults.count > 0)
        import_refuse(im, "%s: position %lld: %s", path, (long long)v->faults.items[0].pos,
                      v->faults.items[0].text);
    else if (e != ERR_OK)
        import_refuse(im, "%s: %s", path, err_text(e));
    verify_faults_free(&v->faults);
}

/* Where the newest snapshot ends; 0: there is none. */
static int64_t read_snapshot(struct kraft_reader *k, const char *dir,
                             const struct verify_names *names)
{
    char path[LOG_PATH_SIZE];
    const char *newest = NULL;
    for (size_t i = 0; i < names->count; i++) {
        if (log_kind_of(names->items[i].text) == LOG_KIND_KRAFT_SNAPSHOT &&
            names->items[i].text[0] != 'b')
            newest = names->items[i].text; /* byte order: of offsets, then epochs */
    }
    if (newest == NULL || !log_file_path(path, dir, newest))
        return 0;
    k->from = INT64_MIN;
    read_file(k, path);
    return strtoll(newest, NULL, 10);
}

static void read_log(struct kraft_reader *k, const char *dir)
{
    struct verify_names names;
    if (!verify_names_list(k->import->env, dir, &names)) {
        import_refuse(k->import, "%s cannot be read", dir);
        return;
    }
    int64_t from = read_snapshot(k, dir, &names);
    k->from = from;
    for (size_t i = 0; i < names.count; i++) {
        char path[LOG_PATH_SIZE];
        struct log_file_name parsed;
        if (log_file_name_parse(names.items[i].text, &parsed) && parsed.kind == LOG_FILE_LOG &&
            parsed.stage == LOG_STAGE_LIVE && log_file_path(path, dir, names.items[i].text))
            read_file(k, path);
    }
    enum err e = end_transaction(k, false); /* it never ended */
    ASSERT(e == ERR_OK);
    verify_names_free(&names);
}

void import_read_kraft(struct import *im)
{
    struct kraft_reader k = {.import = im};
    char path[LOG_PATH_SIZE];
    struct verify_names names;
    for (size_t i = 0; i < im->source_count && !im->has_kraft; i++) {
        const char *dir = im->kraft_path;
        if (dir == NULL && log_file_path(path, im->sources[i].path, "__cluster_metadata-0"))
            dir = path;
        if (dir == NULL || !verify_names_list(im->env, dir, &names))
            continue;
        verify_names_free(&names);
        im->has_kraft = true;
        read_log(&k, dir);
    }
    if (!im->has_kraft && im->kraft_path != NULL)
        import_refuse(im, "%s cannot be read", im->kraft_path);
    mem_free(k.waiting);
}
