// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: any bytes as what a consumer says that it reads. Half of the inputs are given a
 * version and a count of topics that pass, so that what is behind them is reached.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/assert.h"
#include "coordinator/group_subscription.h"

enum { HEAD_BYTES = 6, BYTES_MAX = 4096, COUNT_MODULUS = 16 };

int fuzz_group_subscription(const uint8_t *data, size_t size);

struct seen {
    struct wire_bytes whole;
    const char *end; /* of the last name */
    int64_t bytes;
    int32_t count;
};

/* Names lie in the bytes, one behind the other. */
static void take(void *arg, struct wire_str topic)
{
    struct seen *seen = arg;
    const char *start = (const char *)seen->whole.data;
    ASSERT(topic.len >= 0 && topic.data >= start + HEAD_BYTES + 2);
    ASSERT(topic.data + topic.len <= start + seen->whole.len);
    ASSERT(seen->end == NULL || topic.data == seen->end + 2);
    seen->end = topic.data + topic.len;
    seen->bytes += 2 + topic.len;
    seen->count++;
}

int fuzz_group_subscription(const uint8_t *data, size_t size)
{
    uint8_t copy[BYTES_MAX];
    if (size > sizeof(copy))
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    bool is_mended = size > HEAD_BYTES && (data[size - 1] & 1) != 0;
    if (is_mended) {
        memset(copy, 0, HEAD_BYTES - 1);
        copy[HEAD_BYTES - 1] %= COUNT_MODULUS;
    }
    struct seen seen = {.whole = {copy, (int32_t)size}};
    bool is_read = group_subscription_walk(seen.whole, take, &seen);
    ASSERT(HEAD_BYTES + seen.bytes <= (int64_t)size || seen.count == 0);
    if (is_read && is_mended)
        ASSERT(seen.count == copy[HEAD_BYTES - 1]);
    return 0;
}
