// SPDX-License-Identifier: Apache-2.0
/* log_import: `klamm log import`: the command; the steps are in log_import.h. Thread: main. */
#include "cli/log_import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/options.h"
#include "cli/table.h"
#include "env/real_env.h"

static const char help[] =
    "usage: klamm log import DIR... --to DIR [--to DIR]... [--topic T]... [--config T:K=V]...\n"
    "                        [--partitions T:N]... [--allow WHAT]... [--kraft DIR] [--dry-run]\n"
    "                        [--json]\n\n"
    "Takes over topics from the log directories of a stopped Apache Kafka 4.x into those of a "
    "stopped\n"
    "Klamm. They are copied; Kafka's directories stay as they are. Offsets, timestamps, topic "
    "ids,\n"
    "leader epochs, idempotent producers and the offsets of groups come along; configs and "
    "numbers\n"
    "of partitions are read from Kafka's metadata log (__cluster_metadata-0). Every batch is\n"
    "checked before. All topics are there afterwards, or none.\n\n"
    "  DIR...                      the log directories of one Kafka broker (its log.dirs)\n"
    "  --to DIR                    a log directory of Klamm, the first of its log.dirs first; a "
    "new\n"
    "                              one becomes of the node and cluster of Kafka's\n"
    "  --topic T                   this topic; may be repeated; default: all, and\n"
    "                              __consumer_offsets, but no other internal ones\n"
    "  --config T:K=V              gives topic T this config instead of what Kafka has\n"
    "  --partitions T:N            topic T has N partitions; for when no metadata log is found\n"
    "  --allow missing             partitions that are not in DIR are made anew, empty\n"
    "  --allow unclean             a Kafka that was killed: Klamm recovers at its next start\n"
    "  --allow transactions        topics with aborted or open transactions: all readers see "
    "those\n"
    "  --kraft DIR                 where __cluster_metadata-0 is, if not in DIR\n"
    "  --dry-run                   shows what would be done, and does nothing\n"
    "  --json                      an object: dry_run, topics, left_out, bytes\n"
    "  --help                      this text\n";

/* ---- saying */

static void say(struct import *im, const char *format, va_list args, struct strbuf *out)
{
    strbuf_init(out);
    strbuf_vprintf(out, format, args);
    cli_progress_clear(&im->verify.progress);
}

void import_refuse(struct import *im, const char *format, ...)
{
    struct strbuf text;
    va_list args;
    va_start(args, format);
    say(im, format, args, &text);
    va_end(args);
    im->refusals++;
    if (!im->is_silent)
        cli_complain("%s", strbuf_text(&text));
    strbuf_deinit(&text);
}

void import_leave_out(struct import *im, const char *format, ...)
{
    struct strbuf text;
    va_list args;
    va_start(args, format);
    say(im, format, args, &text);
    va_end(args);
    json_out_append(im->left_out, json_out_str(wire_str_of(strbuf_text(&text))));
    strbuf_deinit(&text);
}

/* ---- what is, or would be, done */

static int64_t bytes_of(const struct import_topic *topic)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < topic->partition_count; i++)
        sum += topic->partitions[i].bytes;
    return sum;
}

static json_t *topic_json(const struct import_topic *topic)
{
    char id[UUID_TEXT_SIZE];
    json_t *object = json_object(), *configs = json_object();
    for (int key = 0; key < CONFIG_TOPIC_COUNT; key++) {
        const char *value = config_set_get(&topic->values, key);
        if (value != NULL)
            json_out_set(configs, config_topic_defs[key].name, json_out_str(wire_str_of(value)));
    }
    json_out_set(object, "name", json_out_str(wire_str_of(topic->name)));
    json_out_set(object, "id", json_string(uuid_format(topic->id, id)));
    json_out_set(object, "partitions", json_integer(topic->partition_count));
    json_out_set(object, "size_bytes", json_integer(bytes_of(topic)));
    json_out_set(object, "configs", configs);
    return object;
}

static int show_json(struct import *im)
{
    json_t *object = json_object(), *topics = json_array();
    for (size_t i = 0; i < im->topic_count; i++) {
        if (im->all[i].is_chosen)
            json_out_append(topics, topic_json(&im->all[i]));
    }
    json_out_set(object, "dry_run", json_boolean(im->is_dry_run));
    json_out_set(object, "topics", topics);
    json_out_set(object, "left_out", json_incref(im->left_out));
    json_out_set(object, "bytes", json_integer(im->bytes));
    return json_out_print(object);
}

