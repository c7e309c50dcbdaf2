// SPDX-License-Identifier: Apache-2.0
/*
 * broker_fixture: a whole broker in memory, asked over its sockets. For tests of this folder.
 *
 * Thread: main.
 */
#ifndef BROKER_BROKER_FIXTURE_H
#define BROKER_BROKER_FIXTURE_H

#include "base/testing.h"
#include "broker/broker.h"
#include "env/mem_env.h"
#include "wire/message_header.h"
#include "wire/record.h"

enum { FIXTURE_SETS_MAX = 16 };

struct broker_fixture {
    struct mem_env m;
    struct server_config *config;
    struct broker *broker;
    struct sock *peer;  /* to the first listener */
    struct arena arena; /* of answers */
    bool is_ready;
    bool is_stopped;
};

/* A broker that listens on port 9092 and has its data in "data"; `sets` ("key=value", NULL at the
 * end; may be NULL) come on top. */
void fixture_start(struct broker_fixture *f, const char *const *sets);
void fixture_stop(struct broker_fixture *f);

/* For tests that make the broker themselves: the configuration of fixture_start into f->config. */
void fixture_load_config(struct broker_fixture *f, const char *const *sets);

/* Stops this broker in good order, as far as its disk lets it, and starts another on what is left.
 */
void fixture_restart(struct broker_fixture *f, const char *const *sets);
/* The two halves of it. */
void fixture_halt(struct broker_fixture *f);
void fixture_go_on(struct broker_fixture *f, const char *const *sets);

/* The same, but for a try with `bad` before, which is refused: *why, the caller's, is what it says.
 */
void fixture_restart_refused(struct broker_fixture *f, const char *const *bad,
                             const char *const *sets, struct strbuf *why);

/* Sends a request of this API and version and returns the decoded answer, which lives until
 * fixture_stop; NULL: the connection was closed (there is a new one then). */
void *fixture_ask(struct broker_fixture *f, int16_t key, int16_t version, const void *request);

/* The same in two steps; the answer may come later. `peer` stays the caller's. */
void fixture_send(struct sock *peer, int16_t key, int16_t version, const void *request);
void *fixture_receive(struct broker_fixture *f, struct sock *peer, int16_t key, int16_t version);

/* Sends a Produce of a batch with just this record for partition 0 of "t"; the batch's size. The
 * answer, of version 12, is the caller's to receive. */
size_t fixture_say_produce(struct sock *peer, const struct record *record, int16_t acks);
/* The same for another partition. */
size_t fixture_say_produce_to(struct sock *peer, int32_t index, const struct record *record,
                              int16_t acks);

/* The same, with all acks: the first batch of this idempotent producer. */
void fixture_say_produce_by(struct sock *peer, int64_t producer_id, const struct record *record);

/* The bytes that fixture_send sends, in a writer that the caller deinits. */
void fixture_write(struct wire_writer *w, int16_t key, int16_t version, const void *request);

/* One topic with so many partitions. The second says how it went, and so do the two below: an
 * error code of Kafka's. */
void fixture_create(struct broker_fixture *f, const char *name, int32_t partition_count);
int16_t fixture_try_create(struct broker_fixture *f, const char *name, int32_t partition_count);
int16_t fixture_delete(struct broker_fixture *f, const char *name);
/* One small record for partition 0 of "t", with all acks. */
int16_t fixture_produce(struct broker_fixture *f);

/* How many partitions are offline. */
uint32_t fixture_offline(struct broker_fixture *f);
/* How many names in this directory end so. */
int fixture_count_names(struct broker_fixture *f, const char *dir, const char *suffix);

#endif
