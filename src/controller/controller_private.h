// SPDX-License-Identifier: Apache-2.0
/*
 * controller_private: what controller.c (changes) and controller_load.c (reading the store)
 * share.
 *
 * Thread: the controller's loop, but for the inbox under its monitor.
 */
#ifndef CONTROLLER_CONTROLLER_PRIVATE_H
#define CONTROLLER_CONTROLLER_PRIVATE_H

#include "base/strbuf.h"
#include "controller/controller.h"
#include "env/monitor.h"

enum { CONTROLLER_BATCH_MAX = 64 };

enum controller_state {
    CONTROLLER_NEW,
    CONTROLLER_LOADING,  /* reads the store for the first time */
    CONTROLLER_STARTING, /* brings the start of this broker through */
    CONTROLLER_RUNNING,
    CONTROLLER_STOPPING,
    CONTROLLER_STOPPED,
};

/* An update on its way to the owner, with the changes that wait for it. */
struct update {
    struct image_update image_update;
    struct controller *controller;
    struct list link;
    struct list changes;
    struct loop_task applied;
    bool is_told;
};

/* Entries as they come from the store, kept until there are enough to apply. */
struct pending_entries {
    struct wire_writer bytes;
    uint32_t *sizes;
    size_t count;
    size_t capacity;
};

struct controller {
    struct env *env;
    struct loop *loop;
    struct store *store;
    struct image_slot *slot;
    const struct config_layers *layers;
    const struct broker_start *start;
    struct controller_owner owner;
    enum controller_state state;
    enum err failed;     /* of the store: no changes any more */
    struct image *image; /* all that is committed and known here */

    /* Changes. */
    struct monitor monitor; /* over the inbox */
    struct list inbox;
    bool inbox_is_posted;
    struct loop_task inbox_task;
    struct list waiting;   /* in order of arrival */
    struct list in_flight; /* in the append that is under way */
    struct change start_change;
    bool start_is_owed; /* the store had no room for it: tried again */
    struct loop_timer start_timer;
    struct change start_stand_in; /* waits for the first update in its place */
    bool has_lease;
    bool is_leasing; /* asked for it, not told yet */
    struct store_lease lease;

    /* The append. */
    bool is_appending;
    struct store_append append;
    struct store_entry entries[CONTROLLER_BATCH_MAX];

    /* Reading. */
    bool is_reading;
    struct store_read read;
    struct wire_writer snapshot_bytes;
    struct pending_entries pending;
    struct image *read_image; /* what the entries make of `image` */
    enum err read_error;
    struct strbuf why;
    size_t matched;     /* entries of an unknown append that were found, from its first on */
    bool is_mismatched; /* something else was found in their place */
    struct store_watch watch;

    /* Updates, the first one is told. */
    struct list updates;

    /* Snapshots. */
    bool is_snapshotting;
    struct store_snapshot snapshot;
    struct image *snapshot_image;
    int64_t snapshot_bytes_min; /* of log, for the next one */

    /* Beginning and end. */
    struct loop_task start_task;
    void (*started)(void *arg, enum err e, const char *why);
    void *started_arg;
    struct loop_task stop_task;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* controller_load.c reads what follows the image. controller_read_ended() of controller.c comes
 * when it is applied to read_image, or failed. */
void controller_read(struct controller *c);
void controller_read_ended(struct controller *c, enum err e);
void controller_load_init(struct controller *c);
void controller_load_deinit(struct controller *c);

#endif
