// SPDX-License-Identifier: Apache-2.0
/*
 * broker_private: the inside of a broker, for the files of this folder only.
 *
 * Thread: fields are fixed once broker_start has returned, or as marked.
 */
#ifndef BROKER_BROKER_PRIVATE_H
#define BROKER_BROKER_PRIVATE_H

#include <stdatomic.h>

#include "broker/broker.h"
#include "broker/broker_stats.h"
#include "broker/fetch_session.h"
#include "broker/groups.h"
#include "broker/produce_op.h"
#include "broker/producer_ids.h"
#include "broker/request.h"
#include "controller/controller.h"
#include "log/journal.h"
#include "log/log_dir.h"
#include "log/log_dirs.h"
#include "net/net.h"
#include "replica/replica_set.h"
#include "store/store.h"

/* One loop's share of the broker. Thread: its loop. */
struct reactor {
    struct broker *broker;
    struct loop *loop;
    struct image *image; /* refreshed at every turn of the loop */
    uint64_t image_version;
    struct produce_tools tools;
    struct list early; /* net_request.link: came before the broker was ready */
    struct loop_task early_task;
};

enum broker_state {
    BROKER_NEW,
    BROKER_STARTING,
    BROKER_READY,
    BROKER_STOPPING,
    BROKER_STOPPED,
    BROKER_STATE_COUNT
};

struct broker {
    struct env *env;
    struct server_config *config;
    struct broker_events events;
    struct reactor *reactors;
    size_t reactor_count;
    uint32_t connections_possible; /* by the descriptors that the process may have */
    uint32_t fetch_files_max;      /* files that one Fetch may send from: as above */
    struct loop *loop;             /* the first: controller, listeners, life cycle */

    struct log_dir **dirs;
    size_t dir_count;
    struct uuid *dir_ids; /* of those that have not failed at the start */
    size_t dir_id_count;
    struct log_dirs known;   /* of earlier starts and of this one, but for new ones */
    struct log_dirs missing; /* of those that are not in log.dirs, or are not at their place */
    bool lacks_first;        /* among them is the one that was the first, with the metadata */
    char cluster_id[64];
    int32_t node_id;

    struct store *store;
    struct image_slot image;
    struct controller *controller;
    struct replica_set *replicas;
    struct journal_stats journal_stats; /* of all log directories */
    struct net_server *net;
    struct fetch_sessions *fetch_sessions;
    struct broker_stats stats;

    struct env_addr *bound; /* by listener of the configuration */
    struct listener_image *listeners;
    struct broker_start start;
    struct producer_ids producer_ids;
    struct groups groups;

    uint32_t state; /* first loop */
    atomic_bool is_ready;
    atomic_bool is_stopping;
    _Atomic int64_t ready_wall_ms;
    struct image_update *update; /* being followed */
    struct env_job strays_job;
    struct loop_task strays_done;
    bool strays_are_busy; /* a worker sets them aside: a stop waits for it */
    bool stop_waits;
    struct loop_task net_closed;
    struct loop_timer stop_timer;
    bool is_controller_running;
    bool stop_is_clean;
    void (*stopped)(void *arg, bool is_clean);
    void *stopped_arg;
};

/* ---- broker_open.c: what is on disk at start. */
enum err broker_open_dirs(struct broker *broker, struct strbuf *why) MUST_USE;
void broker_close_dirs(struct broker *broker);
/* A disk error costs the directory that it is in: ERR_OK. Else `e`. *why is what it says, from
 * `said` on. */
enum err broker_leave_out(struct broker *broker, size_t index, enum err e, size_t said,
                          struct strbuf *why) MUST_USE;

/* Before new ones are formatted. ERR_CONFLICT: the metadata is missing. */
enum err broker_look_for_missing(struct broker *broker, struct strbuf *why) MUST_USE;
/* Writes down which there are, and which are missing. */
void broker_list_dirs(struct broker *broker);
/* After the first update: what nobody lacks is not looked for at later starts. Blocks; a worker. */
void broker_forget_missing(struct broker *broker);

/* ---- broker.c */
struct reactor *broker_reactor_of(struct broker *broker, const struct loop *loop);

/* One reference, or NULL and *error. */
struct partition *broker_partition(struct broker *broker, const struct topic_image *topic,
                                   int32_t index, enum kerr *error);
int64_t broker_fetch_bytes_max(const struct broker *broker);

/* The list that a parked fetch of this request goes into. */
struct list *broker_parked_list(struct request *rq);

/* ---- dispatch.c: net's callbacks. */
void broker_on_request(void *broker, struct net_request *net);
bool broker_may_overlap(void *broker, const uint8_t *start, size_t len);

/* ---- broker_stats.c */
void broker_count_request(struct request *rq);
void broker_count_cold_read(struct broker *broker);
void broker_count_produced(struct broker *broker, const struct produce_part *part,
                           enum kerr result);

/* ---- broker_change.c: a change of the cluster on behalf of a request. In its arena. */
struct broker_change {
    struct change change;
    struct request *rq;
    /* On the controller's loop; may be called again. */
    enum err (*decide)(struct broker_change *bc, struct decision *d);
    /* On the request's reactor: answers it. */
    void (*finish)(struct broker_change *bc, enum err e);
    struct loop_task task;
};
/* `bc` is filled in but for change and task. */
void broker_submit_change(struct broker_change *bc);

/* The usual case: the request waits for one change, and is answered with what `decide` left in its
 * response. Where the change failed, `fill_failure` says so in it for everything that was asked;
 * false: no memory for that. */
void broker_change_start(struct request *rq,
                         enum err (*decide)(struct broker_change *bc, struct decision *d),
                         bool (*fill_failure)(struct request *rq, enum err e));

/* What the client is told about a change that ended with `e`. */
enum kerr broker_change_error(enum err e);

#endif
