// SPDX-License-Identifier: Apache-2.0
/* partition_reasons: see partition_reasons.h. Thread: as there. */
#include "broker/partition_reasons.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "log/log_file.h"
#include "wire/codec.h"

enum { SLOW_SYNC_MS = 1000 }; /* under way for longer: it is the disk that is waited for */

struct reasoning {
    const struct partition_reasons_input *in;
    const struct partition_explanation *facts;
    struct arena *arena;
    struct describe_log_dirs_response_reason rows[PARTITION_REASON_COUNT + PARTITION_ROT_TOLD];
    int32_t count;
    bool is_out_of_memory;
};

/* A row of this kind, with defaults. */
static struct describe_log_dirs_response_reason *add(struct reasoning *r,
                                                     enum partition_reason kind, int64_t since_ms)
{
    ASSERT((size_t)r->count < ARRAY_COUNT(r->rows));
    struct describe_log_dirs_response_reason *row = &r->rows[r->count++];
    wire_defaults(&describe_log_dirs_response_reason_layout, row);
    row->kind = (int16_t)kind;
    row->since_ms = since_ms > 0 ? since_ms : -1;
    return row;
}

static struct wire_str copy(struct reasoning *r, const char *text)
{
    size_t len = strlen(text);
    const char *copied = arena_copy_text(r->arena, text, len);
    r->is_out_of_memory |= copied == NULL;
    return copied != NULL ? (struct wire_str){copied, (int32_t)len} : wire_str_of(NULL);
}

static int8_t step_number(enum log_step step)
{
    static const enum partition_reason_step numbers[] = {[LOG_STEP_WRITE] = PARTITION_AT_WRITE,
                                                         [LOG_STEP_SYNC] = PARTITION_AT_SYNC,
                                                         [LOG_STEP_DELETE] = PARTITION_AT_DELETE,
                                                         [LOG_STEP_JOURNAL] = PARTITION_AT_JOURNAL};
    ASSERT(step < ARRAY_COUNT(numbers));
    return (int8_t)numbers[step];
}

/* The path of the segment. */
static void set_file(struct reasoning *r, int64_t segment_base, int64_t pos,
                     struct describe_log_dirs_response_reason *row)
{
    char dir[LOG_PATH_SIZE], path[LOG_PATH_SIZE], name[LOG_NAME_SIZE];
    char topic[PARTITION_TOPIC_NAME_SIZE];
    const struct log_file_name file = {.offset = segment_base, .kind = LOG_FILE_LOG};
    if (r->facts->dir == SIZE_MAX || segment_base < 0)
        return;
    snprintf(topic, sizeof(topic), "%.*s", (int)r->in->topic.len, r->in->topic.data);
    if (!log_dir_partition_path(r->in->broker->dirs[r->facts->dir], topic, r->in->index, dir,
                                sizeof(dir)) ||
        !log_file_path(path, dir, log_file_name_format(name, &file)))
        return;
    row->file = copy(r, path);
    row->position = pos;
}

/* ---- what can be the matter: the most serious first */

static void find_dir_offline(struct reasoning *r)
{
    const struct log_dir_failure *failure = &r->facts->dir_failure;
    char where[PARTITION_TOPIC_NAME_SIZE + 16];
    if (failure->at_ms == 0)
        return;
    struct describe_log_dirs_response_reason *row =
        add(r, PARTITION_REASON_DIR_OFFLINE, failure->at_ms);
    if (failure->index >= 0)
        snprintf(where, sizeof(where), "%s-%d", failure->topic, failure->index);
    else
        snprintf(where, sizeof(where), "%s", failure->topic);
    row->detail = copy(r, where);
    if (failure->failure.error != ERR_OK) {
        row->error = wire_str_of(err_text(failure->failure.error));
        row->step = step_number(failure->failure.step);
    }
}

static void find_unopened(struct reasoning *r)
{
    const struct partition_explanation *facts = r->facts;
    if (facts->condition != PARTITION_IS_UNOPENED)
        return;
    bool is_missed = facts->dir == SIZE_MAX && facts->open_error == ERR_NOT_FOUND;
    if (is_missed || (facts->dir == SIZE_MAX && facts->report.detail[0] == '\0')) {
        add(r, PARTITION_REASON_NO_DIR, facts->opened_ms)->detail = copy(r, facts->report.detail);
        return;
    }
    struct describe_log_dirs_response_reason *row =
        add(r, facts->is_tried_again ? PARTITION_REASON_RETRIED : PARTITION_REASON_UNOPENED,
            facts->opened_ms);
    row->error = wire_str_of(err_text(facts->open_error));
    if (facts->report.detail[0] != '\0')
        row->detail = copy(r, facts->report.detail);
}

static void find_full(struct reasoning *r)
{
    if (r->facts->dir_low_since_ms != 0)
        add(r, PARTITION_REASON_RESERVE, r->facts->dir_low_since_ms)->position =
            r->facts->dir_reserve_bytes;
    if (r->facts->full_since_ms != 0)
        add(r, PARTITION_REASON_FULL, r->facts->full_since_ms);
}

/* A full disk that has room again is no failure any more. */
static void find_failed(struct reasoning *r)
{
    const struct partition_failure *failure = &r->facts->failure;
    if (failure->error == ERR_OK ||
        (failure->error == ERR_NO_SPACE && r->facts->full_since_ms == 0))
        return;
    struct describe_log_dirs_response_reason *row = add(r, PARTITION_REASON_FAILED, failure->at_ms);
    row->error = wire_str_of(err_text(failure->error));
    row->step = step_number(failure->step);
    set_file(r, failure->at.segment_base, failure->at.pos, row);
}

