// SPDX-License-Identifier: Apache-2.0
/*
 * log_scan_segment: from batch to batch through a .log file. A batch is read whole, its checksum
 * compared, its records decoded when they are wanted. Where no batch is, the next good one behind
 * it is looked for, so that one damaged place hides no others.
 *
 * Thread: main; blocks.
 * Limits: SEARCH_FACTOR times the file is the most that is summed up while looking.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "cli/log_scan.h"

enum {
    SEARCH_FACTOR = 8,
    OLD_MESSAGE_BYTES_MIN = 14, /* behind offset and size, of message formats 0 and 1 */
    OLD_HEAD_BYTES = 12,
};

/* No log gets there; leaves room for sums. */
#define OFFSET_MAX ((int64_t)1 << 61)

struct walk {
    struct log_scan *scan;
    struct log_window window;
    struct log_segment_facts *facts;
    int64_t pos;
    int64_t base_offset;   /* of the file's name; -1 */
    int64_t search_budget; /* bytes that may still be summed up while looking */
    int64_t old_messages;
    int64_t old_pos;
    int old_magic;
    enum err error; /* of reading */
};

/* What stands at a position. */
enum at {
    AT_BATCH,
    AT_BAD_SUM, /* looks like a batch, the checksum is another */
    AT_OLD,     /* a message of format 0 or 1 */
    AT_NOTHING, /* no batch: walk.facts->tail_why says what */
    AT_END,
};

static bool is_plausible(const struct batch_header *h, int64_t left)
{
    return h->magic == BATCH_MAGIC && h->base_offset >= 0 && h->base_offset <= OFFSET_MAX &&
           h->length >= BATCH_HEADER_BYTES - BATCH_LENGTH_END &&
           h->length <= INT32_MAX - BATCH_LENGTH_END &&
           (int64_t)h->length + BATCH_LENGTH_END <= left && h->last_offset_delta >= 0 &&
           h->record_count >= 0;
}

static void say_why(struct walk *w, const struct batch_header *h, int64_t left)
{
    char *why = w->facts->tail_why;
    size_t size = sizeof(w->facts->tail_why);
    if (h == NULL)
        snprintf(why, size, "%" PRId64 " bytes, too few for a batch", left);
    else if (h->magic != BATCH_MAGIC)
        snprintf(why, size, "no batch: its version would be %d", h->magic);
    else if (h->length < BATCH_HEADER_BYTES - BATCH_LENGTH_END ||
             h->length > INT32_MAX - BATCH_LENGTH_END)
        snprintf(why, size, "no batch: its length would be %" PRId32, h->length);
    else if ((int64_t)h->length + BATCH_LENGTH_END > left)
        snprintf(why, size, "a batch of %" PRId64 " bytes of which the file has %" PRId64,
                 (int64_t)h->length + BATCH_LENGTH_END, left);
    else
        snprintf(why, size,
                 "no batch: offset %" PRId64 ", last offset delta %" PRId32 ", %" PRId32 " records",
                 h->base_offset, h->last_offset_delta, h->record_count);
}

static bool get(struct walk *w, int64_t pos, size_t len, const uint8_t **out)
{
    enum err e = log_window_get(&w->window, pos, len, out);
    if (e != ERR_OK)
        w->error = e;
    return e == ERR_OK;
}

static enum at look(struct walk *w, struct log_batch *out)
{
    const uint8_t *data;
    int64_t left = w->window.size - w->pos;
    struct batch_header h;
    if (left == 0)
        return AT_END;
    if (left >= BATCH_MAGIC_END) {
        if (!get(w, w->pos, BATCH_MAGIC_END, &data))
            return AT_END;
        int64_t size = (int32_t)bytes_load_u32(data + 8);
        if ((data[16] == 0 || data[16] == 1) && size >= OLD_MESSAGE_BYTES_MIN &&
            size <= left - OLD_HEAD_BYTES)
            return AT_OLD;
    }
    if (left < BATCH_HEADER_BYTES) {
        say_why(w, NULL, left);
        return AT_NOTHING;
    }
    if (!get(w, w->pos, BATCH_HEADER_BYTES, &data))
        return AT_END;
    bool is_whole = batch_header_read(data, BATCH_HEADER_BYTES, &h);
    ASSERT(is_whole);
    if (!is_plausible(&h, left)) {
        say_why(w, &h, left);
        return AT_NOTHING;
    }
    if (!get(w, w->pos, batch_size(&h), &data))
        return AT_END;
    *out = (struct log_batch){.header = h, .pos = w->pos, .bytes = data};
    out->is_valid = batch_crc(data, batch_size(&h)) == h.crc;
    if (!out->is_valid)
        snprintf(w->facts->tail_why, sizeof(w->facts->tail_why),
                 "a batch whose checksum is %08" PRIx32 " and not %08" PRIx32,
                 batch_crc(data, batch_size(&h)), h.crc);
    return out->is_valid ? AT_BATCH : AT_BAD_SUM;
}

