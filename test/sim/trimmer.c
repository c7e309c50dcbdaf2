// SPDX-License-Identifier: Apache-2.0
/* trimmer: see trimmer.h. Thread: one. */
#include "trimmer.h"

#include "base/assert.h"
#include "wire/delete_records.h"
#include "wire/kerr.h"

enum {
    PAUSE_MAX_MS = 60,
    TIMEOUT_MS = 30000,
    ALL_PERCENT = 10,
    TOO_FAR_PERCENT = 5,
    TOO_FAR = 1000000,
    SHARE = 4, /* at most this part of what is there */
};

static void step(struct trimmer *t);

static struct history *history_of(const struct trimmer *t)
{
    return t->client.options.history;
}

static void step_later(struct trimmer *t)
{
    client_later(&t->client, &t->pause, 0, PAUSE_MAX_MS * SIM_MS);
}

/* ---- the answer */

static void judge(struct trimmer *t, int16_t error, int64_t low_watermark)
{
    struct history *h = history_of(t);
    const struct history_partition *p = &h->partitions[t->partition];
    bool is_too_far = t->offset > t->floor.high_watermark;
    switch (error) {
    case KERR_NONE:
        if (low_watermark < t->offset)
            history_fail(h, "trimmers", "%s-%d was to start at %lld and starts at %lld", p->topic,
                         p->index, (long long)t->offset, (long long)low_watermark);
        history_told(h, t->partition, &t->floor, &(struct history_offsets){-1, low_watermark, -1});
        return;
    case KERR_OFFSET_OUT_OF_RANGE:
        if (!is_too_far && history_is_current(h, t->partition, &t->floor))
            history_fail(h, "trimmers", "%s-%d has a high watermark below %lld", p->topic, p->index,
                         (long long)t->offset);
        return;
    case KERR_NOT_LEADER_OR_FOLLOWER: /* it stops */
    case KERR_KAFKA_STORAGE_ERROR:    /* no room for the new log start: another time */
        return;
    default:
        history_fail(h, "trimmers", "DeleteRecords answered %s", kerr_name((enum kerr)error));
    }
}

static void on_done(struct call *call, enum err e, const void *response)
{
    struct trimmer *t = container_of(call, struct trimmer, call);
    const struct delete_records_response *answer = response;
    t->is_busy = false;
    if (e != ERR_OK)
        return; /* it may have happened */
    if (answer->topics.count != 1 || answer->topics.items[0].partitions.count != 1) {
        history_fail(history_of(t), "trimmers", "DeleteRecords answered for other partitions");
        return;
    }
    const struct delete_records_response_delete_records_partition_result *row =
        &answer->topics.items[0].partitions.items[0];
    judge(t, row->error_code, row->low_watermark);
    step_later(t);
}

/* ---- the question */

static int64_t draw_offset(struct trimmer *t)
{
    struct sim *sim = client_sim(&t->client);
    int64_t start = t->floor.log_start;
    int64_t end = MAX(t->floor.high_watermark, start);
    if (sim_percent(sim, TOO_FAR_PERCENT))
        return end + TOO_FAR;
    if (sim_percent(sim, ALL_PERCENT))
        return t->floor.high_watermark;
    return MIN(start + sim_draw(sim, 0, (end - start) / SHARE), t->floor.high_watermark);
}

static void step(struct trimmer *t)
{
    if (!t->client.is_ready || t->is_busy)
        return;
    struct history *h = history_of(t);
    const struct client_options *options = &t->client.options;
    t->partition =
        options->partitions[sim_draw(client_sim(&t->client), 0, options->partition_count - 1)];
    t->floor = history_floor_of(h, t->partition);
    t->offset = draw_offset(t);
    if (t->offset <= t->floor.high_watermark)
        history_trim_asked(h, t->partition, t->offset);
    struct delete_records_request_delete_records_partition partition = {
        .partition_index = h->partitions[t->partition].index, .offset = t->offset};
    struct delete_records_request_delete_records_topic topic = {
        .name = wire_str_of(h->partitions[t->partition].topic), .partitions = {&partition, 1}};
    struct delete_records_request request = {.topics = {&topic, 1}, .timeout_ms = TIMEOUT_MS};
    t->is_busy = true;
    t->call = (struct call){.api_key = API_DELETE_RECORDS, .done = on_done};
    connection_call(&t->client.connection, &t->call, &request);
}

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct trimmer, pause));
}

static void on_ready(void *arg)
{
    step_later(arg);
}

static void on_lost(void *arg)
{
}

void trimmer_start(struct trimmer *t, const struct client_options *client)
{
    ASSERT(client->partition_count > 0);
    *t = (struct trimmer){.pause = {.fire = on_pause_over}};
    struct client_options own = *client;
    own.arg = t;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&t->client, &own);
}

void trimmer_stop(struct trimmer *t)
{
    loop_timer_stop(sim_env_loop(t->client.options.env, 0), &t->pause);
    client_stop(&t->client);
}
