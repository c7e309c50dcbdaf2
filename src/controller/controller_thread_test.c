// SPDX-License-Identifier: Apache-2.0
/* The driver on real threads: a loop, disk workers, and submitters that read images meanwhile.
 * Under a thread sanitizer this is the test of its locks. Thread: main, and loops of their own. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/testing.h"
#include "controller/controller.h"
#include "env/logger.h"
#include "env/real_env.h"

enum { SUBMITTERS = 3, CHANGES_EACH = 30 };

static void write_nothing(struct logger *logger, enum log_level level, const char *line)
{
    (void)logger;
    (void)level;
    (void)line;
}

struct node;

/* Makes one topic after the other; each on a loop of its own. */
struct submitter {
    struct node *node;
    struct real_loop *loop;
    struct loop_task next;
    int number;
    int made;
    int failures;
    struct change change;
    char name[24];
    enum kerr result;
    struct image *held;
    uint64_t version;
};

struct node {
    struct env *env;
    struct real_loop *loop; /* the controller's */
    struct image_slot slot;
    struct config_layers layers;
    struct broker_start start;
    struct controller *controller;
    enum err start_error;
    struct submitter submitters[SUBMITTERS];
    _Atomic int busy;          /* submitters that are not through */
    struct real_loop *the_end; /* main runs it until all is over */
};

/* The owner follows on a disk worker, as a broker does. */
struct following {
    struct env_job job;
    struct node *node;
    struct image_update *update;
};

static bool follow(struct env_job *job)
{
    struct following *f = container_of(job, struct following, job);
    struct node *n = f->node;
    struct image_update *update = f->update;
    free(f);
    controller_applied(n->controller, update);
    return false;
}

static void on_image(void *arg, struct image_update *update)
{
    struct following *f = calloc(1, sizeof(*f));
    f->job = (struct env_job){.run = follow, .queue = ENV_QUEUE_BACKGROUND};
    f->node = arg;
    f->update = update;
    env_submit(f->node->env, &f->job);
}

static void on_stopped(void *arg)
{
    real_loop_stop(((struct node *)arg)->the_end);
}

static void on_started(void *arg, enum err e, const char *why)
{
    struct node *n = arg;
    (void)why;
    n->start_error = e;
    for (int i = 0; i < SUBMITTERS; i++)
        loop_post(real_loop_loop(n->submitters[i].loop), &n->submitters[i].next);
}

static enum err creation_decide(struct change *change, struct decision *d)
{
    struct submitter *s = container_of(change, struct submitter, change);
    struct auto_topic topic = {.name = s->name,
                               .name_len = strlen(s->name),
                               .partition_count = 2,
                               .replication_factor = 1};
    return decide_auto_topic(d, &topic, &s->result);
}

static void creation_done(struct change *change)
{
    struct submitter *s = container_of(change, struct submitter, change);
    loop_post(real_loop_loop(s->loop), &s->next);
}

static void submit_next(struct loop_task *task)
{
    struct submitter *s = container_of(task, struct submitter, next);
    struct node *n = s->node;
    if (s->made > 0) {
        image_slot_refresh(&n->slot, &s->held, &s->version);
        s->failures += s->change.error != ERR_OK || s->result != KERR_NONE ||
                       image_topic(s->held, s->name, strlen(s->name)) == NULL;
    }
    if (s->made++ < CHANGES_EACH) {
        s->change = (struct change){.decide = creation_decide, .done = creation_done};
        snprintf(s->name, sizeof(s->name), "t-%d-%d", s->number, s->made);
        controller_submit(n->controller, &s->change);
        return;
    }
    image_unref(s->held);
    if (atomic_fetch_sub(&n->busy, 1) == 1)
        controller_stop(n->controller, on_stopped, n);
}

static void node_run(struct node *n, struct real_env *real)
{
    atomic_init(&n->busy, SUBMITTERS);
    CHECK_EQUAL(real_loop_new(real, &n->the_end), ERR_OK);
    for (int i = 0; i < SUBMITTERS; i++) {
        struct submitter *s = &n->submitters[i];
        s->node = n;
        s->number = i;
        s->next.run = submit_next;
        CHECK_EQUAL(real_loop_new(real, &s->loop), ERR_OK);
        CHECK_EQUAL(real_loop_start(s->loop, "submitter"), ERR_OK);
    }
    CHECK_EQUAL(real_loop_start(n->loop, "controller"), ERR_OK);
    controller_start(n->controller, on_started, n);
    real_loop_run(n->the_end);
    for (int i = 0; i < SUBMITTERS; i++) {
        real_loop_stop(n->submitters[i].loop);
        real_loop_join(n->submitters[i].loop);
        real_loop_free(n->submitters[i].loop);
        CHECK_EQUAL(n->submitters[i].failures, 0);
    }
    real_loop_stop(n->loop);
    real_loop_join(n->loop);
    real_loop_free(n->the_end);
    CHECK_EQUAL(n->start_error, ERR_OK);
}

TEST(controller_on_real_threads)
{
    char dir[] = "/tmp/klamm-controller-XXXXXX";
    CHECK(mkdtemp(dir) != NULL);
    struct logger logger = {.level = LOG_ERROR, .write = write_nothing};
    struct real_env *real = NULL;
    CHECK_EQUAL(real_env_new(&(struct real_env_options){.workers = 2, .logger = &logger}, &real),
                ERR_OK);
    static struct node n;
    n = (struct node){.env = real_env_env(real), .start = {.node_id = 1, .is_controller = true}};
    CHECK_EQUAL(real_loop_new(real, &n.loop), ERR_OK);
    struct store *store = NULL;
    struct strbuf why;
    strbuf_init(&why);
    CHECK_EQUAL(store_file_open(n.env, real_loop_loop(n.loop), dir, &why, &store), ERR_OK);
    image_slot_init(&n.slot);
    config_layers_init(&n.layers);
    struct controller_options options = {
        .loop = real_loop_loop(n.loop),
        .store = store,
        .slot = &n.slot,
        .layers = &n.layers,
        .start = &n.start,
        .owner = {.arg = &n, .on_image = on_image},
    };
    n.controller = controller_new(n.env, &options);
    node_run(&n, real);
    CHECK_EQUAL(image_topic_count(n.slot.image), SUBMITTERS * CHANGES_EACH);

    controller_free(n.controller);
    store_close(store);
    image_slot_deinit(&n.slot);
    config_layers_deinit(&n.layers);
    real_loop_free(n.loop);
    strbuf_printf(&why, "%s/klamm.metadata", dir);
    CHECK_EQUAL(env_path_unlink(n.env, strbuf_text(&why)), ERR_OK);
    CHECK_EQUAL(env_dir_remove(n.env, dir), ERR_OK);
    strbuf_deinit(&why);
    real_env_free(real);
}
