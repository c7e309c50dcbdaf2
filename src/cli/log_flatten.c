// SPDX-License-Identifier: Apache-2.0
/*
 * log_flatten: `klamm log flatten`: makes a log directory that was not stopped cleanly a plain
 * Kafka's, without a journal.
 *
 * Thread: main.
 */
#include "log/log_flatten.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/json_out.h"
#include "cli/log.h"
#include "cli/options.h"
#include "env/real_env.h"

static const char help[] =
    "usage: klamm log flatten DIR... [--json]\n\n"
    "Writes what the journal of a log directory has into the segments it belongs to, and removes "
    "the\n"
    "journal. For another program than Klamm that shall use the directory of a broker that was\n"
    "killed: after a clean stop there is nothing in the journal. A directory that a broker uses "
    "is\n"
    "refused. May be repeated.\n\n"
    "  --json                      one object for each directory: dir, partitions, commits,\n"
    "                              unknown (partitions that are not here)\n"
    "  --help                      this text\n";

static int print(const char *path, const struct log_flatten_report *report, bool is_json)
{
    if (is_json) {
        json_t *object = json_object();
        json_out_set(object, "dir", json_string(path));
        json_out_set(object, "partitions", json_integer(report->partitions));
        json_out_set(object, "commits", json_integer((json_int_t)report->commits));
        json_out_set(object, "unknown", json_integer(report->unknown));
        return json_out_print_line(object);
    }
    if (report->was_clean)
        printf("%s: was stopped cleanly; the journal is removed\n", path);
    else
        printf("%s: the journal had commits of %" PRIu32 " partitions, %" PRIu64
               " of which were not in their segments; it is removed\n",
               path, report->partitions, report->commits);
    if (report->unknown > 0)
        cli_complain("%s: %" PRIu32 " of these partitions are not here", path, report->unknown);
    return CLI_OK;
}

static int run(const struct cli_words *paths, bool is_json)
{
    struct real_env *real = log_env_new();
    if (real == NULL)
        return CLI_FAILED;
    int status = CLI_OK;
    for (int i = 0; i < paths->count && status == CLI_OK; i++) {
        struct log_flatten_report report;
        struct strbuf why;
        strbuf_init(&why);
        enum err e = log_flatten(real_env_env(real), paths->items[i], &why, &report);
        if (e != ERR_OK) {
            cli_complain("%s", strbuf_text(&why));
            status = CLI_FAILED;
        } else {
            status = print(paths->items[i], &report, is_json);
        }
        strbuf_deinit(&why);
    }
    real_env_free(real);
    return status;
}

int cli_log_flatten(int argc, char **argv)
{
    bool is_json = false;
    const struct cli_option options[] = {{"--json", CLI_FLAG, &is_json, 0, 0}};
    struct cli_parse parse = {.command = "log flatten",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX,
                              .word_name = "a log directory"};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = run(&parse.words, is_json);
    cli_words_free(&parse.words);
    return status;
}
