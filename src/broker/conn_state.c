// SPDX-License-Identifier: Apache-2.0
/* conn_state: see conn_state.h. Thread: the connection's reactor. */
#include "broker/conn_state.h"

#include "base/assert.h"
#include "base/mem.h"
#include "broker/fetch_op.h"
#include "net/net.h"

static void conn_state_free(void *user)
{
    struct conn_state *state = user;
    ASSERT(list_is_empty(&state->parked));
    ASSERT(list_is_empty(&state->produce));
    mem_free(state);
}

struct conn_state *conn_state_of(struct broker *broker, struct net_conn *conn)
{
    struct conn_state *state = net_conn_user(conn);
    if (state != NULL)
        return state;
    state = mem_alloc(sizeof(*state));
    state->broker = broker;
    list_init(&state->parked);
    list_init(&state->produce);
    net_conn_set_user(conn, state, conn_state_free);
    return state;
}

void conn_state_on_close(void *broker, struct net_conn *conn)
{
    struct conn_state *state = net_conn_user(conn);
    if (state == NULL)
        return;
    ASSERT(state->broker == broker);
    while (!list_is_empty(&state->parked))
        fetch_op_abandon(container_of(state->parked.next, struct fetch_op, parked_link));
}
