// SPDX-License-Identifier: Apache-2.0
/*
 * log_verify_segment: a .log together with the indexes beside it: batch by batch, the entries that
 * should be about it are taken off the front of both.
 *
 * Thread: main.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/log_verify.h"
#include "log/log_file.h"

struct index_cursor {
    char path[LOG_PATH_SIZE];
    enum log_kind kind;
    struct log_entries entries;
    struct log_index_entry entry;
    bool is_open;
    bool has_entry;
};

struct segment_check {
    struct verify *verify;
    struct verify_segment *segment;
    int64_t base_offset;
    struct index_cursor index;
    struct index_cursor time;
    int64_t owed;       /* an offset that a batch has to end at; -1 */
    int64_t owed_pos;   /* of its entry */
    int64_t max_before; /* the largest timestamp before the batch at hand */
    size_t epoch;       /* of segment->epochs */
    bool epoch_is_told;
};

/* Faults from here on are of this file. */
static const char *turn_to(struct segment_check *c, const char *path)
{
    const char *before = c->verify->scan.path;
    c->verify->scan.path = path;
    c->verify->is_excused = path != c->segment->path && c->segment->index_is_excused;
    return before;
}

static void advance(struct segment_check *c, struct index_cursor *cursor)
{
    const char *before = turn_to(c, cursor->path);
    cursor->has_entry = log_entries_next(&c->verify->scan, &cursor->entries, cursor->kind,
                                         c->base_offset, &cursor->entry);
    turn_to(c, before);
}

static void entry_fault(struct segment_check *c, struct index_cursor *cursor, const char *text)
{
    const char *before = turn_to(c, cursor->path);
    log_scan_fault(&c->verify->scan, cursor->entries.pos, "%s", text);
    turn_to(c, before);
}

/* ---- opening: before the log is read, so that no entry is younger than what is read of it */

static void open_cursor(struct segment_check *c, struct index_cursor *cursor, enum log_kind kind)
{
    struct verify *v = c->verify;
    size_t stem = strlen(c->segment->path) - strlen(".log");
    ASSERT(stem < sizeof(cursor->path));
    cursor->kind = kind;
    int len = snprintf(cursor->path, sizeof(cursor->path), "%.*s%s", (int)stem, c->segment->path,
                       kind == LOG_KIND_INDEX ? ".index" : ".timeindex");
    if (len < 0 || (size_t)len >= sizeof(cursor->path))
        return;
    enum err e = log_entries_open(v->scan.env, cursor->path, kind, &cursor->entries);
    if (e == ERR_NOT_FOUND && !c->segment->is_last)
        verify_note(v, cursor->path, -1, "is missing; it is made anew at the next start");
    else if (e != ERR_OK && e != ERR_NOT_FOUND)
        verify_fault(v, cursor->path, -1, "%s", err_text(e));
    cursor->is_open = e == ERR_OK;
    v->files += cursor->is_open;
    if (cursor->is_open)
        advance(c, cursor);
}

/* ---- a batch */

/* An entry above its batch's last offset is of one append of several batches: another one of them
 * ends there. */
static void check_owed(struct segment_check *c, int64_t last)
{
    char text[160];
    if (c->owed < 0 || last < c->owed)
        return;
    snprintf(text, sizeof(text), "offset %" PRId64 ", where no batch ends", c->owed);
    if (last > c->owed) {
        const char *before = turn_to(c, c->index.path);
        log_scan_fault(&c->verify->scan, c->owed_pos, "%s", text);
        turn_to(c, before);
    }
    c->owed = -1;
}

static void check_index(struct segment_check *c, const struct log_batch *b)
{
    struct index_cursor *cursor = &c->index;
    char text[160];
    while (cursor->has_entry && cursor->entry.value <= b->pos) {
        const struct log_index_entry *entry = &cursor->entry;
        int64_t last = batch_last_offset(&b->header);
        if (entry->value < b->pos) {
            snprintf(text, sizeof(text), "position %" PRId64 ", where no batch begins",
                     entry->value);
            entry_fault(c, cursor, text);
        } else if (entry->offset > last) {
            c->owed = entry->offset;
            c->owed_pos = cursor->entries.pos;
        } else if (entry->offset < last) {
            snprintf(text, sizeof(text),
                     "offset %" PRId64 " for the batch at position %" PRId64
                     ", whose last is %" PRId64,
                     entry->offset, entry->value, last);
            entry_fault(c, cursor, text);
        }
        advance(c, cursor);
    }
    check_owed(c, batch_last_offset(&b->header));
}

