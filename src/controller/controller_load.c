// SPDX-License-Identifier: Apache-2.0
/*
 * controller_load: from what the store has to an image.
 *
 * Entries are gathered and applied many at a time: each application copies the tree nodes
 * that it touches once. While an append's outcome is unknown, what is found is compared
 * with what was to be written.
 *
 * Thread: the controller's loop.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "controller/controller_private.h"

enum { PENDING_BYTES = 256 * 1024, PENDING_COUNT = 4096 };

static struct controller *controller_of(struct store_read *read)
{
    return container_of(read, struct controller, read);
}

static void read_failed(struct controller *c, enum err e, const char *what)
{
    if (c->read_error != ERR_OK)
        return;
    c->read_error = e;
    if (c->why.len == 0)
        strbuf_printf(&c->why, "metadata log: %s: %s", what, err_text(e));
}

/* ---- the snapshot: one piece, as it is applied at once */

static void on_snapshot_chunk(struct store_read *read, int64_t position, struct store_entry chunk)
{
    struct controller *c = controller_of(read);
    (void)position;
    wire_write_raw(&c->snapshot_bytes, chunk.data, chunk.size);
    if (c->snapshot_bytes.error != ERR_OK)
        read_failed(c, c->snapshot_bytes.error, "snapshot");
}

static void on_snapshot_end(struct store_read *read, int64_t position)
{
    struct controller *c = controller_of(read);
    ASSERT(c->is_reading && c->pending.count == 0);
    struct image *image = NULL;
    struct image_entry all = {c->snapshot_bytes.data, c->snapshot_bytes.size};
    if (c->read_error == ERR_OK) {
        enum err e = image_from_snapshot(&all, 1, &c->why, &image);
        if (e == ERR_OK && image_position(image) != position)
            e = ERR_CORRUPT;
        if (e != ERR_OK)
            read_failed(c, e, "snapshot");
    }
    wire_writer_deinit(&c->snapshot_bytes);
    wire_writer_init(&c->snapshot_bytes, INT32_MAX);
    if (c->read_error != ERR_OK) {
        image_unref(image);
        return;
    }
    image_unref(c->read_image);
    c->read_image = image;
    c->is_mismatched = true; /* what was there in between is not known */
}

/* ---- entries */

static void pending_apply(struct controller *c)
{
    struct pending_entries *p = &c->pending;
    if (p->bytes.error != ERR_OK)
        read_failed(c, p->bytes.error, "entries");
    if (c->read_error != ERR_OK || p->count == 0)
        return;
    struct image_entry *entries = mem_alloc(p->count * sizeof(*entries));
    const uint8_t *pos = p->bytes.data;
    for (size_t i = 0; i < p->count; i++) {
        entries[i] = (struct image_entry){pos, p->sizes[i]};
        pos += p->sizes[i];
    }
    struct image *image = NULL;
    enum err e = image_apply(c->read_image, entries, p->count, NULL, &c->why, &image);
    mem_free(entries);
    if (e != ERR_OK) {
        read_failed(c, e, "entries");
        return;
    }
    ASSERT(image_position(image) == image_position(c->read_image) + (int64_t)p->count);
    image_unref(c->read_image);
    c->read_image = image;
    wire_writer_clear(&p->bytes);
    p->count = 0;
}

static void compare_with_append(struct controller *c, int64_t index, struct store_entry entry)
{
    if (!c->is_appending || c->is_mismatched || c->matched == c->append.entry_count)
        return;
    const struct store_entry *mine = &c->entries[c->matched];
    int64_t expected = c->append.expected_head + 1 + (int64_t)c->matched;
    if (index == expected && mine->size == entry.size &&
        memcmp(mine->data, entry.data, entry.size) == 0)
        c->matched++;
    else
        c->is_mismatched = true;
}

static void on_entry(struct store_read *read, int64_t index, struct store_entry entry)
{
    struct controller *c = controller_of(read);
    struct pending_entries *p = &c->pending;
    ASSERT(c->is_reading && index > 0);
    if (c->read_error != ERR_OK)
        return;
    if (index != image_position(c->read_image) + (int64_t)p->count + 1) {
        read_failed(c, ERR_CORRUPT, "a gap between entries");
        return;
    }
    compare_with_append(c, index, entry);
    if (p->count == p->capacity) {
        p->capacity = MAX(p->capacity * 2, (size_t)64);
        p->sizes = mem_realloc(p->sizes, p->capacity * sizeof(p->sizes[0]));
    }
    p->sizes[p->count++] = entry.size;
    wire_write_raw(&p->bytes, entry.data, entry.size);
    if (p->bytes.size >= PENDING_BYTES || p->count >= PENDING_COUNT)
        pending_apply(c);
}

static void on_done(struct store_read *read)
{
    struct controller *c = controller_of(read);
    ASSERT(c->is_reading);
    pending_apply(c);
    if (read->error != ERR_OK)
        read_failed(c, read->error, "reading");
    wire_writer_clear(&c->pending.bytes);
    c->pending.count = 0;
    c->is_reading = false;
    controller_read_ended(c, c->read_error);
}

void controller_read(struct controller *c)
{
    ASSERT(!c->is_reading && c->read_image == NULL);
    c->is_reading = true;
    c->read_error = ERR_OK;
    c->read_image = image_ref(c->image);
    c->matched = 0;
    c->is_mismatched = false;
    strbuf_clear(&c->why);
    c->read = (struct store_read){
        .from = image_position(c->image),
        .snapshot_chunk = on_snapshot_chunk,
        .snapshot_end = on_snapshot_end,
        .entry = on_entry,
        .done = on_done,
    };
    store_read(c->store, &c->read);
}

void controller_load_init(struct controller *c)
{
    strbuf_init(&c->why);
    wire_writer_init(&c->snapshot_bytes, INT32_MAX);
    wire_writer_init(&c->pending.bytes, PENDING_BYTES + LIMIT_METADATA_APPEND_BYTES);
}

void controller_load_deinit(struct controller *c)
{
    strbuf_deinit(&c->why);
    wire_writer_deinit(&c->snapshot_bytes);
    wire_writer_deinit(&c->pending.bytes);
    mem_free(c->pending.sizes);
    image_unref(c->read_image);
}
