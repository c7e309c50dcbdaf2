// SPDX-License-Identifier: Apache-2.0
/* group_fixture: see group_fixture.h: the log, and groups as a whole. Thread: main. */
#include "coordinator/group_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/strbuf.h"

/* ---- the log */

static struct shard_write *forget_batch(struct group_fixture *f, size_t index, bool is_committed)
{
    struct fixture_batch *batch = &f->batches[index];
    struct shard_write *write = batch->write;
    batch->write = NULL;
    if (is_committed)
        return write;
    mem_free(batch->data);
    f->batch_count--;
    memmove(batch, batch + 1, (f->batch_count - index) * sizeof(*batch));
    return write;
}

static struct fixture_batch *add_batch(struct group_fixture *f, const uint8_t *data, size_t len)
{
    if (f->batch_count == f->batch_capacity) {
        f->batch_capacity = f->batch_capacity == 0 ? 64 : f->batch_capacity * 2;
        f->batches = mem_realloc(f->batches, f->batch_capacity * sizeof(f->batches[0]));
    }
    struct fixture_batch *batch = &f->batches[f->batch_count++];
    *batch = (struct fixture_batch){.data = mem_alloc(len), .len = len};
    memcpy(batch->data, data, len);
    return batch;
}

static void commit_task(struct loop_task *task)
{
    struct group_fixture *f = container_of(task, struct group_fixture, commit_task);
    f->commit_posted = false;
    if (!f->by_hand)
        fixture_commit(f);
}

static void log_append(void *arg, struct shard_write *write)
{
    struct group_fixture *f = arg;
    struct fixture_batch *batch = add_batch(f, write->bytes.data, write->bytes.len);
    batch->write = write;
    iobuf_slice_release(&write->bytes);
    if (f->by_hand || f->commit_posted)
        return;
    f->commit_posted = true;
    f->commit_task.run = commit_task;
    loop_post(f->loop, &f->commit_task);
}

size_t fixture_under_way(const struct group_fixture *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->batch_count; i++)
        count += f->batches[i].write != NULL;
    return count;
}

void fixture_complete(struct group_fixture *f, size_t nth, enum kerr error)
{
    for (size_t i = 0; i < f->batch_count; i++) {
        if (f->batches[i].write == NULL || nth-- > 0)
            continue;
        struct shard_write *write = forget_batch(f, i, error == KERR_NONE);
        write->error = error;
        group_shard_written(f->shard, write);
        return;
    }
    CHECK(false);
}

void fixture_commit(struct group_fixture *f)
{
    while (fixture_under_way(f) > 0)
        fixture_complete(f, 0, KERR_NONE);
}

static enum err replay_into(const struct group_fixture *f, struct group_shard *shard)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < f->batch_count && e == ERR_OK; i++) {
        if (f->batches[i].write == NULL)
            e = group_shard_replay(shard, f->batches[i].data, f->batches[i].len);
    }
    return e;
}

void fixture_load(struct group_fixture *f)
{
    CHECK(f->is_loading);
    CHECK_EQUAL(fixture_under_way(f), 0);
    f->is_loading = false;
    group_shard_loaded(f->shard, replay_into(f, f->shard));
}

static void load_task(struct loop_task *task)
{
    fixture_load(container_of(task, struct group_fixture, load_task));
}

static void log_load(void *arg)
{
    struct group_fixture *f = arg;
    CHECK(!f->is_loading);
    f->is_loading = true;
    f->loads++;
    f->load_task.run = load_task;
    if (!f->load_by_hand)
        loop_post(f->loop, &f->load_task);
}

void fixture_add_record(struct group_fixture *f, struct record_bytes key, struct record_bytes value)
{
    struct batch_builder b;
    struct batch_options options = batch_options_default();
    struct record r = {.timestamp = env_wall_ms(&f->m.env), .key = key, .value = value};
    struct batch_buffer out;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    batch_buffer_init(&out, 1 << 20);
    CHECK_EQUAL(batch_builder_finish(&b, &out), ERR_OK);
    add_batch(f, out.data, out.len);
    batch_buffer_deinit(&out);
    batch_builder_deinit(&b);
}

/* ---- life */

struct group_settings fixture_settings(void)
{
    return (struct group_settings){
        .session_timeout_min_ms = 6000,
        .session_timeout_max_ms = 1800000,
        .initial_rebalance_delay_ms = FIXTURE_START_MS,
        .members_max = 1000,
        .offset_metadata_bytes_max = 100,
        .offsets_retention_ms = INT64_C(7) * 24 * 3600 * 1000,
        .retention_check_ms = 600000,
        .batch_bytes_max = 1 << 20,
    };
}

