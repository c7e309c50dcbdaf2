// SPDX-License-Identifier: Apache-2.0
/*
 * controller: brings changes through. See controller.h.
 *
 * One append is under way at a time. While it is, changes wait; then all of them (up to
 * CONTROLLER_BATCH_MAX) are decided one behind the other, each on the image that the one before
 * it would make, and go into the store together, an entry each. What fails takes those behind
 * it along: they are decided again.
 *
 * Thread: the controller's loop; submit, applied, start and stop from anywhere.
 */
#include "controller/controller.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "controller/controller_private.h"
#include "env/logger.h"
#include "metadata/config_dynamic.h"

enum { SNAPSHOT_CHUNK_BYTES = 256 * 1024, START_RETRY_NS = 1000000000 };

static void try_stop(struct controller *c);
static void updates_tell(struct controller *c);
static void pump(struct controller *c);
static void start_ended(struct controller *c, enum err e);

/* What holds whenever no callback of ours is halfway through. */
static void controller_check(const struct controller *c)
{
    ASSERT(loop_is_current(c->loop));
    ASSERT(c->image != NULL);
    ASSERT(c->is_appending || list_is_empty(&c->in_flight));
    ASSERT(c->append.entry_count <= CONTROLLER_BATCH_MAX);
    ASSERT(c->is_reading == (c->read_image != NULL));
    ASSERT(c->is_snapshotting == (c->snapshot_image != NULL));
    ASSERT(c->state != CONTROLLER_NEW || (!c->is_appending && !c->is_reading));
}

/* ---- the ends of changes */

static void change_end(struct change *change, enum err e)
{
    ASSERT(!list_is_linked(&change->link));
    wire_writer_deinit(&change->records);
    change->error = e;
    change->done(change); /* may free it */
}

static void changes_end(struct list *changes, enum err e)
{
    struct list *link;
    while ((link = list_pop_front(changes)) != NULL)
        change_end(container_of(link, struct change, link), e);
}

/* The store takes no more: everybody is told, now and from now on. */
static void store_failed(struct controller *c, enum err e)
{
    ASSERT(e != ERR_OK);
    bool is_told = c->failed == ERR_OK && c->state == CONTROLLER_RUNNING;
    c->failed = e;
    changes_end(&c->in_flight, e); /* the start of this broker may be among them */
    changes_end(&c->waiting, e);
    if (is_told && c->owner.store_failed != NULL)
        c->owner.store_failed(c->owner.arg, e);
}

/* Back to the front of the queue, in their order, to be decided anew. */
static void changes_requeue(struct controller *c)
{
    list_splice_back(&c->in_flight, &c->waiting);
    list_splice_back(&c->waiting, &c->in_flight);
}

/* ---- updates: from image to image, told one at a time */

static void update_free(struct update *u)
{
    ASSERT(list_is_empty(&u->changes));
    image_delta_deinit(&u->image_update.delta);
    image_unref(u->image_update.before);
    image_unref(u->image_update.after);
    mem_free(u);
}

static void on_applied(struct loop_task *task)
{
    struct update *u = container_of(task, struct update, applied);
    struct controller *c = u->controller;
    ASSERT(u->is_told && c->updates.next == &u->link);
    list_remove(&u->link);
    changes_end(&u->changes, ERR_OK);
    update_free(u);
    updates_tell(c);
    pump(c);
    try_stop(c);
}

void controller_applied(struct controller *c, struct image_update *update)
{
    struct update *u = container_of(update, struct update, image_update);
    ASSERT(u->controller == c);
    loop_post(c->loop, &u->applied);
}

static void updates_tell(struct controller *c)
{
    if (list_is_empty(&c->updates))
        return;
    struct update *u = container_of(c->updates.next, struct update, link);
    if (u->is_told)
        return;
    u->is_told = true;
    ASSERT(image_position(u->image_update.before) <= image_position(u->image_update.after));
    c->owner.on_image(c->owner.arg, &u->image_update);
}

