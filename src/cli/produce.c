// SPDX-License-Identifier: Apache-2.0
/*
 * produce: `klamm produce TOPIC`: each line of standard input becomes a record. On librdkafka.
 *
 * The good case: ask our own client whether the topic is there (it may be made by that), hand
 * lines to librdkafka, wait until every record is acknowledged. A record that is not is a failure:
 * it is counted, the first ones are told, the exit status is 1.
 *
 * Thread: main; librdkafka's callbacks come from poll and flush, on it too.
 * Limits: QUEUE_KIB of records wait for acknowledgement; then reading pauses.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/json_out.h"
#include "cli/line_reader.h"
#include "cli/options.h"
#include "cli/rdkafka.h"
#include "wire/kerr.h"

#define QUEUE_KIB         "131072"
#define DELIVERY_MS       "120000"
#define RECORD_BYTES_TEXT "100000000" /* LINE_BYTES_MAX; the broker decides what it takes */

enum {
    ERRORS_SHOWN_MAX = 5,
    FULL_POLL_MS = 100,
    FLUSH_STEP_MS = 200,
};

static const char help[] =
    "usage: klamm produce TOPIC [--key-separator TEXT] [--acks all|1|0] [--compression CODEC]\n"
    "                     [--partition N] [--header KEY=VALUE]... [--json] < lines\n\n"
    "Sends each line of standard input as a record, and ends when all are acknowledged.\n\n"
    "  --key-separator TEXT        a line is a key, TEXT, and a value; default: no keys\n"
    "  --acks all|1|0              who has to have a record: all in-sync replicas (the default,\n"
    "                              each record exactly once), the leader, nobody\n"
    "  --compression CODEC         none (the default), gzip, snappy, lz4 or zstd\n"
    "  --partition N               sends all records there; default: by key, else any\n"
    "  --header KEY=VALUE          gives each record this header; may be repeated\n"
    "  --json                      tells each record that was acknowledged, an object a line:\n"
    "                              topic, partition, offset (null with --acks 0), timestamp,\n"
    "                              line\n" //
    ADMIN_HELP_BOOTSTRAP;

struct produce {
    /* What was asked for. */
    const char *topic;
    const char *bootstrap;
    const char *key_separator;
    const char *acks;
    const char *compression;
    int64_t partition; /* -1: by key */
    struct cli_words header_texts;
    bool is_json;

    struct admin admin;
    struct rdkafka k;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic_handle; /* made first: only that asks for its leaders at once */
    rd_kafka_headers_t *headers;    /* NULL: none */
    struct line_reader lines;
    int64_t line_number;
    int64_t sent_bytes;
    int64_t acked, failed;
    bool is_broken;      /* nothing more can be sent */
    bool is_output_lost; /* with --json */
};

/* ---- what librdkafka tells */

static void complain(struct produce *p, const char *text)
{
    cli_progress_clear(&p->admin.progress);
    cli_complain("%s", text);
}

static void count_failure(struct produce *p, rd_kafka_resp_err_t error)
{
    if (p->failed++ >= ERRORS_SHOWN_MAX)
        return;
    struct strbuf text;
    strbuf_init(&text);
    int16_t code = (int16_t)error;
    strbuf_printf(&text, "a record was not taken: ");
    if (error > 0 && kerr_is_known(code))
        strbuf_printf(&text, "%s: %s", kerr_name((enum kerr)code), kerr_message((enum kerr)code));
    else
        strbuf_puts(&text, p->k.err2str(error));
    complain(p, strbuf_text(&text));
    strbuf_deinit(&text);
}

/* Acknowledgements come as the brokers give them, not in the order of the lines. */
static void print_acked(struct produce *p, const rd_kafka_message_t *message)
{
    json_t *object = json_object();
    json_out_set(object, "topic", json_out_str(wire_str_of(p->topic)));
    json_out_set(object, "partition", json_integer(message->partition));
    json_out_set(object, "offset", json_out_number(message->offset));
    json_out_set(object, "timestamp", json_out_number(p->k.message_timestamp(message, NULL)));
    json_out_set(object, "line", json_integer((intptr_t)message->_private));
    if (json_out_print_line(object) != CLI_OK)
        p->is_output_lost = true;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct produce *p = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        count_failure(p, message->err);
        return;
    }
    p->acked++;
    if (p->is_json)
        print_acked(p, message);
}