static int show(struct import *im)
{
    static const struct table_column columns[] = {
        {"topic", false}, {"partitions", true}, {"bytes", true}, {"configs", true}};
    struct table table;
    size_t index;
    json_t *line;
    if (im->is_json)
        return show_json(im);
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < im->topic_count; i++) {
        const struct import_topic *topic = &im->all[i];
        if (!topic->is_chosen)
            continue;
        table_add(&table, wire_str_of(topic->name));
        table_add_number(&table, topic->partition_count);
        table_add_number(&table, bytes_of(topic));
        table_add_number(&table, topic->values.count);
    }
    table_print(&table, 0);
    table_deinit(&table);
    json_array_foreach(im->left_out, index, line) printf("left out: %s\n", json_string_value(line));
    if (im->chosen_count == 0)
        puts("there was nothing to take over");
    else
        puts(im->is_dry_run ? "a dry run: nothing was done" : "all of it was taken over");
    return CLI_OK;
}

/* ---- the steps */

static void on_fault(struct log_scan *s, int64_t pos, const char *text)
{
    struct verify *v = s->owner;
    verify_say(v, v->is_excused ? &v->notes : &v->faults, s->path, pos, text);
}

void import_init(struct import *im, struct env *env)
{
    im->env = env;
    im->left_out = json_array();
    map_init(&im->leftovers);
    log_scan_init(&im->verify.scan, env);
    cli_progress_init(&im->verify.progress, env);
    im->verify.scan.owner = &im->verify;
    im->verify.scan.fault = on_fault;
}

static void free_topic(struct import_topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++)
        mem_free(topic->partitions[i].staged);
    for (size_t i = 0; i < topic->config_count; i++) {
        mem_free(topic->configs[i].key);
        mem_free(topic->configs[i].value);
    }
    mem_free(topic->partitions);
    mem_free(topic->configs);
    mem_free(topic->name);
    config_set_deinit(&topic->values);
}

void import_deinit(struct import *im)
{
    for (size_t i = 0; i < im->topic_count; i++)
        free_topic(&im->all[i]);
    for (size_t i = 0; i < im->source_count; i++) {
        env_file_unref(im->sources[i].lock);
        verify_home_free(&im->sources[i].home);
    }
    if (im->has_store)
        store_disk_close(&im->store);
    for (size_t i = 0; i < im->target_count; i++)
        log_dir_close(im->targets[i].dir);
    image_unref(im->image);
    mem_free(im->all);
    mem_free(im->sources);
    mem_free(im->targets);
    import_leftovers_free(im);
    json_decref(im->left_out);
    verify_faults_free(&im->verify.faults);
    verify_faults_free(&im->verify.notes);
    log_scan_deinit(&im->verify.scan);
}

enum err import_run(struct import *im)
{
    ASSERT(im->source_paths.count > 0 && im->target_paths.count > 0);
    import_read_sources(im);
    if (im->refusals == 0)
        import_open_targets(im);
    if (im->refusals == 0)
        import_plan(im);
    if (im->refusals == 0)
        import_check_records(im);
    import_leftovers_tell(im);
    if (im->refusals > 0)
        return ERR_INVALID;
    return im->is_dry_run || im->chosen_count == 0 ? ERR_OK : import_execute(im);
}

/* ---- the command */

static int take_allowed(struct import *im, const struct cli_words *words)
{
    for (int i = 0; i < words->count; i++) {
        if (strcmp(words->items[i], "missing") == 0)
            im->allows_missing = true;
        else if (strcmp(words->items[i], "unclean") == 0)
            im->allows_unclean = true;
        else if (strcmp(words->items[i], "transactions") == 0)
            im->allows_transactions = true;
        else
            return cli_complain_usage("log import",
                                      "--allow takes missing, unclean or transactions, not \"%s\"",
                                      words->items[i]);
    }
    if (im->target_paths.count == 0)
        return cli_complain_usage("log import", "--to is missing");
    return CLI_GO_ON;
}

static int run(struct import *im)
{
    struct real_env *real = log_env_new();
    if (real == NULL)
        return CLI_FAILED;
    import_init(im, real_env_env(real));
    int status = import_run(im) == ERR_OK ? show(im) : CLI_FAILED;
    import_deinit(im);
    real_env_free(real);
    return status;
}

int cli_log_import(int argc, char **argv)
{
    struct import im = {0};
    struct cli_words allowed = {0};
    const struct cli_option options[] = {
        {"--to", CLI_TEXTS, &im.target_paths, 0, 0}, {"--topic", CLI_TEXTS, &im.topics, 0, 0},
        {"--config", CLI_TEXTS, &im.configs, 0, 0},  {"--allow", CLI_TEXTS, &allowed, 0, 0},
        {"--kraft", CLI_TEXT, &im.kraft_path, 0, 0}, {"--dry-run", CLI_FLAG, &im.is_dry_run, 0, 0},
        {"--json", CLI_FLAG, &im.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "log import",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX,
                              .word_name = "a log directory"};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = take_allowed(&im, &allowed);
    if (status == CLI_GO_ON) {
        im.source_paths = parse.words;
        status = run(&im);
    }
    cli_words_free(&parse.words);
    cli_words_free(&im.target_paths);
    cli_words_free(&im.topics);
    cli_words_free(&im.configs);
    cli_words_free(&im.partitions);
    cli_words_free(&allowed);
    return status;
}
