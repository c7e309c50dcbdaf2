// SPDX-License-Identifier: Apache-2.0
/*
 * consume: `klamm consume TOPIC`: records to standard output. On librdkafka.
 *
 * Our own client asks for partitions and offsets first; then librdkafka fetches all partitions at
 * once into one queue, without a consumer group: no coordinator is looked for and nothing is
 * committed. What --until-end means is fixed at the start: the ends at that time.
 *
 * Thread: main.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/rdkafka.h"
#include "cli/record_out.h"
#include "cli/topic_view.h"
#include "wire/kerr.h"

#define QUEUE_RECORDS "1000000"
#define QUEUE_KIB     "131072"

enum {
    WAIT_MS = 100,
    HEADERS_MAX = 1024,  /* of a record that are shown */
    DOWN_MS_MAX = 30000, /* with --until-end: how long no broker may answer */
};

static const char help[] =
    "usage: klamm consume TOPIC [--from WHERE] [--partition N] [--count N] [--until-end]\n"
    "                     [--format FORMAT | --json]\n\n"
    "Prints records, all partitions at once, until Ctrl-C. It is no member of a group and commits\n"
    "nothing.\n\n"
    "  --from WHERE                beginning (the default), end, an offset, or @TIME: the first\n"
    "                              record that is not older, in milliseconds since 1970\n"
    "  --partition N               only this one\n"
    "  --count N                   ends after N records\n"
    "  --until-end                 ends where the partitions ended when it began\n"
    "  --format FORMAT             default \"%v\"; %t topic %p partition %o offset %T timestamp\n"
    "                              %k key %v value %h headers %K %V lengths of key and value\n"
    "                              %% a percent sign, and \\n \\t \\r \\0 \\\\\n"
    "  --json                      an object a line; bytes that are no UTF-8 in base64\n" //
    ADMIN_HELP_BOOTSTRAP;

enum from { FROM_BEGINNING, FROM_END, FROM_OFFSET, FROM_TIME };

/* A partition that is read. */
struct source {
    int32_t partition;
    int64_t end_offset; /* at the start */
    bool is_started;
    bool is_done; /* with --until-end */
};

struct consume {
    /* What was asked for. */
    const char *topic;
    const char *bootstrap;
    const char *from_text;
    enum from from;
    int64_t from_number;
    int64_t partition; /* -1: all */
    int64_t count_max; /* INT64_MAX: no bound */
    const char *format;
    bool is_until_end, is_json;

    struct admin admin;
    struct rdkafka k;
    rd_kafka_t *consumer;
    rd_kafka_topic_t *topic_handle;
    rd_kafka_queue_t *queue;
    struct source *sources;
    int32_t source_count, open_count; /* those not done */
    int64_t printed, printed_bytes;
    int64_t down_since_ns; /* 0: some broker answers */
    struct strbuf line;
    bool is_failed;
};

/* ---- where to begin */

static int64_t start_of(const struct consume *c, const struct partition_view *view)
{
    switch (c->from) {
    case FROM_BEGINNING:
        break;
    case FROM_END:
        return view->end_offset;
    case FROM_OFFSET:
        return c->from_number;
    case FROM_TIME:
        return view->found_offset >= 0 ? view->found_offset : view->end_offset;
    }
    return view->begin_offset;
}

static bool is_startable(const struct consume *c, const struct partition_view *view)
{
    int32_t number = view->partition->partition_index;
    int64_t start = start_of(c, view);
    if (view->begin_offset < 0 || view->end_offset < 0 || !topic_view_is_told(view)) {
        cli_complain("partition %d has no leader, or its leader does not tell its offsets", number);
        return false;
    }
    if (start >= view->begin_offset && start <= view->end_offset)
        return true;
    cli_complain("partition %d has offsets %lld to %lld: there is no %lld", number,
                 (long long)view->begin_offset, (long long)view->end_offset, (long long)start);
    return false;
}