static void on_stopped(void *arg)
{
    ++*(int *)arg;
}

void fixture_init(struct group_fixture *f, const struct group_settings *settings)
{
    *f = (struct group_fixture){0};
    mem_env_init(&f->m);
    f->loop = mem_env_loop(&f->m, 0);
    list_init(&f->calls);
    struct group_shard_options options = {
        .loop = f->loop,
        .index = 7,
        .settings = settings != NULL ? *settings : fixture_settings(),
        .log = {.arg = f, .append = log_append, .load = log_load},
        .stats = &f->stats,
    };
    f->shard = group_shard_new(&options);
    group_shard_start(f->shard);
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(f->shard->state, SHARD_ACTIVE);
}

void fixture_stop(struct group_fixture *f)
{
    group_shard_stop(f->shard, on_stopped, &f->stopped);
}

void fixture_deinit(struct group_fixture *f)
{
    int stopped = f->stopped;
    if (f->shard->state != SHARD_STOPPING)
        fixture_stop(f);
    fixture_commit(f);
    if (f->is_loading && f->load_by_hand)
        fixture_load(f);
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(f->stopped, stopped + 1); /* the last one, if the test has stopped it, too */
    group_shard_free(f->shard);
    fixture_forget_calls(f);
    CHECK(list_is_empty(&f->calls)); /* all were answered */
    for (size_t i = 0; i < f->batch_count; i++)
        mem_free(f->batches[i].data);
    mem_free(f->batches);
    mem_env_deinit(&f->m);
}

/* ---- what is in it */

static char *dump_of(const struct group_shard *shard)
{
    struct strbuf text;
    strbuf_init(&text);
    group_shard_dump(shard, &text);
    char *copy = mem_strdup(strbuf_text(&text));
    strbuf_deinit(&text);
    return copy;
}

char *fixture_dump(const struct group_fixture *f)
{
    return dump_of(f->shard);
}

static void load_nothing(void *arg)
{
}

static void append_nothing(void *arg, struct shard_write *write)
{
    CHECK(false);
}

char *fixture_replayed_dump(struct group_fixture *f)
{
    int stopped = 0;
    struct group_stats stats = {0};
    struct group_shard_options options = {
        .loop = f->loop,
        .index = 7,
        .settings = f->shard->settings,
        .log = {.arg = f, .append = append_nothing, .load = load_nothing},
        .stats = &stats,
    };
    struct group_shard *shard = group_shard_new(&options);
    group_shard_start(shard);
    enum err e = replay_into(f, shard);
    CHECK_EQUAL(e, ERR_OK);
    group_shard_loaded(shard, e);
    char *text = dump_of(shard);
    group_shard_stop(shard, on_stopped, &stopped);
    CHECK_EQUAL(stopped, 1);
    group_shard_free(shard);
    for (int i = 0; i < GROUP_STATE_COUNT; i++)
        CHECK_EQUAL(stats.groups[i], 0);
    CHECK_EQUAL(stats.offsets, 0);
    return text;
}

void fixture_check_replay(struct group_fixture *f)
{
    CHECK_EQUAL(f->shard->state, SHARD_ACTIVE);
    CHECK_EQUAL(fixture_under_way(f), 0);
    char *live = fixture_dump(f), *replayed = fixture_replayed_dump(f);
    CHECK_TEXT(live, replayed);
    mem_free(live);
    mem_free(replayed);
}

void fixture_check_stats(const struct group_fixture *f)
{
    int64_t groups[GROUP_STATE_COUNT] = {0}, offsets = 0;
    MAP_FOR_EACH (node, &f->shard->groups) {
        const struct group *group = container_of(node, struct group, node);
        groups[group->state]++;
        LIST_FOR_EACH (topic, &group->offsets.topics) {
            LIST_FOR_EACH (link, &container_of(topic, struct offset_topic, link)->partitions)
                offsets++;
        }
    }
    for (int i = 0; i < GROUP_DEAD; i++)
        CHECK_EQUAL(f->stats.groups[i], groups[i]);
    int64_t dead = f->stats.groups[GROUP_DEAD];
    CHECK(dead >= 0 && (dead == 0 || !list_is_empty(&f->shard->writes)));
    /* The offsets of a group that goes are there as long as it. */
    CHECK(f->stats.offsets == offsets || (f->stats.offsets > offsets && dead > 0));
    int64_t partitions[GROUP_PARTITION_STATE_COUNT] = {
        f->shard->state == SHARD_LOADING,
        f->shard->state == SHARD_ACTIVE,
        f->shard->state == SHARD_FAILING,
    };
    for (int i = 0; i < GROUP_PARTITION_STATE_COUNT; i++)
        CHECK_EQUAL(f->stats.partitions[i], partitions[i]);
}

