// SPDX-License-Identifier: Apache-2.0
/*
 * conn_state: what the broker keeps of one connection: what the client calls itself, its
 * parked fetches, and its produce requests in order of arrival.
 *
 * Thread: the connection's reactor.
 */
#ifndef BROKER_CONN_STATE_H
#define BROKER_CONN_STATE_H

#include "base/limits.h"
#include "base/list.h"

struct broker;
struct net_conn;

struct conn_state {
    struct broker *broker;
    char software_name[LIMIT_CLIENT_SOFTWARE_BYTES + 1]; /* "" until ApiVersions 3+ tells */
    char software_version[LIMIT_CLIENT_SOFTWARE_BYTES + 1];
    struct list parked;  /* fetch_op.parked_link */
    struct list produce; /* produce_op.order: not yet appended, oldest first */
};

/* Made at a connection's first request; freed by net with the connection. */
struct conn_state *conn_state_of(struct broker *broker, struct net_conn *conn);

/* net's on_close: parked fetches are answered into the void, so that their memory returns. */
void conn_state_on_close(void *broker, struct net_conn *conn);

#endif
