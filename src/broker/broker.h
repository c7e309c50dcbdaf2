// SPDX-License-Identifier: Apache-2.0
/*
 * broker: one Kafka broker: log directories, metadata, partitions, listeners, put together.
 *
 * It runs on the loops and workers that it is given and has no threads of its own, so that a
 * process (or a simulation) may have many. Steps: broker_new opens and locks what is on disk,
 * broker_start listens, replays the metadata and opens the partitions, then `ready` is called;
 * broker_stop closes all cleanly; broker_free.
 *
 * Thread: broker_new, broker_free: while the loops do not run, or on the first loop.
 * broker_start, broker_stop: the first loop (or before it runs). Events come on the first loop.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#define KLAMM_VERSION "0.1.0"

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "broker/server_config.h"
#include "env/env.h"

struct broker;

struct broker_events {
    void *arg;
    /* Clients are accepted and served. */
    void (*ready)(void *arg);
    /* It cannot start, or cannot go on (every log directory failed): `why` is one clear line. The
     * owner stops it. */
    void (*failed)(void *arg, const char *why);
};

struct broker_options {
    struct env *env;
    struct loop *const *loops; /* at least one; outlive the broker */
    size_t loop_count;
    struct server_config *config; /* borrowed for the broker's life */
    struct broker_events events;
};

/* Opens and locks the log directories, making new ones whole (cluster id, node id, directory ids),
 * and the metadata log. Blocks. On an error *why has one clear line. */
enum err broker_new(const struct broker_options *options, struct strbuf *why, struct broker **out)
    MUST_USE;

/* Binds the listeners, then goes on by itself. An error (a taken port): *why has one clear line,
 * and the broker is to be stopped. */
enum err broker_start(struct broker *broker, struct strbuf *why) MUST_USE;

/* Answers what is under way, closes connections and logs; once, at any time after broker_new.
 * `stopped`: nothing runs any more; is_clean tells whether the next start has nothing to scan. */
void broker_stop(struct broker *broker, void (*stopped)(void *arg, bool is_clean), void *arg);

/* Stopped before. Accepts NULL. */
void broker_free(struct broker *broker);

/* Where listener `index` of the configuration is bound. After broker_start. */
void broker_listener_address(const struct broker *broker, size_t index, struct env_addr *out);

/* "PLAINTEXT://127.0.0.1:9092[,...]": one line for people. */
void broker_describe_listeners(const struct broker *broker, struct strbuf *out);

bool broker_is_ready(const struct broker *broker); /* Thread: any */
const char *broker_cluster_id(const struct broker *broker);
int32_t broker_node_id(const struct broker *broker);

#endif
