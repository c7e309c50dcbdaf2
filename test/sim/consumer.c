// SPDX-License-Identifier: Apache-2.0
/*
 * consumer: see consumer.h.
 *
 * Steps: ListOffsets for partitions without a position; Fetch; look at each batch: whole,
 * checksum right, below the high watermark, the next offset in it the expected one.
 *
 * Thread: one.
 */
#include "consumer.h"

#include <string.h>

#include "base/assert.h"
#include "check.h"
#include "wire/fetch.h"
#include "wire/kerr.h"
#include "wire/list_offsets.h"

enum {
    RETRY_MIN_MS = 1,
    RETRY_MAX_MS = 50,
    OFFSET_LATEST = -1,
    OFFSET_EARLIEST = -2,
    SESSION_NONE = -1,
    PAUSE_PERCENT = 5,
    RECORD_BYTES_MAX = 1 << 20,
};

static void step(struct consumer *c);

static struct history *history_of(const struct consumer *c)
{
    return c->client.options.history;
}

static const struct history_partition *partition_of(const struct consumer *c, uint32_t i)
{
    return &history_of(c)->partitions[c->partitions[i].partition];
}

static int32_t find_index(const struct consumer *c, struct wire_str topic, struct uuid id,
                          int32_t index)
{
    int32_t partition = client_find_partition(&c->client, topic, id, index);
    for (uint32_t i = 0; i < c->client.options.partition_count; i++) {
        if ((int32_t)c->partitions[i].partition == partition)
            return (int32_t)i;
    }
    return -1;
}

/* Of a partition in which bits have changed whoever reads may be told so, or see it; there he ends.
 * False: it is none of those. */
static bool give_up(struct consumer *c, struct consumer_partition *part)
{
    if (!history_of(c)->partitions[part->partition].is_rotten)
        return false;
    part->is_given_up = true;
    part->position = 0;
    part->end = 0;
    return true;
}

static void step_later(struct consumer *c)
{
    client_later(&c->client, &c->pause, RETRY_MIN_MS * SIM_MS, RETRY_MAX_MS * SIM_MS);
}

static void session_reset(struct consumer *c)
{
    c->session_epoch = 0;
    for (uint32_t i = 0; i < c->client.options.partition_count; i++)
        c->partitions[i].is_in_session = false;
}

/* ---- where to begin, and where to end */

static void take_offset(struct consumer *c,
                        const struct list_offsets_response_list_offsets_topic_response *topic,
                        const struct list_offsets_response_list_offsets_partition_response *answer)
{
    struct history *h = history_of(c);
    int32_t i = find_index(c, topic->name, (struct uuid){{0}}, answer->partition_index);
    if (i < 0) {
        history_fail(h, "consumers", "ListOffsets answered for another partition");
        return;
    }
    struct consumer_partition *part = &c->partitions[i];
    if (answer->error_code != KERR_NONE) {
        if (!give_up(c, part) && !kerr_is_retriable((enum kerr)answer->error_code))
            history_fail(h, "consumers", "ListOffsets answered %s",
                         kerr_name((enum kerr)answer->error_code));
        return;
    }
    struct history_offsets told = {-1, -1, -1};
    if (c->is_asking_end) {
        part->end = answer->offset;
        told.high_watermark = answer->offset;
    } else {
        if (part->lost_position >= answer->offset && part->lost_starts == h->starts)
            history_fail(h, "what was seen stays", "offset %lld of %s-%d is out of range",
                         (long long)part->lost_position, partition_of(c, (uint32_t)i)->topic,
                         partition_of(c, (uint32_t)i)->index);
        part->lost_position = -1;
        part->position = answer->offset;
        told.log_start = answer->offset;
        part->has_pass = h->partitions[part->partition].key_count > 0;
        if (part->has_pass)
            history_pass_begin(h, part->partition, client_sim(&c->client)->now_ns, &part->pass);
    }
    history_told(h, part->partition, &part->floor, &told);
}

static void on_offsets(struct call *call, enum err e, const void *response)
{
    struct consumer *c = container_of(call, struct consumer, list_call);
    c->is_busy = false;
    if (e != ERR_OK)
        return;
    const struct list_offsets_response *answer = response;
    for (int32_t t = 0; t < answer->topics.count; t++) {
        for (int32_t i = 0; i < answer->topics.items[t].partitions.count; i++)
            take_offset(c, &answer->topics.items[t], &answer->topics.items[t].partitions.items[i]);
    }
    step_later(c);
}

