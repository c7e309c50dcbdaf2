// SPDX-License-Identifier: Apache-2.0
/* topic_sums: see topic_sums.h. Thread: whoever owns it. */
#include "console/topic_sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void topic_sums_init(struct topic_sums *sums)
{
    *sums = (struct topic_sums){.count = 0};
    map_init(&sums->by_id);
}

void topic_sums_deinit(struct topic_sums *sums)
{
    MAP_FOR_EACH (node, &sums->by_id) {
        struct topic_sum *sum = container_of(node, struct topic_sum, node);
        map_remove(&sums->by_id, node);
        partition_unref(sum->partition);
        mem_free(sum);
    }
    map_deinit(&sums->by_id);
    mem_free(sums->sorted);
}

static uint64_t hash_of(struct uuid id)
{
    uint64_t half[2];
    memcpy(half, id.bytes, sizeof(half)); /* random by itself */
    return hash_u64(half[0] ^ half[1]);
}

static struct topic_sum *sum_of(struct topic_sums *sums, struct partition *p)
{
    struct uuid id = partition_topic_id(p);
    uint64_t hash = hash_of(id);
    for (struct map_node *node = map_first(&sums->by_id, hash); node != NULL;
         node = map_next_same(node)) {
        struct topic_sum *sum = container_of(node, struct topic_sum, node);
        if (uuid_equals(partition_topic_id(sum->partition), id))
            return sum;
    }
    struct topic_sum *sum = mem_alloc(sizeof(*sum));
    sum->partition = partition_ref(p);
    map_insert(&sums->by_id, &sum->node, hash);
    sums->count++;
    return sum;
}

void topic_sums_add(struct topic_sums *sums, struct partition *p,
                    const struct partition_traffic *traffic)
{
    ASSERT(sums->sorted == NULL);
    struct partition_traffic *sum = &sum_of(sums, p)->traffic;
    sum->records_in += traffic->records_in;
    sum->bytes_in += traffic->bytes_in;
    sum->bytes_out += traffic->bytes_out;
}

static int compare(const void *a, const void *b)
{
    const struct topic_sum *x = *(struct topic_sum *const *)a;
    const struct topic_sum *y = *(struct topic_sum *const *)b;
    return strcmp(partition_topic(x->partition), partition_topic(y->partition));
}

void topic_sums_sort(struct topic_sums *sums)
{
    ASSERT(sums->sorted == NULL);
    size_t at = 0;
    sums->sorted = mem_alloc((sums->count + 1) * sizeof(*sums->sorted));
    MAP_FOR_EACH (node, &sums->by_id)
        sums->sorted[at++] = container_of(node, struct topic_sum, node);
    ASSERT(at == sums->count);
    if (at > 0)
        qsort(sums->sorted, at, sizeof(*sums->sorted), compare);
}
