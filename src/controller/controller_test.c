// SPDX-License-Identifier: Apache-2.0
/* Tests of the driver: starts, order, groups, conflicts, unknown outcomes, failures, snapshots,
 * stops at any moment. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/testing.h"
#include "controller/controller.h"
#include "env/mem_env.h"
#include "wire/record_set.h"

/* ---- a store between the controller and the file, that plays tricks with appends */

enum trick {
    TRICK_NONE,
    TRICK_CONFLICT, /* somebody else appends first */
    TRICK_LOST,     /* not written, outcome unknown */
    TRICK_UNTOLD,   /* written, outcome unknown */
};

struct tricky {
    struct store store;
    struct store *file;
    struct loop *loop;
    enum trick trick; /* of the next append */
    struct store_append *append;
    void (*append_done)(struct store_append *append);
    struct store_append foreign;
    struct store_entry foreign_entry;
    struct wire_writer foreign_bytes;
    struct loop_task lost_task;
};

static struct tricky *tricky_of(struct store *store)
{
    return container_of(store, struct tricky, store);
}

static struct tricky *the_tricky; /* store_append has no room for a pointer */

static void tell_unknown(struct store_append *append)
{
    struct tricky *t = the_tricky;
    append->done = t->append_done;
    append->result = STORE_UNKNOWN;
    append->done(append);
}

static void lost_tell(struct loop_task *task)
{
    struct tricky *t = container_of(task, struct tricky, lost_task);
    t->append->result = STORE_UNKNOWN;
    t->append->done(t->append);
}

static void foreign_done(struct store_append *append)
{
    struct tricky *t = container_of(append, struct tricky, foreign);
    CHECK_EQUAL(append->result, STORE_COMMITTED);
    wire_writer_deinit(&t->foreign_bytes);
    store_append(t->file, t->append);
}

static void foreign_start(struct tricky *t, int64_t head)
{
    struct metadata_record record;
    wire_record_init(&metadata_record_set, METADATA_FEATURE_LEVEL, &record);
    record.feature_level.name = wire_str_of("foreign");
    record.feature_level.level = 1;
    wire_writer_init(&t->foreign_bytes, 1000);
    CHECK_EQUAL(wire_record_encode(&metadata_record_set, &t->foreign_bytes, &record), ERR_OK);
    t->foreign_entry = (struct store_entry){t->foreign_bytes.data, t->foreign_bytes.size};
    t->foreign = (struct store_append){.expected_head = head,
                                       .entries = &t->foreign_entry,
                                       .entry_count = 1,
                                       .done = foreign_done};
    store_append(t->file, &t->foreign);
}

static void tricky_append(struct store *store, struct store_append *append)
{
    struct tricky *t = tricky_of(store);
    enum trick trick = t->trick;
    t->trick = TRICK_NONE;
    t->append = append;
    t->append_done = append->done;
    switch (trick) {
    case TRICK_NONE:
        store_append(t->file, append);
        break;
    case TRICK_CONFLICT:
        foreign_start(t, append->expected_head);
        break;
    case TRICK_LOST:
        t->lost_task.run = lost_tell;
        loop_post(t->loop, &t->lost_task);
        break;
    case TRICK_UNTOLD:
        append->done = tell_unknown;
        store_append(t->file, append);
        break;
    }
}

static void tricky_read(struct store *store, struct store_read *read)
{
    store_read(tricky_of(store)->file, read);
}

static void tricky_snapshot(struct store *store, struct store_snapshot *snapshot)
{
    store_write_snapshot(tricky_of(store)->file, snapshot);
}

static void tricky_watch(struct store *store, struct store_watch *watch)
{
    store_watch_add(tricky_of(store)->file, watch);
}

static void tricky_lease(struct store *store, struct store_lease *lease)
{
    store_lease_hold(tricky_of(store)->file, lease);
}

static int64_t tricky_bytes(const struct store *store)
{
    return store_log_bytes(tricky_of((struct store *)(uintptr_t)store)->file);
}

static void tricky_close(struct store *store)
{
    store_close(tricky_of(store)->file);
}

static const struct store_ops tricky_ops = {
    .append = tricky_append,
    .read = tricky_read,
    .write_snapshot = tricky_snapshot,
    .watch_add = tricky_watch,
    .lease_hold = tricky_lease,
    .log_bytes = tricky_bytes,
    .close = tricky_close,
};

/* ---- a broker's side */

