// SPDX-License-Identifier: Apache-2.0
/* log_replay: see log_replay.h. Thread: the one that opens. */
#include "log/log_replay.h"

#include "base/assert.h"
#include "base/canary.h"
#include "base/limits.h"
#include "base/mem.h"
#include "log/segment_walk.h"

static enum err unlink_snapshot(struct partition_log *log, struct log_names *names, int64_t offset)
{
    struct log_file_name name = {.offset = offset, .kind = LOG_FILE_SNAPSHOT};
    char text[LOG_NAME_SIZE];
    names->is_changed = true;
    return log_file_remove(log->env, log->home->dir, log_file_name_format(text, &name));
}

static enum err read_snapshot(const struct log_replay *replay, int64_t offset, int64_t now_ms)
{
    const struct partition_log *log = replay->log;
    struct log_file_name name = {.offset = offset, .kind = LOG_FILE_SNAPSHOT};
    char text[LOG_NAME_SIZE];
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(log->env, log->home->dir, log_file_name_format(text, &name),
                               LIMIT_SNAPSHOT_FILE_BYTES, &data, &size);
    if (e == ERR_OK)
        e = producer_snapshot_read(replay->producers, data, size, now_ms);
    mem_free(data);
    return e;
}

/* Newest first; those that cannot be used are unlinked, and so are those that stand at no segment's
 * begin once a newer one was read. *from: where the replay begins. */
static enum err load_snapshot(const struct log_replay *replay, int64_t now_ms, int64_t *from)
{
    struct partition_log *log = replay->log;
    struct log_names *names = replay->names;
    bool found = false;
    *from = log->segments[0]->base_offset;
    for (size_t i = names->count; i > 0; i--) {
        const struct log_file_name *name = &names->items[i - 1];
        ASSERT(name->offset >= 0);
        if (name->kind != LOG_FILE_SNAPSHOT || name->stage != LOG_STAGE_LIVE)
            continue;
        bool is_useful = name->offset <= replay->end;
        if (found) {
            is_useful = log_names_has(names, LOG_FILE_LOG, name->offset);
        } else if (is_useful) {
            enum err e = read_snapshot(replay, name->offset, now_ms);
            if (e != ERR_OK && e != ERR_CORRUPT && e != ERR_UNSUPPORTED && e != ERR_TOO_LARGE)
                return e;
            found = is_useful = e == ERR_OK;
            if (found)
                *from = MAX(name->offset, *from);
        }
        enum err e = is_useful ? ERR_OK : unlink_snapshot(log, names, name->offset);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err replay_segment(const struct log_replay *replay, struct segment *seg, int64_t from,
                               int64_t now_ms)
{
    ASSERT(seg->tail.size > 0 && from < replay->end);
    struct env_file *file = NULL;
    struct segment_place place = {0};
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    e = segment_locate(seg, from, seg->tail.index_count, seg->tail.size, ENV_WAIT, &place);
    struct segment_walk walk;
    segment_walk_init(&walk, file, place.pos, seg->tail.size, ENV_WAIT);
    segment_walk_use(&walk, replay->buffer, RECOVERY_BUFFER);
    while (e == ERR_OK) {
        struct batch_header header;
        int64_t pos;
        e = segment_walk_next(&walk, &header, &pos);
        if (e == ERR_OK && header.base_offset >= replay->end)
            e = ERR_NOT_FOUND;
        if (e == ERR_OK && header.base_offset >= from)
            e = producer_state_add(replay->producers, &header, now_ms, NULL);
    }
    env_file_unref(file);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err log_replay_producers(const struct log_replay *replay)
{
    struct partition_log *log = replay->log;
    int64_t now_ms = env_wall_ms(log->env);
    int64_t from = 0;
    ASSERT(replay->producers->by_id.count == 0);
    ASSERT(replay->end >= log->segments[0]->base_offset && replay->end <= log->written.offset);
    enum err e = load_snapshot(replay, now_ms, &from);
    if (e != ERR_OK || from >= replay->end || CANARY(FORGET_PRODUCERS))
        return e;
    for (uint32_t i = log_segment_index(log, from); i < log->segment_count && e == ERR_OK; i++) {
        struct segment *seg = log->segments[i];
        if (seg->base_offset >= replay->end)
            break;
        if (seg->tail.size > 0)
            e = replay_segment(replay, seg, from, now_ms);
    }
    return e;
}
