// SPDX-License-Identifier: Apache-2.0
/*
 * world_scrub: bits change in sealed segments while the broker runs and reads them again. All of it
 * has to be found within two rounds, and nothing else; then readers get all the rest
 * (check_scrub.c). Only in partitions that world_rot left whole, and one bit a segment: when the
 * headers of two neighbours are damaged nobody can tell where the first ends.
 *
 * Thread: one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "broker_counts.h"
#include "check.h"
#include "wire/batch.h"
#include "world.h"

enum { FLIPS_WANTED = 8, SLACK_S = 5, LENGTH = 8, EPOCH = 12, MAGIC = 16 };

/* A segment that is not the last of its partition. */
struct sealed {
    struct sim_inode *file;
    int64_t base;
    int64_t next_base;
    int64_t size; /* of its batches */
};

/* ---- where */

static int64_t size_of(const struct sim_inode *file)
{
    struct batch_walk walk = {file->cache, (size_t)file->size};
    struct batch_header header;
    const uint8_t *data;
    while (batch_next(&walk, &header, &data) == ERR_OK)
        continue;
    return file->size - (int64_t)walk.left;
}

static bool pick_sealed(struct sim *sim, const struct name_list *names, struct sealed *out)
{
    const struct name_list_entry *entry =
        &names->items[sim_draw(sim, 0, (int64_t)names->count - 1)];
    if (!world_is_log(entry->name))
        return false;
    *out = (struct sealed){
        .file = entry->value, .base = strtoll(entry->name, NULL, 10), .next_base = INT64_MAX};
    for (size_t i = 0; i < names->count; i++) {
        int64_t base = strtoll(names->items[i].name, NULL, 10);
        if (world_is_log(names->items[i].name) && base > out->base)
            out->next_base = MIN(out->next_base, base);
    }
    out->size = size_of(out->file);
    return out->next_base < INT64_MAX && out->size > 0;
}

/* The batch at a place that chance has drawn, and what lies before and behind it. */
static void pick_batch(struct sim *sim, const struct sealed *sealed, struct history_flip *flip)
{
    struct batch_walk walk = {sealed->file->cache, (size_t)sealed->size};
    struct batch_header header;
    const uint8_t *data;
    int64_t at = sim_draw(sim, 0, sealed->size - 1);
    enum err e = ERR_OK;
    while (e == ERR_OK && flip->end <= at) {
        if (flip->end > 0)
            flip->offset = batch_last_offset(&header) + 1;
        e = batch_next(&walk, &header, &data);
        ASSERT(e == ERR_OK);
        flip->pos = data - sealed->file->cache;
        flip->end = flip->pos + (int64_t)batch_size(&header);
    }
    e = batch_next(&walk, &header, &data);
    flip->end_offset = e == ERR_OK ? header.base_offset : sealed->next_base;
}

/* A byte of the batch that something covers: no checksum covers its epoch, and where batches are
 * missing another base offset may fit as well. */
static int64_t pick_byte(struct sim *sim, const struct history_flip *flip, bool is_compacted)
{
    bool is_header = sim_percent(sim, 30);
    int64_t end = is_header ? BATCH_HEADER_BYTES : flip->end - flip->pos;
    int64_t byte = sim_draw(sim, is_compacted ? LENGTH : 0, end - 1);
    return byte >= EPOCH && byte < MAGIC ? MAGIC : byte;
}

static bool has_flip(const struct history *h, uint32_t partition, int64_t segment_base)
{
    for (uint32_t i = 0; i < h->flip_count; i++) {
        if (h->flips[i].partition == partition && h->flips[i].segment_base == segment_base)
            return true;
    }
    return false;
}

static bool is_scrubbed(const struct world *w, const struct history_flip *flip)
{
    const struct history_partition *p = &w->history.partitions[flip->partition];
    return broker_scrubs(process_broker(w->process), p->topic, p->index, flip->segment_base,
                         flip->end_offset);
}