static void check_time(struct segment_check *c, const struct log_batch *b)
{
    struct index_cursor *cursor = &c->time;
    char text[160];
    while (cursor->has_entry && cursor->entry.offset <= batch_last_offset(&b->header)) {
        const struct log_index_entry *entry = &cursor->entry;
        bool is_in_batch = entry->offset >= b->header.base_offset;
        int64_t expected = is_in_batch ? b->max_timestamp : c->max_before;
        if (entry->value != expected) {
            snprintf(text, sizeof(text),
                     "timestamp %" PRId64 " up to offset %" PRId64
                     ", where the largest is %" PRId64,
                     entry->value, entry->offset, expected);
            entry_fault(c, cursor, text);
        }
        advance(c, cursor);
    }
    c->max_before = b->max_timestamp;
}

static void check_epoch(struct segment_check *c, const struct log_batch *b)
{
    const struct verify_epochs *epochs = c->segment->epochs;
    if (epochs == NULL || epochs->count == 0 || c->epoch_is_told)
        return;
    while (c->epoch + 1 < epochs->count &&
           epochs->items[c->epoch + 1].offset <= b->header.base_offset)
        c->epoch++;
    const struct log_index_entry *epoch = &epochs->items[c->epoch];
    if (epoch->offset > b->header.base_offset || epoch->value == b->header.leader_epoch)
        return;
    c->epoch_is_told = true; /* once a segment */
    log_scan_fault(&c->verify->scan, b->pos,
                   "leader epoch %d at offset %lld, where leader-epoch-checkpoint says %lld",
                   b->header.leader_epoch, (long long)b->header.base_offset,
                   (long long)epoch->value);
}

static void on_batch(struct log_scan *s, const struct log_batch *b)
{
    struct verify *v = s->owner;
    struct segment_check *c = v->segment_check;
    if (!b->is_valid)
        return;
    check_index(c, b);
    check_time(c, b);
    check_epoch(c, b);
}

/* ---- the end */

/* Entries that no batch was found for. */
static void check_rest(struct segment_check *c, struct index_cursor *cursor)
{
    const struct log_segment_facts *facts = &c->segment->facts;
    if (facts->tail == LOG_TAIL_TORN) /* they may be about what is there */
        cursor->has_entry = false;
    char text[160];
    while (cursor->has_entry) {
        if (cursor->kind == LOG_KIND_INDEX)
            snprintf(text, sizeof(text), "position %" PRId64 ", behind the last batch",
                     cursor->entry.value);
        else
            snprintf(text, sizeof(text), "offset %" PRId64 ", behind the last batch",
                     cursor->entry.offset);
        entry_fault(c, cursor, text);
        advance(c, cursor);
    }
}

static void judge_tail(struct segment_check *c)
{
    struct verify *v = c->verify;
    const struct verify_segment *segment = c->segment;
    const struct log_segment_facts *facts = &segment->facts;
    bool is_above = MAX(facts->next_offset, 0) >= segment->recovery_point;
    bool may_be_torn = v->home.is_known && !v->home.is_clean && segment->is_last && is_above;
    if (facts->tail == LOG_TAIL_ZEROS && !segment->is_last && v->home.is_clean)
        verify_fault(v, segment->path, facts->end,
                     "zeros behind the last batch of a sealed segment");
    if (facts->tail != LOG_TAIL_TORN)
        return;
    if (v->home.is_in_use && segment->is_last)
        verify_note(v, segment->path, facts->end, "a broker is writing here: checked up to here");
    else if (may_be_torn)
        verify_note(v, segment->path, facts->end,
                    "%s: a write that did not end; the next start cuts it off", facts->tail_why);
    else
        verify_fault(v, segment->path, facts->end, "%s, and no good one behind it",
                     facts->tail_why);
}

void verify_segment(struct verify *v, struct verify_segment *segment)
{
    struct segment_check c = {.verify = v,
                              .segment = segment,
                              .base_offset = log_path_offset(segment->path),
                              .owed = -1,
                              .max_before = -1};
    v->segment_check = &c;
    v->scan.path = segment->path;
    if (segment->has_indexes) {
        open_cursor(&c, &c.index, LOG_KIND_INDEX);
        open_cursor(&c, &c.time, LOG_KIND_TIMEINDEX);
    }
    v->scan.batch = on_batch;
    enum err e = log_scan_segment(&v->scan, segment->path, &segment->facts);
    v->scan.batch = NULL;
    v->segment_check = NULL;
    v->files++;
    segment->is_read = e == ERR_OK;
    if (e != ERR_OK && !(e == ERR_NOT_FOUND && v->home.is_in_use))
        verify_fault(v, segment->path, -1, "%s", err_text(e));
    if (e == ERR_OK) {
        check_rest(&c, &c.index);
        if (segment->facts.tail != LOG_TAIL_TORN)
            check_owed(&c, INT64_MAX);
        check_rest(&c, &c.time);
        judge_tail(&c);
    }
    log_entries_close(&c.index.entries);
    log_entries_close(&c.time.entries);
    v->is_excused = false;
}