static bool start_source(struct consume *c, const struct partition_view *view)
{
    struct source *source = &c->sources[c->source_count++];
    int64_t start = start_of(c, view);
    *source = (struct source){view->partition->partition_index, view->end_offset, false, false};
    if (c->is_until_end && start == view->end_offset) {
        source->is_done = true;
        return true;
    }
    c->open_count++;
    int failed = c->k.consume_start_queue(c->topic_handle, source->partition, start, c->queue);
    source->is_started = failed == 0;
    if (failed != 0)
        cli_complain("partition %d cannot be read", source->partition);
    return failed == 0;
}

static bool is_wanted(const struct consume *c, const struct partition_view *view)
{
    return c->partition < 0 || view->partition->partition_index == c->partition;
}

static bool start_sources(struct consume *c, struct topic_view *view)
{
    if (c->from == FROM_TIME && !topic_view_ask_time(&c->admin, view, c->from_number))
        return false;
    if (c->partition >= 0 && topic_view_find(view, (int32_t)c->partition) == NULL) {
        admin_complain_partition(c->topic, view->count, c->partition);
        return false;
    }
    c->sources = mem_alloc(((size_t)view->count + 1) * sizeof(*c->sources));
    for (int32_t i = 0; i < view->count; i++) {
        const struct partition_view *p = &view->partitions[i];
        if (is_wanted(c, p) && (!is_startable(c, p) || !start_source(c, p)))
            return false;
    }
    return true;
}

/* A partition that was just made, or whose leader just changed, has no offsets yet. */
static bool has_offsets(const struct consume *c, const struct topic_view *view)
{
    for (int32_t i = 0; i < view->count; i++) {
        const struct partition_view *p = &view->partitions[i];
        if (is_wanted(c, p) && (p->begin_offset < 0 || p->end_offset < 0))
            return false;
    }
    return true;
}

static enum admin_lookup look_at_topic(void *arg, const struct metadata_response_topic *topic,
                                       bool is_last)
{
    struct consume *c = arg;
    struct topic_view view;
    topic_view_init(&view, topic);
    enum admin_lookup found = ADMIN_LOOKUP_FAILED;
    if (topic_view_ask_offsets(&c->admin, &view, 1)) {
        if (!is_last && !has_offsets(c, &view))
            found = ADMIN_LOOKUP_LATER;
        else if (start_sources(c, &view))
            found = ADMIN_LOOKUP_DONE;
    }
    topic_view_deinit(&view);
    return found;
}

/* ---- librdkafka */

/* One line when the last broker goes; librdkafka tries again by itself. */
static void on_error(rd_kafka_t *rk, int error, const char *reason, void *opaque)
{
    struct consume *c = opaque;
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || c->down_since_ns != 0)
        return;
    c->down_since_ns = env_mono_ns(client_sync_env(c->admin.sync));
    cli_progress_clear(&c->admin.progress);
    cli_complain("no broker answers; trying again");
}

static bool make_consumer(struct consume *c)
{
    if (!rdkafka_load(&c->k))
        return false;
    const struct rdkafka_setting settings[] = {
        {"bootstrap.servers", admin_bootstrap(c->bootstrap)},
        {"client.id", "klamm-consume"},
        {"enable.partition.eof", "true"},
        /* Retention may have moved the beginning by then; any other offset that is gone is told. */
        {"auto.offset.reset", c->from == FROM_BEGINNING ? "earliest" : "error"},
        /* The partitions start one after the other: a Fetch of those at their end waits so long
         * before the next one has all of them. */
        {"fetch.wait.max.ms", c->is_until_end ? "20" : "500"},
        {"queued.min.messages", QUEUE_RECORDS}, /* it pauses half a second when it has these */
        {"queued.max.messages.kbytes", QUEUE_KIB},
    };
    struct rdkafka_options options = {
        .type = RD_KAFKA_CONSUMER,
        .settings = settings,
        .setting_count = ARRAY_COUNT(settings),
        .on_error = on_error,
        .opaque = c,
    };
    c->consumer = rdkafka_new(&c->k, &options);
    if (c->consumer == NULL)
        return false;
    c->queue = c->k.queue_new(c->consumer);
    c->topic_handle = c->k.topic_new(c->consumer, c->topic, NULL);
    if (c->topic_handle == NULL)
        cli_complain("topic \"%.100s\" is refused by librdkafka", c->topic);
    return c->topic_handle != NULL;
}

