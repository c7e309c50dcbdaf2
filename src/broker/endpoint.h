// SPDX-License-Identifier: Apache-2.0
/*
 * endpoint: the host and port that a client is told for a broker.
 *
 * Of this broker: advertised.listeners where the listener that the client came in on stands
 * there, else the very address and port that the client reached it by, which is one that the
 * client can reach. Of another broker: what that one registered for the listener of this name.
 *
 * Thread: the request's reactor.
 */
#ifndef BROKER_ENDPOINT_H
#define BROKER_ENDPOINT_H

#include "base/arena.h"
#include "broker/request.h"
#include "broker/server_config.h"
#include "metadata/image.h"

struct endpoint {
    const char *host;
    uint16_t port;
};

/* False: the broker has no listener that clients of this one could use, or the arena is full
 * (its host takes a few bytes). */
bool endpoint_of(const struct request *rq, const struct broker_image *broker, struct arena *arena,
                 struct endpoint *out);

/* What advertised.listeners says of the listener of this name; NULL: nothing. Thread: any. */
const struct server_endpoint *endpoint_advertised(const struct server_config *config,
                                                  const char *name);

#endif