static void flip_one(struct world *w)
{
    struct history *h = &w->history;
    uint32_t partition = (uint32_t)sim_draw(w->sim, 0, (int64_t)h->partition_count - 1);
    struct history_partition *p = &h->partitions[partition];
    const struct sim_inode *dir = world_dir_of(w, p);
    bool is_compacted = p->key_count > 0;
    struct sealed sealed;
    if (p->is_rotten || dir == NULL || dir->names.count == 0 ||
        !pick_sealed(w->sim, &dir->names, &sealed) || has_flip(h, partition, sealed.base))
        return;
    struct history_flip flip = {.partition = partition,
                                .segment_base = sealed.base,
                                .offset = is_compacted ? 0 : sealed.base, /* behind a hole */
                                .file = sealed.file->id};
    pick_batch(w->sim, &sealed, &flip);
    int64_t byte = pick_byte(w->sim, &flip, is_compacted);
    if (byte >= LENGTH && byte < EPOCH) { /* nobody knows any more where it ends */
        flip.end = sealed.size;
        flip.end_offset = sealed.next_base;
    }
    if (!is_scrubbed(w, &flip) || !sim_inode_flip_at(sealed.file, flip.pos + byte, w->sim))
        return;
    p->is_scrubbed = true;
    h->flips[h->flip_count++] = flip;
}

/* ---- what the broker says */

static void take_found(void *arg, const struct broker_rot *rot)
{
    struct history *h = arg;
    for (uint32_t i = 0; i < h->partition_count; i++) {
        const struct history_partition *p = &h->partitions[i];
        if (p->index != rot->index || strcmp(p->topic, rot->topic) != 0)
            continue;
        struct history_flip found = {.partition = i,
                                     .segment_base = rot->segment_base,
                                     .pos = rot->pos,
                                     .end = rot->end,
                                     .end_offset = rot->end_offset};
        if (!p->is_rotten)
            check_scrub_on_found(h, &found);
        return;
    }
    history_fail(h, "the scrub", "%s-%d is called damaged", rot->topic, rot->index);
}

/* Compaction and retention may have taken it meanwhile. */
static bool is_still_there(const struct world *w, const struct history_flip *flip)
{
    const struct sim_inode *dir = world_dir_of(w, &w->history.partitions[flip->partition]);
    for (size_t i = 0; dir != NULL && i < dir->names.count; i++) {
        const struct sim_inode *file = dir->names.items[i].value;
        if (file->id == flip->file && world_is_log(dir->names.items[i].name))
            return is_scrubbed(w, flip);
    }
    return false;
}

static int64_t rounds(const struct world *w)
{
    struct broker_counts counts;
    broker_count(process_broker(w->process), &counts);
    return counts.scrub_rounds;
}

static bool has_come_round(const struct world *w)
{
    return rounds(w) >= w->scrub_rounds;
}

/* One round may be under way. */
static void wait_for_scrub(struct world *w)
{
    const struct swarm_scrub *scrub = &w->swarm.scrub;
    int64_t round_s = scrub->interval_ms / 1000 + w->disk->used_bytes / scrub->bytes_per_second;
    w->scrub_rounds = rounds(w) + 2;
    if (!world_run_until(w, has_come_round, 2 * round_s + SLACK_S))
        world_fail(w, "the scrub does not come round", "");
}

void world_scrub_look(struct world *w)
{
    broker_each_rot(process_broker(w->process), take_found, &w->history);
    if (w->history.has_failed)
        world_fail(w, w->history.failure, "");
}

void world_scrub(struct world *w)
{
    struct history *h = &w->history;
    if (w->swarm.scrub.interval_ms == 0 || h->partition_count == 0 ||
        (w->process == NULL && !world_start_broker(w)))
        return;
    h->is_auditing = false;
    for (int i = 0; i < FLIPS_WANTED; i++)
        flip_one(w);
    wait_for_scrub(w);
    if (w->has_failed)
        return;
    world_scrub_look(w);
    for (uint32_t i = 0; i < h->flip_count; i++) {
        if (is_still_there(w, &h->flips[i]))
            check_scrub_on_missing(h, &h->flips[i]);
    }
    if (h->has_failed)
        world_fail(w, h->failure, "");
    else
        (void)world_read_all(w);
}
