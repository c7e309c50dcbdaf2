// SPDX-License-Identifier: Apache-2.0
/* file_cache: see file_cache.h. Thread: see there. */
#include "log/file_cache.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "env/monitor.h"

enum {
    HAND_STEPS_MAX = 64, /* then the one at the hand goes, touched or not */
    ROOM_TRIES = 64,     /* then all others are in use, and one more is opened */
    RELIEF_PART = 8,     /* an eighth of what is open, when the system has no descriptor left */
    OPEN_TRIES = 4,
};

struct file_cache {
    atomic_uint refs;
    struct monitor monitor; /* over what follows, and the links of all slots */
    struct list ring;       /* of struct file_slots; the hand is at its front */
    uint32_t open;          /* files in slots, and those that are about to be */
    uint32_t open_max;
    uint64_t opened;
    uint64_t evicted;
    uint64_t exhausted;
    _Atomic int64_t behind;
};

/* What one move of the hand gave: files to be closed, or one to be synced first. */
struct catch
{
    struct env_file *files[FILE_SLOTS];
    uint32_t count;
    struct env_file *unsynced;
};

void file_slots_init(struct file_slots *slots)
{
    list_init(&slots->link);
    atomic_flag_clear(&slots->is_busy);
    atomic_init(&slots->is_touched, false);
    for (int slot = 0; slot < FILE_SLOTS; slot++)
        slots->files[slot] = NULL;
}

struct file_cache *file_cache_new(uint32_t open_max)
{
    ASSERT(open_max > 0);
    struct file_cache *cache = mem_alloc(sizeof(*cache));
    atomic_init(&cache->refs, 1);
    monitor_init(&cache->monitor, MONITOR_LOG_FILES);
    list_init(&cache->ring);
    cache->open_max = open_max;
    atomic_init(&cache->behind, 0);
    return cache;
}

