// SPDX-License-Identifier: Apache-2.0
/*
 * topic_move_log: `klamm topic move-log`: AlterReplicaLogDirs to every leader (KIP-113), then what
 * DescribeLogDirs says of the moves, again and again where somebody waits for their end.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "cli/interrupt.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "cli/topic.h"
#include "cli/topic_choice.h"
#include "cli/topic_state.h"
#include "wire/alter_replica_log_dirs.h"
#include "wire/codec.h"
#include "wire/kerr.h"

enum {
    LOOK_MS = 100,       /* from one look to the next */
    LOOKS_LOST_MAX = 20, /* a broker may show a partition that arrives nowhere, for a moment */
};

static const char help[] =
    "usage: klamm topic move-log T[:P,...]... --to DIR [--wait] [--json]\n\n"
    "Moves partitions of topics to another log directory of the broker that leads them. Clients\n"
    "notice nothing. To the directory where a partition is, it ends the move that is under way.\n"
    "How fast all moves of a broker are together, replica.alter.log.dirs.io.max.bytes.per.second\n"
    "says (klamm config set broker); klamm cluster logdirs names the directories.\n\n"
    "  --to DIR                    the directory, just as the broker names it\n"
    "  --wait                      until they are there, with progress on a terminal; Ctrl-C ends\n"
    "                              the command and not the moves\n"
    "  --json                      an array of objects: topic, partition, log_dir, moves_to\n" //
    ADMIN_HELP_BOOTSTRAP;

static const struct table_column columns[] = {
    {"topic", false},    {"partition", true}, {"bytes", true}, {"log_dir", false},
    {"moves_to", false}, {"copied", true},    {"lag", true}};

struct log_move {
    struct admin admin;
    const char *bootstrap;
    const char *to;
    bool waits, is_json;
    struct topic_choice choice;
    struct topic_states states;
    bool is_failed;
};

/* ---- AlterReplicaLogDirs to one leader */

static bool is_asked(const struct partition_view *p, int32_t leader)
{
    return p->is_wanted && p->partition->leader_id == leader;
}

static void fill_topic(const struct topic_view *view, int32_t leader, struct arena *arena,
                       struct alter_replica_log_dirs_request_alter_replica_log_dir_topic *topic)
{
    topic->name = view->topic->name;
    topic->partitions.items = arena_alloc_array(arena, (size_t)view->count + 1, sizeof(int32_t));
    ASSERT(topic->partitions.items != NULL);
    for (int32_t i = 0; i < view->count; i++) {
        if (is_asked(&view->partitions[i], leader))
            topic->partitions.items[topic->partitions.count++] =
                view->partitions[i].partition->partition_index;
    }
}

static void fill_dir(const struct log_move *m, int32_t leader, struct arena *arena,
                     struct alter_replica_log_dirs_request_alter_replica_log_dir *dir)
{
    enum err e =
        wire_array_new(arena, &alter_replica_log_dirs_request_alter_replica_log_dir_topic_layout,
                       m->choice.count, &dir->topics);
    ASSERT(e == ERR_OK);
    dir->path = wire_str_of(m->to);
    dir->topics.count = 0;
    for (int32_t i = 0; i < m->choice.count; i++) {
        struct alter_replica_log_dirs_request_alter_replica_log_dir_topic *topic =
            &dir->topics.items[dir->topics.count];
        fill_topic(&m->choice.views[i], leader, arena, topic);
        dir->topics.count += topic->partitions.count > 0;
    }
}

static void take_response(struct log_move *m,
                          const struct alter_replica_log_dirs_response *response)
{
    for (int32_t i = 0; i < response->results.count; i++) {
        const struct alter_replica_log_dirs_response_alter_replica_log_dir_topic_result *topic =
            &response->results.items[i];
        const struct topic_view *view = topic_choice_find(&m->choice, topic->topic_name);
        for (int32_t j = 0; view != NULL && j < topic->partitions.count; j++) {
            struct partition_view *p =
                topic_view_find(view, topic->partitions.items[j].partition_index);
            if (p == NULL)
                continue;
            p->is_answered = true;
            p->error = topic->partitions.items[j].error_code;
        }
    }
}

