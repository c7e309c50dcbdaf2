// SPDX-License-Identifier: Apache-2.0
/*
 * image_slot: the image in force. One writer (the controller) puts new ones in; everybody
 * else takes a reference.
 *
 * Thread: any.
 */
#ifndef CONTROLLER_IMAGE_SLOT_H
#define CONTROLLER_IMAGE_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "env/monitor.h"
#include "metadata/image.h"

struct image_slot {
    struct monitor monitor;
    struct image *image;
    _Atomic uint64_t version; /* rises with every image */
};

/* Begins with the empty image. */
void image_slot_init(struct image_slot *slot);
void image_slot_deinit(struct image_slot *slot);

/* A reference to the image in force, given back with image_unref. */
struct image *image_slot_get(struct image_slot *slot);

/* What a reactor does once a turn: *held (or NULL at first) becomes the image in force, and the
 * old one is given back. Costs one load when nothing is new. True: it is another one. */
bool image_slot_refresh(struct image_slot *slot, struct image **held, uint64_t *held_version);

void image_slot_set(struct image_slot *slot, struct image *take_image);

#endif
