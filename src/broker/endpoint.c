// SPDX-License-Identifier: Apache-2.0
/* endpoint: see endpoint.h. Thread: the request's reactor. */
#include "broker/endpoint.h"

#include <string.h>

#include "base/assert.h"
#include "broker/broker_private.h"

const struct server_endpoint *endpoint_advertised(const struct server_config *config,
                                                  const char *name)
{
    for (int i = 0; i < config->advertised_count; i++) {
        if (strcmp(config->advertised[i].name, name) == 0)
            return &config->advertised[i];
    }
    return NULL;
}

static bool endpoint_of_self(const struct request *rq, const char *name, struct arena *arena,
                             struct endpoint *out)
{
    const struct broker *broker = rq->broker;
    const struct server_endpoint *told = endpoint_advertised(broker->config, name);
    const struct env_addr *local = net_conn_local(rq->net->conn);
    if (told == NULL || told->host[0] == '\0') {
        char host[ENV_ADDR_TEXT_SIZE];
        env_addr_host(local, host);
        *out = (struct endpoint){arena_copy_text(arena, host, strlen(host)), local->port};
    } else {
        *out = (struct endpoint){told->host, told->port};
    }
    if (told != NULL)
        out->port = told->port != 0 ? told->port : broker->bound[rq->net->listener].port;
    return out->host != NULL;
}

bool endpoint_of(const struct request *rq, const struct broker_image *broker, struct arena *arena,
                 struct endpoint *out)
{
    const struct server_config *config = rq->broker->config;
    ASSERT(rq->net->listener < (uint32_t)config->listener_count);
    const char *name = config->listeners[rq->net->listener].name;
    if (broker->node_id == rq->broker->node_id)
        return endpoint_of_self(rq, name, arena, out);
    const struct listener_image *listener = broker_listener(broker, name);
    if (listener == NULL)
        return false;
    *out = (struct endpoint){listener->host, listener->port};
    return true;
}