static bool needs_offset(const struct consumer *c, uint32_t i, bool end)
{
    if (end)
        return c->options.is_auditor && c->partitions[i].end < 0;
    return c->partitions[i].position < 0;
}

/* True: it is on its way. */
static bool ask_offsets(struct consumer *c, bool end)
{
    struct list_offsets_request_list_offsets_topic topics[CLIENT_PARTITIONS_MAX];
    struct list_offsets_request_list_offsets_partition parts[CLIENT_PARTITIONS_MAX];
    struct list_offsets_request request;
    wire_defaults(wire_api_find(API_LIST_OFFSETS)->request->body, &request);
    request.replica_id = -1;
    request.topics.items = topics;
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->client.options.partition_count; i++) {
        if (!needs_offset(c, i, end))
            continue;
        struct consumer_partition *part = &c->partitions[i];
        part->floor = history_floor_of(history_of(c), part->partition);
        int32_t last = request.topics.count - 1;
        if (last < 0 || !wire_str_is(topics[last].name, partition_of(c, i)->topic)) {
            last = request.topics.count++;
            topics[last].name = wire_str_of(partition_of(c, i)->topic);
            topics[last].partitions.items = &parts[count];
            topics[last].partitions.count = 0;
        }
        topics[last].partitions.count++;
        parts[count++] = (struct list_offsets_request_list_offsets_partition){
            .partition_index = partition_of(c, i)->index,
            .current_leader_epoch = -1,
            .timestamp = end ? OFFSET_LATEST : OFFSET_EARLIEST,
        };
    }
    if (count == 0)
        return false;
    c->is_busy = true;
    c->is_asking_end = end;
    c->list_call = (struct call){.api_key = API_LIST_OFFSETS, .done = on_offsets};
    connection_call(&c->client.connection, &c->list_call, &request);
    return true;
}

/* ---- records */

/* A tombstone is known by its header. */
static int32_t recognise(const struct history *h, const struct record *record)
{
    struct record_bytes bytes = record->value;
    struct record_bytes rest = record->headers;
    struct record_header header;
    bool is_tombstone = bytes.len < 0;
    if (is_tombstone && record_header_next(&rest, &header))
        bytes = header.value;
    int32_t id = bytes.len < 0 ? -1 : history_recognise(h, bytes.data, (size_t)bytes.len);
    return id >= 0 && h->records[id].is_tombstone == is_tombstone ? id : -1;
}

static void take_record(struct consumer *c, struct consumer_partition *part, int64_t offset,
                        const struct record *record)
{
    if (offset < part->position)
        return;
    int32_t id = recognise(history_of(c), record);
    history_read(history_of(c), part->partition, part->position, offset, id);
    if (part->has_pass)
        history_pass_found(history_of(c), &part->pass, offset, id);
    part->position = offset + 1;
}

/* A batch of a compacted partition was read, perhaps without its last records. */
static void go_behind(struct consumer *c, struct consumer_partition *part,
                      const struct batch_header *header)
{
    struct history *h = history_of(c);
    if (h->partitions[part->partition].key_count == 0)
        return;
    part->position = MAX(part->position, batch_last_offset(header) + 1);
}

/* Of a compacted partition that is read from the start on: is this its end? */
static void end_pass(struct consumer *c, struct consumer_partition *part, int64_t high_watermark)
{
    if (!part->has_pass || part->position < high_watermark)
        return;
    part->has_pass = false;
    history_pass_end(history_of(c), part->partition, client_sim(&c->client)->now_ns, part->position,
                     &part->pass);
    if (part->rereads_left == 0 || c->options.is_auditor)
        return;
    part->rereads_left--;
    part->position = -1;
}

