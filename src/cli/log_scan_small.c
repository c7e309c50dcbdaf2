// SPDX-License-Identifier: Apache-2.0
/* log_scan_small: producer snapshots, checkpoints, and texts such as meta.properties: small files
 * that are read whole. See log_scan.h. Thread: main. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/log_scan.h"
#include "log/checkpoint_file.h"
#include "log/log_dir.h"
#include "log/log_dirs.h"
#include "log/partition_metadata.h"
#include "wire/crc32c.h"

/* ---- producer snapshots: docs/formats.md */

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_CRC_END = 6,
    SNAPSHOT_HEAD_BYTES = 10,
    SNAPSHOT_ENTRY_BYTES = 46,
};

static void scan_producer(struct log_scan *s, const uint8_t *data, int64_t pos, int64_t offset_max)
{
    int64_t id = (int64_t)bytes_load_u64(data);
    int64_t last_offset = (int64_t)bytes_load_u64(data + 14);
    int32_t sequence = (int32_t)bytes_load_u32(data + 10);
    int64_t txn = (int64_t)bytes_load_u64(data + 38);
    const struct log_field fields[] = {
        log_number("producerId", id),
        log_number("producerEpoch", (int16_t)bytes_load_u16(data + 8)),
        log_number("lastSequence", sequence),
        log_number("lastOffset", last_offset),
        log_number("offsetDelta", (int32_t)bytes_load_u32(data + 22)),
        log_number("lastTimestamp", (int64_t)bytes_load_u64(data + 26)),
        log_number("coordinatorEpoch", (int32_t)bytes_load_u32(data + 34)),
        log_number("currentTxnFirstOffset", txn),
    };
    if (id < 0)
        log_scan_fault(s, pos, "a producer with id %lld", (long long)id);
    else if (last_offset < -1 || sequence < -1 || txn < -1)
        log_scan_fault(s, pos, "producer %lld with last offset %lld, sequence %d, transaction %lld",
                       (long long)id, (long long)last_offset, sequence, (long long)txn);
    else if (offset_max >= 0 && MAX(last_offset, txn) >= offset_max)
        log_scan_fault(s, pos, "producer %lld has offset %lld, behind the snapshot's own",
                       (long long)id, (long long)MAX(last_offset, txn));
    log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
}

static void scan_snapshot(struct log_scan *s, const uint8_t *data, size_t size, int64_t offset_max)
{
    if (size < SNAPSHOT_HEAD_BYTES) {
        log_scan_fault(s, 0, "%zu bytes, too few for a snapshot", size);
        return;
    }
    if (bytes_load_u16(data) != SNAPSHOT_VERSION) {
        log_scan_fault(s, 0, "a snapshot of version %u, not 1", bytes_load_u16(data));
        return;
    }
    uint32_t crc = crc32c(0, data + SNAPSHOT_CRC_END, size - SNAPSHOT_CRC_END);
    if (crc != bytes_load_u32(data + 2))
        log_scan_fault(s, 2, "the checksum is %08x and not %08x", crc, bytes_load_u32(data + 2));
    size_t count = (size - SNAPSHOT_HEAD_BYTES) / SNAPSHOT_ENTRY_BYTES;
    if (count != bytes_load_u32(data + SNAPSHOT_CRC_END) ||
        (size - SNAPSHOT_HEAD_BYTES) % SNAPSHOT_ENTRY_BYTES != 0)
        log_scan_fault(s, SNAPSHOT_CRC_END, "%u producers in %zu bytes",
                       bytes_load_u32(data + SNAPSHOT_CRC_END), size);
    for (size_t i = 0; i < count; i++) {
        size_t pos = SNAPSHOT_HEAD_BYTES + i * SNAPSHOT_ENTRY_BYTES;
        scan_producer(s, data + pos, (int64_t)pos, offset_max);
    }
}

enum err log_scan_producers(struct log_scan *s, const char *path)
{
    uint8_t *data;
    size_t size;
    s->path = path;
    enum err e = log_scan_read(s, path, LIMIT_SNAPSHOT_FILE_BYTES, &data, &size);
    if (e != ERR_OK)
        return e;
    scan_snapshot(s, data, size, log_path_offset(path));
    mem_free(data);
    return ERR_OK;
}

/* ---- checkpoints */

static void scan_epochs(struct log_scan *s, const uint8_t *data, size_t size)
{
    struct checkpoint_reader r;
    int64_t epoch = -1, offset = -1;
    checkpoint_reader_init(&r, data, size);
    while (checkpoint_reader_next(&r)) {
        int64_t pos = r.at - (const char *)data;
        int64_t next_epoch = checkpoint_read_number(&r, 0, INT32_MAX);
        int64_t next_offset = checkpoint_read_number(&r, 0, INT64_MAX);
        checkpoint_read_line_end(&r);
        if (r.is_bad)
            break;
        if (next_epoch <= epoch || next_offset <= offset)
            log_scan_fault(s, pos, "epoch %lld at offset %lld behind epoch %lld at %lld",
                           (long long)next_epoch, (long long)next_offset, (long long)epoch,
                           (long long)offset);
        epoch = next_epoch;
        offset = next_offset;
        const struct log_field fields[] = {log_number("epoch", epoch),
                                           log_number("startOffset", offset)};
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
    }
    if (checkpoint_reader_finish(&r) != ERR_OK)
        log_scan_fault(s, r.at - (const char *)data, "no line of an epoch checkpoint");
}