/* Is the start that was owed among what was committed? */
static void note_start(struct controller *c, struct list *changes)
{
    LIST_FOR_EACH (link, changes) {
        if (!c->start_is_owed || link != &c->start_change.link)
            continue;
        c->start_is_owed = false;
        log_info(c->env, "there was room for the start of this broker in the metadata log");
    }
}

/* `delta` is taken. The changes (or NULL) end when the owner has followed. */
static void update_add(struct controller *c, struct image *after, struct image_delta *delta,
                       struct list *changes)
{
    ASSERT(after == c->image);
    struct update *u = mem_alloc(sizeof(*u));
    u->controller = c;
    u->applied.run = on_applied;
    u->image_update.before = image_slot_get(c->slot);
    u->image_update.after = image_ref(after);
    u->image_update.delta = *delta;
    if (changes != NULL)
        note_start(c, changes);
    u->image_update.start_is_owed = c->start_is_owed;
    list_init(&u->changes);
    if (changes != NULL)
        list_splice_back(&u->changes, changes);
    list_push_back(&c->updates, &u->link);
    image_slot_set(c->slot, image_ref(after));
}

/* ---- snapshots */

static enum err snapshot_put(void *arg, const uint8_t *data, size_t size)
{
    return store_sink_put(arg, data, size);
}

static enum err snapshot_fill(struct store_snapshot *snapshot, struct store_sink *sink)
{
    struct controller *c = container_of(snapshot, struct controller, snapshot);
    ASSERT(image_position(c->snapshot_image) == snapshot->position);
    return image_snapshot(c->snapshot_image, env_wall_ms(c->env), SNAPSHOT_CHUNK_BYTES,
                          snapshot_put, sink);
}

static void snapshot_done(struct store_snapshot *snapshot)
{
    struct controller *c = container_of(snapshot, struct controller, snapshot);
    ASSERT(c->is_snapshotting && loop_is_current(c->loop));
    image_unref(c->snapshot_image);
    c->snapshot_image = NULL;
    c->is_snapshotting = false;
    c->snapshot_bytes_min = LIMIT_METADATA_LOG_BYTES;
    if (snapshot->error != ERR_OK) { /* the log still has everything */
        c->snapshot_bytes_min = store_log_bytes(c->store) * 2;
        log_warn(c->env, "metadata snapshot at entry %lld: %s", (long long)snapshot->position,
                 err_text(snapshot->error));
    }
    try_stop(c);
}

static void snapshot_consider(struct controller *c)
{
    if (c->is_snapshotting || c->failed != ERR_OK || c->state != CONTROLLER_RUNNING ||
        store_log_bytes(c->store) < c->snapshot_bytes_min)
        return;
    c->is_snapshotting = true;
    c->snapshot_image = image_ref(c->image);
    c->snapshot = (struct store_snapshot){
        .position = image_position(c->image), .fill = snapshot_fill, .done = snapshot_done};
    store_write_snapshot(c->store, &c->snapshot);
}

/* ---- what is committed becomes the image */

/* From what the slot has to this image, whatever lies between. The changes may be NULL. */
static void publish_whole(struct controller *c, struct image *take_image, struct list *changes)
{
    struct image *told = image_slot_get(c->slot);
    struct image_delta delta;
    image_delta_init(&delta);
    image_delta_between(&delta, told, take_image);
    image_unref(told);
    image_unref(c->image);
    c->image = take_image;
    update_add(c, take_image, &delta, changes);
    updates_tell(c);
}