static void take_batch(struct consumer *c, struct consumer_partition *part, const uint8_t *data,
                       const struct batch_header *header)
{
    struct history *h = history_of(c);
    const struct history_partition *p = &h->partitions[part->partition];
    size_t size = batch_size(header);
    bool is_whole = batch_crc(data, size) == header->crc;
    if ((!is_whole || header->base_offset > part->position) && give_up(c, part))
        return;
    if (!is_whole) {
        history_fail(h, "batches are whole", "%s-%d at %lld: bad checksum", p->topic, p->index,
                     (long long)header->base_offset);
        return;
    }
    if (batch_last_offset(header) < part->position)
        return;
    /* A smaller base offset makes it begin within the batch before. */
    bool overlaps = header->base_offset < part->position && part->position == part->batch_end;
    if (overlaps && give_up(c, part))
        return;
    enum err e = batch_reader_start(&c->reader, data, size);
    struct record record;
    while (e == ERR_OK && (e = batch_reader_next(&c->reader, &record)) == ERR_OK)
        take_record(c, part, header->base_offset + record.offset_delta, &record);
    if (e != ERR_NOT_FOUND)
        history_fail(h, "batches are whole", "%s-%d at %lld: %s", p->topic, p->index,
                     (long long)header->base_offset, err_name(e));
    else
        go_behind(c, part, header);
    part->batch_end = batch_last_offset(header) + 1;
}

static void take_records(struct consumer *c, struct consumer_partition *part,
                         const struct fetch_response_partition_data *answer)
{
    struct history *h = history_of(c);
    const struct history_partition *p = &h->partitions[part->partition];
    struct batch_walk walk = {answer->records.data,
                              answer->records.len > 0 ? (size_t)answer->records.len : 0};
    for (;;) {
        struct batch_header header;
        const uint8_t *data;
        enum err e = part->is_given_up ? ERR_NOT_FOUND : batch_next(&walk, &header, &data);
        if (e == ERR_NOT_FOUND || e == ERR_AGAIN)
            break;
        if (e != ERR_OK && give_up(c, part))
            break;
        if (e != ERR_OK) {
            history_fail(h, "batches are whole", "%s-%d behind %lld: no batch", p->topic, p->index,
                         (long long)part->position);
            break;
        }
        bool is_above = batch_last_offset(&header) >= answer->high_watermark;
        if (is_above && give_up(c, part))
            break;
        if (is_above)
            history_fail(h, "offsets", "%s-%d shows offset %lld above its high watermark %lld",
                         p->topic, p->index, (long long)batch_last_offset(&header),
                         (long long)answer->high_watermark);
        take_batch(c, part, data, &header);
    }
}

/* ---- fetching */

enum fetch_outcome { FETCH_GOES_ON, FETCH_WAITS, FETCH_RECONNECTS };

static enum fetch_outcome take_error(struct consumer *c, struct consumer_partition *part,
                                     int16_t error)
{
    struct history *h = history_of(c);
    const struct history_partition *p = &h->partitions[part->partition];
    if (give_up(c, part))
        return FETCH_GOES_ON;
    if (error == KERR_CORRUPT_MESSAGE && p->is_scrubbed) {
        part->position = check_scrub_on_refused(h, part->partition, part->position);
        part->has_pass = false;
        return FETCH_GOES_ON;
    }
    switch (error) {
    case KERR_OFFSET_OUT_OF_RANGE:
        if (p->is_durable) {
            part->lost_position = part->position;
            part->lost_starts = part->floor.starts;
        }
        part->position = -1;
        return FETCH_WAITS;
    case KERR_FENCED_LEADER_EPOCH:
    case KERR_UNKNOWN_LEADER_EPOCH:
    case KERR_UNKNOWN_TOPIC_ID:
    case KERR_INCONSISTENT_TOPIC_ID:
        return FETCH_RECONNECTS;
    case KERR_NOT_LEADER_OR_FOLLOWER:
    case KERR_LEADER_NOT_AVAILABLE:
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_KAFKA_STORAGE_ERROR:
    case KERR_CORRUPT_MESSAGE: /* what is there is no batch */
    case KERR_OFFSET_NOT_AVAILABLE:
        return FETCH_WAITS;
    default:
        history_fail(h, "consumers", "Fetch answered %s", kerr_name((enum kerr)error));
        return FETCH_WAITS;
    }
}

static enum fetch_outcome take_partition(struct consumer *c, int32_t i,
                                         const struct fetch_response_partition_data *answer)
{
    struct consumer_partition *part = &c->partitions[i];
    if (!history_is_current(history_of(c), part->partition, &part->floor)) {
        part->position = -1; /* a power cut came between, and may have taken our position */
        return FETCH_GOES_ON;
    }
    if (answer->error_code != KERR_NONE)
        return take_error(c, part, answer->error_code);
    bool has_start = c->fetch_call.version >= 5;
    history_told(history_of(c), part->partition, &part->floor,
                 &(struct history_offsets){answer->high_watermark,
                                           has_start ? answer->log_start_offset : -1, -1});
    take_records(c, part, answer);
    end_pass(c, part, answer->high_watermark);
    return FETCH_GOES_ON;
}