static void ask_leader(struct log_move *m, int32_t leader)
{
    struct alter_replica_log_dirs_request request;
    struct alter_replica_log_dirs_request_alter_replica_log_dir dir;
    struct client_result result;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    wire_defaults(&alter_replica_log_dirs_request_layout, &request);
    wire_defaults(&alter_replica_log_dirs_request_alter_replica_log_dir_layout, &dir);
    fill_dir(m, leader, &arena, &dir);
    request.dirs.items = &dir;
    request.dirs.count = 1;
    if (admin_call_node(&m->admin, leader, KEY_ALTER_REPLICA_LOG_DIRS, &request, &result)) {
        take_response(m, result.body);
        client_result_deinit(&result);
    }
    arena_deinit(&arena);
}

/* What was refused is wanted no more. */
static void drop_refused(struct log_move *m)
{
    for (int32_t i = 0; i < m->choice.count; i++) {
        const struct topic_view *view = &m->choice.views[i];
        for (int32_t j = 0; j < view->count; j++) {
            struct partition_view *p = &view->partitions[j];
            if (!p->is_wanted || topic_view_is_told(p))
                continue;
            topic_choice_complain(&m->admin, view, p);
            p->is_wanted = false;
            m->is_failed = true;
        }
    }
}

static void move_all(struct log_move *m)
{
    for (int32_t leader = topic_view_next_leader(m->choice.views, m->choice.count, -1); leader >= 0;
         leader = topic_view_next_leader(m->choice.views, m->choice.count, leader))
        ask_leader(m, leader);
    drop_refused(m);
}

/* ---- looking */

struct move_sums {
    int64_t under_way;
    int64_t lost; /* neither there nor on the way */
    int64_t bytes, bytes_there;
    int64_t lag;
};

static bool is_in(const struct partition_place *place, const char *dir)
{
    return place->row != NULL && wire_str_is(place->dir->log_dir, dir);
}

static void add_to_sums(const struct log_move *m, const struct partition_view *p,
                        struct move_sums *sums)
{
    if (is_in(&p->coming, m->to)) {
        sums->under_way++;
        sums->bytes += p->place.row != NULL ? p->place.row->partition_size : 0;
        sums->bytes_there += p->coming.row->partition_size;
        sums->lag += MAX(p->coming.row->offset_lag, 0);
    } else if (!is_in(&p->place, m->to)) {
        sums->lost++;
    }
}

/* False: a broker did not answer, and it has been said why. */
static bool look(struct log_move *m, struct move_sums *sums)
{
    *sums = (struct move_sums){0};
    topic_states_deinit(&m->states);
    topic_states_ask(&m->admin, m->choice.views, m->choice.count, false, &m->states);
    for (int32_t i = 0; i < m->choice.count; i++) {
        for (int32_t j = 0; j < m->choice.views[i].count; j++) {
            if (m->choice.views[i].partitions[j].is_wanted)
                add_to_sums(m, &m->choice.views[i].partitions[j], sums);
        }
    }
    return !m->states.has_silent;
}

static void show_progress(struct log_move *m, const struct move_sums *sums)
{
    char count[CLI_COUNT_SIZE], there[CLI_COUNT_SIZE], all[CLI_COUNT_SIZE], lag[CLI_COUNT_SIZE];
    if (cli_progress_is_due(&m->admin.progress))
        cli_progress_show(&m->admin.progress, "%s on the way: %s of %s bytes, %s offsets to go",
                          cli_count(sums->under_way, count), cli_count(sums->bytes_there, there),
                          cli_count(sums->bytes, all), cli_count(sums->lag, lag));
}

static void complain_of(struct log_move *m, int64_t count, const char *what)
{
    m->is_failed = true;
    cli_complain("%.200s: %lld partition%s %s", m->to, (long long)count,
                 count == 1 ? " is" : "s are", what);
}