struct file_cache *file_cache_ref(struct file_cache *cache)
{
    unsigned before = atomic_fetch_add_explicit(&cache->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return cache;
}

void file_cache_unref(struct file_cache *cache)
{
    if (cache == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&cache->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    ASSERT(list_is_empty(&cache->ring) && cache->open == 0);
    ASSERT(atomic_load(&cache->behind) == 0);
    monitor_deinit(&cache->monitor);
    mem_free(cache);
}

void file_cache_stats(struct file_cache *cache, struct file_cache_stats *out)
{
    monitor_enter(&cache->monitor);
    *out = (struct file_cache_stats){
        .open = cache->open,
        .open_max = cache->open_max,
        .opened = cache->opened,
        .evicted = cache->evicted,
        .exhausted = cache->exhausted,
        .behind = atomic_load_explicit(&cache->behind, memory_order_relaxed),
    };
    monitor_leave(&cache->monitor);
}

/* ---- slots */

static void slots_enter(struct file_slots *slots)
{
    while (atomic_flag_test_and_set_explicit(&slots->is_busy, memory_order_acquire)) {
    }
}

static void slots_leave(struct file_slots *slots)
{
    atomic_flag_clear_explicit(&slots->is_busy, memory_order_release);
}

/* [the cache's monitor, under which files are put in and taken out] */
static bool can_be_closed(const struct file_slots *slots)
{
    for (int slot = 0; slot < FILE_SLOTS; slot++) {
        if (slots->files[slot] != NULL && !env_file_has_failed(slots->files[slot]))
            return true;
    }
    return false;
}

enum err file_cache_peek(struct file_slots *slots, int slot, struct env_file **out)
{
    ASSERT(slot >= 0 && slot < FILE_SLOTS);
    slots_enter(slots);
    struct env_file *file = slots->files[slot];
    if (file != NULL)
        env_file_ref(file);
    slots_leave(slots);
    if (file == NULL)
        return ERR_AGAIN;
    if (!atomic_load_explicit(&slots->is_touched, memory_order_relaxed))
        atomic_store_explicit(&slots->is_touched, true, memory_order_relaxed);
    *out = file;
    return ERR_OK;
}

/* Puts it in place unless another was quicker, then that one is used; true: it was not. Takes the
 * reference, gives one to use. */
static bool slots_put(struct file_slots *slots, int slot, struct env_file *file,
                      struct env_file **out)
{
    slots_enter(slots);
    bool is_first = slots->files[slot] == NULL;
    if (is_first)
        slots->files[slot] = file;
    *out = env_file_ref(slots->files[slot]);
    slots_leave(slots);
    return is_first;
}

/* [the cache's monitor] Takes out what nobody else holds and nothing is to be synced of. */
static void slots_catch(struct file_slots *slots, struct catch *caught)
{
    slots_enter(slots);
    for (int slot = 0; slot < FILE_SLOTS; slot++) {
        struct env_file *file = slots->files[slot];
        if (file == NULL || env_file_has_failed(file) || env_file_is_shared(file))
            continue;
        if (slot == 0 && env_file_is_unsynced(file)) {
            caught->unsynced = env_file_ref(file);
            continue;
        }
        caught->files[caught->count++] = file;
        slots->files[slot] = NULL;
    }
    slots_leave(slots);
}

/* ---- the hand */

static bool was_touched(struct file_slots *slots)
{
    return atomic_exchange_explicit(&slots->is_touched, false, memory_order_relaxed);
}

/* [monitor] What is left of the slots goes to the back of the ring, or out of it. */
static void settle(struct file_cache *cache, struct file_slots *slots)
{
    list_remove(&slots->link);
    if (can_be_closed(slots))
        list_push_back(&cache->ring, &slots->link);
}

/* [monitor] The next that was not touched; after a while just the next. */
static struct file_slots *next_cold(struct file_cache *cache)
{
    for (int step = 0; step < HAND_STEPS_MAX; step++) {
        struct file_slots *slots = container_of(cache->ring.next, struct file_slots, link);
        if (!was_touched(slots))
            return slots;
        list_remove(&slots->link);
        list_push_back(&cache->ring, &slots->link);
    }
    return container_of(cache->ring.next, struct file_slots, link);
}

/* [monitor] */
static void catch_slots(struct file_cache *cache, struct file_slots *slots, struct catch *caught)
{
    slots_catch(slots, caught);
    settle(cache, slots);
    ASSERT(cache->open >= caught->count);
    cache->open -= caught->count;
    cache->evicted += caught->count;
}

/* Without the monitor. */
static void catch_finish(struct catch *caught)
{
    for (uint32_t i = 0; i < caught->count; i++)
        env_file_unref(caught->files[i]);
    if (caught->unsynced == NULL)
        return;
    enum err ignored = env_file_sync(caught->unsynced);
    (void)ignored; /* the file remembers and stays: whoever syncs it next is told */
    env_file_unref(caught->unsynced);
}

/* Makes room for one more and takes it. */
static void take_room(struct file_cache *cache)
{
    for (int tries = 0;; tries++) {
        struct catch caught = {0};
        monitor_enter(&cache->monitor);
        bool has_room =
            cache->open < cache->open_max || list_is_empty(&cache->ring) || tries == ROOM_TRIES;
        if (has_room)
            cache->open++;
        else
            catch_slots(cache, next_cold(cache), &caught);
        monitor_leave(&cache->monitor);
        if (has_room)
            return;
        catch_finish(&caught);
    }
}

static void give_room_back(struct file_cache *cache)
{
    monitor_enter(&cache->monitor);
    ASSERT(cache->open > 0);
    cache->open--;
    monitor_leave(&cache->monitor);
}

/* The system has no descriptor left. */
static void give_some_back(struct file_cache *cache)
{
    monitor_enter(&cache->monitor);
    cache->exhausted++;
    uint32_t wanted = cache->open / RELIEF_PART + 1;
    monitor_leave(&cache->monitor);
    for (uint32_t i = 0; i < wanted; i++) {
        struct catch caught = {0};
        monitor_enter(&cache->monitor);
        if (!list_is_empty(&cache->ring))
            catch_slots(cache, next_cold(cache), &caught);
        monitor_leave(&cache->monitor);
        catch_finish(&caught);
    }
}

/* ---- opening and closing */

static enum err open_file(struct file_cache *cache, const struct file_opening *opening,
                          struct env_file **out)
{
    enum err e = opening->open(opening->arg, out);
    for (int tries = 1; e == ERR_FULL && cache != NULL && tries < OPEN_TRIES; tries++) {
        give_some_back(cache);
        e = opening->open(opening->arg, out);
    }
    return e;
}

/* Takes the reference, gives one to use: of this file, or of the one that another put there. */
static struct env_file *put_file(struct file_cache *cache, struct file_slots *slots, int slot,
                                 struct env_file *take_file)
{
    struct env_file *used;
    if (cache != NULL)
        monitor_enter(&cache->monitor);
    bool is_in_place = slots_put(slots, slot, take_file, &used);
    if (cache != NULL) {
        cache->opened++;
        if (!is_in_place)
            cache->open--;
        else if (!list_is_linked(&slots->link))
            list_push_back(&cache->ring, &slots->link);
        monitor_leave(&cache->monitor);
    }
    if (!is_in_place)
        env_file_unref(take_file);
    return used;
}

enum err file_cache_open(struct file_cache *cache, struct file_slots *slots, int slot,
                         const struct file_opening *opening, struct env_file **out)
{
    enum err e = file_cache_peek(slots, slot, out);
    if (e != ERR_AGAIN)
        return e;
    if (cache != NULL)
        take_room(cache);
    struct env_file *file = NULL;
    e = open_file(cache, opening, &file);
    if (e != ERR_OK) {
        if (cache != NULL)
            give_room_back(cache);
        return e;
    }
    *out = put_file(cache, slots, slot, file);
    return ERR_OK;
}

void file_cache_close(struct file_cache *cache, struct file_slots *slots)
{
    struct env_file *files[FILE_SLOTS];
    uint32_t count = 0;
    if (cache != NULL)
        monitor_enter(&cache->monitor);
    slots_enter(slots);
    for (int slot = 0; slot < FILE_SLOTS; slot++) {
        if (slots->files[slot] != NULL)
            files[count++] = slots->files[slot];
        slots->files[slot] = NULL;
    }
    slots_leave(slots);
    if (cache != NULL) {
        list_remove(&slots->link);
        ASSERT(cache->open >= count);
        cache->open -= count;
        monitor_leave(&cache->monitor);
    }
    for (uint32_t i = 0; i < count; i++)
        env_file_unref(files[i]);
}

bool file_cache_is_used(struct file_cache *cache)
{
    monitor_enter(&cache->monitor);
    bool is_used = !list_is_empty(&cache->ring);
    monitor_leave(&cache->monitor);
    return is_used;
}

static uint32_t count_ring(struct file_cache *cache)
{
    uint32_t count = 0;
    LIST_FOR_EACH (node, &cache->ring)
        count++;
    return count;
}

bool file_cache_close_idle(struct file_cache *cache)
{
    monitor_enter(&cache->monitor);
    uint32_t left = count_ring(cache);
    monitor_leave(&cache->monitor);
    for (; left > 0; left--) {
        struct catch caught = {0};
        monitor_enter(&cache->monitor);
        if (list_is_empty(&cache->ring))
            left = 1;
        else if (was_touched(container_of(cache->ring.next, struct file_slots, link)))
            settle(cache, container_of(cache->ring.next, struct file_slots, link));
        else
            catch_slots(cache, container_of(cache->ring.next, struct file_slots, link), &caught);
        monitor_leave(&cache->monitor);
        catch_finish(&caught);
    }
    return file_cache_is_used(cache);
}

/* ---- memory for what is written later */

bool file_cache_take_behind(struct file_cache *cache, size_t bytes)
{
    if (cache == NULL)
        return true;
    int64_t before =
        atomic_fetch_add_explicit(&cache->behind, (int64_t)bytes, memory_order_relaxed);
    if (before + (int64_t)bytes <= LIMIT_BEHIND_BYTES)
        return true;
    file_cache_give_behind(cache, bytes);
    return false;
}

void file_cache_give_behind(struct file_cache *cache, size_t bytes)
{
    if (cache == NULL)
        return;
    int64_t before =
        atomic_fetch_sub_explicit(&cache->behind, (int64_t)bytes, memory_order_relaxed);
    ASSERT(before >= (int64_t)bytes);
}
