// SPDX-License-Identifier: Apache-2.0
/*
 * check_compacted: whoever reads a compacted partition from its start to its end finds last of each
 * key the last record that is known, or a later one. Only a tombstone may be gone, and a value
 * before it may be met only by a reading that took longer than tombstones stay: so a key never goes
 * back to what it was.
 *
 * Of what was compacted together, which only a world at rest knows (world_clean.c), just the last
 * record of each key is left.
 *
 * Thread: one.
 */
#include "check.h"

/* A tombstone of which nobody knows may have been the last of its key, and gone in its time: one
 * without an answer, or one more copy of one that was sent again, taken from a connection that had
 * been given up. */
static bool has_unknown_tombstone(const struct history *h, uint32_t partition, int32_t key)
{
    for (uint32_t i = 0; i < h->record_count; i++) {
        const struct history_record *r = &h->records[i];
        if (r->partition == partition && r->key == key && r->is_tombstone &&
            (r->state == RECORD_SENT || r->state == RECORD_UNKNOWN ||
             (r->instance < 0 && r->sendings > 1)))
            return true;
    }
    return false;
}

static void check_key(struct history *h, uint32_t partition, int32_t key, bool was_slow,
                      int64_t found)
{
    const struct history_partition *p = &h->partitions[partition];
    const struct history_key *known = &p->keys[key - 1];
    if (found >= known->offset)
        return;
    if (known->is_tombstone) {
        if (found >= 0 && !was_slow)
            history_fail(h, "no value goes backwards",
                         "key %d of %s-%d was deleted at offset %lld, and is the one of %lld again",
                         key, p->topic, p->index, (long long)known->offset, (long long)found);
        return;
    }
    if (has_unknown_tombstone(h, partition, key))
        return;
    if (found >= 0)
        history_fail(h, "no value goes backwards",
                     "key %d of %s-%d was at offset %lld, and is the one of %lld again", key,
                     p->topic, p->index, (long long)known->offset, (long long)found);
    else
        history_fail(h, "the last value of a key stays", "key %d of %s-%d was at offset %lld: gone",
                     key, p->topic, p->index, (long long)known->offset);
}

/* Half of the time is left to the compaction that began it and to clocks. */
void check_compacted_on_pass(struct history *h, uint32_t partition, int64_t now_ns, int64_t end,
                             const struct history_pass *pass)
{
    const struct history_partition *p = &h->partitions[partition];
    bool was_slow = now_ns - pass->began_ns >= p->tombstones_stay_ns / 2;
    for (int32_t key = 1; key <= p->key_count; key++) {
        if (p->keys[key - 1].offset < end) /* else it came behind the end that was told */
            check_key(h, partition, key, was_slow, pass->found[key - 1]);
    }
}

/* ---- what was compacted together */

#define CLEAN "compaction leaves one of a key"

void check_clean_on_found(struct history *h, uint32_t record, int64_t offset, int64_t before)
{
    const struct history_record *r = &h->records[record];
    const struct history_partition *p = &h->partitions[r->partition];
    if (before >= 0)
        history_fail(h, CLEAN, "key %d of %s-%d is at offsets %lld and %lld, both below %lld",
                     (int)r->key, p->topic, p->index, (long long)before, (long long)offset,
                     (long long)p->clean_end);
    if (r->is_tombstone && offset < p->due_end)
        history_fail(h, CLEAN, "the tombstone of key %d of %s-%d at offset %lld has had its time",
                     (int)r->key, p->topic, p->index, (long long)offset);
}

/* The last of a key that was acknowledged below the clean end; NULL: none. */
static const struct history_record *last_acked(const struct history *h, uint32_t partition,
                                               int32_t key)
{
    const struct history_record *last = NULL;
    for (uint32_t i = 0; i < h->record_count; i++) {
        const struct history_record *r = &h->records[i];
        if (r->partition == partition && r->key == key && r->state == RECORD_ACKED &&
            r->acked_offset < h->partitions[partition].clean_end &&
            (last == NULL || r->acked_offset > last->acked_offset))
            last = r;
    }
    return last;
}

void check_clean_on_pass(struct history *h, uint32_t partition, const struct history_pass *pass)
{
    const struct history_partition *p = &h->partitions[partition];
    for (int32_t key = 1; key <= p->key_count && p->clean_end > 0; key++) {
        int64_t found = pass->clean_found[key - 1];
        const struct history_record *last = last_acked(h, partition, key);
        if (last == NULL || found >= last->acked_offset)
            continue; /* a later one is one of which nobody was told */
        bool may_be_gone = last->is_tombstone || has_unknown_tombstone(h, partition, key);
        if (found >= 0 || !may_be_gone)
            history_fail(h, CLEAN, "key %d of %s-%d was last at offset %lld, and is at %lld", key,
                         p->topic, p->index, (long long)last->acked_offset, (long long)found);
    }
}