static void entries_committed(struct controller *c)
{
    if (c->state >= CONTROLLER_STOPPING) { /* nobody follows any more */
        changes_end(&c->in_flight, ERR_CLOSED);
        return;
    }
    struct image_entry entries[CONTROLLER_BATCH_MAX];
    for (size_t i = 0; i < c->append.entry_count; i++)
        entries[i] = (struct image_entry){c->entries[i].data, c->entries[i].size};
    struct image *image = NULL;
    struct image_delta delta;
    image_delta_init(&delta);
    enum err e = image_apply(c->image, entries, c->append.entry_count, &delta, &c->why, &image);
    if (e != ERR_OK) { /* they were applied once already, when they were decided */
        image_delta_deinit(&delta);
        log_error(c->env, "%s", strbuf_text(&c->why));
        store_failed(c, e);
        return;
    }
    if (c->state == CONTROLLER_STARTING) { /* the owner has seen nothing yet */
        image_delta_deinit(&delta);
        publish_whole(c, image, &c->in_flight);
        return;
    }
    image_unref(c->image);
    c->image = image;
    update_add(c, image, &delta, &c->in_flight);
    updates_tell(c);
    snapshot_consider(c);
}

/* ---- the append */

static void on_appended(struct store_append *append)
{
    struct controller *c = container_of(append, struct controller, append);
    ASSERT(c->is_appending && !c->is_reading);
    ASSERT(append->expected_head == image_position(c->image));
    ASSERT(append->result == STORE_COMMITTED || append->result == STORE_CONFLICT ||
           append->result == STORE_UNKNOWN || append->error != ERR_OK);
    switch (append->result) {
    case STORE_COMMITTED:
        c->is_appending = false;
        entries_committed(c);
        break;
    case STORE_REFUSED:
        c->is_appending = false;
        changes_end(&c->in_flight, append->error);
        break;
    case STORE_FAILED:
        c->is_appending = false;
        store_failed(c, append->error);
        break;
    case STORE_CONFLICT:
        c->is_appending = false;
        changes_requeue(c);
        controller_read(c);
        break;
    case STORE_UNKNOWN:
        controller_read(c); /* and compare; is_appending stays */
        break;
    }
    pump(c);
    try_stop(c);
}

static void read_followed(struct controller *c)
{
    struct image *image = c->read_image;
    c->read_image = NULL;
    bool is_ours = c->is_appending && !c->is_mismatched && c->matched == c->append.entry_count;
    bool was_unknown = c->is_appending;
    c->is_appending = false;
    if (was_unknown && !is_ours)
        changes_requeue(c);
    if (c->state == CONTROLLER_LOADING || (c->state == CONTROLLER_STARTING && !is_ours)) {
        image_unref(c->image);
        c->image = image;
        return;
    }
    if (c->state >= CONTROLLER_STOPPING || image_position(image) == image_position(c->image)) {
        image_unref(image);
        changes_end(&c->in_flight, ERR_CLOSED); /* nobody follows any more */
        return;
    }
    publish_whole(c, image, is_ours ? &c->in_flight : NULL);
}

static void start_begin(struct controller *c)
{
    ASSERT(c->state == CONTROLLER_LOADING && list_is_empty(&c->in_flight));
    c->state = CONTROLLER_STARTING;
    store_watch_add(c->store, &c->watch);
    c->is_leasing = true;
    store_lease_hold(c->store, &c->lease);
}

void controller_read_ended(struct controller *c, enum err e)
{
    if (e != ERR_OK) {
        image_unref(c->read_image);
        c->read_image = NULL;
        c->is_appending = false;
        if (c->state >= CONTROLLER_RUNNING) /* else `started` is told */
            log_error(c->env, "%s", strbuf_text(&c->why));
        store_failed(c, e);
        try_stop(c);
        return;
    }
    read_followed(c);
    if (c->state == CONTROLLER_LOADING)
        start_begin(c);
    pump(c);
    try_stop(c);
}

/* ---- deciding */

static void random_from_env(void *arg, void *out, size_t len)
{
    env_random(arg, out, len);
}

