// SPDX-License-Identifier: Apache-2.0
/*
 * producer: see producer.h.
 *
 * A batch: made -> queued -> sent -> acknowledged. Back to queued when its connection is
 * lost or the broker says "again". Given up: the history calls its records unknown.
 *
 * Thread: one.
 */
#include "producer.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/init_producer_id.h"
#include "wire/kerr.h"
#include "wire/produce.h"

enum {
    RETRY_MIN_MS = 1,
    RETRY_MAX_MS = 50,
    REQUEST_TIMEOUT_MS = 30000,
    OVERTAKE_PERCENT = 5,
    TOMBSTONE_PERCENT = 15
};

static void pump(struct producer *p);

static struct history *history_of(const struct producer *p)
{
    return p->client.options.history;
}

static struct producer_batch *batch_of(struct list *node)
{
    return container_of(node, struct producer_batch, link);
}

/* ---- batches */

static void draw_key(struct producer *p, struct history_new_record *record)
{
    struct sim *sim = client_sim(&p->client);
    int32_t key_count = history_of(p)->partitions[record->partition].key_count;
    if (key_count == 0)
        return;
    record->key = (int32_t)sim_draw(sim, 1, key_count);
    record->is_tombstone = sim_percent(sim, TOMBSTONE_PERCENT);
}

static void make_batch(struct producer *p, struct producer_partition *part)
{
    struct sim *sim = client_sim(&p->client);
    struct producer_batch *batch = mem_alloc(sizeof(*batch));
    batch->count = (int32_t)sim_draw(sim, 1, p->options.batch_records_max);
    batch->sequence = part->next_sequence;
    batch->ordinal = part->next_ordinal++;
    batch->created_ns = sim->now_ns;
    batch->timestamp_ms = env_wall_ms(&p->client.options.env->env);
    part->next_sequence += batch->count;
    for (int32_t i = 0; i < batch->count; i++) {
        struct history_new_record record = {
            .partition = part->partition,
            .producer = p->index,
            .instance = p->options.is_idempotent ? p->instance : -1,
            .number = part->next_number++,
            .bytes = (uint32_t)sim_draw(sim, HISTORY_RECORD_BYTES_MIN, p->options.record_bytes_max),
        };
        draw_key(p, &record);
        uint32_t id = history_add_record(history_of(p), &record);
        batch->first_record = i == 0 ? id : batch->first_record;
    }
    list_push_back(&part->batches, &batch->link);
    part->left--;
}

static void drop_batch(struct producer_batch *batch)
{
    list_remove(&batch->link);
    mem_free(batch);
}

static void give_up_batch(struct producer *p, struct producer_batch *batch)
{
    for (int32_t i = 0; i < batch->count; i++)
        history_unknown(history_of(p), batch->first_record + (uint32_t)i);
    drop_batch(batch);
}

/* What has no value to be known by has it in a header. */
static void add_record(struct producer *p, uint32_t id, struct record *record)
{
    const struct history_record *r = &history_of(p)->records[id];
    struct batch_buffer headers;
    batch_buffer_init(&headers, SIZE_MAX);
    char key[16];
    enum err e = ERR_OK;
    if (r->key > 0)
        record->key = (struct record_bytes){(const uint8_t *)key,
                                            snprintf(key, sizeof(key), "key %d", (int)r->key)};
    if (r->is_tombstone) {
        struct record_header header = {.name = {(const uint8_t *)"id", 2}, .value = record->value};
        e = record_header_write(&headers, &header);
        record->value = (struct record_bytes){NULL, -1};
        record->header_count = 1;
        record->headers = (struct record_bytes){headers.data, (int32_t)headers.len};
    }
    if (e == ERR_OK)
        e = batch_builder_add(&p->builder, record);
    ASSERT(e == ERR_OK);
    batch_buffer_deinit(&headers);
}