static void scan_offsets(struct log_scan *s, const uint8_t *data, size_t size)
{
    struct checkpoint_reader r;
    checkpoint_reader_init(&r, data, size);
    while (checkpoint_reader_next(&r)) {
        char topic[CHECKPOINT_TOPIC_SIZE];
        checkpoint_read_word(&r, topic, sizeof(topic));
        int64_t partition = checkpoint_read_number(&r, 0, INT32_MAX);
        int64_t offset = checkpoint_read_number(&r, 0, INT64_MAX);
        checkpoint_read_line_end(&r);
        if (r.is_bad)
            break;
        const struct log_field fields[] = {log_text("topic", topic),
                                           log_number("partition", partition),
                                           log_number("offset", offset)};
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
    }
    if (checkpoint_reader_finish(&r) != ERR_OK)
        log_scan_fault(s, r.at - (const char *)data, "no line of an offset checkpoint");
}

/* ---- texts with names and values */

static void scan_partition_metadata(struct log_scan *s, char *text)
{
    struct uuid id;
    if (!log_partition_metadata_parse(text, &id)) {
        log_scan_fault(s, 0, "not \"version: 0\" and \"topic_id: ID\"");
        return;
    }
    char id_text[UUID_TEXT_SIZE];
    const struct log_field fields[] = {log_number("version", 0),
                                       log_text("topicId", uuid_format(id, id_text))};
    log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
}

static void scan_meta_properties(struct log_scan *s, char *text)
{
    struct strbuf why;
    struct log_dir_identity identity;
    strbuf_init(&why);
    if (log_dir_parse_meta(text, &why, &identity) == ERR_OK) {
        char id[UUID_TEXT_SIZE];
        const struct log_field fields[] = {
            log_number("version", 1), log_number("nodeId", identity.node_id),
            log_text("clusterId", identity.cluster_id),
            log_text("directoryId", uuid_is_zero(identity.directory_id)
                                        ? NULL
                                        : uuid_format(identity.directory_id, id))};
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
    } else {
        log_scan_fault(s, -1, "%s", strbuf_text(&why));
    }
    strbuf_deinit(&why);
}

static void scan_log_dirs(struct log_scan *s, char *text, size_t size)
{
    struct log_dirs list = {0};
    if (!log_dirs_parse(text, size, &list))
        log_scan_fault(s, 0, "not \"version: 0\", and lines of an id and a path");
    for (size_t i = 0; i < list.count; i++) {
        char id[UUID_TEXT_SIZE];
        const struct log_field fields[] = {
            log_text("directoryId", uuid_format(list.entries[i].id, id)),
            log_text("path", list.entries[i].path)};
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
    }
    log_dirs_free(&list);
}

static void scan_moved(struct log_scan *s, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || strcmp(text + digits, "\n") != 0) {
        log_scan_fault(s, 0, "not a number and the end of a line");
        return;
    }
    const struct log_field fields[] = {log_number("moved", strtoll(text, NULL, 10))};
    log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
}

static void scan_leaving(struct log_scan *s, char *text)
{
    struct uuid to;
    text[strcspn(text, "\n")] = '\0';
    if (!uuid_parse(text, &to)) {
        log_scan_fault(s, 0, "not the id of a log directory");
        return;
    }
    const struct log_field fields[] = {log_text("directoryId", text)};
    log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
}

enum err log_scan_checkpoint(struct log_scan *s, const char *path, enum log_kind kind)
{
    uint8_t *data;
    size_t size;
    s->path = path;
    enum err e = log_scan_read(
        s, path, kind == LOG_KIND_OFFSETS ? LIMIT_CHECKPOINT_FILE_BYTES : LIMIT_EPOCHS_FILE_BYTES,
        &data, &size);
    if (e != ERR_OK)
        return e;
    bool is_checkpoint = kind == LOG_KIND_EPOCHS || kind == LOG_KIND_OFFSETS;
    if (size == 0 && is_checkpoint) /* as Kafka makes them: nothing is known yet */
        ;
    else if (kind == LOG_KIND_EPOCHS)
        scan_epochs(s, data, size);
    else if (kind == LOG_KIND_OFFSETS)
        scan_offsets(s, data, size);
    else if (kind == LOG_KIND_PARTITION_METADATA)
        scan_partition_metadata(s, (char *)data);
    else if (kind == LOG_KIND_LOG_DIRS)
        scan_log_dirs(s, (char *)data, size);
    else if (kind == LOG_KIND_MOVED)
        scan_moved(s, (char *)data);
    else if (kind == LOG_KIND_LEAVING)
        scan_leaving(s, (char *)data);
    else
        scan_meta_properties(s, (char *)data);
    mem_free(data);
    return ERR_OK;
}
