// SPDX-License-Identifier: Apache-2.0
/* iobuf: see iobuf.h. Thread: any; the count is atomic. */
#include "base/iobuf.h"

#include "base/assert.h"
#include "base/mem.h"

struct iobuf *iobuf_try_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct iobuf))
        return NULL;
    struct iobuf *buf = mem_try(sizeof(*buf) + size);
    if (buf == NULL)
        return NULL;
    atomic_init(&buf->refs, 1);
    buf->size = size;
    buf->on_free = NULL;
    buf->owner = NULL;
    return buf;
}

struct iobuf *iobuf_ref(struct iobuf *buf)
{
    unsigned before = atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return buf;
}

void iobuf_unref(struct iobuf *buf)
{
    if (buf == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    if (buf->on_free != NULL)
        buf->on_free(buf->owner, buf->size);
    mem_free(buf);
}

struct iobuf_slice iobuf_slice(struct iobuf *buf, const uint8_t *data, size_t len)
{
    ASSERT(data >= buf->data);
    size_t start = (size_t)(data - buf->data);
    ASSERT(start <= buf->size && len <= buf->size - start);
    return (struct iobuf_slice){iobuf_ref(buf), buf->data + start, len};
}

void iobuf_slice_release(struct iobuf_slice *slice)
{
    iobuf_unref(slice->buf);
    *slice = (struct iobuf_slice){0};
}