/* The bytes of a batch, the same at each sending. */
static void build_batch(struct producer *p, const struct producer_batch *batch,
                        struct batch_buffer *out)
{
    const struct history *h = history_of(p);
    struct batch_options options = batch_options_default();
    options.codec = p->options.codec;
    if (p->options.is_idempotent) {
        options.producer_id = p->producer_id;
        options.producer_epoch = p->producer_epoch;
        options.base_sequence = batch->sequence;
    }
    options.leader_epoch = -1;
    batch_builder_start(&p->builder, &options);
    for (int32_t i = 0; i < batch->count; i++) {
        uint32_t id = batch->first_record + (uint32_t)i;
        uint8_t *value = mem_alloc(h->records[id].bytes);
        history_fill(h, id, value);
        struct record record = {
            .timestamp = batch->timestamp_ms,
            .key = {NULL, -1},
            .value = {value, (int32_t)h->records[id].bytes},
        };
        add_record(p, id, &record);
        mem_free(value);
    }
    enum err e = batch_builder_finish(&p->builder, out);
    ASSERT(e == ERR_OK);
}

/* ---- a new life for an idempotent producer */

static void ask_id(struct producer *p);

static void forget_in_calls(struct producer *p, const struct producer_batch *batch)
{
    for (int i = 0; i < PRODUCER_IN_FLIGHT_MAX; i++) {
        for (uint32_t k = 0; k < p->calls[i].count; k++) {
            if (p->calls[i].batches[k] == batch)
                p->calls[i].batches[k] = NULL;
        }
    }
}

/* What was sent and not answered is unknown; the rest gets new sequences. */
static void begin_anew(struct producer *p)
{
    struct history *h = history_of(p);
    p->instance++;
    p->producer_id = -1;
    for (uint32_t i = 0; i < p->client.options.partition_count; i++) {
        struct producer_partition *part = &p->partitions[i];
        part->next_sequence = 0;
        part->is_known = false;
        LIST_FOR_EACH_SAFE (node, &part->batches) {
            struct producer_batch *batch = batch_of(node);
            forget_in_calls(p, batch);
            if (batch->was_sent) {
                give_up_batch(p, batch);
                continue;
            }
            batch->sequence = part->next_sequence;
            part->next_sequence += batch->count;
            for (int32_t k = 0; k < batch->count; k++)
                h->records[batch->first_record + (uint32_t)k].instance = p->instance;
        }
    }
    ask_id(p);
}

static void on_id(struct call *call, enum err e, const void *response)
{
    struct producer *p = container_of(call, struct producer, init_call);
    p->is_asking_id = false;
    if (e != ERR_OK)
        return;
    const struct init_producer_id_response *answer = response;
    if (answer->error_code != KERR_NONE) {
        if (!kerr_is_retriable((enum kerr)answer->error_code))
            history_fail(history_of(p), "producers", "InitProducerId answered %s",
                         kerr_name((enum kerr)answer->error_code));
        client_reconnect(&p->client);
        return;
    }
    history_producer_id(history_of(p), answer->producer_id, answer->producer_epoch);
    p->producer_id = answer->producer_id;
    p->producer_epoch = answer->producer_epoch;
    pump(p);
}

static void ask_id(struct producer *p)
{
    if (p->is_asking_id || !p->client.is_ready)
        return;
    struct init_producer_id_request request;
    wire_defaults(wire_api_find(API_INIT_PRODUCER_ID)->request->body, &request);
    request.transactional_id = wire_str_of(NULL);
    request.transaction_timeout_ms = 60000;
    p->is_asking_id = true;
    p->init_call = (struct call){.api_key = API_INIT_PRODUCER_ID, .done = on_id};
    connection_call(&p->client.connection, &p->init_call, &request);
}

/* ---- answers */

static void ack_batch(struct producer *p, struct producer_batch *batch, int64_t base_offset)
{
    struct history *h = history_of(p);
    for (int32_t i = 0; i < batch->count; i++)
        history_acked(h, batch->first_record + (uint32_t)i, base_offset + i, p->options.acks == -1);
    h->acked_operations++;
    drop_batch(batch);
}

static bool is_first_unanswered(const struct producer_partition *part,
                                const struct producer_batch *batch)
{
    return part->batches.next == &batch->link;
}

/* The broker does not know what came before. True: the producer begins anew, and its batches
 * are not what they were. */
static bool sequence_refused(struct producer *p, struct producer_partition *part,
                             struct producer_batch *batch, enum kerr error)
{
    struct history *h = history_of(p);
    const struct history_partition *partition = &h->partitions[part->partition];
    if (error == KERR_OUT_OF_ORDER_SEQUENCE_NUMBER && !is_first_unanswered(part, batch)) {
        batch->state = BATCH_QUEUED; /* its predecessor goes first */
        return false;
    }
    if (partition->is_durable) {
        history_fail(h, "sequences survive",
                     "%s-%d: all before is acknowledged, and sequence %d "
                     "of producer %lld is refused with %s",
                     partition->topic, partition->index, batch->sequence, (long long)p->producer_id,
                     kerr_name(error));
    }
    begin_anew(p);
    return true;
}

