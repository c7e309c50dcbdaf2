// SPDX-License-Identifier: Apache-2.0
/*
 * client_fake: a connection in memory, and the broker's end of it in the hands of the test.
 * For tests and fuzzing of client only.
 *
 * Thread: one.
 */
#ifndef CLIENT_CLIENT_FAKE_H
#define CLIENT_CLIENT_FAKE_H

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "client/client_conn.h"
#include "env/mem_env.h"
#include "wire/api_versions.h"
#include "wire/codec.h"
#include "wire/message_header.h"

enum { FAKE_PORT = 9092, FAKE_CALLS = 8, FAKE_REQUEST_BYTES = 4096, FAKE_TIMEOUT_MS = 1000 };

enum {
    KEY_LIST_OFFSETS = 2,
    KEY_METADATA = 3,
    KEY_DESCRIBE_GROUPS = 15,
    KEY_API_VERSIONS = 18,
    KEY_CREATE_TOPICS = 19,
};

struct fake_call {
    struct client_call call;
    struct fake *fake;
    int done; /* how often; more than once is a bug */
    enum err error;
    int16_t version;
    int32_t first;   /* of a Metadata answer: the controller's id */
    bool is_closing; /* closes the connection from within */
};

struct fake {
    struct mem_env m;
    struct sock *listener;
    struct sock *peer; /* the broker's end */
    struct client_conn *conn;
    int ready;
    int closed;
    enum err why;
    bool is_closing_when_ready;
    struct fake_call calls[FAKE_CALLS];
    struct request_header asked; /* of the request that fake_hear read last */
};

static inline void fake_on_connect(void *arg, unsigned events)
{
    struct fake *f = arg;
    if (sock_accept(f->listener, &f->peer) != ERR_OK)
        f->peer = NULL;
}

static inline void fake_drop_conn(struct fake *f)
{
    struct client_conn *conn = f->conn;
    f->conn = NULL;
    client_conn_close(conn);
}

static inline void fake_on_ready(void *arg)
{
    struct fake *f = arg;
    f->ready++;
    if (f->is_closing_when_ready)
        fake_drop_conn(f);
}

static inline void fake_on_closed(void *arg, enum err why)
{
    struct fake *f = arg;
    f->closed++;
    f->why = why;
}

static inline struct client_options fake_options(struct fake *f)
{
    return (struct client_options){
        .loop = mem_env_loop(&f->m, 0),
        .addr = {.family = 4, .ip = {127, 0, 0, 1}, .port = FAKE_PORT},
        .client_id = "test",
        .version_text = "1",
        .timeout_ms = FAKE_TIMEOUT_MS,
        .events = {f, fake_on_ready, fake_on_closed},
    };
}

static inline void fake_init(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    mem_env_init(&f->m);
    struct env_addr at = {.family = 4, .ip = {127, 0, 0, 1}, .port = FAKE_PORT};
    enum err e = sock_listen(mem_env_loop(&f->m, 0), &at, fake_on_connect, f, &f->listener);
    ASSERT(e == ERR_OK);
}

static inline void fake_deinit(struct fake *f)
{
    fake_drop_conn(f);
    mem_env_run_loops(&f->m);
    sock_close(f->peer);
    sock_close(f->listener);
    mem_env_deinit(&f->m);
}

static inline void fake_connect_with(struct fake *f, const struct client_options *options)
{
    enum err e = client_conn_new(options, &f->conn);
    ASSERT(e == ERR_OK);
    mem_env_run_loops(&f->m);
}

/* ---- the broker's side */

/* Reads one whole request; false: there is none. */
static inline bool fake_hear(struct fake *f)
{
    uint8_t frame[FAKE_REQUEST_BYTES];
    size_t used = 0, size = 4;
    while (used < size) {
        size_t got = 0;
        if (sock_recv(f->peer, frame + used, size - used, &got) != ERR_OK)
            return false;
        used += got;
        if (used == 4)
            size = 4 + bytes_load_u32(frame);
        ASSERT(size <= sizeof(frame));
    }
    struct wire_reader r = wire_reader_of(frame + 4, size - 4);
    const struct wire_api *api = NULL;
    enum err e = wire_request_header_read(&r, &f->asked, &api);
    ASSERT(e == ERR_OK);
    f->asked.client_id = wire_str_of(NULL); /* it points into the frame */
    return true;
}

/* Answers what was heard last, in the form of `version`. */
static inline void fake_say(struct fake *f, int16_t version, const void *response)
{
    const struct wire_api *api = wire_api_find(f->asked.request_api_key);
    struct wire_writer w;
    wire_writer_init(&w, 1 << 20);
    struct wire_mark mark = wire_response_begin(&w, api, version, f->asked.correlation_id);
    enum err e = wire_encode(api->response, version, &w, response);
    ASSERT(e == ERR_OK);
    wire_write_size_end(&w, mark);
    mem_sock_say(f->peer, w.data, w.size);
    wire_writer_deinit(&w);
}

/* The ranges that this broker serves: of CreateTopics one that we do not have. */
static inline void fake_say_versions(struct fake *f)
{
    struct api_versions_response_api_version served[] = {
        {KEY_LIST_OFFSETS, 0, 1},    {KEY_METADATA, 0, 5}, {KEY_API_VERSIONS, 0, 4},
        {KEY_CREATE_TOPICS, 90, 99}, {999, 0, 1},          {KEY_DESCRIBE_GROUPS, 0, 6},
    };
    struct api_versions_response response;
    wire_defaults(&api_versions_response_layout, &response);
    response.api_keys.items = served;
    response.api_keys.count = ARRAY_COUNT(served);
    fake_say(f, f->asked.request_api_version, &response);
}

/* A connection that is ready, or as far as the faults let it. */
static inline void fake_make_ready(struct fake *f)
{
    struct client_options options = fake_options(f);
    fake_connect_with(f, &options);
    if (f->peer != NULL && fake_hear(f))
        fake_say_versions(f);
    mem_env_run_loops(&f->m);
}

#endif