static enum err change_decide(struct controller *c, struct change *change,
                              const struct image *image)
{
    wire_writer_deinit(&change->records); /* of an earlier try */
    struct config_layers layers;
    enum err e =
        config_layers_of_image(image, image_controller_id(image), &c->layers->fixed, &layers);
    if (e != ERR_OK) {
        wire_writer_init(&change->records, 1);
        return e;
    }
    struct decision d;
    decision_init(&d, MIN(store_entry_bytes_max(c->store), LIMIT_METADATA_APPEND_BYTES));
    d.image = image;
    d.layers = &layers;
    d.now_ms = env_wall_ms(c->env);
    d.random = random_from_env;
    d.random_arg = c->env;
    e = change->decide(change, &d);
    config_layers_release(&layers);
    if (e != ERR_OK || d.record_count == 0) {
        decision_deinit(&d);
        wire_writer_init(&change->records, 1);
        return e;
    }
    change->records = d.records; /* handed over */
    return ERR_OK;
}

/* Applies what was decided to *ahead, the image as it will be. */
static enum err ahead_apply(struct controller *c, const struct change *change, struct image **ahead)
{
    struct image_entry entry = {change->records.data, change->records.size};
    struct image *next = NULL;
    strbuf_clear(&c->why);
    enum err e = image_apply(*ahead, &entry, 1, NULL, &c->why, &next);
    if (e != ERR_OK) {
        log_error(c->env, "a decision that cannot be followed: %s", strbuf_text(&c->why));
        return e;
    }
    image_unref(*ahead);
    *ahead = next;
    return ERR_OK;
}

/* One change: into the batch, ended, or (false) left for the next batch. */
static bool batch_add(struct controller *c, struct change *change, struct image **ahead,
                      size_t *bytes)
{
    bool is_first = list_is_empty(&c->in_flight);
    enum err e = change_decide(c, change, *ahead);
    size_t own = change->records.size;
    bool is_left = (e == ERR_OK && own == 0 && !is_first) || /* it rests on what may fail */
                   own > LIMIT_METADATA_APPEND_BYTES - *bytes;
    if (is_left) {
        ASSERT(!is_first);
        wire_writer_deinit(&change->records);
        return false;
    }
    if (e == ERR_OK && own > 0)
        e = ahead_apply(c, change, ahead);
    list_remove(&change->link);
    if (e != ERR_OK || own == 0) {
        change_end(change, e);
        return true;
    }
    c->entries[c->append.entry_count++] =
        (struct store_entry){change->records.data, change->records.size};
    *bytes += own;
    list_push_back(&c->in_flight, &change->link);
    return true;
}

static bool may_decide(const struct controller *c)
{
    return (c->state == CONTROLLER_STARTING || c->state == CONTROLLER_RUNNING) && c->has_lease &&
           c->failed == ERR_OK && !c->is_appending && !c->is_reading;
}

static void append_batch(struct controller *c)
{
    struct image *ahead = image_ref(c->image);
    size_t bytes = 0;
    c->append = (struct store_append){
        .expected_head = image_position(c->image), .entries = c->entries, .done = on_appended};
    c->is_appending = true; /* keeps calls from within done() out */
    while (!list_is_empty(&c->waiting) && c->append.entry_count < CONTROLLER_BATCH_MAX) {
        struct change *change = container_of(c->waiting.next, struct change, link);
        if (c->state == CONTROLLER_STARTING && change != &c->start_change)
            break;
        if (!batch_add(c, change, &ahead, &bytes))
            break;
    }
    image_unref(ahead);
    if (c->append.entry_count > 0)
        store_append(c->store, &c->append);
    else
        c->is_appending = false;
}

static void pump(struct controller *c)
{
    controller_check(c);
    if (c->failed != ERR_OK || c->state >= CONTROLLER_STOPPING) {
        changes_end(&c->waiting, c->failed != ERR_OK ? c->failed : ERR_CLOSED);
        return;
    }
    while (may_decide(c) && !list_is_empty(&c->waiting)) {
        struct change *first = container_of(c->waiting.next, struct change, link);
        if (c->state == CONTROLLER_STARTING && first != &c->start_change)
            return; /* they wait for the start to be through */
        append_batch(c);
    }
    controller_check(c);
}