/* True: the producer began anew. */
static bool take_answer(struct producer *p, struct producer_partition *part,
                        struct producer_batch *batch,
                        const struct produce_response_partition_produce_response *answer)
{
    enum kerr error = (enum kerr)answer->error_code;
    switch (answer->error_code) {
    case KERR_NONE:
        ack_batch(p, batch, answer->base_offset);
        part->is_known = p->options.is_idempotent;
        return false;
    case KERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case KERR_UNKNOWN_PRODUCER_ID:
    case KERR_INVALID_PRODUCER_EPOCH:
        return sequence_refused(p, part, batch, error);
    case KERR_NOT_LEADER_OR_FOLLOWER:
    case KERR_LEADER_NOT_AVAILABLE:
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_UNKNOWN_TOPIC_ID:
    case KERR_KAFKA_STORAGE_ERROR:
    case KERR_REQUEST_TIMED_OUT:
        batch->state = BATCH_QUEUED;
        return false;
    default:
        history_fail(history_of(p), "producers", "Produce answered %s", kerr_name(error));
        batch->state = BATCH_QUEUED;
        return false;
    }
}

static const struct produce_response_partition_produce_response *
find_answer(const struct producer *p, const struct produce_response *response, uint32_t partition)
{
    for (int32_t t = 0; t < response->responses.count; t++) {
        const struct produce_response_topic_produce_response *topic = &response->responses.items[t];
        for (int32_t i = 0; i < topic->partition_responses.count; i++) {
            if (client_find_partition(&p->client, topic->name, topic->topic_id,
                                      topic->partition_responses.items[i].index) ==
                (int32_t)partition)
                return &topic->partition_responses.items[i];
        }
    }
    return NULL;
}

static uint32_t partition_key(const struct producer *p, const struct producer_call *call,
                              uint32_t i)
{
    return p->partitions[call->partitions[i]].partition;
}

static void requeue_call(struct producer_call *call)
{
    for (uint32_t i = 0; i < call->count; i++) {
        if (call->batches[i] != NULL)
            call->batches[i]->state = BATCH_QUEUED;
    }
}

static void on_produced(struct call *c, enum err e, const void *response)
{
    struct producer_call *call = container_of(c, struct producer_call, call);
    struct producer *p = call->producer;
    call->is_used = false;
    if (e != ERR_OK) {
        requeue_call(call);
        return;
    }
    p->last_ack_took_ns = env_mono_ns(&p->client.options.env->env) - c->sent_ns;
    bool is_whole = true;
    for (uint32_t i = 0; i < call->count; i++) {
        struct producer_partition *part = &p->partitions[call->partitions[i]];
        const struct produce_response_partition_produce_response *answer =
            find_answer(p, response, part->partition);
        if (answer == NULL)
            history_fail(history_of(p), "producers", "a partition is missing in an answer");
        if (answer == NULL || call->batches[i] == NULL)
            continue;
        sim_trace(client_sim(&p->client), kerr_name((enum kerr)answer->error_code), p->index,
                  partition_key(p, call, i), (uint64_t)call->batches[i]->sequence);
        if (take_answer(p, part, call->batches[i], answer))
            break;
        is_whole = is_whole && answer->error_code == KERR_NONE;
    }
    if (!is_whole) {
        p->is_pausing = true;
        client_later(&p->client, &p->pause, RETRY_MIN_MS * SIM_MS, RETRY_MAX_MS * SIM_MS);
    }
    pump(p);
}

/* ---- sending */

/* The oldest that is not on its way. Now and then an idempotent producer leaves one out, as if two
 * requests had overtaken each other: the broker has to see the gap, if it knows the producer. */
static struct producer_batch *next_to_send(struct producer *p, struct producer_partition *part)
{
    struct producer_batch *first = NULL;
    LIST_FOR_EACH (node, &part->batches) {
        struct producer_batch *batch = batch_of(node);
        if (batch->ordinal - batch_of(part->batches.next)->ordinal >= PRODUCER_IN_FLIGHT_MAX)
            break;
        if (batch->state != BATCH_QUEUED)
            continue;
        if (first == NULL && part->is_known &&
            sim_percent(client_sim(&p->client), OVERTAKE_PERCENT))
            first = batch;
        else
            return batch;
    }
    return first;
}

