// SPDX-License-Identifier: Apache-2.0
/* Tests of producer_ids over a real controller and metadata log. Thread: main. */
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "broker/producer_ids.h"
#include "env/mem_env.h"

struct world {
    struct mem_env *m;
    struct store *store;
    struct image_slot slot;
    struct config_layers layers;
    struct broker_start start;
    struct listener_image listener;
    struct controller *controller;
    struct producer_ids ids;
    bool is_started;
    bool is_stopped;
};

static void on_image(void *arg, struct image_update *update)
{
    struct world *w = arg;
    controller_applied(w->controller, update);
}

static void on_started(void *arg, enum err e, const char *why)
{
    struct world *w = arg;
    CHECK_EQUAL(e, ERR_OK);
    w->is_started = true;
}

static void on_stopped(void *arg)
{
    ((struct world *)arg)->is_stopped = true;
}

static void world_start(struct world *w, struct mem_env *m)
{
    *w = (struct world){.m = m};
    struct strbuf why;
    strbuf_init(&why);
    CHECK_EQUAL(store_file_open(&m->env, mem_env_loop(m, 0), "d", &why, &w->store), ERR_OK);
    strbuf_deinit(&why);
    image_slot_init(&w->slot);
    config_layers_init(&w->layers);
    w->listener = (struct listener_image){.name = "PLAINTEXT", .host = "h", .port = 1};
    w->start = (struct broker_start){
        .node_id = 7, .listeners = &w->listener, .listener_count = 1, .is_controller = true};
    struct controller_options options = {
        .loop = mem_env_loop(m, 0),
        .store = w->store,
        .slot = &w->slot,
        .layers = &w->layers,
        .start = &w->start,
        .owner = {.arg = w, .on_image = on_image},
    };
    w->controller = controller_new(&m->env, &options);
    producer_ids_init(&w->ids, w->controller, 7);
    controller_start(w->controller, on_started, w);
    mem_env_run_until_idle(m);
    CHECK(w->is_started);
}

static void world_stop(struct world *w)
{
    controller_stop(w->controller, on_stopped, w);
    mem_env_run_until_idle(w->m);
    CHECK(w->is_stopped);
    controller_free(w->controller);
    store_close(w->store);
    image_slot_deinit(&w->slot);
    config_layers_deinit(&w->layers);
}

static void start_env(struct mem_env *m)
{
    mem_env_init(m);
    CHECK_EQUAL(env_dir_make(&m->env, "d"), ERR_OK);
}

static int64_t entries(struct world *w)
{
    struct image *image = image_slot_get(&w->slot);
    int64_t position = image_position(image);
    image_unref(image);
    return position;
}

struct asked {
    struct producer_id_wish wish;
    int done_count;
};

static void asked_done(struct producer_id_wish *wish)
{
    struct asked *a = container_of(wish, struct asked, wish);
    a->done_count++;
}

static void ask(struct world *w, struct asked *a)
{
    *a = (struct asked){.wish = {.done = asked_done}};
    producer_ids_ask(&w->ids, &a->wish);
}

static int64_t ask_and_wait(struct world *w)
{
    struct asked a;
    ask(w, &a);
    mem_env_run_until_idle(w->m);
    CHECK_EQUAL(a.done_count, 1);
    CHECK_EQUAL(a.wish.error, ERR_OK);
    return a.wish.id;
}

TEST(producer_ids_come_from_one_entry_a_block)
{
    struct mem_env m;
    struct world w;
    start_env(&m);
    world_start(&w, &m);
    int64_t before = entries(&w);
    for (int64_t id = 0; id < PRODUCER_ID_BLOCK; id++)
        CHECK_EQUAL(ask_and_wait(&w), id);
    CHECK_EQUAL(entries(&w), before + 1);
    CHECK_EQUAL(ask_and_wait(&w), PRODUCER_ID_BLOCK);
    CHECK_EQUAL(entries(&w), before + 2);
    world_stop(&w);
    mem_env_deinit(&m);
}

TEST(producer_ids_are_told_only_once_the_block_is_committed)
{
    struct mem_env m;
    struct world w;
    start_env(&m);
    world_start(&w, &m);
    struct asked a, b;
    ask(&w, &a);
    ask(&w, &b);
    mem_env_run_loops(&m); /* no job: nothing is on disk yet */
    CHECK_EQUAL(a.done_count + b.done_count, 0);
    mem_env_run_until_idle(&m);
    CHECK_EQUAL(a.done_count, 1);
    CHECK_EQUAL(a.wish.id, 0);
    CHECK_EQUAL(b.wish.id, 1);
    world_stop(&w);
    mem_env_deinit(&m);
}

TEST(producer_ids_many_wait_for_several_blocks)
{
    enum { COUNT = 2 * PRODUCER_ID_BLOCK + 500 };
    struct mem_env m;
    struct world w;
    start_env(&m);
    world_start(&w, &m);
    int64_t before = entries(&w);
    struct asked *all = mem_alloc(COUNT * sizeof(*all));
    for (int i = 0; i < COUNT; i++)
        ask(&w, &all[i]);
    mem_env_run_until_idle(&m);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQUAL(all[i].done_count, 1);
        CHECK_EQUAL(all[i].wish.id, i);
    }
    CHECK_EQUAL(entries(&w), before + 3);
    mem_free(all);
    world_stop(&w);
    mem_env_deinit(&m);
}

TEST(producer_ids_go_on_behind_the_block_after_a_restart)
{
    struct mem_env m;
    struct world w;
    start_env(&m);
    for (int64_t run = 0; run < 3; run++) {
        world_start(&w, &m);
        CHECK_EQUAL(ask_and_wait(&w), run * PRODUCER_ID_BLOCK);
        CHECK_EQUAL(ask_and_wait(&w), run * PRODUCER_ID_BLOCK + 1);
        world_stop(&w);
    }
    mem_env_deinit(&m);
}

/* Whichever disk call of the block's entry fails: all who wait are told, once, and a later start
 * gives no id twice. */
TEST(producer_ids_survive_each_io_failure)
{
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct mem_env m;
        struct world w;
        start_env(&m);
        world_start(&w, &m);
        struct asked asked[3];
        m.fail_at = fail_at;
        for (int i = 0; i < 3; i++)
            ask(&w, &asked[i]);
        mem_env_run_until_idle(&m);
        failed = asked[0].wish.error != ERR_OK;
        m.fail_at = 0;
        for (int i = 0; i < 3; i++) {
            CHECK_EQUAL(asked[i].done_count, 1);
            CHECK_EQUAL(asked[i].wish.error != ERR_OK, failed);
            CHECK_EQUAL(asked[i].wish.id, failed ? -1 : i);
        }
        world_stop(&w);
        world_start(&w, &m);
        CHECK(ask_and_wait(&w) >= (failed ? 0 : PRODUCER_ID_BLOCK));
        world_stop(&w);
        mem_env_deinit(&m);
    }
}

TEST(producer_ids_those_who_wait_at_a_stop_are_told)
{
    struct mem_env m;
    struct world w;
    start_env(&m);
    world_start(&w, &m);
    struct asked a;
    ask(&w, &a);
    world_stop(&w);
    CHECK_EQUAL(a.done_count, 1);
    CHECK((a.wish.error == ERR_OK) == (a.wish.id >= 0));
    mem_env_deinit(&m);
}