/* Brokers that come and go are librdkafka's business; a fatal error ends the command. */
static void on_error(rd_kafka_t *rk, int error, const char *reason, void *opaque)
{
    struct produce *p = opaque;
    if (error != RD_KAFKA_RESP_ERR__FATAL || p->is_broken)
        return;
    char text[512];
    p->k.fatal_error(rk, text, sizeof(text));
    complain(p, text);
    p->is_broken = true;
}

/* ---- setting up */

static bool make_headers(struct produce *p)
{
    if (p->header_texts.count == 0)
        return true;
    p->headers = p->k.headers_new((size_t)p->header_texts.count);
    for (int i = 0; i < p->header_texts.count; i++) {
        const char *text = p->header_texts.items[i], *equals = strchr(text, '=');
        ASSERT(equals != NULL);
        if (p->k.header_add(p->headers, text, equals - text, equals + 1, -1) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            cli_complain("the header %.100s cannot be sent", text);
            return false;
        }
    }
    return true;
}

static bool make_producer(struct produce *p)
{
    if (!rdkafka_load(&p->k) || !make_headers(p))
        return false;
    bool is_idempotent = strcmp(p->acks, "all") == 0;
    const struct rdkafka_setting settings[] = {
        {"bootstrap.servers", admin_bootstrap(p->bootstrap)},
        {"client.id", "klamm-produce"},
        {"acks", p->acks},
        {"enable.idempotence", is_idempotent ? "true" : "false"},
        {"compression.codec", p->compression},
        {"partitioner", "murmur2_random"}, /* the Java client's, for the same keys */
        {"message.timeout.ms", DELIVERY_MS},
        {"message.max.bytes", RECORD_BYTES_TEXT},
        {"queue.buffering.max.kbytes", QUEUE_KIB},
    };
    struct rdkafka_options options = {
        .type = RD_KAFKA_PRODUCER,
        .settings = settings,
        .setting_count = ARRAY_COUNT(settings),
        .on_error = on_error,
        .on_delivery = on_delivery,
        .opaque = p,
    };
    p->producer = rdkafka_new(&p->k, &options);
    if (p->producer == NULL)
        return false;
    p->topic_handle = p->k.topic_new(p->producer, p->topic, NULL);
    if (p->topic_handle == NULL)
        cli_complain("librdkafka refuses the topic's name");
    return p->topic_handle != NULL;
}

static void drop_producer(struct produce *p)
{
    if (p->headers != NULL)
        p->k.headers_destroy(p->headers);
    if (p->topic_handle != NULL)
        p->k.topic_destroy(p->topic_handle);
    if (p->producer != NULL)
        p->k.destroy(p->producer);
}

static enum admin_lookup look_at_topic(void *arg, const struct metadata_response_topic *topic,
                                       bool is_last)
{
    const struct produce *p = arg;
    if (p->partition < topic->partitions.count)
        return ADMIN_LOOKUP_DONE;
    admin_complain_partition(p->topic, topic->partitions.count, p->partition);
    return ADMIN_LOOKUP_FAILED;
}

/* ---- sending */

static void show_progress(struct produce *p)
{
    cli_progress_records(&p->admin.progress, p->acked, p->sent_bytes);
}

struct record {
    const char *key; /* NULL: none */
    size_t key_len;
    const char *value;
    size_t value_len;
};

static rd_kafka_resp_err_t try_send(struct produce *p, const struct record *r)
{
    rd_kafka_headers_t *headers = p->headers != NULL ? p->k.headers_copy(p->headers) : NULL;
    rd_kafka_resp_err_t error = p->k.producev(
        p->producer, RD_KAFKA_V_RKT(p->topic_handle), RD_KAFKA_V_PARTITION((int32_t)p->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)(uintptr_t)r->key, r->key_len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)r->value, r->value_len), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE((void *)(intptr_t)p->line_number), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL)
        p->k.headers_destroy(headers);
    return error;
}

static void send_record(struct produce *p, const struct record *r)
{
    rd_kafka_resp_err_t error = try_send(p, r);
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && !p->is_broken && !interrupt_happened()) {
        p->k.poll(p->producer, FULL_POLL_MS);
        show_progress(p);
        error = try_send(p, r);
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->sent_bytes += (int64_t)(r->key_len + r->value_len);
    else if (error != RD_KAFKA_RESP_ERR__FATAL) /* that one has been told */
        count_failure(p, error);
}

/* False: the line has no separator, and it has been said. */
static bool send_line(struct produce *p, const char *line, size_t len)
{
    struct record r = {.value = line, .value_len = len};
    if (p->key_separator != NULL) {
        size_t separator_len = strlen(p->key_separator);
        const char *at = memmem(line, len, p->key_separator, separator_len);
        if (at == NULL) {
            cli_progress_clear(&p->admin.progress);
            cli_complain("line %lld has no \"%s\": it and the lines behind it are not sent",
                         (long long)p->line_number, p->key_separator);
            return false;
        }
        r = (struct record){line, (size_t)(at - line), at + separator_len,
                            len - (size_t)(at - line) - separator_len};
    }
    send_record(p, &r);
    return true;
}

