// SPDX-License-Identifier: Apache-2.0
/*
 * noise: a simulated client that produces to and fetches from topics that come and go, and
 * takes no for an answer. It finds brokers that fall over a topic that is deleted under
 * them, and topics that show what an older one of the same name held.
 *
 * Each record says for which topic id it was sent (zeros: it was sent by name).
 *
 * Thread: one.
 */
#ifndef TEST_SIM_NOISE_H
#define TEST_SIM_NOISE_H

#include "client.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"

enum { NOISE_TOPICS_MAX = 64 };

struct noise {
    struct client client;
    uint32_t topics[NOISE_TOPICS_MAX]; /* of the history */
    uint32_t topic_count;
    struct call call;
    struct uuid topic_id; /* that the call named; zeros: by name */
    bool is_busy;
    struct loop_timer pause;
    struct batch_builder builder;
    struct batch_reader reader;
};

void noise_start(struct noise *n, const struct client_options *client, const uint32_t *topics,
                 uint32_t topic_count);
void noise_stop(struct noise *n);

#endif