static void inbox_empty(struct loop_task *task)
{
    struct controller *c = container_of(task, struct controller, inbox_task);
    struct list arrived;
    list_init(&arrived);
    monitor_enter(&c->monitor);
    c->inbox_is_posted = false;
    list_splice_back(&arrived, &c->inbox);
    monitor_leave(&c->monitor);
    list_splice_back(&c->waiting, &arrived);
    pump(c);
    try_stop(c);
}

void controller_submit(struct controller *c, struct change *change)
{
    ASSERT(change->decide != NULL && change->done != NULL);
    list_init(&change->link);
    wire_writer_init(&change->records, 1);
    change->error = ERR_OK;
    monitor_enter(&c->monitor);
    list_push_back(&c->inbox, &change->link);
    bool must_post = !c->inbox_is_posted;
    c->inbox_is_posted = true;
    monitor_leave(&c->monitor);
    if (must_post)
        loop_post(c->loop, &c->inbox_task);
}

/* ---- beginning */

static enum err decide_start(struct change *change, struct decision *d)
{
    struct controller *c = container_of(change, struct controller, start_change);
    return decide_broker_start(d, c->start);
}

static void try_start(struct loop_timer *timer)
{
    struct controller *c = container_of(timer, struct controller, start_timer);
    ASSERT(c->start_is_owed && !list_is_linked(&c->start_change.link));
    list_push_front(&c->waiting, &c->start_change.link);
    pump(c);
}

static void stand_in_done(struct change *change)
{
    struct controller *c = container_of(change, struct controller, start_stand_in);
    start_ended(c, change->error);
}

/* The store has no room for this start: what was there is served, without a new epoch, and it is
 * tried again until it goes in. */
static void start_later(struct controller *c)
{
    bool is_first = !c->start_is_owed;
    c->start_is_owed = true;
    c->start_timer.fire = try_start;
    loop_timer_start(c->loop, &c->start_timer, env_mono_ns(c->env) + START_RETRY_NS);
    if (!is_first)
        return;
    log_error(c->env, "no room for the start of this broker in the metadata log: what is there can "
                      "be read, and nothing be written until there is room");
    struct list changes;
    list_init(&changes);
    c->start_stand_in = (struct change){.done = stand_in_done};
    wire_writer_init(&c->start_stand_in.records, 1);
    list_push_back(&changes, &c->start_stand_in.link);
    publish_whole(c, image_ref(c->image), &changes);
}

static bool has_started_before(const struct controller *c)
{
    return image_broker(c->image, c->start->node_id) != NULL;
}

static void start_done(struct change *change)
{
    struct controller *c = container_of(change, struct controller, start_change);
    bool may_wait = c->state == CONTROLLER_STARTING || c->state == CONTROLLER_RUNNING;
    if (change->error == ERR_NO_SPACE && may_wait && c->failed == ERR_OK && has_started_before(c)) {
        start_later(c);
        return;
    }
    if (c->failed == ERR_OK)
        c->failed = change->error; /* a broker that could not start changes nothing either */
    start_ended(c, change->error);
}

static void start_ended(struct controller *c, enum err e)
{
    void (*started)(void *arg, enum err e, const char *why) = c->started;
    c->started = NULL;
    if (c->state < CONTROLLER_STOPPING && e == ERR_OK)
        c->state = CONTROLLER_RUNNING;
    if (e != ERR_OK && c->why.len == 0)
        strbuf_printf(&c->why, "metadata log: %s", err_text(e));
    if (started != NULL)
        started(c->started_arg, e, e == ERR_OK ? "" : strbuf_text(&c->why));
}

static void on_lease(struct store_lease *lease, bool is_held)
{
    struct controller *c = container_of(lease, struct controller, lease);
    c->has_lease = is_held;
    c->is_leasing = false;
    pump(c);
    try_stop(c);
}

/* Somebody else has written. */
static void on_moved(struct store_watch *watch, int64_t head)
{
    struct controller *c = container_of(watch, struct controller, watch);
    if (head > image_position(c->image) && !c->is_appending && !c->is_reading &&
        c->failed == ERR_OK && c->state < CONTROLLER_STOPPING)
        controller_read(c);
}