static bool send_lines(struct produce *p)
{
    const char *line = NULL;
    size_t len = 0;
    enum err e = ERR_OK;
    bool is_fine = true;
    while (is_fine && !p->is_broken && !interrupt_happened()) {
        e = line_reader_next(&p->lines, &line, &len);
        if (e != ERR_OK)
            break;
        p->line_number++;
        is_fine = send_line(p, line, len);
        p->k.poll(p->producer, 0);
        show_progress(p);
    }
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        cli_progress_clear(&p->admin.progress);
        cli_complain("line %lld of standard input: %s", (long long)p->line_number + 1, err_text(e));
        is_fine = false;
    }
    return is_fine && !p->is_broken;
}

/* Until each record is acknowledged or has failed: librdkafka gives up by itself in time. */
static void finish(struct produce *p)
{
    while (p->k.flush(p->producer, FLUSH_STEP_MS) != RD_KAFKA_RESP_ERR_NO_ERROR && !p->is_broken)
        show_progress(p);
    int unknown = p->is_broken ? p->k.outq_len(p->producer) : 0;
    p->failed += unknown;
}

static int sum_up(struct produce *p, bool is_fine)
{
    char acked[CLI_COUNT_SIZE], failed[CLI_COUNT_SIZE];
    cli_progress_clear(&p->admin.progress);
    if (p->failed > 0)
        return cli_complain("%s records were acknowledged, %s were not", cli_count(p->acked, acked),
                            cli_count(p->failed, failed));
    cli_progress_sum_up(&p->admin.progress, p->acked, p->sent_bytes);
    if (p->is_output_lost || cli_output_is_lost())
        return cli_complain_output("; all records were acknowledged");
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int run(struct produce *p)
{
    if (!admin_open(&p->admin, p->bootstrap))
        return CLI_FAILED;
    interrupt_watch(true);
    struct admin_search search = {
        .topic = p->topic, .may_create = true, .look = look_at_topic, .arg = p};
    if (!admin_find_topic(&p->admin, &search) || !make_producer(p))
        return CLI_FAILED;
    bool is_fine = send_lines(p);
    finish(p);
    return sum_up(p, is_fine);
}

/* ---- words */

static bool is_one_of(const char *text, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(text, *names) == 0)
            return true;
    }
    return false;
}

static int check(const struct produce *p)
{
    static const char *const acks[] = {"all", "1", "0", NULL};
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};
    if (!is_one_of(p->acks, acks))
        return cli_complain_usage("produce", "--acks takes all, 1 or 0, not \"%.100s\"", p->acks);
    if (!is_one_of(p->compression, codecs))
        return cli_complain_usage(
            "produce", "--compression takes none, gzip, snappy, lz4 or zstd, not \"%.100s\"",
            p->compression);
    if (p->key_separator != NULL && p->key_separator[0] == '\0')
        return cli_complain_usage("produce", "--key-separator takes at least one byte");
    for (int i = 0; i < p->header_texts.count; i++) {
        if (strchr(p->header_texts.items[i], '=') == NULL)
            return cli_complain_usage("produce", "--header takes KEY=VALUE, not \"%.100s\"",
                                      p->header_texts.items[i]);
    }
    return CLI_GO_ON;
}

int cli_produce(int argc, char **argv)
{
    struct produce p = {.acks = "all", .compression = "none", .partition = -1};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &p.bootstrap, 0, 0},
        {"--key-separator", CLI_TEXT, &p.key_separator, 0, 0},
        {"--acks", CLI_TEXT, &p.acks, 0, 0},
        {"--compression", CLI_TEXT, &p.compression, 0, 0},
        {"--partition", CLI_NUMBER, &p.partition, 0, INT32_MAX},
        {"--header", CLI_TEXTS, &p.header_texts, 0, 0},
        {"--json", CLI_FLAG, &p.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "produce",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = 1};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = check(&p);
    if (status == CLI_GO_ON) {
        p.topic = parse.words.items[0];
        line_reader_init(&p.lines);
        status = run(&p);
        line_reader_deinit(&p.lines);
        drop_producer(&p);
        admin_close(&p.admin);
    }
    cli_words_free(&parse.words);
    cli_words_free(&p.header_texts);
    return status;
}