static void drop_consumer(struct consume *c)
{
    if (c->consumer == NULL)
        return;
    for (int32_t i = 0; i < c->source_count; i++) {
        if (c->sources[i].is_started)
            c->k.consume_stop(c->topic_handle, c->sources[i].partition);
    }
    if (c->queue != NULL)
        c->k.queue_destroy(c->queue);
    if (c->topic_handle != NULL)
        c->k.topic_destroy(c->topic_handle);
    c->k.destroy(c->consumer);
    c->consumer = NULL;
}

/* ---- printing */

static size_t take_headers(const struct consume *c, const rd_kafka_message_t *message,
                           struct record_header out[HEADERS_MAX])
{
    rd_kafka_headers_t *headers = NULL;
    size_t count = 0;
    if (c->k.message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    while (count < HEADERS_MAX &&
           c->k.header_get_all(headers, count, &out[count].key, &out[count].value,
                               &out[count].value_len) == RD_KAFKA_RESP_ERR_NO_ERROR)
        count++;
    return count;
}

static void print(struct consume *c, const rd_kafka_message_t *message)
{
    struct record_header headers[HEADERS_MAX];
    struct record_fields record = {
        .topic = c->topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = c->k.message_timestamp(message, NULL),
        .key = message->key,
        .key_len = message->key_len,
        .value = message->payload,
        .value_len = message->len,
        .headers = headers,
        .header_count = take_headers(c, message, headers),
    };
    strbuf_clear(&c->line);
    if (c->is_json)
        record_out_json(&record, &c->line);
    else
        record_out_text(c->format, &record, &c->line);
    fwrite(strbuf_text(&c->line), 1, c->line.len, stdout);
    c->printed++;
    c->printed_bytes += (int64_t)(message->len + message->key_len);
}

static void flush_output(struct consume *c)
{
    if (!cli_output_is_lost())
        return;
    if (!c->is_failed && errno != EPIPE)
        cli_complain_output("");
    c->is_failed = true;
}

static void show_progress(struct consume *c)
{
    if (cli_progress_is_due(&c->admin.progress) && isatty(STDOUT_FILENO) != 1)
        cli_progress_records(&c->admin.progress, c->printed, c->printed_bytes);
}

/* ---- what arrives */

static struct source *find_source(struct consume *c, int32_t partition)
{
    /* Usually all partitions are read, in order. */
    if (partition >= 0 && partition < c->source_count &&
        c->sources[partition].partition == partition)
        return &c->sources[partition];
    for (int32_t i = 0; i < c->source_count; i++) {
        if (c->sources[i].partition == partition)
            return &c->sources[i];
    }
    return NULL;
}

static void mark_done(struct consume *c, struct source *source)
{
    if (!c->is_until_end || source->is_done)
        return;
    source->is_done = true;
    ASSERT(c->open_count > 0);
    c->open_count--;
}

static void take_error(struct consume *c, const rd_kafka_message_t *message)
{
    struct source *source = find_source(c, message->partition);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        c->down_since_ns = 0;
        if (source != NULL)
            mark_done(c, source);
        return;
    }
    int16_t code = (int16_t)message->err;
    cli_progress_clear(&c->admin.progress);
    if (message->err > 0 && kerr_is_known(code))
        cli_complain("partition %d: %s: %s", message->partition, kerr_name((enum kerr)code),
                     kerr_message((enum kerr)code));
    else
        cli_complain("partition %d: %s", message->partition,
                     message->payload != NULL ? (const char *)message->payload
                                              : c->k.err2str(message->err));
    c->is_failed = true;
}

static void take_record(struct consume *c, const rd_kafka_message_t *message)
{
    struct source *source = find_source(c, message->partition);
    c->down_since_ns = 0;
    if (source == NULL || source->is_done)
        return;
    if (!c->is_until_end || message->offset < source->end_offset)
        print(c, message);
    if (message->offset + 1 >= source->end_offset)
        mark_done(c, source);
}