static void follow(struct log_move *m)
{
    struct move_sums sums;
    int lost = 0;
    bool goes_on = look(m, &sums);
    while (goes_on && m->waits && sums.under_way + sums.lost > 0 && lost < LOOKS_LOST_MAX &&
           !interrupt_happened()) {
        show_progress(m, &sums);
        client_sync_wait(m->admin.sync, LOOK_MS);
        goes_on = look(m, &sums);
        lost = sums.lost > 0 ? lost + 1 : 0;
    }
    cli_progress_clear(&m->admin.progress);
    m->is_failed |= !goes_on;
    if (!goes_on || !m->waits)
        return;
    if (sums.lost > 0)
        complain_of(m, sums.lost, "not moved to it any more");
    else if (sums.under_way > 0)
        complain_of(m, sums.under_way, "on the way to it still");
}

/* ---- showing */

static json_t *row_json(const struct topic_view *view, const struct partition_view *p)
{
    json_t *object = json_object();
    json_out_set(object, "topic", json_out_str(view->topic->name));
    json_out_set(object, "partition", json_integer(p->partition->partition_index));
    json_out_set(object, "log_dir", topic_state_place_json(&p->place));
    json_out_set(object, "moves_to", topic_state_place_json(&p->coming));
    return object;
}

static void add_row(struct table *table, const struct topic_view *view,
                    const struct partition_view *p)
{
    const struct partition_place *places[] = {&p->place, &p->coming};
    table_add(table, view->topic->name);
    table_add_number(table, p->partition->partition_index);
    table_add_number(table, p->place.row != NULL ? p->place.row->partition_size : -1);
    for (size_t i = 0; i < ARRAY_COUNT(places); i++)
        table_add(table, places[i]->row != NULL ? places[i]->dir->log_dir : wire_str_of(NULL));
    table_add_number(table, p->coming.row != NULL ? p->coming.row->partition_size : -1);
    table_add_number(table, p->coming.row != NULL ? p->coming.row->offset_lag : -1);
}

static void show(struct log_move *m)
{
    struct table table;
    json_t *rows = json_array();
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (int32_t i = 0; i < m->choice.count; i++) {
        const struct topic_view *view = &m->choice.views[i];
        for (int32_t j = 0; j < view->count; j++) {
            if (!view->partitions[j].is_wanted)
                continue;
            json_out_append(rows, row_json(view, &view->partitions[j]));
            add_row(&table, view, &view->partitions[j]);
        }
    }
    bool is_empty = json_array_size(rows) == 0;
    if (m->is_json) {
        if (json_out_print(rows) != CLI_OK)
            m->is_failed = true;
    } else {
        json_decref(rows);
        if (!is_empty)
            table_print(&table, 0);
    }
    table_deinit(&table);
}

/* ---- all of it */

static int run(struct log_move *m, const struct cli_words *words)
{
    if (!topic_choice_ask(&m->admin, words, &m->choice) || !m->choice.is_whole)
        return CLI_FAILED;
    if (m->waits)
        interrupt_watch(false);
    move_all(m);
    follow(m);
    show(m);
    return m->is_failed ? CLI_FAILED : CLI_OK;
}

int cli_topic_move_log(int argc, char **argv)
{
    struct log_move m = {0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &m.bootstrap, 0, 0},
        {"--to", CLI_TEXT, &m.to, 0, 0},
        {"--wait", CLI_FLAG, &m.waits, 0, 0},
        {"--json", CLI_FLAG, &m.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic move-log",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = topic_choice_check("topic move-log", &parse.words);
    if (status == CLI_GO_ON && m.to == NULL)
        status = cli_complain_usage("topic move-log", "--to is missing");
    if (status == CLI_GO_ON) {
        status = admin_open(&m.admin, m.bootstrap) ? run(&m, &parse.words) : CLI_FAILED;
        topic_states_deinit(&m.states);
        topic_choice_deinit(&m.choice);
        admin_close(&m.admin);
    }
    cli_words_free(&parse.words);
    return status;
}
