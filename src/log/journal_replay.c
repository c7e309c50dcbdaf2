// SPDX-License-Identifier: Apache-2.0
/*
 * journal_replay: what an unclean stop left in a journal: found, sorted by partitions, until
 * these are opened and it is in their segments (journal_segments.c).
 *
 * Thread: opening and the workers that open partitions; blocks.
 * Crash:  may be repeated from the start.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/journal_private.h"

/* ---- by partition */

static uint64_t left_hash(const struct journal *j, struct uuid topic_id, int32_t partition)
{
    return hash_bytes(j->hash_seed, topic_id.bytes, sizeof(topic_id.bytes)) ^
           hash_u64((uint64_t)partition);
}

struct journal_left *journal_left_find(const struct journal *j, struct uuid topic_id,
                                       int32_t partition)
{
    struct map_node *node = map_first(&j->left, left_hash(j, topic_id, partition));
    for (; node != NULL; node = map_next_same(node)) {
        struct journal_left *left = container_of(node, struct journal_left, node);
        if (left->partition == partition && uuid_equals(left->topic_id, topic_id))
            return left;
    }
    return NULL;
}

static void left_free(struct journal *j, struct journal_left *left)
{
    map_remove(&j->left, &left->node);
    mem_free(left->pieces);
    mem_free(left);
}

void journal_forget_left(struct journal *j)
{
    MAP_FOR_EACH (node, &j->left)
        left_free(j, container_of(node, struct journal_left, node));
    map_deinit(&j->left);
    map_init(&j->left);
}

static void left_cut(struct journal *j, const struct journal_item *item)
{
    struct journal_left *left = journal_left_find(j, item->topic_id, item->partition);
    if (left == NULL)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < left->count; i++) {
        struct journal_piece piece = left->pieces[i];
        piece.end_offset = MIN(piece.end_offset, item->first);
        if (piece.first_offset < piece.end_offset)
            left->pieces[kept++] = piece;
    }
    left->count = kept;
    if (kept == 0)
        left_free(j, left);
}

/* A partition's appends rise, unless it was cut: also where the group that said so is damaged. */
static void left_cut_before(struct journal *j, const struct journal_item *item)
{
    const struct journal_left *left = journal_left_find(j, item->topic_id, item->partition);
    if (left != NULL && left->count > 0 && left->pieces[left->count - 1].end_offset > item->first)
        left_cut(j, item);
}

static enum err left_add(struct journal *j, const struct journal_item *item, unsigned half,
                         int64_t file_pos)
{
    left_cut_before(j, item);
    struct journal_left *left = journal_left_find(j, item->topic_id, item->partition);
    if (left == NULL) {
        left = mem_try_zeroed(sizeof(*left));
        if (left == NULL)
            return ERR_NO_MEMORY;
        left->topic_id = item->topic_id;
        left->partition = item->partition;
        map_insert(&j->left, &left->node, left_hash(j, item->topic_id, item->partition));
    }
    if (left->count == left->capacity) {
        size_t capacity = MAX(2 * left->capacity, (size_t)8);
        void *pieces = mem_try_realloc(left->pieces, capacity * sizeof(*left->pieces));
        if (pieces == NULL)
            return ERR_NO_MEMORY;
        left->pieces = pieces;
        left->capacity = capacity;
    }
    left->pieces[left->count++] = (struct journal_piece){
        .half = half,
        .file_pos = file_pos,
        .size = item->size,
        .segment_base = item->segment_base,
        .pos = item->pos,
        .first_offset = item->first,
        .end_offset = item->end_offset,
    };
    return ERR_OK;
}

/* Only what this half has said counts any more. */
static void left_void_other(struct journal *j, unsigned half)
{
    MAP_FOR_EACH (node, &j->left) {
        struct journal_left *left = container_of(node, struct journal_left, node);
        size_t kept = 0;
        for (size_t i = 0; i < left->count; i++) {
            if (left->pieces[i].half == half)
                left->pieces[kept++] = left->pieces[i];
        }
        left->count = kept;
        if (kept == 0)
            left_free(j, left);
    }
}

