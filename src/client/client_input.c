// SPDX-License-Identifier: Apache-2.0
/*
 * client_input: bytes to frames to answers.
 *
 * Small answers come through a buffer on the stack, so that head and body cost one read; the rest
 * of a large frame is read straight into its iobuf.
 *
 * Thread: the connection's loop.
 * Limits: one frame at a time is held; its size was bounded before it was allocated.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "client/client_private.h"
#include "wire/codec.h"
#include "wire/message_header.h"

enum {
    SCRATCH_BYTES = 16 * 1024,
    API_VERSIONS_KEY = 18,
    READS_PER_EVENT = 16, /* then others of the loop have their turn */
};

void client_input_deinit(struct client_input *in)
{
    iobuf_unref(in->frame);
    *in = (struct client_input){0};
}

/* ---- answers */

static enum err decode(const struct client_call *call, struct wire_reader *r, struct arena *arena,
                       struct client_answer *answer)
{
    const struct wire_api *api = call->api;
    int32_t correlation_id = 0;
    enum err e = wire_response_header_read(r, api, call->version, &correlation_id);
    if (e != ERR_OK)
        return e;
    if (correlation_id != call->correlation_id)
        return ERR_CORRUPT;
    answer->version = call->version;
    if (api->key == API_VERSIONS_KEY)
        answer->version = client_versions_answered(call->version, r->pos, wire_left(r));
    void *body = arena_alloc(arena, api->response->body->size);
    if (body == NULL)
        return ERR_NO_MEMORY;
    answer->body = body;
    return wire_decode(api->response, answer->version, r, arena, body);
}

/* Owns `take_frame`. */
static void deliver(struct client_conn *conn, struct iobuf *take_frame)
{
    struct list *node = conn->calls.next;
    if (list_is_empty(&conn->calls)) {
        iobuf_unref(take_frame);
        client_conn_end(conn, ERR_CORRUPT); /* an answer that nobody asked for */
        return;
    }
    struct client_call *call = container_of(node, struct client_call, link);
    struct arena arena;
    arena_init(&arena, LIMIT_CLIENT_ARENA_BASE_BYTES +
                           take_frame->size * LIMIT_CLIENT_ARENA_PER_FRAME_BYTE);
    struct client_answer answer = {.arena = &arena, .frame = take_frame};
    struct wire_reader r = wire_reader_of(take_frame->data, take_frame->size);
    enum err e = decode(call, &r, &arena, &answer);
    if (e == ERR_OK) {
        list_remove(&call->link);
        if (call != &conn->handshake) /* whose timer runs until the connection is ready */
            loop_timer_stop(conn->options.loop, &call->timer);
        call->done(call, ERR_OK, &answer);
    } else {
        client_conn_end(conn, e);
    }
    arena_deinit(&arena);
    iobuf_unref(take_frame);
}

/* ---- frames */

/* The head is whole: makes room for the frame. */
static enum err begin_frame(struct client_conn *conn)
{
    struct client_input *in = &conn->in;
    uint32_t size = bytes_load_u32(in->head);
    if (size > INT32_MAX || size < sizeof(int32_t)) /* less than a correlation id */
        return ERR_CORRUPT;
    if (size > conn->options.response_bytes_max)
        return ERR_TOO_LARGE;
    in->frame = iobuf_try_new(size);
    if (in->frame == NULL)
        return ERR_NO_MEMORY;
    in->head_used = 0;
    in->frame_used = 0;
    return ERR_OK;
}

static void end_frame_if_whole(struct client_conn *conn)
{
    struct client_input *in = &conn->in;
    ASSERT(in->frame_used <= in->frame->size);
    if (in->frame_used < in->frame->size)
        return;
    struct iobuf *frame = in->frame;
    *in = (struct client_input){0};
    deliver(conn, frame);
}

/* Every turn takes at least one byte; a callback may end the connection. */
static void take_bytes(struct client_conn *conn, const uint8_t *data, size_t len)
{
    struct client_input *in = &conn->in;
    while (len > 0 && conn->state != CLIENT_CLOSED) {
        size_t n;
        if (in->frame == NULL) {
            n = MIN(len, CLIENT_FRAME_HEAD_BYTES - in->head_used);
            memcpy(in->head + in->head_used, data, n);
            in->head_used += (uint32_t)n;
            enum err e = in->head_used == CLIENT_FRAME_HEAD_BYTES ? begin_frame(conn) : ERR_OK;
            if (e != ERR_OK)
                client_conn_end(conn, e);
        } else {
            n = MIN(len, in->frame->size - in->frame_used);
            memcpy(in->frame->data + in->frame_used, data, n);
            in->frame_used += n;
            end_frame_if_whole(conn);
        }
        data += n;
        len -= n;
    }
}

/* ERR_AGAIN: nothing more now. */
static enum err receive_some(struct client_conn *conn)
{
    struct client_input *in = &conn->in;
    size_t got = 0;
    enum err e;
    if (in->frame != NULL && in->frame->size - in->frame_used >= SCRATCH_BYTES) {
        e = sock_recv(conn->sock, in->frame->data + in->frame_used,
                      in->frame->size - in->frame_used, &got);
        if (e != ERR_OK)
            return e;
        in->frame_used += got;
        end_frame_if_whole(conn);
        return ERR_OK;
    }
    uint8_t scratch[SCRATCH_BYTES];
    e = sock_recv(conn->sock, scratch, sizeof(scratch), &got);
    if (e != ERR_OK)
        return e;
    take_bytes(conn, scratch, got);
    return got < sizeof(scratch) ? ERR_AGAIN : ERR_OK;
}

bool client_input_receive(struct client_conn *conn)
{
    client_conn_ref(conn);
    enum err e = ERR_OK;
    for (int i = 0; i < READS_PER_EVENT && e == ERR_OK && conn->state != CLIENT_CLOSED; i++)
        e = receive_some(conn);
    if (e != ERR_OK && e != ERR_AGAIN)
        client_conn_end(conn, e);
    bool is_alive = conn->state != CLIENT_CLOSED;
    client_conn_unref(conn);
    return is_alive;
}