/* ---- a batch and its records */

static void check_header(struct walk *w, const struct log_batch *b)
{
    const struct batch_header *h = &b->header;
    struct log_segment_facts *facts = w->facts;
    if (facts->next_offset >= 0 && h->base_offset < facts->next_offset)
        log_scan_fault(w->scan, b->pos, "a batch at offset %lld behind one that ends at %lld",
                       (long long)h->base_offset, (long long)facts->next_offset - 1);
    else if (w->base_offset >= 0 && h->base_offset < w->base_offset)
        log_scan_fault(w->scan, b->pos, "a batch at offset %lld in a segment that begins at %lld",
                       (long long)h->base_offset, (long long)w->base_offset);
    else if (w->base_offset >= 0 && batch_last_offset(h) - w->base_offset > INT32_MAX)
        log_scan_fault(w->scan, b->pos, "offset %lld is too far from the segment's begin",
                       (long long)batch_last_offset(h));
    if (h->leader_epoch < facts->last_epoch)
        log_scan_fault(w->scan, b->pos, "leader epoch %d behind one of %d", h->leader_epoch,
                       facts->last_epoch);
    if (h->attributes & ~BATCH_ATTRIBUTES_KNOWN)
        log_scan_fault(w->scan, b->pos, "unknown attributes %04x", h->attributes);
}

static void check_record(struct walk *w, const struct log_batch *b, const struct record *r,
                         int64_t number, int64_t *previous)
{
    if (r->offset_delta <= *previous || r->offset_delta > b->header.last_offset_delta)
        log_scan_fault(w->scan, b->pos,
                       "record %lld of the batch has offset delta %d, the one before it %lld, the "
                       "last %d",
                       (long long)number, r->offset_delta, (long long)*previous,
                       b->header.last_offset_delta);
    *previous = r->offset_delta;
}

static void read_records(struct walk *w, const struct log_batch *b)
{
    struct log_scan *s = w->scan;
    struct record r;
    int64_t count = 0, previous = -1, max_timestamp = -1;
    enum err e = batch_reader_start(&s->reader, b->bytes, batch_size(&b->header));
    while (e == ERR_OK && (e = batch_reader_next(&s->reader, &r)) == ERR_OK) {
        check_record(w, b, &r, count++, &previous);
        max_timestamp = MAX(max_timestamp, r.timestamp);
        if (s->record != NULL)
            s->record(s, b, &r);
    }
    s->records += count;
    if (e != ERR_NOT_FOUND)
        log_scan_fault(s, b->pos, "record %lld of %d in the batch cannot be read: %s",
                       (long long)count, b->header.record_count, err_text(e));
    else if (count > 0 && !record_source_is_at_end(&s->reader.source))
        log_scan_fault(s, b->pos, "bytes behind the last record of the batch");
    else if (count > 0 && max_timestamp != MAX(b->header.max_timestamp, -1))
        log_scan_fault(s, b->pos, "the largest timestamp is %lld, and the batch says %lld",
                       (long long)max_timestamp, (long long)b->header.max_timestamp);
}

static void take_batch(struct walk *w, struct log_batch *b)
{
    struct log_segment_facts *facts = w->facts;
    struct log_scan *s = w->scan;
    bool wants_records = s->is_deep || s->record != NULL;
    if (b->is_valid)
        check_header(w, b);
    if (b->is_valid && facts->first_offset < 0) {
        facts->first_offset = b->header.base_offset;
        facts->first_epoch = b->header.leader_epoch;
    }
    if (b->is_valid) {
        facts->next_offset = MAX(facts->next_offset, batch_last_offset(&b->header) + 1);
        facts->last_epoch = MAX(facts->last_epoch, b->header.leader_epoch);
        facts->max_timestamp = MAX(facts->max_timestamp, b->header.max_timestamp);
    }
    b->max_timestamp = facts->max_timestamp;
    s->batches++;
    if (s->batch != NULL)
        s->batch(s, b);
    if (b->is_valid && wants_records)
        read_records(w, b);
    w->pos = b->pos + (int64_t)batch_size(&b->header);
    facts->end = w->pos;
}

/* ---- damage */