static void find_lag(struct reasoning *r)
{
    const struct partition_explanation *facts = r->facts;
    int64_t lag = facts->at.written - facts->at.durable;
    if (facts->condition != PARTITION_IS_SERVING)
        return;
    bool is_slow =
        facts->sync_began_ms != 0 && r->in->now_ms - facts->sync_began_ms >= SLOW_SYNC_MS;
    if (is_slow)
        add(r, PARTITION_REASON_SYNC_SLOW, facts->sync_began_ms)->amount = lag;
    else if (lag > 0)
        add(r, PARTITION_REASON_UNSYNCED, facts->unsynced_since_ms)->amount = lag;
}

static void find_cut(struct reasoning *r)
{
    const struct log_open_report *report = &r->facts->report;
    if (r->facts->condition == PARTITION_IS_UNOPENED)
        return;
    if (report->cut_below_recovery_point)
        add(r, PARTITION_REASON_LOST, r->facts->opened_ms)->detail = copy(r, report->detail);
    if (report->cut_bytes <= 0 || report->cut_below_recovery_point)
        return;
    struct describe_log_dirs_response_reason *row = add(
        r, report->found_rot ? PARTITION_REASON_ROT : PARTITION_REASON_CUT, r->facts->opened_ms);
    row->amount = report->cut_bytes;
    if (report->detail[0] != '\0')
        row->detail = copy(r, report->detail);
}

static void find_uncleanable(struct reasoning *r)
{
    if (r->facts->uncleanable_ms == 0)
        return;
    struct describe_log_dirs_response_reason *row =
        add(r, PARTITION_REASON_UNCLEANABLE, r->facts->uncleanable_ms);
    row->detail = copy(r, r->facts->uncleanable);
}

/* A row for each place, and in the last of them how many more there are. */
static void find_scrubbed(struct reasoning *r)
{
    size_t count = MIN(r->facts->rot_count, (size_t)PARTITION_ROT_TOLD);
    for (size_t i = 0; i < count; i++) {
        const struct segment_rot *rot = &r->facts->rot[i].place;
        struct describe_log_dirs_response_reason *row =
            add(r, PARTITION_REASON_SCRUB, rot->found_ms);
        row->error = wire_str_of(err_text(rot->error));
        row->amount = rot->end - rot->pos;
        row->offset = rot->offset;
        row->end_offset = rot->end_offset;
        set_file(r, r->facts->rot[i].segment_base, rot->pos, row);
        if (i + 1 == count && r->facts->rot_count > count) {
            char more[64];
            size_t rest = r->facts->rot_count - count;
            snprintf(more, sizeof(more), "%zu more place%s", rest, rest == 1 ? "" : "s");
            row->detail = copy(r, more);
        }
    }
}

/* ---- the row */

static void fill_facts(const struct partition_explanation *facts,
                       struct describe_log_dirs_response_explained_partition *row)
{
    row->dir = facts->dir == SIZE_MAX ? -1 : (int32_t)facts->dir;
    row->state = (int8_t)facts->condition;
    row->ack_disk = facts->is_ack_disk;
    row->leader_epoch = facts->at.leader_epoch;
    row->opened_ms = facts->opened_ms != 0 ? facts->opened_ms : -1;
    row->log_start_offset = facts->at.log_start;
    row->recovery_point = facts->at.recovery_point;
    row->durable_offset = facts->at.durable;
    row->high_watermark = facts->at.high_watermark;
    row->written_offset = facts->at.written;
    row->assigned_offset = facts->at.assigned;
    row->size_bytes = facts->at.size_bytes;
    row->segment_count = (int32_t)facts->at.segment_count;
    row->unsynced_since_ms = facts->unsynced_since_ms;
    row->synced_ms = facts->synced_ms != 0 ? facts->synced_ms : -1;
    row->flush_ms = facts->flush_ms;
    row->flush_messages = facts->flush_messages;
}

bool partition_reasons_fill(const struct partition_reasons_input *in, struct arena *arena,
                            struct describe_log_dirs_response_explained_partition *row)
{
    static void (*const finders[])(struct reasoning *) = {
        find_dir_offline, find_failed,      find_unopened, find_full,
        find_lag,         find_uncleanable, find_cut,      find_scrubbed,
    };
    row->topic_name = in->topic;
    row->partition_index = in->index;
    fill_facts(in->facts, row);
    struct reasoning r = {.in = in, .facts = in->facts, .arena = arena};
    for (size_t i = 0; i < ARRAY_COUNT(finders); i++)
        finders[i](&r);
    if (r.is_out_of_memory || wire_array_new(arena, &describe_log_dirs_response_reason_layout,
                                             r.count, &row->reasons) != ERR_OK)
        return false;
    for (int32_t i = 0; i < r.count; i++)
        row->reasons.items[i] = r.rows[i];
    return true;
}

void partition_reasons_finish(struct describe_log_dirs_response_explanation *explanation,
                              const int64_t *free_bytes, size_t dir_count)
{
    for (int32_t i = 0; i < explanation->partitions.count; i++) {
        const struct describe_log_dirs_response_explained_partition *row =
            &explanation->partitions.items[i];
        for (int32_t j = 0; j < row->reasons.count; j++) {
            int16_t kind = row->reasons.items[j].kind;
            bool is_of_room = kind == PARTITION_REASON_FULL || kind == PARTITION_REASON_RESERVE;
            if (is_of_room && row->dir >= 0 && (size_t)row->dir < dir_count)
                row->reasons.items[j].amount = free_bytes[row->dir];
        }
    }
}