static enum fetch_outcome take_topics(struct consumer *c, const struct fetch_response *answer)
{
    enum fetch_outcome outcome = FETCH_GOES_ON;
    for (int32_t t = 0; t < answer->responses.count; t++) {
        const struct fetch_response_fetchable_topic_response *topic = &answer->responses.items[t];
        for (int32_t k = 0; k < topic->partitions.count; k++) {
            const struct fetch_response_partition_data *data = &topic->partitions.items[k];
            int32_t i = find_index(c, topic->topic, topic->topic_id, data->partition_index);
            enum fetch_outcome one = FETCH_GOES_ON;
            if (i < 0)
                history_fail(history_of(c), "consumers", "Fetch answered for another partition");
            else
                one = take_partition(c, i, data);
            outcome = MAX(outcome, one); /* which looks at it twice */
        }
    }
    return outcome;
}

static void on_fetched(struct call *call, enum err e, const void *response)
{
    struct consumer *c = container_of(call, struct consumer, fetch_call);
    c->is_busy = false;
    if (e != ERR_OK)
        return;
    const struct fetch_response *answer = response;
    if (answer->error_code != KERR_NONE) {
        if (answer->error_code != KERR_FETCH_SESSION_ID_NOT_FOUND &&
            answer->error_code != KERR_INVALID_FETCH_SESSION_EPOCH &&
            answer->error_code != KERR_FETCH_SESSION_TOPIC_ID_ERROR &&
            !kerr_is_retriable((enum kerr)answer->error_code))
            history_fail(history_of(c), "consumers", "Fetch answered %s",
                         kerr_name((enum kerr)answer->error_code));
        session_reset(c);
        c->session_id = 0;
        step_later(c);
        return;
    }
    if (c->session_epoch >= 0 && answer->session_id != 0) {
        c->session_id = answer->session_id;
        c->session_epoch++;
    } else {
        session_reset(c);
        c->session_id = 0;
    }
    int64_t read_before = history_of(c)->records_read;
    switch (take_topics(c, answer)) {
    case FETCH_GOES_ON:
        if (history_of(c)->records_read > read_before || c->options.wait_ms > 0)
            step(c);
        else
            step_later(c); /* do not fill the world with empty answers */
        break;
    case FETCH_WAITS:
        step_later(c);
        break;
    case FETCH_RECONNECTS:
        client_reconnect(&c->client);
        break;
    }
}

struct fetch_build {
    struct fetch_request request;
    struct fetch_request_fetch_topic topics[CLIENT_PARTITIONS_MAX];
    struct fetch_request_fetch_partition parts[CLIENT_PARTITIONS_MAX];
    uint32_t part_count;
    struct fetch_request_forgotten_topic forgotten[CLIENT_PARTITIONS_MAX];
    int32_t forgotten_parts[CLIENT_PARTITIONS_MAX];
    uint32_t forgotten_count;
};

static void add_partition(struct consumer *c, uint32_t i, struct fetch_build *build)
{
    struct consumer_partition *part = &c->partitions[i];
    const struct history_partition *p = partition_of(c, i);
    int32_t last = build->request.topics.count - 1;
    if (last < 0 || !wire_str_is(build->topics[last].topic, p->topic)) {
        last = build->request.topics.count++;
        build->topics[last] = (struct fetch_request_fetch_topic){
            .topic = wire_str_of(p->topic),
            .topic_id = history_of(c)->topics[p->topic_index].id,
            .partitions = {.items = &build->parts[build->part_count]},
        };
    }
    build->topics[last].partitions.count++;
    struct fetch_request_fetch_partition *out = &build->parts[build->part_count++];
    wire_defaults(&fetch_request_fetch_partition_layout, out);
    out->partition = p->index;
    out->current_leader_epoch = sim_percent(client_sim(&c->client), 50) ? -1 : p->leader_epoch;
    out->fetch_offset = part->position;
    out->log_start_offset = -1;
    out->partition_max_bytes = c->options.partition_bytes_max;
    part->is_in_session = true;
    part->session_position = part->position;
}