static void on_start(struct loop_task *task)
{
    struct controller *c = container_of(task, struct controller, start_task);
    if (c->state != CONTROLLER_NEW)
        return; /* stopped before */
    c->state = CONTROLLER_LOADING;
    c->start_change = (struct change){.decide = decide_start, .done = start_done};
    wire_writer_init(&c->start_change.records, 1);
    list_init(&c->start_change.link);
    list_push_front(&c->waiting, &c->start_change.link);
    controller_read(c);
}

void controller_start(struct controller *c, void (*started)(void *arg, enum err e, const char *why),
                      void *arg)
{
    ASSERT(started != NULL && c->started == NULL);
    c->started = started;
    c->started_arg = arg;
    loop_post(c->loop, &c->start_task);
}

/* ---- the end */

static void try_stop(struct controller *c)
{
    if (c->state != CONTROLLER_STOPPING || c->is_appending || c->is_reading || c->is_snapshotting ||
        !list_is_empty(&c->updates))
        return;
    c->state = CONTROLLER_STOPPED;
    store_watch_remove(c->store, &c->watch);
    c->stopped(c->stopped_arg);
}

/* What the owner was not told of yet it need not follow any more. */
static void updates_drop(struct controller *c)
{
    LIST_FOR_EACH_SAFE (link, &c->updates) {
        struct update *u = container_of(link, struct update, link);
        if (u->is_told)
            continue;
        list_remove(link);
        changes_end(&u->changes, ERR_CLOSED);
        update_free(u);
    }
}

static void on_stop(struct loop_task *task)
{
    struct controller *c = container_of(task, struct controller, stop_task);
    bool was_starting = c->state < CONTROLLER_RUNNING;
    c->state = CONTROLLER_STOPPING;
    if (c->start_timer.fire != NULL)
        loop_timer_stop(c->loop, &c->start_timer);
    changes_end(&c->waiting, ERR_CLOSED);
    updates_drop(c);
    if (was_starting && c->started != NULL)
        start_ended(c, ERR_CLOSED);
    try_stop(c);
}

void controller_stop(struct controller *c, void (*stopped)(void *arg), void *arg)
{
    ASSERT(stopped != NULL && c->stopped == NULL);
    c->stopped = stopped;
    c->stopped_arg = arg;
    loop_post(c->loop, &c->stop_task);
}

/* ---- life */

struct controller *controller_new(struct env *env, const struct controller_options *options)
{
    ASSERT(options->loop != NULL && options->store != NULL && options->slot != NULL);
    ASSERT(options->layers != NULL && options->owner.on_image != NULL);
    struct controller *c = mem_alloc(sizeof(*c));
    c->env = env;
    c->loop = options->loop;
    c->store = options->store;
    c->slot = options->slot;
    c->layers = options->layers;
    c->start = options->start;
    c->owner = options->owner;
    c->image = image_new_empty();
    c->snapshot_bytes_min = LIMIT_METADATA_LOG_BYTES;
    monitor_init(&c->monitor, MONITOR_STORE);
    list_init(&c->inbox);
    list_init(&c->waiting);
    list_init(&c->in_flight);
    list_init(&c->updates);
    list_init(&c->watch.link);
    c->inbox_task.run = inbox_empty;
    c->start_task.run = on_start;
    c->stop_task.run = on_stop;
    c->watch.moved = on_moved;
    c->lease = (struct store_lease){.kind = STORE_LEASE_CONTROLLER, .changed = on_lease};
    controller_load_init(c);
    return c;
}

void controller_free(struct controller *c)
{
    if (c == NULL)
        return;
    ASSERT(c->state == CONTROLLER_NEW || c->state == CONTROLLER_STOPPED);
    ASSERT(list_is_empty(&c->inbox) && list_is_empty(&c->waiting));
    ASSERT(list_is_empty(&c->in_flight) && list_is_empty(&c->updates));
    controller_load_deinit(c);
    image_unref(c->image);
    monitor_deinit(&c->monitor);
    mem_free(c);
}