/* A script that reads to the end is not to wait for ever for a broker that went away. */
static void watch_brokers(struct consume *c)
{
    if (c->down_since_ns == 0 || !c->is_until_end)
        return;
    int64_t now = env_mono_ns(client_sync_env(c->admin.sync));
    if (now - c->down_since_ns < DOWN_MS_MAX * INT64_C(1000000))
        return;
    cli_complain("no broker answered for %d seconds", DOWN_MS_MAX / 1000);
    c->is_failed = true;
}

static void read_records(struct consume *c)
{
    int wait_ms = 0;
    while (!c->is_failed && !interrupt_happened() && c->open_count > 0 &&
           c->printed < c->count_max) {
        rd_kafka_message_t *message = c->k.consume_queue(c->queue, wait_ms);
        if (message == NULL) {
            if (wait_ms == 0)
                flush_output(c); /* nothing more just now */
            wait_ms = WAIT_MS;
            c->k.poll(c->consumer, 0); /* on_error */
            watch_brokers(c);
        } else {
            wait_ms = 0;
            if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
                take_error(c, message);
            else
                take_record(c, message);
            c->k.message_destroy(message);
        }
        show_progress(c);
    }
    cli_progress_clear(&c->admin.progress);
    flush_output(c);
}

static int run(struct consume *c)
{
    if (!admin_open(&c->admin, c->bootstrap))
        return CLI_FAILED;
    interrupt_watch(false);
    signal(SIGPIPE, SIG_DFL); /* `klamm consume t | head` just ends */
    struct admin_search search = {.topic = c->topic, .look = look_at_topic, .arg = c};
    if (!make_consumer(c) || !admin_find_topic(&c->admin, &search))
        return CLI_FAILED;
    read_records(c);
    if (isatty(STDOUT_FILENO) != 1)
        cli_progress_sum_up(&c->admin.progress, c->printed, c->printed_bytes);
    return c->is_failed ? CLI_FAILED : CLI_OK;
}

/* ---- words */

static int check(struct consume *c)
{
    const char *text = c->from_text;
    if (c->is_json && c->format != NULL)
        return cli_complain_usage("consume", "--format and --json exclude each other");
    if (c->format == NULL)
        c->format = "%v";
    const char *bad = record_out_check(c->format);
    if (bad != NULL)
        return cli_complain_usage("consume", "--format does not know \"%.2s\"", bad);
    bool is_number = cli_number_parse(text + (text[0] == '@'), &c->from_number);
    if (strcmp(text, "beginning") == 0)
        c->from = FROM_BEGINNING;
    else if (strcmp(text, "end") == 0)
        c->from = FROM_END;
    else if (is_number && c->from_number >= 0)
        c->from = text[0] == '@' ? FROM_TIME : FROM_OFFSET;
    else
        return cli_complain_usage(
            "consume", "--from takes beginning, end, an offset or @TIME, not \"%.100s\"", text);
    return CLI_GO_ON;
}

int cli_consume(int argc, char **argv)
{
    struct consume c = {.from_text = "beginning", .partition = -1, .count_max = INT64_MAX};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &c.bootstrap, 0, 0},
        {"--from", CLI_TEXT, &c.from_text, 0, 0},
        {"--partition", CLI_NUMBER, &c.partition, 0, INT32_MAX},
        {"--count", CLI_NUMBER, &c.count_max, 1, INT64_MAX},
        {"--until-end", CLI_FLAG, &c.is_until_end, 0, 0},
        {"--format", CLI_TEXT, &c.format, 0, 0},
        {"--json", CLI_FLAG, &c.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "consume",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = 1};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = check(&c);
    if (status == CLI_GO_ON) {
        c.topic = parse.words.items[0];
        strbuf_init(&c.line);
        status = run(&c);
        drop_consumer(&c);
        strbuf_deinit(&c.line);
        mem_free(c.sources);
        admin_close(&c.admin);
    }
    cli_words_free(&parse.words);
    return status;
}
