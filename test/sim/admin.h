// SPDX-License-Identifier: Apache-2.0
/*
 * admin: a simulated administrator: makes and deletes its topics again and again, asks
 * what is there in between, and tells the history. A topic has one admin.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_ADMIN_H
#define TEST_SIM_ADMIN_H

#include "client.h"

enum { ADMIN_TOPICS_MAX = 16, ADMIN_CONFIGS_MAX = 16 };

struct admin_config {
    const char *name;
    const char *value;
};

struct admin_topic {
    uint32_t topic; /* of the history */
    int32_t partitions;
    struct admin_config configs[ADMIN_CONFIGS_MAX];
    int32_t config_count;
    bool wants_present; /* otherwise gone */
    unsigned rounds;    /* changes still to come: made, deleted, made... */
};

enum admin_call { ADMIN_CREATES, ADMIN_DELETES, ADMIN_LOOKS };

struct admin {
    struct client client;
    struct admin_topic topics[ADMIN_TOPICS_MAX];
    uint32_t topic_count;
    bool is_busy;
    enum admin_call kind;
    uint32_t at; /* the topic that the call is about */
    struct history_topic_view view;
    struct call call;
    struct loop_timer pause;
    int64_t hold_until_ns; /* a change without an answer may still be on its way */
};

void admin_start(struct admin *a, const struct client_options *client,
                 const struct admin_topic *topics, uint32_t topic_count);

/* Every topic is as it is wanted and no rounds are left. */
bool admin_is_done(const struct admin *a);

void admin_stop(struct admin *a);

#endif
