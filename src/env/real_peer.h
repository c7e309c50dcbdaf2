// SPDX-License-Identifier: Apache-2.0
/*
 * real_peer: the other side of a real server in its tests: a plain blocking TCP
 * connection. Nothing takes longer than a minute.
 *
 * Thread: one at a time per connection.
 */
#ifndef ENV_REAL_PEER_H
#define ENV_REAL_PEER_H

#include "env/env.h"

/* Connects to this port of 127.0.0.1; -1: nobody listens. */
int real_peer_dial(uint16_t port);

/* All of it, or false: the connection is over. */
bool real_peer_send(int fd, const void *data, size_t len);
bool real_peer_read(int fd, void *out, size_t len);

/* How many packets with data have come in. */
uint32_t real_peer_packets(int fd);

/* Accepts -1. */
void real_peer_close(int fd);

/* A thread for a peer to live on. */
struct real_peer_thread;

struct real_peer_thread *real_peer_start(void (*run)(void *arg), void *arg);
void real_peer_join(struct real_peer_thread *thread); /* frees it */

#endif
