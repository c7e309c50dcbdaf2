// SPDX-License-Identifier: Apache-2.0
/* image_slot: the image in force. See image_slot.h. Thread: any. */
#include "controller/image_slot.h"

#include "base/assert.h"

void image_slot_init(struct image_slot *slot)
{
    monitor_init(&slot->monitor, MONITOR_IMAGE);
    slot->image = image_new_empty();
    atomic_init(&slot->version, 1);
}

void image_slot_deinit(struct image_slot *slot)
{
    image_unref(slot->image);
    slot->image = NULL;
    monitor_deinit(&slot->monitor);
}

struct image *image_slot_get(struct image_slot *slot)
{
    monitor_enter(&slot->monitor);
    ASSERT(slot->image != NULL);
    struct image *image = image_ref(slot->image);
    monitor_leave(&slot->monitor);
    return image;
}

bool image_slot_refresh(struct image_slot *slot, struct image **held, uint64_t *held_version)
{
    if (*held != NULL && atomic_load(&slot->version) == *held_version)
        return false;
    monitor_enter(&slot->monitor);
    struct image *image = image_ref(slot->image);
    *held_version = atomic_load(&slot->version);
    monitor_leave(&slot->monitor);
    image_unref(*held);
    *held = image;
    return true;
}

void image_slot_set(struct image_slot *slot, struct image *take_image)
{
    ASSERT(take_image != NULL);
    monitor_enter(&slot->monitor);
    struct image *old = slot->image;
    ASSERT(image_position(take_image) >= image_position(old));
    slot->image = take_image;
    atomic_fetch_add(&slot->version, 1);
    monitor_leave(&slot->monitor);
    image_unref(old);
}