/* ---- one half */

struct half_scan {
    struct journal *j;
    unsigned index;
    bool keeps;      /* what it finds */
    uint8_t *buffer; /* LIMIT_JOURNAL_GROUP_BYTES */
    int64_t pos;
    uint64_t generation; /* 0: no group yet */
    uint64_t salt;
    uint64_t number; /* the next group's */
    uint64_t voided; /* the highest generation that a void entry of this half names */
};

static enum err apply_item(struct half_scan *scan, const struct journal_item *item,
                           int64_t file_pos)
{
    struct journal *j = scan->j;
    switch (item->kind) {
    case JOURNAL_APPEND:
        return left_add(j, item, scan->index, file_pos);
    case JOURNAL_CUT:
        left_cut(j, item);
        return ERR_OK;
    case JOURNAL_GONE: {
        struct journal_left *left = journal_left_find(j, item->topic_id, item->partition);
        if (left != NULL)
            left_free(j, left);
        return ERR_OK;
    }
    case JOURNAL_VOID:
        break;
    }
    if ((uint64_t)item->first >= scan->generation)
        journal_forget_left(j); /* the end of a replay, or a clean stop */
    else
        left_void_other(j, scan->index);
    return ERR_OK;
}

static enum err apply_group(struct half_scan *scan, const struct journal_group_header *header)
{
    size_t at = JOURNAL_GROUP_HEADER_BYTES;
    for (uint32_t i = 0; i < header->count; i++) {
        struct journal_item item;
        if (!journal_item_read(scan->buffer + at, header->size - at, &item)) {
            log_error(scan->j->env, "%s/klamm.journal.%u: an entry at %" PRId64 " is not known",
                      scan->j->dir, scan->index, scan->pos + (int64_t)at);
            return ERR_OK; /* its checksum was right: of a later version */
        }
        at += JOURNAL_ENTRY_HEADER_BYTES;
        if (item.kind == JOURNAL_VOID)
            scan->voided = MAX(scan->voided, (uint64_t)item.first);
        enum err e = scan->keeps ? apply_item(scan, &item, scan->pos + (int64_t)at) : ERR_OK;
        if (e != ERR_OK)
            return e;
        at += item.size;
    }
    return ERR_OK;
}

/* The whole group at scan->pos into the buffer. ERR_NOT_FOUND: none is there, or a damaged one. */
static enum err read_group(struct half_scan *scan, struct journal_group_header *header)
{
    struct journal_half *half = &scan->j->halves[scan->index];
    if (half->size - scan->pos < JOURNAL_PAGE_BYTES)
        return ERR_NOT_FOUND;
    size_t got = 0;
    enum err e =
        env_file_read(half->file, scan->buffer, JOURNAL_PAGE_BYTES, scan->pos, ENV_WAIT, &got);
    if (e != ERR_OK)
        return e;
    if (got < JOURNAL_PAGE_BYTES || !journal_group_read(scan->buffer, header) ||
        header->size > LIMIT_JOURNAL_GROUP_BYTES || header->size > half->size - scan->pos)
        return ERR_NOT_FOUND;
    if (header->size > JOURNAL_PAGE_BYTES) {
        size_t more = header->size - JOURNAL_PAGE_BYTES;
        e = env_file_read(half->file, scan->buffer + JOURNAL_PAGE_BYTES, more,
                          scan->pos + JOURNAL_PAGE_BYTES, ENV_WAIT, &got);
        if (e != ERR_OK)
            return e;
        if (got < more)
            return ERR_NOT_FOUND;
    }
    return journal_group_is_whole(scan->buffer, header->size) ? ERR_OK : ERR_NOT_FOUND;
}

static bool continues(const struct half_scan *scan, const struct journal_group_header *header)
{
    return scan->generation != 0 && header->generation == scan->generation &&
           header->salt == scan->salt && header->number >= scan->number;
}

