// SPDX-License-Identifier: Apache-2.0
/*
 * controller: brings changes of the cluster one behind the other into the metadata log, and
 * new images to the broker.
 *
 * Steps of a change: controller_submit -> decide() on the newest image -> the records go into
 * the store (what is waiting meanwhile goes in together) -> committed -> applied, the new
 * image stands in the slot -> owner.on_image() -> the broker opens and deletes partitions and
 * says controller_applied() -> done(). When another controller was quicker its entries are read
 * and decide() is called again.
 *
 * It does not know requests or connections, and decides nothing itself (decide.h does).
 *
 * Thread: callbacks come on the controller's loop; functions say who may call.
 * Crash: done() without an error means that the records are in the store for good.
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "base/list.h"
#include "controller/decide.h"
#include "controller/image_slot.h"
#include "env/env.h"
#include "store/store.h"

struct controller;

/* One step from image to image. Valid until controller_applied; the images may be kept by a
 * reference. */
struct image_update {
    struct image *before;
    struct image *after;
    struct image_delta delta;
    /* There is no room for the start of this broker in the store, and `after` is without it: leader
     * epochs are those of its last start. It comes with a later update. */
    bool start_is_owed;
};

/* Upward calls. On the controller's loop, no monitor held. */
struct controller_owner {
    void *arg;
    /* The slot has a new image. Exactly one controller_applied() must follow, from within or later;
     * the next update is not told before. The first update comes from the empty image and has all
     * that was in the store, the start of this broker included. */
    void (*on_image)(void *arg, struct image_update *update);
    /* The store failed: no change is possible from now on; serving goes on. May be NULL. */
    void (*store_failed)(void *arg, enum err e);
};

struct controller_options {
    struct loop *loop;
    struct store *store;                /* borrowed; used by this loop only */
    struct image_slot *slot;            /* borrowed; the controller is its only writer */
    const struct config_layers *layers; /* borrowed; constant: what the broker was started with */
    const struct broker_start *start;   /* borrowed until started */
    struct controller_owner owner;
};

/* Nothing happens before controller_start. Thread: any. */
struct controller *controller_new(struct env *env, const struct controller_options *options);

/* Reads the store, writes the start of this broker and tells the owner. Then `started` is called:
 * ERR_OK: the first update is applied. ERR_CORRUPT, ERR_IO...: the store cannot be used;
 * `why` is a line about it. Where the store has no room, and this broker has started before, that
 * start follows by itself once there is (image_update.start_is_owed). Thread: any; once. */
void controller_start(struct controller *c, void (*started)(void *arg, enum err e, const char *why),
                      void *arg);

/* A change on its way. Owned by the caller, untouched between controller_submit and done. */
struct change {
    /* On the controller's loop. Called again after a conflict: it must then answer anew.
     * An error other than ERR_OK ends the change with it. */
    enum err (*decide)(struct change *change, struct decision *d);
    /* On the controller's loop, exactly once; may free the change. When it wrote records they
     * are committed, and the broker has applied them. A change without records ends at once. */
    void (*done)(struct change *change);
    enum err error; /* ERR_OK; decide's; ERR_IO, ERR_NO_SPACE...: the store failed; ERR_CLOSED:
                       stopped */
    /* Internal: */
    struct list link;
    struct wire_writer records;
};

/* Thread: any. */
void controller_submit(struct controller *c, struct change *change);

/* The owner has followed this update. Thread: any. */
void controller_applied(struct controller *c, struct image_update *update);

/* Ends what is under way; waiting changes end with ERR_CLOSED; `stopped` is called when nothing
 * is left, after which controller_free may be called. Thread: any; once. */
void controller_stop(struct controller *c, void (*stopped)(void *arg), void *arg);

/* Accepts NULL. It was never started or has stopped. */
void controller_free(struct controller *c);

#endif