/* A good batch that goes on where the log ended? */
static bool is_good_at(struct walk *w, int64_t pos, const struct batch_header *h)
{
    const uint8_t *data;
    if (!is_plausible(h, w->window.size - pos) || h->base_offset < w->facts->next_offset)
        return false;
    int64_t size = (int64_t)batch_size(h);
    if (size > w->search_budget)
        return false;
    w->search_budget -= size;
    return get(w, pos, (size_t)size, &data) && batch_crc(data, (size_t)size) == h->crc;
}

/* The next good batch behind `from`; -1: none. */
static int64_t find_good(struct walk *w, int64_t from)
{
    const uint8_t *data;
    struct batch_header h;
    for (int64_t pos = from; w->window.size - pos >= BATCH_HEADER_BYTES; pos++) {
        if (!get(w, pos, BATCH_HEADER_BYTES, &data))
            return -1;
        if (data[16] != BATCH_MAGIC)
            continue;
        bool is_whole = batch_header_read(data, BATCH_HEADER_BYTES, &h);
        ASSERT(is_whole);
        if (is_good_at(w, pos, &h))
            return pos;
    }
    return -1;
}

static bool is_all_zeros(struct walk *w)
{
    enum { PIECE = 4096 };
    for (int64_t pos = w->pos; pos < w->window.size;) {
        const uint8_t *data;
        size_t len = (size_t)MIN((int64_t)PIECE, w->window.size - pos);
        if (!get(w, pos, len, &data) || data[0] != 0 || memcmp(data, data + 1, len - 1) != 0)
            return false;
        pos += (int64_t)len;
    }
    return true;
}

/* False: the walk is at its end. */
static bool pass_damage(struct walk *w, struct log_batch *bad)
{
    struct log_segment_facts *facts = w->facts;
    char why[sizeof(facts->tail_why)];
    memcpy(why, facts->tail_why, sizeof(why));
    if (bad == NULL && is_all_zeros(w)) {
        facts->tail = LOG_TAIL_ZEROS;
        return false;
    }
    int64_t next = find_good(w, w->pos + 1);
    if (next < 0) {
        facts->tail = LOG_TAIL_TORN;
        return false;
    }
    log_scan_fault(w->scan, w->pos, "%s; the next good batch is at position %lld", why,
                   (long long)next);
    w->pos = next;
    return true;
}

static void pass_old(struct walk *w)
{
    const uint8_t *data;
    if (!get(w, w->pos, BATCH_MAGIC_END, &data))
        return;
    if (w->old_messages++ == 0) {
        w->old_pos = w->pos;
        w->old_magic = data[16];
    }
    w->pos += OLD_HEAD_BYTES + (int64_t)bytes_load_u32(data + 8);
    w->facts->end = w->pos;
}

static void walk_on(struct walk *w)
{
    bool goes_on = true;
    while (goes_on && w->error == ERR_OK && !w->scan->is_stopped) {
        struct log_batch b;
        int64_t before = w->pos;
        switch (look(w, &b)) {
        case AT_BATCH:
            take_batch(w, &b);
            break;
        case AT_BAD_SUM:
            if (w->scan->batch != NULL)
                w->scan->batch(w->scan, &b);
            goes_on = pass_damage(w, &b);
            break;
        case AT_OLD:
            pass_old(w);
            break;
        case AT_NOTHING:
            goes_on = pass_damage(w, NULL);
            break;
        case AT_END:
            goes_on = false;
            break;
        }
        ASSERT(w->pos > before || !goes_on || w->error != ERR_OK);
        log_scan_moved(w->scan, w->pos - before);
    }
}

enum err log_scan_segment(struct log_scan *s, const char *path, struct log_segment_facts *facts)
{
    struct walk w = {.scan = s, .facts = facts, .base_offset = log_path_offset(path)};
    enum err e = log_window_open(s->env, path, &w.window);
    if (e != ERR_OK)
        return e;
    s->path = path;
    *facts = (struct log_segment_facts){.size = w.window.size,
                                        .first_offset = -1,
                                        .next_offset = -1,
                                        .max_timestamp = -1,
                                        .first_epoch = -1,
                                        .last_epoch = -1};
    w.search_budget = SEARCH_FACTOR * w.window.size;
    walk_on(&w);
    if (w.old_messages > 0)
        log_scan_fault(s, w.old_pos,
                       "old format: %lld messages of version %d, the first one here; Klamm serves "
                       "version 2 only",
                       (long long)w.old_messages, w.old_magic);
    log_window_close(&w.window);
    return w.error;
}