/* Behind a bad group: the next whole one of the same generation, if there is any. */
static enum err find_behind(struct half_scan *scan, struct journal_group_header *header,
                            bool *found)
{
    int64_t bad_pos = scan->pos;
    struct journal_half *half = &scan->j->halves[scan->index];
    *found = false;
    for (scan->pos += JOURNAL_PAGE_BYTES; scan->pos < half->size && !*found;
         scan->pos += JOURNAL_PAGE_BYTES) {
        enum err e = read_group(scan, header);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return e;
        *found = e == ERR_OK && continues(scan, header);
        if (*found)
            break;
    }
    if (*found)
        log_error(scan->j->env,
                  "%s/klamm.journal.%u is damaged at %" PRId64
                  ": groups of small commits are lost; whole ones go on at %" PRId64,
                  scan->j->dir, scan->index, bad_pos, scan->pos);
    else
        scan->pos = bad_pos;
    return ERR_OK;
}

static enum err scan_half(struct half_scan *scan)
{
    struct journal_group_header header;
    for (;;) {
        enum err e = read_group(scan, &header);
        if (e == ERR_OK && scan->generation == 0 && header.number == 0) {
            scan->generation = header.generation;
            scan->salt = header.salt;
        }
        bool found = e == ERR_OK && continues(scan, &header) && header.number == scan->number;
        if (e == ERR_NOT_FOUND || e == ERR_OK)
            e = found || scan->generation == 0 ? ERR_OK : find_behind(scan, &header, &found);
        if (e != ERR_OK || !found)
            return e;
        e = apply_group(scan, &header);
        if (e != ERR_OK)
            return e;
        scan->pos += journal_padded(header.size);
        scan->number = header.number + 1;
    }
}

