// SPDX-License-Identifier: Apache-2.0
/*
 * log_dump: `klamm log dump`: what is in files of a log, Kafka's and ours. The lines of batches and
 * records have the words of Kafka's dump tool, so that what reads those reads these.
 *
 * Thread: main.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "cli/log.h"
#include "cli/options.h"
#include "env/real_env.h"

static const char help[] =
    "usage: klamm log dump FILE... [--records] [--offsets | --kraft] [--json]\n\n"
    "Prints what is in files of a log, of Kafka or of Klamm: .log, .index, .timeindex, .txnindex,\n"
    ".snapshot, leader-epoch-checkpoint, partition.metadata, the checkpoints of a log directory,\n"
    "meta.properties, klamm.metadata and its snapshot. Only reads. What is wrong is a line on\n"
    "standard error; klamm log verify looks closer.\n\n"
    "  --records                   each record too: key, value, headers\n"
    "  --offsets                   the same, of __consumer_offsets: the commits and groups in it\n"
    "  --kraft                     the same, of __cluster_metadata: topics, partitions, configs\n"
    "  --json                      an object on a line of its own for each batch, record, entry\n"
    "                              or line: file, kind, and its fields\n"
    "  --help                      this text\n";

struct dump {
    struct log_scan scan;
    enum log_decoder decoder;
    bool wants_records;
    bool is_json;
    const char *kind; /* of what the items of this file are */
    struct strbuf line;
    struct strbuf key, value; /* decoded */
    int status;
};

static struct dump *dump_of(struct log_scan *s)
{
    return s->owner;
}

/* ---- a line */

/* Nobody reads any more: that needs no line (see cli_main). */
static void stop(struct dump *d)
{
    d->scan.is_stopped = true;
    if (errno == EPIPE)
        clearerr(stdout);
}

static void print(struct dump *d, const char *kind, int depth, const struct log_field *fields,
                  size_t count)
{
    if (d->is_json) {
        json_t *object = json_object();
        json_out_set(object, "file", json_out_str(wire_str_of(d->scan.path)));
        json_out_set(object, "kind", json_string(kind));
        log_json_fields(object, fields, count);
        if (json_out_print_line(object) != CLI_OK)
            stop(d);
        return;
    }
    strbuf_clear(&d->line);
    strbuf_puts(&d->line, depth > 0 ? "| " : "");
    log_print_fields(&d->line, fields, count);
    strbuf_putc(&d->line, '\n');
    if (fwrite(strbuf_text(&d->line), 1, d->line.len, stdout) < d->line.len)
        stop(d);
}

static void on_fault(struct log_scan *s, int64_t pos, const char *text)
{
    struct dump *d = dump_of(s);
    if (pos >= 0)
        d->status = cli_complain("%s: position %" PRId64 ": %s", s->path, pos, text);
    else
        d->status = cli_complain("%s: %s", s->path, text);
}

static void on_item(struct log_scan *s, int depth, const struct log_field *fields, size_t count)
{
    struct dump *d = dump_of(s);
    print(d, depth > 0 ? "record" : d->kind, depth, fields, count);
}

/* ---- batches */

static void on_batch(struct log_scan *s, const struct log_batch *b)
{
    const struct batch_header *h = &b->header;
    enum compress_codec codec = batch_codec(h);
    bool has_horizon = (h->attributes & BATCH_DELETE_HORIZON) != 0;
    struct log_field horizon = log_number("deleteHorizonMs", h->base_timestamp);
    const struct log_field fields[] = {
        log_number("baseOffset", h->base_offset),
        log_number("lastOffset", batch_last_offset(h)),
        log_number("count", h->record_count),
        log_number("baseSequence", h->base_sequence),
        log_number(
            "lastSequence",
            h->base_sequence < 0 ? -1 : batch_sequence_add(h->base_sequence, h->last_offset_delta)),
        log_number("producerId", h->producer_id),
        log_number("producerEpoch", h->producer_epoch),
        log_number("partitionLeaderEpoch", h->leader_epoch),
        log_flag("isTransactional", batch_is_transactional(h)),
        log_flag("isControl", batch_is_control(h)),
        has_horizon ? horizon : log_text("deleteHorizonMs", NULL),
        log_number("position", b->pos),
        log_number(batch_is_log_append_time(h) ? "LogAppendTime" : "CreateTime", h->max_timestamp),
        log_number("size", (int64_t)batch_size(h)),
        log_number("magic", h->magic),
        log_text("compresscodec", codec < COMPRESS_COUNT ? compress_codec_name(codec) : "unknown"),
        log_number("crc", h->crc),
        log_flag("isvalid", b->is_valid),
    };
    print(dump_of(s), "batch", 0, fields, ARRAY_COUNT(fields));
}

/* ---- records */

static void add_headers(struct strbuf *out, const struct record *r)
{
    struct record_bytes rest = r->headers;
    struct record_header header;
    json_t *array = json_array();
    while (record_header_next(&rest, &header)) {
        json_t *object = json_object();
        json_out_bytes(object, "key", header.name.data, (size_t)header.name.len);
        json_out_bytes(object, "value", header.value.len < 0 ? NULL : header.value.data,
                       (size_t)MAX(header.value.len, 0));
        json_out_append(array, object);
    }
    char *text = json_dumps(array, JSON_COMPACT);
    ASSERT(text != NULL);
    strbuf_puts(out, text);
    free(text); /* jansson's, by malloc */
    json_decref(array);
}