/* One topic entry each: a partition that is forgotten is rare. */
static void add_forgotten(struct consumer *c, uint32_t i, struct fetch_build *build)
{
    const struct history_partition *p = partition_of(c, i);
    build->forgotten_parts[build->forgotten_count] = p->index;
    build->forgotten[build->forgotten_count] = (struct fetch_request_forgotten_topic){
        .topic = wire_str_of(p->topic),
        .topic_id = history_of(c)->topics[p->topic_index].id,
        .partitions = {.items = &build->forgotten_parts[build->forgotten_count], .count = 1},
    };
    build->forgotten_count++;
    c->partitions[i].is_in_session = false;
}

static void fill_fetch(struct consumer *c, struct fetch_build *build)
{
    wire_defaults(wire_api_find(API_FETCH)->request->body, &build->request);
    build->part_count = 0;
    build->forgotten_count = 0;
    build->request.topics.items = build->topics;
    build->request.topics.count = 0;
    for (uint32_t i = 0; i < c->client.options.partition_count; i++) {
        struct consumer_partition *part = &c->partitions[i];
        part->floor = history_floor_of(history_of(c), part->partition);
        if (part->is_paused || part->is_given_up || part->position < 0) {
            if (part->is_in_session && c->session_epoch > 0)
                add_forgotten(c, i, build);
            continue;
        }
        if (c->session_epoch <= 0 || !part->is_in_session ||
            part->session_position != part->position)
            add_partition(c, i, build);
    }
    build->request.forgotten_topics_data.items = build->forgotten;
    build->request.forgotten_topics_data.count = (int32_t)build->forgotten_count;
}

static void fetch(struct consumer *c)
{
    bool has_session =
        c->options.has_session && connection_version(&c->client.connection, API_FETCH) >= 7;
    if (!has_session)
        session_reset(c);
    struct fetch_build build;
    fill_fetch(c, &build);
    build.request.replica_id = -1;
    build.request.max_wait_ms = c->options.wait_ms;
    build.request.min_bytes = c->options.bytes_min;
    build.request.max_bytes = c->options.bytes_max;
    build.request.session_id = has_session ? c->session_id : 0;
    build.request.session_epoch = has_session ? c->session_epoch : SESSION_NONE;
    c->is_busy = true;
    c->fetch_call = (struct call){.api_key = API_FETCH, .done = on_fetched};
    connection_call(&c->client.connection, &c->fetch_call, &build.request);
}

static void change_pauses(struct consumer *c)
{
    for (uint32_t i = 0; i < c->client.options.partition_count; i++) {
        if (!c->options.may_pause)
            c->partitions[i].is_paused = false;
        else if (sim_percent(client_sim(&c->client), PAUSE_PERCENT))
            c->partitions[i].is_paused = !c->partitions[i].is_paused;
    }
}

static void step(struct consumer *c)
{
    if (!c->client.is_ready || c->is_busy)
        return;
    change_pauses(c);
    if (ask_offsets(c, false) || ask_offsets(c, true))
        return;
    if (c->options.is_auditor && consumer_is_done(c))
        return;
    fetch(c);
}

/* ---- life */

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct consumer, pause));
}

static void on_ready(void *arg)
{
    struct consumer *c = arg;
    session_reset(c);
    step(c);
}

static void on_lost(void *arg)
{
}

void consumer_start(struct consumer *c, const struct client_options *client,
                    const struct consumer_options *options)
{
    *c = (struct consumer){.options = *options, .pause = {.fire = on_pause_over}};
    batch_reader_init(&c->reader, RECORD_BYTES_MAX);
    for (uint32_t i = 0; i < client->partition_count; i++)
        c->partitions[i] = (struct consumer_partition){.partition = client->partitions[i],
                                                       .position = -1,
                                                       .lost_position = -1,
                                                       .end = -1,
                                                       .rereads_left = options->rereads};
    struct client_options own = *client;
    own.arg = c;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&c->client, &own);
}

bool consumer_is_done(const struct consumer *c)
{
    for (uint32_t i = 0; i < c->client.options.partition_count; i++) {
        const struct consumer_partition *part = &c->partitions[i];
        int64_t end = c->options.is_auditor ? part->end : partition_of(c, i)->high_watermark;
        if (end < 0 || part->position < end)
            return false;
    }
    return true;
}

void consumer_stop(struct consumer *c)
{
    loop_timer_stop(sim_env_loop(c->client.options.env, 0), &c->pause);
    client_stop(&c->client);
}