struct node {
    struct mem_env *m;
    struct tricky tricky;
    struct image_slot slot;
    struct config_layers layers;
    struct broker_start start;
    struct listener_image listener;
    struct controller *controller;
    bool holds_updates; /* controller_applied waits for the test */
    struct image_update *held;
    int updates;
    size_t topics_in_first_delta;
    int store_failures;
    bool is_started;
    enum err start_error;
    bool is_stopped;
};

static void on_image(void *arg, struct image_update *update)
{
    struct node *n = arg;
    CHECK(n->held == NULL);
    if (n->updates++ == 0) {
        CHECK_EQUAL(image_position(update->before), 0);
        n->topics_in_first_delta = update->delta.topic_count;
    }
    struct image *now = image_slot_get(&n->slot);
    CHECK(image_position(now) >= image_position(update->after));
    image_unref(now);
    if (n->holds_updates)
        n->held = update;
    else
        controller_applied(n->controller, update);
}

static void on_store_failed(void *arg, enum err e)
{
    struct node *n = arg;
    CHECK(e != ERR_OK);
    n->store_failures++;
}

static void on_started(void *arg, enum err e, const char *why)
{
    struct node *n = arg;
    CHECK(!n->is_started);
    CHECK((e == ERR_OK) == (why[0] == '\0'));
    n->is_started = true;
    n->start_error = e;
}

static void on_stopped(void *arg)
{
    struct node *n = arg;
    CHECK(!n->is_stopped);
    n->is_stopped = true;
}

static enum err node_open(struct node *n, struct mem_env *m)
{
    *n = (struct node){.m = m};
    struct strbuf why;
    strbuf_init(&why);
    n->tricky.loop = mem_env_loop(m, 0);
    the_tricky = &n->tricky;
    enum err e = store_file_open(&m->env, n->tricky.loop, "d", &why, &n->tricky.file);
    strbuf_deinit(&why);
    if (e != ERR_OK)
        return e;
    n->tricky.store.ops = &tricky_ops;
    n->tricky.store.entry_bytes_max = store_entry_bytes_max(n->tricky.file);
    image_slot_init(&n->slot);
    config_layers_init(&n->layers);
    n->listener = (struct listener_image){.name = "PLAINTEXT", .host = "h", .port = 1};
    n->start = (struct broker_start){
        .node_id = 1, .listeners = &n->listener, .listener_count = 1, .is_controller = true};
    struct controller_options options = {
        .loop = n->tricky.loop,
        .store = &n->tricky.store,
        .slot = &n->slot,
        .layers = &n->layers,
        .start = &n->start,
        .owner = {.arg = n, .on_image = on_image, .store_failed = on_store_failed},
    };
    n->controller = controller_new(&m->env, &options);
    return ERR_OK;
}

static void node_start(struct node *n, struct mem_env *m)
{
    CHECK_EQUAL(node_open(n, m), ERR_OK);
    controller_start(n->controller, on_started, n);
    mem_env_run_until_idle(m);
    CHECK(n->is_started);
    CHECK_EQUAL(n->start_error, ERR_OK);
}

static void node_free(struct node *n)
{
    controller_free(n->controller);
    store_close(&n->tricky.store);
    image_slot_deinit(&n->slot);
    config_layers_deinit(&n->layers);
}

static void node_stop(struct node *n)
{
    controller_stop(n->controller, on_stopped, n);
    mem_env_run_until_idle(n->m);
    CHECK(n->is_stopped);
    node_free(n);
}

static void start_env(struct mem_env *m)
{
    mem_env_init(m);
    CHECK_EQUAL(env_dir_make(&m->env, "d"), ERR_OK);
}

/* ---- a change: one topic */

struct creation {
    struct change change;
    char name[24];
    int32_t partitions;
    enum kerr result;
    int decided;
    bool is_done;
    int order;
};

static int done_count;

static enum err creation_decide(struct change *change, struct decision *d)
{
    struct creation *c = container_of(change, struct creation, change);
    struct auto_topic topic = {.name = c->name,
                               .name_len = strlen(c->name),
                               .partition_count = c->partitions,
                               .replication_factor = 1};
    c->decided++;
    return decide_auto_topic(d, &topic, &c->result);
}

static void creation_done(struct change *change)
{
    struct creation *c = container_of(change, struct creation, change);
    CHECK(!c->is_done);
    c->is_done = true;
    c->order = done_count++;
}