/* A control record's key: version and type. */
static const char *control_name(const struct record *r)
{
    static const char *const names[] = {"ABORT",           "COMMIT",          "LEADER_CHANGE",
                                        "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION",
                                        "KRAFT_VOTERS"};
    if (r->key.len < 4)
        return "unknown";
    uint16_t type = bytes_load_u16(r->key.data + 2);
    return type < ARRAY_COUNT(names) ? names[type] : "unknown";
}

static void on_record(struct log_scan *s, const struct log_batch *b, const struct record *r)
{
    struct dump *d = dump_of(s);
    const struct batch_header *h = &b->header;
    struct strbuf headers;
    size_t count = 6;
    struct log_field fields[10] = {
        log_number("offset",
                   (int64_t)((uint64_t)h->base_offset + (uint64_t)(int64_t)r->offset_delta)),
        log_number(batch_is_log_append_time(h) ? "LogAppendTime" : "CreateTime", r->timestamp),
        log_number("keySize", r->key.len),
        log_number("valueSize", r->value.len),
        log_number("sequence", h->base_sequence < 0
                                   ? -1
                                   : batch_sequence_add(h->base_sequence, MAX(r->offset_delta, 0))),
    };
    strbuf_init(&headers);
    add_headers(&headers, r);
    fields[5] = log_json("headers", strbuf_text(&headers));
    strbuf_clear(&d->key);
    strbuf_clear(&d->value);
    if (batch_is_control(h)) {
        fields[count++] = log_text("control", control_name(r));
    } else if (log_decode(d->decoder, r, &d->key, &d->value)) {
        fields[count++] = log_json("key", d->key.len > 0 ? strbuf_text(&d->key) : NULL);
        fields[count++] = log_json("value", strbuf_text(&d->value));
    } else {
        fields[count++] = log_bytes("key", r->key.data, r->key.len);
        fields[count++] = log_bytes("value", r->value.data, r->value.len);
    }
    print(d, "record", 1, fields, count);
    strbuf_deinit(&headers);
}

/* ---- files */

static void dump_segment(struct dump *d, const char *path)
{
    struct log_segment_facts facts;
    int64_t offset = log_path_offset(path);
    if (!d->is_json && offset >= 0)
        printf("Log starting offset: %" PRId64 "\n", offset);
    d->scan.batch = on_batch;
    d->scan.record = d->wants_records ? on_record : NULL;
    enum err e = log_scan_segment(&d->scan, path, &facts);
    if (e != ERR_OK)
        d->status = cli_complain("%s: %s", path, err_text(e));
    else if (facts.tail == LOG_TAIL_TORN)
        on_fault(&d->scan, facts.end, facts.tail_why);
    else if (facts.tail == LOG_TAIL_ZEROS && !d->is_json)
        printf("zeros from position %" PRId64 " to %" PRId64 "\n", facts.end, facts.size);
}

static void dump_file(struct dump *d, const char *path)
{
    enum log_kind kind = log_kind_of(log_path_name(path));
    d->scan.path = path;
    d->kind = log_kind_name(kind);
    if (kind == LOG_KIND_UNKNOWN) {
        d->status = cli_complain("%s: no file of a log by its name", path);
        return;
    }
    if (!d->is_json)
        printf("Dumping %s\n", path);
    if (kind == LOG_KIND_SEGMENT || kind == LOG_KIND_KRAFT_SNAPSHOT) {
        dump_segment(d, path);
        return;
    }
    enum err e = log_scan_other(&d->scan, path, kind);
    if (e != ERR_OK)
        d->status = cli_complain("%s: %s", path, err_text(e));
}

static void dump_files(struct dump *d, const struct cli_words *files)
{
    for (int i = 0; i < files->count && !d->scan.is_stopped; i++)
        dump_file(d, files->items[i]);
}

static int run(struct dump *d, const struct cli_words *files)
{
    struct real_env *real = log_env_new();
    if (real == NULL)
        return CLI_FAILED;
    log_scan_init(&d->scan, real_env_env(real));
    d->scan.owner = d;
    d->scan.fault = on_fault;
    d->scan.item = on_item;
    strbuf_init(&d->line);
    strbuf_init(&d->key);
    strbuf_init(&d->value);
    dump_files(d, files);
    strbuf_deinit(&d->line);
    strbuf_deinit(&d->key);
    strbuf_deinit(&d->value);
    log_scan_deinit(&d->scan);
    real_env_free(real);
    return d->status;
}

int cli_log_dump(int argc, char **argv)
{
    struct dump d = {.status = CLI_OK};
    bool wants_offsets = false, wants_kraft = false;
    const struct cli_option options[] = {
        {"--records", CLI_FLAG, &d.wants_records, 0, 0},
        {"--offsets", CLI_FLAG, &wants_offsets, 0, 0},
        {"--kraft", CLI_FLAG, &wants_kraft, 0, 0},
        {"--json", CLI_FLAG, &d.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "log dump",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX,
                              .word_name = "a file"};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON && wants_offsets && wants_kraft)
        status = cli_complain_usage("log dump", "--offsets and --kraft exclude each other");
    if (status == CLI_GO_ON) {
        d.decoder = wants_offsets ? LOG_DECODE_OFFSETS
                    : wants_kraft ? LOG_DECODE_KRAFT
                                  : LOG_DECODE_NONE;
        d.wants_records = d.wants_records || d.decoder != LOG_DECODE_NONE;
        status = run(&d, &parse.words);
    }
    cli_words_free(&parse.words);
    return status;
}
