// SPDX-License-Identifier: Apache-2.0
/*
 * log_scan_metadata: klamm.metadata and klamm.metadata.snapshot: the frames, the records in them,
 * and whether all of it comes to an image. See log_scan.h.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/log_scan.h"
#include "log/log_file.h"
#include "metadata/image.h"
#include "store/store_frame.h"
#include "wire/codec_dump.h"
#include "wire/record_set.h"

#define RECORD_ARENA_BYTES ((size_t)LIMIT_METADATA_RECORD_BYTES * 16)

static void tell_record(struct log_scan *s, const struct metadata_record *record,
                        struct strbuf *text)
{
    const struct wire_message *m = wire_record_message(&metadata_record_set, record->type);
    strbuf_clear(text);
    wire_dump(m, m->version_max, (const uint8_t *)record + metadata_record_set.body_at, text);
    const struct log_field fields[] = {log_text("type", m->name),
                                       log_json("record", strbuf_text(text))};
    log_scan_item(s, 1, fields, ARRAY_COUNT(fields));
}

/* The records of one frame, for people. What cannot be read is a fault. */
static void scan_records(struct log_scan *s, const struct store_frame *frame, int64_t pos)
{
    struct wire_reader r = wire_reader_of(frame->data, frame->size);
    struct strbuf text;
    strbuf_init(&text);
    for (enum err e = ERR_OK; e == ERR_OK && wire_left(&r) > 0;) {
        struct metadata_record record;
        struct arena arena;
        arena_init(&arena, RECORD_ARENA_BYTES);
        e = wire_record_decode(&metadata_record_set, &r, &arena, &record);
        if (e == ERR_OK)
            tell_record(s, &record, &text);
        else
            log_scan_fault(s, pos, "a record of entry %lld cannot be read: %s",
                           (long long)frame->index, err_text(e));
        arena_deinit(&arena);
    }
    strbuf_deinit(&text);
}

/* Where the good frames end. */
static size_t scan_frames(struct log_scan *s, const uint8_t *data, size_t size)
{
    struct store_frame frame;
    size_t pos = 0;
    while (store_frame_read(data + pos, size - pos, &frame)) {
        const struct log_field fields[] = {
            log_number("index", frame.index), log_number("synced", frame.synced),
            log_number("position", (int64_t)pos), log_number("size", frame.size)};
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
        scan_records(s, &frame, (int64_t)pos);
        pos += store_frame_bytes(&frame);
    }
    return pos;
}

/* ---- do the records come to an image? */

struct gathered {
    struct image_entry *entries;
    size_t count;
    size_t capacity;
};

static void gather(struct gathered *g, const uint8_t *data, size_t size, int64_t above)
{
    struct store_frame frame;
    for (size_t pos = 0; store_frame_read(data + pos, size - pos, &frame);
         pos += store_frame_bytes(&frame)) {
        if (frame.kind == STORE_FRAME_SNAPSHOT_END ||
            (frame.kind == STORE_FRAME_ENTRY && frame.index <= above))
            continue;
        if (g->count == g->capacity) {
            g->capacity = MAX(2 * g->capacity, (size_t)64);
            g->entries = mem_realloc(g->entries, g->capacity * sizeof(*g->entries));
        }
        g->entries[g->count++] = (struct image_entry){frame.data, frame.size};
    }
}

/* NULL: a fault was told. */
static struct image *apply(struct log_scan *s, const uint8_t *data, size_t size,
                           struct image *take_base)
{
    struct gathered g = {0};
    struct strbuf why;
    struct image *image = NULL;
    strbuf_init(&why);
    gather(&g, data, size, take_base != NULL ? image_position(take_base) : 0);
    enum err e = take_base != NULL ? image_apply(take_base, g.entries, g.count, NULL, &why, &image)
                                   : image_from_snapshot(g.entries, g.count, &why, &image);
    if (e != ERR_OK)
        log_scan_fault(s, -1, "its records cannot be followed: %s",
                       why.len > 0 ? strbuf_text(&why) : err_text(e));
    image_unref(take_base);
    mem_free(g.entries);
    strbuf_deinit(&why);
    return image;
}

/* ---- the snapshot that stands beside a log */

struct beside {
    uint8_t *data; /* NULL: there is none, or it is bad, which is told when it is looked at */
    size_t size;
    int64_t position;
};

static void read_beside(struct log_scan *s, const char *path, struct beside *out)
{
    char name[LOG_PATH_SIZE];
    int len = snprintf(name, sizeof(name), "%s.snapshot", path);
    struct strbuf why;
    strbuf_init(&why);
    *out = (struct beside){0};
    if (len > 0 && (size_t)len < sizeof(name) &&
        log_scan_read(s, name, LIMIT_METADATA_FILE_BYTES, &out->data, &out->size) == ERR_OK &&
        store_snapshot_scan(out->data, out->size, &why, &out->position) != ERR_OK) {
        mem_free(out->data);
        *out = (struct beside){0};
    }
    strbuf_deinit(&why);
}

static void scan_log(struct log_scan *s, const uint8_t *data, size_t size, struct beside *beside)
{
    struct strbuf why;
    struct store_log_scan scan;
    strbuf_init(&why);
    enum err e = store_log_scan(data, size, beside->position, &why, &scan);
    if (e != ERR_OK)
        log_scan_fault(s, -1, "%s", strbuf_text(&why));
    strbuf_deinit(&why);
    scan_frames(s, data, size);
    if (e != ERR_OK)
        return;
    struct image *base =
        beside->data != NULL ? apply(s, beside->data, beside->size, NULL) : image_new_empty();
    if (base != NULL)
        image_unref(apply(s, data, scan.end, base));
    if (scan.end < size)
        log_scan_torn(s, (int64_t)scan.end,
                      "a write that did not end, of which nothing was "
                      "answered; the next start cuts it off");
}

static void scan_snapshot(struct log_scan *s, const uint8_t *data, size_t size)
{
    struct strbuf why;
    int64_t position = 0;
    strbuf_init(&why);
    enum err e = store_snapshot_scan(data, size, &why, &position);
    if (e != ERR_OK)
        log_scan_fault(s, -1, "%s", strbuf_text(&why));
    strbuf_deinit(&why);
    scan_frames(s, data, size);
    if (e == ERR_OK)
        image_unref(apply(s, data, size, NULL));
}

enum err log_scan_metadata(struct log_scan *s, const char *path, enum log_kind kind)
{
    uint8_t *data;
    size_t size;
    enum err e = log_scan_read(s, path, LIMIT_METADATA_FILE_BYTES, &data, &size);
    if (e != ERR_OK)
        return e;
    struct beside beside = {0};
    s->path = path;
    if (kind == LOG_KIND_METADATA) {
        read_beside(s, path, &beside);
        scan_log(s, data, size, &beside);
    } else {
        scan_snapshot(s, data, size);
    }
    mem_free(beside.data);
    mem_free(data);
    return ERR_OK;
}