/* The next batch of a partition, made when there is none yet; NULL: nothing to send. */
static struct producer_batch *find_batch(struct producer *p, struct producer_partition *part)
{
    struct producer_batch *batch = next_to_send(p, part);
    bool has_room =
        list_is_empty(&part->batches) ||
        part->next_ordinal - batch_of(part->batches.next)->ordinal < PRODUCER_IN_FLIGHT_MAX;
    if (batch == NULL && part->left > 0 && has_room) {
        make_batch(p, part);
        batch = next_to_send(p, part);
    }
    return batch;
}

/* Some partitions by chance, in their order; all of them when that gave none. */
static void choose_batches(struct producer *p, struct producer_call *call)
{
    int32_t skip_percent = sim_percent(client_sim(&p->client), 50) ? 60 : 0;
    call->count = 0;
    for (int round = 0; round < 2 && call->count == 0; round++) {
        for (uint32_t i = 0; i < p->client.options.partition_count; i++) {
            if (round == 0 && sim_percent(client_sim(&p->client), skip_percent))
                continue;
            struct producer_batch *batch = find_batch(p, &p->partitions[i]);
            if (batch == NULL)
                continue;
            call->partitions[call->count] = i;
            call->batches[call->count++] = batch;
        }
    }
}

/* The topic's last entry in the request, or a new one. The partitions of a topic lie together. */
static struct produce_request_topic_produce_data *
topic_entry(struct produce_request *request, const struct history *h,
            const struct history_partition *partition,
            struct produce_request_partition_produce_data *first)
{
    struct produce_request_topic_produce_data_array *topics = &request->topic_data;
    if (topics->count > 0 && wire_str_is(topics->items[topics->count - 1].name, partition->topic))
        return &topics->items[topics->count - 1];
    struct produce_request_topic_produce_data *topic = &topics->items[topics->count++];
    *topic = (struct produce_request_topic_produce_data){
        .name = wire_str_of(partition->topic),
        .topic_id = h->topics[partition->topic_index].id,
        .partition_data = {.items = first},
    };
    return topic;
}

static void send_call(struct producer *p, struct producer_call *call)
{
    struct history *h = history_of(p);
    struct produce_request_topic_produce_data topics[CLIENT_PARTITIONS_MAX];
    struct produce_request_partition_produce_data parts[CLIENT_PARTITIONS_MAX];
    struct batch_buffer bytes[CLIENT_PARTITIONS_MAX];
    struct produce_request request;
    wire_defaults(wire_api_find(API_PRODUCE)->request->body, &request);
    request.transactional_id = wire_str_of(NULL);
    request.acks = p->options.acks;
    request.timeout_ms = REQUEST_TIMEOUT_MS;
    request.topic_data.items = topics;
    for (uint32_t i = 0; i < call->count; i++) {
        struct producer_batch *batch = call->batches[i];
        const struct history_partition *partition =
            &h->partitions[p->partitions[call->partitions[i]].partition];
        batch->state = BATCH_SENT;
        batch->was_sent = true;
        for (int32_t k = 0; k < batch->count; k++)
            history_sent(h, batch->first_record + (uint32_t)k);
        sim_trace(client_sim(&p->client), "produce", p->index, partition_key(p, call, i),
                  (uint64_t)batch->sequence);
        batch_buffer_init(&bytes[i], SIZE_MAX);
        build_batch(p, batch, &bytes[i]);
        parts[i] = (struct produce_request_partition_produce_data){
            .index = partition->index,
            .records = {.data = bytes[i].data, .len = (int32_t)bytes[i].len},
        };
        topic_entry(&request, h, partition, &parts[i])->partition_data.count++;
    }
    call->is_used = true;
    call->call = (struct call){.api_key = API_PRODUCE, .done = on_produced};
    call->call.has_no_answer = p->options.acks == 0;
    connection_call(&p->client.connection, &call->call, &request);
    for (uint32_t i = 0; i < call->count; i++)
        batch_buffer_deinit(&bytes[i]);
}