static void creation_submit(struct node *n, struct creation *c, int number)
{
    *c = (struct creation){.partitions = 1};
    c->change.decide = creation_decide;
    c->change.done = creation_done;
    snprintf(c->name, sizeof(c->name), "topic-%d", number);
    controller_submit(n->controller, &c->change);
}

static bool has_topic(struct node *n, int number)
{
    char name[24];
    snprintf(name, sizeof(name), "topic-%d", number);
    struct image *image = image_slot_get(&n->slot);
    bool has = image_topic(image, name, strlen(name)) != NULL;
    image_check(image);
    image_unref(image);
    return has;
}

TEST(controller_starts_and_starts_again)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    struct creation c;
    char cluster_id[32];
    node_start(&n, &m);
    struct image *image = image_slot_get(&n.slot);
    snprintf(cluster_id, sizeof(cluster_id), "%s", image_cluster_id(image));
    CHECK_EQUAL(strlen(cluster_id), 22);
    CHECK_EQUAL(image_controller_id(image), 1);
    CHECK(!image_broker(image, 1)->is_fenced);
    image_unref(image);
    CHECK_EQUAL(n.updates, 1);
    creation_submit(&n, &c, 1);
    mem_env_run_until_idle(&m);
    CHECK(c.is_done && c.change.error == ERR_OK && c.result == KERR_NONE);
    node_stop(&n);

    for (int again = 1; again <= 3; again++) {
        node_start(&n, &m);
        image = image_slot_get(&n.slot);
        CHECK_TEXT(image_cluster_id(image), cluster_id);
        CHECK_EQUAL(n.updates, 1);
        CHECK_EQUAL(n.topics_in_first_delta, 1);
        const struct topic_image *topic = image_topic(image, "topic-1", 7);
        CHECK_EQUAL(topic_partition(topic, 0)->leader_epoch, again);
        image_unref(image);
        node_stop(&n);
    }
    mem_env_deinit(&m);
}

static void let_go(struct node *n)
{
    struct image_update *held = n->held;
    n->held = NULL;
    controller_applied(n->controller, held);
    mem_env_run_until_idle(n->m);
}

/* The disk is full at the start, and has room again before the owner has followed what it was told
 * first: the start is owed no more in what it is told next. */
TEST(controller_owes_its_start_until_there_is_room_also_while_the_owner_follows)
{
    struct mem_env m;
    struct node n;
    struct creation c;
    start_env(&m);
    node_start(&n, &m);
    creation_submit(&n, &c, 1);
    mem_env_run_until_idle(&m);
    node_stop(&n);
    CHECK_EQUAL(node_open(&n, &m), ERR_OK);
    n.holds_updates = true;
    m.space_bytes = m.used_bytes;
    controller_start(n.controller, on_started, &n);
    mem_env_run_until_idle(&m);
    CHECK(n.held != NULL && n.held->start_is_owed);
    m.space_bytes = INT64_MAX;
    mem_env_advance_ms(&m, 2000);
    CHECK(!n.is_started);
    n.updates = 1; /* the first was of an older image */
    let_go(&n);
    CHECK(n.is_started && n.start_error == ERR_OK);
    CHECK(n.held != NULL && !n.held->start_is_owed);
    CHECK_EQUAL(n.held->delta.topic_count, 1); /* whose epochs have risen */
    n.holds_updates = false;
    let_go(&n);
    node_stop(&n);
    mem_env_deinit(&m);
}

TEST(controller_ends_a_change_when_the_owner_has_followed)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    node_start(&n, &m);
    n.holds_updates = true;
    struct creation a, b;
    creation_submit(&n, &a, 1);
    mem_env_run_until_idle(&m);
    CHECK(has_topic(&n, 1));
    CHECK(n.held != NULL && !a.is_done);
    CHECK_EQUAL(n.held->delta.topic_count, 1);
    creation_submit(&n, &b, 2);
    mem_env_run_until_idle(&m);
    CHECK(has_topic(&n, 2)); /* goes on meanwhile, but the owner is told later */
    CHECK_EQUAL(n.updates, 2);
    struct image_update *first = n.held;
    n.held = NULL;
    controller_applied(n.controller, first);
    mem_env_run_until_idle(&m);
    CHECK(a.is_done && !b.is_done);
    CHECK_EQUAL(n.updates, 3);
    n.holds_updates = false;
    first = n.held;
    n.held = NULL;
    controller_applied(n.controller, first);
    mem_env_run_until_idle(&m);
    CHECK(b.is_done);
    node_stop(&n);
    mem_env_deinit(&m);
}

