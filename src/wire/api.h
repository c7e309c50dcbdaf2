// SPDX-License-Identifier: Apache-2.0
/*
 * api: the table of Kafka's APIs that we can speak, made from schema/api.
 *
 * What a broker announces is the part of it that has handlers.
 *
 * Thread: any; constant.
 */
#ifndef WIRE_API_H
#define WIRE_API_H

#include "wire/message.h"

enum wire_listener {
    WIRE_LISTENER_BROKER = 1,
    WIRE_LISTENER_CONTROLLER = 2,
};

struct wire_api {
    const char *name; /* "Produce" */
    const struct wire_message *request;
    const struct wire_message *response;
    int16_t key;
    int16_t announce_min; /* told to clients; below request->version_min it is still refused */
    uint8_t listeners;
    bool is_latest_unstable;
};

/* In order of their keys. */
extern const struct wire_api wire_apis[];
extern const uint16_t wire_api_count;

/* NULL: a key that we do not speak. */
const struct wire_api *wire_api_find(int16_t key);

/* The last version that is not marked unstable. */
int16_t wire_api_version_max_stable(const struct wire_api *api);

/* 1 or 2. Also for versions beyond those served: such a header has to be read
 * before an ApiVersions request can be refused politely. */
int16_t wire_api_request_header_version(const struct wire_api *api, int16_t version);

/* 0 or 1; always 0 for ApiVersions, whose answer is read by clients that do not
 * know yet what the broker speaks. */
int16_t wire_api_response_header_version(const struct wire_api *api, int16_t version);

#endif