/* acks=0: nobody will ever know. */
static void forget_unanswered(struct producer *p, struct producer_call *call)
{
    for (uint32_t i = 0; i < call->count; i++)
        give_up_batch(p, call->batches[i]);
    call->count = 0;
    call->is_used = false;
}

static struct producer_call *free_call(struct producer *p)
{
    unsigned used = 0;
    struct producer_call *found = NULL;
    for (int i = 0; i < PRODUCER_IN_FLIGHT_MAX; i++) {
        used += p->calls[i].is_used;
        found = p->calls[i].is_used ? found : &p->calls[i];
    }
    return used < p->options.in_flight_max ? found : NULL;
}

static void pump(struct producer *p)
{
    if (!p->client.is_ready || p->is_pausing)
        return;
    if (p->options.is_idempotent && p->producer_id < 0) {
        ask_id(p);
        return;
    }
    for (struct producer_call *call; (call = free_call(p)) != NULL;) {
        choose_batches(p, call);
        if (call->count == 0)
            break;
        send_call(p, call);
        if (p->options.acks == 0)
            forget_unanswered(p, call);
        if (p->options.think_max_ns > 0) {
            p->is_pausing = true;
            client_later(&p->client, &p->pause, 0, p->options.think_max_ns);
            break;
        }
    }
}

static void on_pause_over(struct loop_timer *timer)
{
    struct producer *p = container_of(timer, struct producer, pause);
    p->is_pausing = false;
    pump(p);
}

/* Looks now and then whether something has waited for too long. */
static void on_deadline(struct loop_timer *timer)
{
    struct producer *p = container_of(timer, struct producer, deadline);
    int64_t oldest_ns = client_sim(&p->client)->now_ns - p->options.delivery_timeout_ns;
    bool is_late = false;
    for (uint32_t i = 0; i < p->client.options.partition_count; i++) {
        LIST_FOR_EACH_SAFE (node, &p->partitions[i].batches) {
            struct producer_batch *batch = batch_of(node);
            if (batch->created_ns >= oldest_ns || !batch->was_sent)
                continue;
            is_late = true;
            if (!p->options.is_idempotent) {
                forget_in_calls(p, batch);
                give_up_batch(p, batch);
            }
        }
    }
    if (is_late && p->options.is_idempotent)
        begin_anew(p);
    client_later(&p->client, &p->deadline, p->options.delivery_timeout_ns / 4,
                 p->options.delivery_timeout_ns / 2);
    pump(p);
}

/* ---- life */

static void on_ready(void *arg)
{
    pump(arg);
}

static void on_lost(void *arg)
{
}

void producer_start(struct producer *p, uint32_t index, const struct client_options *client,
                    const struct producer_options *options)
{
    ASSERT(!options->is_idempotent || options->acks == -1);
    ASSERT(options->in_flight_max >= 1 && options->in_flight_max <= PRODUCER_IN_FLIGHT_MAX);
    *p = (struct producer){.options = *options, .index = index, .producer_id = -1};
    p->pause.fire = on_pause_over;
    p->deadline.fire = on_deadline;
    batch_builder_init(&p->builder);
    for (int i = 0; i < PRODUCER_IN_FLIGHT_MAX; i++)
        p->calls[i].producer = p;
    for (uint32_t i = 0; i < client->partition_count; i++) {
        p->partitions[i].partition = client->partitions[i];
        p->partitions[i].left = options->batches;
        list_init(&p->partitions[i].batches);
    }
    struct client_options own = *client;
    own.arg = p;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&p->client, &own);
    if (options->delivery_timeout_ns > 0)
        client_later(&p->client, &p->deadline, options->delivery_timeout_ns,
                     options->delivery_timeout_ns);
}

void producer_add_batches(struct producer *p, unsigned batches)
{
    for (uint32_t i = 0; i < p->client.options.partition_count; i++)
        p->partitions[i].left += batches;
    pump(p);
}

bool producer_is_done(const struct producer *p)
{
    for (uint32_t i = 0; i < p->client.options.partition_count; i++) {
        if (p->partitions[i].left > 0 || !list_is_empty(&p->partitions[i].batches))
            return false;
    }
    return true;
}

void producer_stop(struct producer *p)
{
    struct loop *loop = sim_env_loop(p->client.options.env, 0);
    loop_timer_stop(loop, &p->pause);
    loop_timer_stop(loop, &p->deadline);
    client_stop(&p->client);
}