enum { MANY = 200 };

static struct creation many[MANY];

TEST(controller_groups_changes_and_keeps_their_order)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    node_start(&n, &m);
    int syncs = m.syncs;
    done_count = 0;
    for (int i = 0; i < MANY; i++)
        creation_submit(&n, &many[i], i);
    mem_env_run_until_idle(&m);
    for (int i = 0; i < MANY; i++) {
        CHECK(many[i].is_done && many[i].change.error == ERR_OK);
        CHECK_EQUAL(many[i].order, i);
        CHECK(has_topic(&n, i));
    }
    CHECK(m.syncs - syncs <= 5);
    creation_submit(&n, &many[0], 7); /* it is there already */
    mem_env_run_until_idle(&m);
    CHECK(many[0].is_done && many[0].result == KERR_NONE);
    node_stop(&n);
    node_start(&n, &m);
    CHECK_EQUAL(n.topics_in_first_delta, MANY);
    node_stop(&n);
    mem_env_deinit(&m);
}

/* Two changes that want the same topic, in one group: the second sees what the first does. */
TEST(controller_decides_on_what_is_about_to_be)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    node_start(&n, &m);
    struct creation twice[3];
    for (int i = 0; i < 3; i++)
        creation_submit(&n, &twice[i], i / 2);
    mem_env_run_until_idle(&m);
    for (int i = 0; i < 3; i++)
        CHECK(twice[i].is_done && twice[i].change.error == ERR_OK);
    CHECK(has_topic(&n, 0) && has_topic(&n, 1));
    node_stop(&n);
    mem_env_deinit(&m);
}

static void play(enum trick trick, int decided)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    node_start(&n, &m);
    struct creation c[3];
    n.tricky.trick = trick;
    for (int i = 0; i < 3; i++)
        creation_submit(&n, &c[i], i);
    mem_env_run_until_idle(&m);
    for (int i = 0; i < 3; i++) {
        CHECK(c[i].is_done && c[i].change.error == ERR_OK);
        CHECK_EQUAL(c[i].decided, decided);
        CHECK(has_topic(&n, i));
    }
    struct image *image = image_slot_get(&n.slot);
    CHECK_EQUAL(image_feature(image, "foreign"), trick == TRICK_CONFLICT ? 1 : 0);
    CHECK_EQUAL(image_topic_count(image), 3);
    CHECK_EQUAL(image_position(image), trick == TRICK_CONFLICT ? 5 : 4);
    struct image *before = image_ref(image);
    image_unref(image);
    node_stop(&n);
    image_unref(before);
    mem_env_deinit(&m);
}

TEST(controller_decides_again_after_a_conflict)
{
    play(TRICK_CONFLICT, 2);
}

TEST(controller_decides_again_what_was_lost)
{
    play(TRICK_LOST, 2);
}

TEST(controller_finds_what_was_written_untold)
{
    play(TRICK_UNTOLD, 1);
}

TEST(controller_starts_in_spite_of_tricks)
{
    for (enum trick trick = TRICK_CONFLICT; trick <= TRICK_UNTOLD; trick++) {
        struct mem_env m;
        start_env(&m);
        struct node n;
        CHECK_EQUAL(node_open(&n, &m), ERR_OK);
        n.tricky.trick = trick;
        controller_start(n.controller, on_started, &n);
        mem_env_run_until_idle(&m);
        CHECK(n.is_started && n.start_error == ERR_OK);
        CHECK_EQUAL(n.updates, 1);
        struct image *image = image_slot_get(&n.slot);
        CHECK_EQUAL(image_position(image), trick == TRICK_CONFLICT ? 2 : 1);
        CHECK_EQUAL(image_broker(image, 1)->epoch, image_position(image));
        image_unref(image);
        node_stop(&n);
        mem_env_deinit(&m);
    }
}

TEST(controller_takes_no_changes_after_the_store_failed)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    node_start(&n, &m);
    struct creation a, b;
    creation_submit(&n, &a, 1);
    m.fail_at = 1;
    mem_env_run_until_idle(&m);
    CHECK(a.is_done && a.change.error == ERR_IO);
    CHECK_EQUAL(n.store_failures, 1);
    CHECK(!has_topic(&n, 1));
    creation_submit(&n, &b, 2);
    mem_env_run_until_idle(&m);
    CHECK(b.is_done && b.change.error == ERR_IO);
    CHECK_EQUAL(n.store_failures, 1);
    node_stop(&n);
    mem_env_deinit(&m);
}

