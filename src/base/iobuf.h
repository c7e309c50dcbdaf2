// SPDX-License-Identifier: Apache-2.0
/*
 * iobuf: bytes that several stations of a record's way share.
 *
 * A frame is read from the socket into one iobuf; record batches stay slices of
 * it until they are on disk. An iobuf is counted; a slice holds a reference.
 *
 * Thread: the count is atomic; the bytes belong to whoever the protocol between
 * the stations says (written only before the slice is handed on).
 */
#ifndef BASE_IOBUF_H
#define BASE_IOBUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct iobuf {
    atomic_uint refs;
    size_t size;
    /* Called with `owner` when the last reference goes, before the memory does; may be NULL.
     * The network layer returns the frame's reservation to its budget there. */
    void (*on_free)(void *owner, size_t size);
    void *owner;
    uint8_t data[];
};

struct iobuf_slice {
    struct iobuf *buf; /* NULL: borrowed bytes or none */
    uint8_t *data;
    size_t len;
};

/* One reference, bytes not initialised. NULL when memory is short. */
struct iobuf *iobuf_try_new(size_t size);

struct iobuf *iobuf_ref(struct iobuf *buf);

/* Accepts NULL. */
void iobuf_unref(struct iobuf *buf);

/* A slice with a reference of its own. The range must lie inside `buf`. */
struct iobuf_slice iobuf_slice(struct iobuf *buf, const uint8_t *data, size_t len);

/* Drops the reference and empties the slice. */
void iobuf_slice_release(struct iobuf_slice *slice);

#endif