bool fixture_is_at_rest(const struct group_fixture *f)
{
    if (f->shard->state != SHARD_ACTIVE || fixture_under_way(f) > 0)
        return false;
    MAP_FOR_EACH (node, &f->shard->groups) {
        const struct group *group = container_of(node, struct group, node);
        if ((group->state != GROUP_EMPTY && group->state != GROUP_STABLE) || group->is_unwritten)
            return false;
    }
    return true;
}

void fixture_check_groups(const struct group_fixture *f)
{
    if (f->shard->state != SHARD_ACTIVE)
        return;
    MAP_FOR_EACH (node, &f->shard->groups) {
        struct group *group = container_of(node, struct group, node);
        group_check_members(group);
        group_check(group);
    }
}

struct group *fixture_group(const struct group_fixture *f, const char *id)
{
    return group_shard_find(f->shard, wire_str_of(id));
}

enum group_state fixture_state(const struct group_fixture *f)
{
    const struct group *group = fixture_group(f, "g");
    return group != NULL ? group->state : GROUP_DEAD;
}

/* ---- whole groups */

void fixture_id(const struct fixture_call *joined, char out[FIXTURE_ID_SIZE])
{
    struct wire_str id = joined->join->member_id;
    CHECK(id.len >= 0 && id.len < FIXTURE_ID_SIZE);
    memcpy(out, id.data, (size_t)id.len);
    out[id.len] = '\0';
}

struct fixture_call *fixture_rejoin(struct group_fixture *f, const char *id)
{
    return fixture_join(f, &(struct join_args){.member = id});
}

void fixture_sync_all(struct group_fixture *f, int32_t generation, int count,
                      char ids[][FIXTURE_ID_SIZE])
{
    const char *pairs[2 * 16 + 1] = {NULL};
    char texts[16][8];
    CHECK(count <= 16);
    for (int i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "a%d", i);
        pairs[2 * i] = ids[i];
        pairs[2 * i + 1] = texts[i];
    }
    for (int i = 0; i < count; i++) {
        struct fixture_call *sync =
            fixture_sync(f, &(struct sync_args){.member = ids[i],
                                                .generation = generation,
                                                .assignments = i == 0 ? pairs : NULL});
        mem_env_run_until_idle(&f->m);
        CHECK_EQUAL(sync->done, 1);
        CHECK_EQUAL(sync->sync->error_code, KERR_NONE);
        CHECK_EQUAL(sync->sync->assignment.len, strlen(texts[i]));
        CHECK(memcmp(sync->sync->assignment.data, texts[i], strlen(texts[i])) == 0);
    }
    CHECK_EQUAL(fixture_state(f), GROUP_STABLE);
}

static void form(struct group_fixture *f, int count, char ids[][FIXTURE_ID_SIZE], bool is_static)
{
    struct fixture_call *joins[16];
    char instance[16];
    CHECK(count >= 1 && count <= 16);
    for (int i = 0; i < count; i++) {
        snprintf(instance, sizeof(instance), "i%d", i);
        joins[i] = fixture_join(f, &(struct join_args){.instance = is_static ? instance : NULL});
    }
    mem_env_advance_ms(&f->m, 2 * FIXTURE_START_MS);
    for (int i = 0; i < count; i++) {
        CHECK_EQUAL(joins[i]->done, 1);
        CHECK_EQUAL(joins[i]->join->error_code, KERR_NONE);
        CHECK_EQUAL(joins[i]->join->generation_id, 1);
        fixture_id(joins[i], ids[i]);
    }
    CHECK(wire_str_is(joins[0]->join->leader, ids[0]));
    CHECK_EQUAL(fixture_state(f), GROUP_COMPLETING);
    fixture_sync_all(f, 1, count, ids);
}

void fixture_form(struct group_fixture *f, int count, char ids[][FIXTURE_ID_SIZE])
{
    form(f, count, ids, false);
}

void fixture_form_static(struct group_fixture *f, int count, char ids[][FIXTURE_ID_SIZE])
{
    form(f, count, ids, true);
}
