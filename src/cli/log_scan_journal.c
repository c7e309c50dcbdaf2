// SPDX-License-Identifier: Apache-2.0
/*
 * log_scan_journal: the halves of a journal, klamm.journal.0 and .1: the header page, then groups
 * and their entries up to the last good one. What lies behind that is of an older generation, or
 * torn; it is a fault when a good group of the same generation follows. See log_scan.h.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/macros.h"
#include "cli/log_scan.h"
#include "log/journal_format.h"

static const char *kind_name(enum journal_kind kind)
{
    switch (kind) {
    case JOURNAL_APPEND:
        return "append";
    case JOURNAL_CUT:
        return "cut";
    case JOURNAL_VOID:
        return "void";
    case JOURNAL_GONE:
        return "gone";
    }
    return "unknown";
}

static void tell_entry(struct log_scan *s, const struct journal_item *item)
{
    char id[UUID_TEXT_SIZE];
    const struct log_field fields[] = {log_text("entry", kind_name(item->kind)),
                                       log_text("topicId", uuid_format(item->topic_id, id)),
                                       log_number("partition", item->partition),
                                       log_number("leaderEpoch", item->leader_epoch),
                                       log_number("first", item->first),
                                       log_number("endOffset", item->end_offset),
                                       log_number("segment", item->segment_base),
                                       log_number("position", item->pos),
                                       log_number("size", item->size)};
    log_scan_item(s, 1, fields, ARRAY_COUNT(fields));
}

static void scan_group(struct log_scan *s, const struct journal_group_header *header,
                       const uint8_t *data, int64_t pos)
{
    const struct log_field fields[] = {
        log_number("generation", (int64_t)header->generation),
        log_number("number", (int64_t)header->number), log_number("entries", header->count),
        log_number("position", pos), log_number("size", header->size)};
    log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
    size_t at = JOURNAL_GROUP_HEADER_BYTES;
    for (uint32_t i = 0; i < header->count; i++) {
        struct journal_item item;
        if (!journal_item_read(data + at, header->size - at, &item)) {
            log_scan_fault(s, pos + (int64_t)at, "entry %u of %u in the group is none", i,
                           header->count);
            return;
        }
        tell_entry(s, &item);
        at += JOURNAL_ENTRY_HEADER_BYTES + item.size;
    }
}

/* A whole group at `pos`; NULL: none. */
static const uint8_t *group_at(struct log_window *w, int64_t pos, struct journal_group_header *out)
{
    const uint8_t *data;
    if (log_window_get(w, pos, JOURNAL_GROUP_HEADER_BYTES, &data) != ERR_OK ||
        !journal_group_read(data, out) || out->size < JOURNAL_GROUP_HEADER_BYTES ||
        log_window_get(w, pos, out->size, &data) != ERR_OK ||
        !journal_group_is_whole(data, out->size))
        return NULL;
    return data;
}

/* Where a bad group is; the one before it was good. */
static void check_rot(struct log_scan *s, struct log_window *w, int64_t pos,
                      const struct journal_group_header *last)
{
    struct journal_group_header header;
    for (int64_t at = pos + JOURNAL_PAGE_BYTES; at < w->size; at += JOURNAL_PAGE_BYTES) {
        if (group_at(w, at, &header) != NULL && header.generation == last->generation &&
            header.salt == last->salt && header.number > last->number) {
            log_scan_fault(s, pos, "a damaged group; a good one of its generation is at %lld",
                           (long long)at);
            return;
        }
    }
}

static void scan_groups(struct log_scan *s, struct log_window *w)
{
    struct journal_group_header last = {0};
    bool is_first = true;
    int64_t pos = JOURNAL_PAGE_BYTES;
    while (pos < w->size && !s->is_stopped) {
        struct journal_group_header header;
        const uint8_t *data = group_at(w, pos, &header);
        bool is_next = data != NULL && (is_first ? header.number == 0
                                                 : header.generation == last.generation &&
                                                       header.salt == last.salt &&
                                                       header.number == last.number + 1);
        if (!is_next)
            break;
        scan_group(s, &header, data, pos);
        last = header;
        is_first = false;
        pos += journal_padded(header.size);
    }
    if (!is_first && pos < w->size && !s->is_stopped)
        check_rot(s, w, pos, &last);
}

enum err log_scan_journal(struct log_scan *s, const char *path)
{
    struct log_window w;
    struct journal_file_header header;
    const uint8_t *page;
    enum err e = log_window_open(s->env, path, &w);
    if (e != ERR_OK)
        return e;
    s->path = path;
    e = log_window_get(&w, 0, JOURNAL_PAGE_BYTES, &page);
    if (e == ERR_OK && journal_file_header_read(page, &header)) {
        char id[UUID_TEXT_SIZE];
        const struct log_field fields[] = {
            log_number("half", header.half), log_number("size", header.size),
            log_text("directoryId", uuid_format(header.directory_id, id))};
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
        if (header.size != w.size)
            log_scan_fault(s, 0, "the header says %lld bytes, the file has %lld",
                           (long long)header.size, (long long)w.size);
        scan_groups(s, &w);
        log_scan_moved(s, w.size);
    } else if (e == ERR_OK || e == ERR_RANGE) {
        log_scan_fault(s, 0, "no header of a journal");
        e = ERR_OK;
    }
    log_window_close(&w);
    return e;
}
