// SPDX-License-Identifier: Apache-2.0
/*
 * check_scrub: of sealed, synced segments in which bits have changed the broker finds just the
 * batches that they are in, within two rounds of its scrub, and readers get all others.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "the scrub"

static struct history_flip *flip_at(struct history *h, const struct history_flip *found)
{
    for (uint32_t i = 0; i < h->flip_count; i++) {
        struct history_flip *flip = &h->flips[i];
        if (flip->partition == found->partition && flip->segment_base == found->segment_base &&
            flip->pos == found->pos)
            return flip;
    }
    return NULL;
}

void check_scrub_on_found(struct history *h, const struct history_flip *found)
{
    const struct history_partition *p = &h->partitions[found->partition];
    struct history_flip *flip = flip_at(h, found);
    if (flip == NULL)
        history_fail(h, CHECKER, "%s-%d: the batch at %lld of segment %lld is called damaged",
                     p->topic, p->index, (long long)found->pos, (long long)found->segment_base);
    else if (found->end != flip->end || found->end_offset != flip->end_offset)
        history_fail(
            h, CHECKER,
            "%s-%d: what is damaged at %lld of segment %lld ends at %lld, offset %lld, and "
            "is said to end at %lld, offset %lld",
            p->topic, p->index, (long long)found->pos, (long long)found->segment_base,
            (long long)flip->end, (long long)flip->end_offset, (long long)found->end,
            (long long)found->end_offset);
    else
        flip->is_found = true;
}

void check_scrub_on_missing(struct history *h, const struct history_flip *flip)
{
    const struct history_partition *p = &h->partitions[flip->partition];
    if (!flip->is_found)
        history_fail(h, CHECKER, "%s-%d: the batch at %lld of segment %lld is damaged: not found",
                     p->topic, p->index, (long long)flip->pos, (long long)flip->segment_base);
}

int64_t check_scrub_on_refused(struct history *h, uint32_t partition, int64_t offset)
{
    for (uint32_t i = 0; i < h->flip_count; i++) {
        const struct history_flip *flip = &h->flips[i];
        if (flip->partition == partition && offset >= flip->offset && offset < flip->end_offset)
            return flip->end_offset;
    }
    history_fail(h, CHECKER, "offset %lld of %s-%d is sound, and cannot be read", (long long)offset,
                 h->partitions[partition].topic, h->partitions[partition].index);
    return offset;
}
