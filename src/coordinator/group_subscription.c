// SPDX-License-Identifier: Apache-2.0
/* group_subscription: see group_subscription.h. Thread: any. */
#include "coordinator/group_subscription.h"

#include "wire/reader.h"

enum { TOPIC_BYTES_MIN = 2 };

bool group_subscription_walk(struct wire_bytes metadata,
                             void (*each)(void *arg, struct wire_str topic), void *arg)
{
    struct wire_reader r = wire_reader_of(metadata.data, (size_t)metadata.len);
    int16_t version = wire_read_i16(&r);
    int32_t count = wire_read_i32(&r);
    if (r.failed || version < 0 || count < 0 || (size_t)count > wire_left(&r) / TOPIC_BYTES_MIN)
        return false;
    for (int32_t i = 0; i < count; i++) {
        int16_t len = wire_read_i16(&r);
        const uint8_t *data = len >= 0 ? wire_read_raw(&r, (size_t)len) : NULL;
        if (r.failed || data == NULL)
            return false;
        each(arg, (struct wire_str){(const char *)data, len});
    }
    return true;
}