/* The generation of its first group; 0: none. */
static enum err first_generation(struct journal *j, unsigned index, uint8_t *buffer, uint64_t *out)
{
    struct half_scan scan = {.j = j, .index = index, .buffer = buffer, .pos = JOURNAL_PAGE_BYTES};
    struct journal_group_header header;
    enum err e = read_group(&scan, &header);
    *out = e == ERR_OK && header.number == 0 ? header.generation : 0;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* A half of which the first group is bad: whole groups behind it that nothing made void are lost.
 * (After a crash in the first write of a generation those of the one before lie there, void.) */
static enum err look_for_lost(struct half_scan *scan, uint64_t voided)
{
    struct journal_half *half = &scan->j->halves[scan->index];
    if (scan->generation != 0)
        return ERR_OK;
    for (int64_t pos = JOURNAL_PAGE_BYTES; pos < half->size; pos += JOURNAL_PAGE_BYTES) {
        struct journal_group_header header;
        struct half_scan at = {.j = scan->j, .index = scan->index, .buffer = scan->buffer};
        at.pos = pos;
        enum err e = read_group(&at, &header);
        if (e == ERR_NOT_FOUND || (e == ERR_OK && header.generation <= voided))
            continue;
        if (e == ERR_OK)
            log_error(scan->j->env,
                      "%s/klamm.journal.%u is damaged at its start: its small commits are lost",
                      scan->j->dir, scan->index);
        return e;
    }
    return ERR_OK;
}

enum err journal_scan(struct journal *j, bool keeps)
{
    uint8_t *buffer = mem_try(LIMIT_JOURNAL_GROUP_BYTES);
    if (buffer == NULL)
        return ERR_NO_MEMORY;
    uint64_t generations[JOURNAL_HALVES] = {0};
    struct half_scan scans[JOURNAL_HALVES];
    enum err e = ERR_OK;
    for (unsigned i = 0; i < JOURNAL_HALVES && e == ERR_OK; i++)
        e = first_generation(j, i, buffer, &generations[i]);
    unsigned older = generations[0] <= generations[1] ? 0 : 1;
    for (unsigned n = 0; n < JOURNAL_HALVES && e == ERR_OK; n++) {
        struct half_scan *scan = &scans[n];
        *scan = (struct half_scan){.j = j,
                                   .index = n == 0 ? older : 1 - older,
                                   .keeps = keeps,
                                   .buffer = buffer,
                                   .pos = JOURNAL_PAGE_BYTES};
        e = scan_half(scan);
        struct journal_half *half = &j->halves[scan->index];
        half->generation = scan->generation;
        half->salt = scan->salt;
        half->pos = scan->pos;
        half->next_number = scan->number;
    }
    for (unsigned n = 0; n < JOURNAL_HALVES && e == ERR_OK; n++)
        e = look_for_lost(&scans[n], scans[1 - n].voided);
    mem_free(buffer);
    j->current = 1 - older;
    j->generation = j->halves[1 - older].generation;
    return e;
}

/* ---- the end of a replay */

/* [monitor] All have been replayed: one void entry ends it. */
static bool end_replay(struct journal *j)
{
    if (journal_state(j) != JOURNAL_REPLAYING || j->left.count > 0 || j->replay_has_ended)
        return false;
    j->replay_has_ended = true;
    j->void_due = j->generation;
    return journal_claim_job(j);
}

bool journal_replayed(struct journal *j, struct journal_client *client)
{
    monitor_enter(&j->monitor);
    struct journal_left *left = journal_left_find(j, client->topic_id, client->partition);
    bool submit = false;
    if (left != NULL) {
        struct journal_cover *cover = &client->covers[j->current];
        ASSERT(!list_is_linked(&cover->link));
        cover->client = client;
        cover->generation = j->generation;
        cover->end_offset = 0;
        list_push_back(&j->halves[j->current].synced, &cover->link);
        left_free(j, left);
        submit = end_replay(j);
    }
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
    return left != NULL;
}

uint64_t journal_generation(const struct journal *j)
{
    return j->generation;
}

struct left_key {
    struct uuid topic_id;
    int32_t partition;
};

/* A copy, so that others may be asked without the monitor. mem_alloc'ed. */
static struct left_key *left_keys(struct journal *j, size_t *count)
{
    monitor_enter(&j->monitor);
    struct left_key *keys = mem_alloc((j->left.count + 1) * sizeof(*keys));
    *count = 0;
    MAP_FOR_EACH (node, &j->left) {
        const struct journal_left *left = container_of(node, struct journal_left, node);
        keys[(*count)++] = (struct left_key){left->topic_id, left->partition};
    }
    monitor_leave(&j->monitor);
    return keys;
}

void journal_settle(struct journal *j,
                    bool (*is_known)(void *arg, struct uuid topic_id, int32_t partition), void *arg)
{
    size_t count = 0;
    size_t dropped = 0;
    struct left_key *keys = left_keys(j, &count);
    for (size_t i = 0; i < count; i++) {
        if (is_known(arg, keys[i].topic_id, keys[i].partition))
            continue;
        monitor_enter(&j->monitor);
        struct journal_left *left = journal_left_find(j, keys[i].topic_id, keys[i].partition);
        if (left != NULL) {
            left_free(j, left);
            dropped++;
        }
        monitor_leave(&j->monitor);
    }
    mem_free(keys);
    monitor_enter(&j->monitor);
    size_t waiting = j->left.count;
    bool is_news = waiting > 0 && waiting != j->left_told;
    j->left_told = waiting;
    bool submit = end_replay(j);
    monitor_leave(&j->monitor);
    if (dropped > 0)
        log_warn(j->env,
                 "%s: the journal has commits of %zu partitions that are not known: dropped",
                 j->dir, dropped);
    if (is_news)
        log_warn(j->env,
                 "%s: the journal waits for %zu partitions that could not be opened; until then "
                 "every commit syncs its own segment",
                 j->dir, waiting);
    if (submit)
        env_submit(j->env, &j->job);
}

bool journal_waits(const struct journal *j)
{
    return journal_state(j) == JOURNAL_REPLAYING;
}

void journal_each_left(struct journal *j,
                       void (*each)(void *arg, struct uuid topic_id, int32_t partition), void *arg)
{
    size_t count = 0;
    struct left_key *keys = left_keys(j, &count);
    for (size_t i = 0; i < count; i++)
        each(arg, keys[i].topic_id, keys[i].partition);
    mem_free(keys);
}