TEST(controller_goes_on_after_a_full_disk)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    node_start(&n, &m);
    struct creation a;
    m.space_bytes = 1;
    creation_submit(&n, &a, 1);
    mem_env_run_until_idle(&m);
    CHECK(a.is_done && a.change.error == ERR_NO_SPACE);
    CHECK(!has_topic(&n, 1));
    CHECK_EQUAL(n.store_failures, 0);
    m.space_bytes = 1 << 20;
    creation_submit(&n, &a, 1);
    mem_env_run_until_idle(&m);
    CHECK(a.is_done && a.change.error == ERR_OK);
    CHECK(has_topic(&n, 1));
    node_stop(&n);
    mem_env_deinit(&m);
}

TEST(controller_writes_snapshots)
{
    struct mem_env m;
    start_env(&m);
    struct node n;
    node_start(&n, &m);
    int64_t most = 0;
    for (int i = 0; i < 20; i++) {
        struct creation c;
        creation_submit(&n, &c, i);
        c.partitions = 10000;
        mem_env_run_until_idle(&m);
        CHECK(c.is_done && c.change.error == ERR_OK);
        most = MAX(most, store_log_bytes(n.tricky.file));
    }
    CHECK(store_log_bytes(n.tricky.file) < most);
    struct image *before = image_slot_get(&n.slot);
    CHECK_EQUAL(image_partition_count(before), 200000);
    node_stop(&n);
    size_t size = 0;
    CHECK(mem_env_file_bytes(&m, "d/klamm.metadata.snapshot", &size) != NULL);
    node_start(&n, &m);
    struct image *after = image_slot_get(&n.slot);
    CHECK_EQUAL(image_position(after), image_position(before) + 1);
    CHECK_EQUAL(image_topic_count(after), 20);
    CHECK_EQUAL(image_partition_count(after), 200000);
    CHECK_EQUAL(topic_partition(image_topic(after, "topic-3", 7), 9999)->leader_epoch, 1);
    CHECK_EQUAL(topic_partition(image_topic(before, "topic-3", 7), 9999)->leader_epoch, 0);
    image_unref(before);
    image_unref(after);
    node_stop(&n);
    mem_env_deinit(&m);
}

/* Stopped after so many steps, from the very beginning on: everything ends, once. */
TEST(controller_stops_at_any_moment)
{
    for (int steps = 0; steps < 30; steps++) {
        struct mem_env m;
        start_env(&m);
        struct node n;
        struct creation c[3];
        CHECK_EQUAL(node_open(&n, &m), ERR_OK);
        controller_start(n.controller, on_started, &n);
        for (int i = 0; i < 2; i++)
            creation_submit(&n, &c[i], i);
        for (int s = 0; s < steps; s++) {
            if (s % 2 == 0)
                mem_env_run_loops(&m);
            else
                (void)mem_env_run_one_job_step(&m);
        }
        creation_submit(&n, &c[2], 2);
        controller_stop(n.controller, on_stopped, &n);
        mem_env_run_until_idle(&m);
        CHECK(n.is_started && n.is_stopped);
        for (int i = 0; i < 3; i++)
            CHECK(c[i].is_done);
        node_free(&n);
        node_start(&n, &m);
        node_stop(&n);
        mem_env_deinit(&m);
    }
}

/* ---- each I/O call fails once: what was said to be done is there afterwards */

TEST(controller_survives_each_io_failure)
{
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct mem_env m;
        start_env(&m);
        struct node n;
        struct creation c[4];
        m.fail_at = fail_at;
        memset(c, 0, sizeof(c));
        if (node_open(&n, &m) == ERR_OK) {
            controller_start(n.controller, on_started, &n);
            for (int i = 0; i < 4; i++) {
                creation_submit(&n, &c[i], i);
                mem_env_run_until_idle(&m);
                CHECK(c[i].is_done || !n.is_started);
            }
            node_stop(&n);
        }
        failed = m.fail_at == 0;
        m.fail_at = 0;
        node_start(&n, &m);
        for (int i = 0; i < 4; i++)
            CHECK(!c[i].is_done || c[i].change.error != ERR_OK || has_topic(&n, i));
        node_stop(&n);
        mem_env_deinit(&m);
    }
}
