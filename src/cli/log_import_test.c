// SPDX-License-Identifier: Apache-2.0
/*
 * log_import_test: taking over in memory, with each call failing in turn: all topics are there or
 * none, and the source is never touched. What a real Kafka has written is in
 * test/clients/test_log_files.py.
 *
 * Thread: main.
 */
#include "cli/log_import.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "env/mem_env.h"
#include "log/log_dirs.h"
#include "log/log_file.h"
#include "wire/batch_builder.h"
#include "wire/codec.h"
#include "wire/kraft.h"

#define ID_A     "AAAAAAAAQACAAAAAAAAAAA"
#define ID_OTHER "BBBBBBBBQBCBBBBBBBBBBA"

static void put(struct mem_env *m, const char *path, const void *data, size_t size)
{
    struct env_file *file = NULL;
    struct iovec iov = {(void *)(uintptr_t)data, size};
    enum err e = env_file_open(&m->env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file);
    CHECK_EQUAL(e, ERR_OK);
    if (size > 0)
        CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    env_file_unref(file);
}

static void put_text(struct mem_env *m, const char *path, const char *text)
{
    put(m, path, text, strlen(text));
}

/* ---- batches, of records and of Kafka's metadata */

static void add_batch(struct batch_buffer *out, int64_t base_offset, const void *const *values,
                      const size_t *sizes, int count)
{
    struct batch_options options = batch_options_default();
    options.base_offset = base_offset;
    options.leader_epoch = 4;
    struct batch_builder b;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    for (int i = 0; i < count; i++) {
        struct record r = {
            .timestamp = 1000, .key = {NULL, -1}, .value = {values[i], (int32_t)sizes[i]}};
        CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    }
    CHECK_EQUAL(batch_builder_finish(&b, out), ERR_OK);
    batch_builder_deinit(&b);
}

static void put_partition(struct mem_env *m, const char *name, const char *id)
{
    static const void *const values[] = {"one", "two", "three"};
    static const size_t sizes[] = {3, 3, 5};
    char path[64], text[64];
    struct batch_buffer log;
    snprintf(path, sizeof(path), "/kafka/%s", name);
    CHECK_EQUAL(env_dir_make(&m->env, path), ERR_OK);
    batch_buffer_init(&log, SIZE_MAX);
    add_batch(&log, 0, values, sizes, 3);
    snprintf(path, sizeof(path), "/kafka/%s/00000000000000000000.log", name);
    put(m, path, log.data, log.len);
    batch_buffer_deinit(&log);
    snprintf(path, sizeof(path), "/kafka/%s/partition.metadata", name);
    snprintf(text, sizeof(text), "version: 0\ntopic_id: %s", id);
    put_text(m, path, text);
    snprintf(path, sizeof(path), "/kafka/%s/leader-epoch-checkpoint", name);
    put_text(m, path, "0\n1\n4 0\n");
}

static void remove_partition(struct mem_env *m, const char *path)
{
    CHECK_EQUAL(log_file_remove_dir(&m->env, path), ERR_OK);
}

struct kraft_log {
    struct wire_writer w[16];
    int count;
};

static void add_record(struct kraft_log *k, uint32_t type, const struct wire_message *message,
                       const void *body)
{
    struct wire_writer *w = &k->w[k->count++];
    wire_writer_init(w, 1 << 16);
    wire_write_uvarint(w, 1);
    wire_write_uvarint(w, type);
    wire_write_uvarint(w, 0);
    if (message != NULL)
        CHECK_EQUAL(wire_encode(message, 0, w, body), ERR_OK);
    else
        wire_write_uvarint(w, 0); /* no tagged fields */
}

static void put_kraft(struct mem_env *m, struct kraft_log *k)
{
    const void *values[16];
    size_t sizes[16];
    struct batch_buffer log;
    for (int i = 0; i < k->count; i++) {
        values[i] = k->w[i].data;
        sizes[i] = k->w[i].size;
    }
    batch_buffer_init(&log, SIZE_MAX);
    add_batch(&log, 0, values, sizes, k->count);
    CHECK_EQUAL(env_dir_make(&m->env, "/kafka/__cluster_metadata-0"), ERR_OK);
    put(m, "/kafka/__cluster_metadata-0/00000000000000000000.log", log.data, log.len);
    batch_buffer_deinit(&log);
    for (int i = 0; i < k->count; i++)
        wire_writer_deinit(&k->w[i]);
}

static void source_topic(struct mem_env *m)
{
    put_partition(m, "a-0", ID_A);
    put_partition(m, "a-1", ID_A);
}

static void source(struct mem_env *m)
{
    CHECK_EQUAL(env_dir_make(&m->env, "/kafka"), ERR_OK);
    put_text(m, "/kafka/meta.properties",
             "version=1\nnode.id=7\ncluster.id=theirs\ndirectory.id=" ID_OTHER "\n");
    put_text(m, "/kafka/.kafka_cleanshutdown", "");
    put_text(m, "/kafka/recovery-point-offset-checkpoint", "0\n2\na 0 3\na 1 3\n");
    source_topic(m);
}

/* ---- runs */

static const char *from_path = "/kafka";
static const char *to_path = "/klamm";

static void begin(struct import *im, struct mem_env *m)
{
    *im = (struct import){
        .is_silent = true, .source_paths = {&from_path, 1}, .target_paths = {&to_path, 1}};
    import_init(im, &m->env);
}

/* How many topics and partitions a broker would find. */
static void look(struct mem_env *m, int32_t *partitions, int *dirs)
{
    struct store_disk store;
    struct strbuf why;
    struct verify_names names;
    strbuf_init(&why);
    *partitions = 0;
    *dirs = 0;
    if (verify_names_list(&m->env, "/klamm", &names)) {
        for (size_t i = 0; i < names.count; i++)
            *dirs += names.items[i].is_dir && strncmp(names.items[i].text, "a-", 2) == 0 &&
                     strchr(names.items[i].text, '.') == NULL;
        verify_names_free(&names);
        CHECK_EQUAL(store_disk_open(&m->env, "/klamm", &why, &store), ERR_OK);
        bool has_topic = store.head > 1; /* the first is the cluster's id */
        store_disk_close(&store);
        *partitions = has_topic ? 2 : 0;
    }
    strbuf_deinit(&why);
}

TEST(all_is_taken_over)
{
    struct mem_env m;
    struct import im;
    int32_t partitions;
    int dirs;
    mem_env_init(&m);
    source(&m);
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_OK);
    CHECK_EQUAL(im.topic_count, 1);
    CHECK_EQUAL(im.all[0].partition_count, 2);
    CHECK_EQUAL(im.all[0].partitions[1].leader_epoch, 4);
    import_deinit(&im);
    look(&m, &partitions, &dirs);
    CHECK_EQUAL(partitions, 2);
    CHECK_EQUAL(dirs, 2);
    begin(&im, &m); /* once more: it is there */
    CHECK_EQUAL(import_run(&im), ERR_INVALID);
    CHECK_EQUAL(im.refusals, 1);
    import_deinit(&im);
    mem_env_deinit(&m);
}

TEST(kafkas_metadata_says_what_there_is)
{
    struct mem_env m;
    struct import im;
    struct kraft_log k = {.count = 0};
    struct kraft_topic topic = {wire_str_of("a"), {{0}}};
    struct kraft_partition partition;
    struct kraft_config config = {2, wire_str_of("a"), wire_str_of("retention.ms"),
                                  wire_str_of("77")};
    struct kraft_producer_ids ids = {7, 1, 4000};
    mem_env_init(&m);
    source(&m);
    CHECK(uuid_parse(ID_A, &topic.topic_id));
    wire_defaults(&kraft_partition_layout, &partition);
    partition.topic_id = topic.topic_id;
    add_record(&k, 2, &kraft_topic_message, &topic);
    for (int32_t i = 0; i < 2; i++) {
        partition.partition_id = i;
        partition.leader_epoch = 9;
        add_record(&k, 3, &kraft_partition_message, &partition);
    }
    add_record(&k, 4, &kraft_config_message, &config);
    add_record(&k, 15, &kraft_producer_ids_message, &ids);
    add_record(&k, 23, NULL, NULL); /* a transaction that never ends: its config does not count */
    config.value = wire_str_of("88");
    add_record(&k, 4, &kraft_config_message, &config);
    put_kraft(&m, &k);
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_OK);
    CHECK(im.has_kraft);
    CHECK_EQUAL(im.topic_count, 1);
    CHECK_EQUAL(im.all[0].partitions[0].leader_epoch, 9);
    CHECK_EQUAL(im.all[0].config_count, 1);
    CHECK_TEXT(im.all[0].configs[0].value, "77");
    CHECK_EQUAL(im.next_producer_id, 4000);
    import_deinit(&im);
    mem_env_deinit(&m);
}

/* ---- topics of which nothing is in the directories */

/* Topic `b` with two partitions, of these replicas by Kafka's metadata; and `a`, which is here. The
 * change counts for partition 1 of `b`, if there is one; -1: of its leader only. */
static void put_kraft_topics(struct mem_env *m, int32_t replica, const int32_t *changed_to)
{
    static int32_t here = 7;
    struct kraft_log k = {.count = 0};
    struct kraft_topic topics[] = {{wire_str_of("a"), {{0}}}, {wire_str_of("b"), {{0}}}};
    CHECK(uuid_parse(ID_A, &topics[0].topic_id));
    CHECK(uuid_parse(ID_OTHER, &topics[1].topic_id));
    for (size_t i = 0; i < ARRAY_COUNT(topics); i++) {
        add_record(&k, 2, &kraft_topic_message, &topics[i]);
        for (int32_t p = 0; p < 2; p++) {
            struct kraft_partition partition;
            wire_defaults(&kraft_partition_layout, &partition);
            partition.topic_id = topics[i].topic_id;
            partition.partition_id = p;
            partition.replicas = (struct wire_i32_array){i == 0 ? &here : &replica, 1};
            add_record(&k, 3, &kraft_partition_message, &partition);
        }
    }
    if (changed_to != NULL) {
        int32_t replicas[] = {8, *changed_to};
        struct kraft_partition_change change;
        wire_defaults(&kraft_partition_change_layout, &change);
        change.topic_id = topics[1].topic_id;
        change.partition_id = 1;
        if (*changed_to >= 0)
            change.replicas = (struct wire_i32_array){replicas, 2};
        else
            change.leader = replicas[0];
        add_record(&k, 5, &kraft_partition_change_message, &change);
    }
    put_kraft(m, &k);
}

static enum err import_b(struct mem_env *m, struct import *im, bool is_named, bool allows_missing)
{
    static const char *name = "b";
    begin(im, m);
    if (is_named)
        im->topics = (struct cli_words){&name, 1};
    im->allows_missing = allows_missing;
    return import_run(im);
}

TEST(a_topic_of_this_broker_that_is_nowhere_is_refused)
{
    static const int32_t here = 7, leader_only = -1;
    static const struct {
        int32_t replica;
        const int32_t *changed_to;
    } cases[] = {{7, NULL}, {7, &leader_only}, {9, &here}};
    for (size_t i = 0; i < 2 * ARRAY_COUNT(cases); i++) {
        bool is_named = i % 2 == 1;
        struct mem_env m;
        struct import im;
        mem_env_init(&m);
        source(&m);
        put_kraft_topics(&m, cases[i / 2].replica, cases[i / 2].changed_to);
        CHECK_EQUAL(import_b(&m, &im, is_named, false), ERR_INVALID);
        CHECK_EQUAL(im.refusals, 1);
        CHECK_EQUAL(json_array_size(im.left_out), 0);
        import_deinit(&im);
        CHECK_EQUAL(import_b(&m, &im, is_named, true), ERR_OK);
        CHECK_EQUAL(json_array_size(im.left_out), 0);
        const struct import_topic *b = import_topic_find(&im, "b", 1);
        CHECK(b->is_chosen);
        CHECK_EQUAL(b->partition_count, 2);
        CHECK(image_topic(im.image, "b", 1) != NULL);
        import_deinit(&im);
        mem_env_deinit(&m);
    }
}

TEST(a_topic_of_other_brokers_is_left_out)
{
    static const int32_t elsewhere = 9;
    static const struct {
        int32_t replica;
        const int32_t *changed_to;
    } cases[] = {{9, NULL}, {9, &elsewhere}};
    for (size_t i = 0; i < 4 * ARRAY_COUNT(cases); i++) {
        struct mem_env m;
        struct import im;
        mem_env_init(&m);
        source(&m);
        put_kraft_topics(&m, cases[i / 4].replica, cases[i / 4].changed_to);
        CHECK_EQUAL(import_b(&m, &im, i % 2 == 1, i / 2 % 2 == 1), ERR_OK);
        CHECK_EQUAL(json_array_size(im.left_out), 1);
        CHECK(!import_topic_find(&im, "b", 1)->is_chosen);
        import_deinit(&im);
        mem_env_deinit(&m);
    }
}

/* ---- what is left out */

static void add_config(struct kraft_log *k, int8_t type, const char *resource, const char *value)
{
    struct kraft_config config = {type, wire_str_of(resource), wire_str_of("some.key"), {NULL, -1}};
    if (value != NULL)
        config.value = wire_str_of(value);
    add_record(k, 4, &kraft_config_message, &config);
}

static void add_quota(struct kraft_log *k, const char *user, double value, bool is_removed)
{
    struct kraft_client_quota_entity_data entity[] = {{wire_str_of("client-id"), {NULL, -1}},
                                                      {wire_str_of("user"), wire_str_of(user)}};
    struct kraft_client_quota quota = {
        {entity, 2}, wire_str_of("producer_byte_rate"), value, is_removed};
    add_record(k, 14, &kraft_client_quota_message, &quota);
}

static void add_scram_user(struct kraft_log *k, const char *name, int8_t mechanism)
{
    struct kraft_user_scram_credential user = {
        .name = wire_str_of(name), .mechanism = mechanism, .iterations = 4096};
    add_record(k, 11, &kraft_user_scram_credential_message, &user);
}

static void add_acl(struct kraft_log *k, uint8_t id, int8_t operation)
{
    struct kraft_access_control_entry acl = {
        {{id}},    2, wire_str_of("orders"), 3, wire_str_of("User:al\nice"), wire_str_of("*"),
        operation, 3};
    add_record(k, 18, &kraft_access_control_entry_message, &acl);
}

static void add_token(struct kraft_log *k, const char *id)
{
    struct kraft_delegation_token token = {.owner = wire_str_of("User:alice"),
                                           .requester = wire_str_of("User:alice"),
                                           .token_id = wire_str_of(id)};
    add_record(k, 10, &kraft_delegation_token_message, &token);
}

/* Each of the lines once, and no others. */
static void check_left_out(const struct import *im, const char *const *lines, size_t count)
{
    CHECK_EQUAL(json_array_size(im->left_out), count);
    for (size_t i = 0; i < MIN(count, json_array_size(im->left_out)); i++)
        CHECK_TEXT(json_string_value(json_array_get(im->left_out, i)), lines[i]);
}

static void import_left_out(struct kraft_log *k, const char *const *lines, size_t count)
{
    struct mem_env m;
    struct import im;
    mem_env_init(&m);
    source(&m);
    remove_partition(&m, "/kafka/a-0");
    remove_partition(&m, "/kafka/a-1");
    put_kraft(&m, k);
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_OK);
    check_left_out(&im, lines, count);
    import_deinit(&im);
    mem_env_deinit(&m);
}

TEST(where_nothing_is_to_be_taken_over_nothing_is_written)
{
    struct mem_env m;
    struct import im;
    struct verify_names names;
    mem_env_init(&m);
    source(&m);
    remove_partition(&m, "/kafka/a-0");
    remove_partition(&m, "/kafka/a-1");
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_OK);
    int64_t head = im.store.head;
    import_deinit(&im);
    CHECK_EQUAL(head, 0);
    CHECK(verify_names_list(&m.env, "/klamm", &names));
    for (size_t i = 0; i < names.count; i++)
        CHECK(strcmp(names.items[i].text, "meta.properties") != 0);
    verify_names_free(&names);
    source_topic(&m);
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_OK);
    CHECK_EQUAL(im.all[0].partition_count, 2);
    import_deinit(&im);
    mem_env_deinit(&m);
}

/* Without Kafka's metadata. */
TEST(directories_that_are_left_are_told)
{
    static const char *const lines[] = {
        "/kafka/a-7.0123-delete: Kafka has deleted it, or set it aside",
        "/kafka/b-0.0123-stray: Kafka has deleted it, or set it aside",
        "topic __transaction_state: Klamm keeps no such state",
    };
    struct mem_env m;
    struct import im;
    mem_env_init(&m);
    source(&m);
    put_partition(&m, "__transaction_state-0", ID_OTHER);
    put_partition(&m, "__transaction_state-1", ID_OTHER);
    put_partition(&m, "a-7.0123-delete", ID_A);
    put_partition(&m, "b-0.0123-stray", ID_OTHER);
    put_partition(&m, "a-0.0123-future", ID_A); /* of what lies in another directory */
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_OK);
    check_left_out(&im, lines, ARRAY_COUNT(lines));
    import_deinit(&im);
    mem_env_deinit(&m);
}

/* What tells of a group in __consumer_offsets; `has_value` false: it is gone. */
static void add_group(struct batch_builder *b, uint8_t kind, char name, bool has_value)
{
    const uint8_t key[] = {0, kind, 0, 1, (uint8_t)name};
    struct record r = {.timestamp = 1000,
                       .key = {key, sizeof(key)},
                       .value = {key, has_value ? (int32_t)sizeof(key) : -1}};
    CHECK_EQUAL(batch_builder_add(b, &r), ERR_OK);
}

TEST(what_newer_groups_keep_is_told)
{
    static const char *const lines[] = {
        "what consumer group \"c\" keeps besides its offsets",
        "what share group \"s\" keeps besides its offsets",
        "what streams group \"k\" keeps besides its offsets",
    };
    struct batch_options options = batch_options_default();
    struct batch_builder b;
    struct batch_buffer log;
    struct mem_env m;
    struct import im;
    mem_env_init(&m);
    source(&m);
    put_partition(&m, "__consumer_offsets-0", ID_OTHER);
    options.leader_epoch = 4;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    add_group(&b, 2, 'x', true); /* a classic one comes along */
    add_group(&b, 3, 'c', true);
    add_group(&b, 3, 'd', true);
    add_group(&b, 11, 's', true);
    add_group(&b, 17, 'k', true);
    add_group(&b, 3, 'c', true);
    add_group(&b, 3, 'd', false);
    batch_buffer_init(&log, SIZE_MAX);
    CHECK_EQUAL(batch_builder_finish(&b, &log), ERR_OK);
    batch_builder_deinit(&b);
    put(&m, "/kafka/__consumer_offsets-0/00000000000000000000.log", log.data, log.len);
    batch_buffer_deinit(&log);
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_OK);
    check_left_out(&im, lines, ARRAY_COUNT(lines));
    import_deinit(&im);
    mem_env_deinit(&m);
}

TEST(configs_that_are_in_force_are_told)
{
    static const char *const lines[] = {
        "config some.key of all brokers",          "config some.key of broker \"2\"",
        "config some.key of client metrics \"m\"", "config some.key of group \"g1\"",
        "config some.key of resource 77 \"x\"",
    };
    struct kraft_log k = {.count = 0};
    add_config(&k, 4, "1", "5");
    add_config(&k, 4, "1", "6");
    add_config(&k, 4, "2", "5");
    add_config(&k, 4, "2", "6");
    add_config(&k, 4, "", "5");
    add_config(&k, 4, "1", NULL);
    add_config(&k, 4, "3", NULL);
    add_config(&k, 32, "g1", "5");
    add_config(&k, 16, "m", "5");
    add_config(&k, 77, "x", "5");
    import_left_out(&k, lines, ARRAY_COUNT(lines));
}

TEST(quotas_and_users_that_are_in_force_are_told)
{
    static const char *const lines[] = {
        "SCRAM-SHA-256 credentials of user \"alice\"",
        "quota producer_byte_rate of user \"alice\", default client-id",
    };
    struct kraft_remove_user_scram_credential gone = {wire_str_of("alice"), 2};
    struct kraft_log k = {.count = 0};
    add_quota(&k, "alice", 1.5, false);
    add_quota(&k, "alice", 2.5, false);
    add_quota(&k, "bob", 1.5, false);
    add_quota(&k, "bob", 0, true);
    add_scram_user(&k, "alice", 1);
    add_scram_user(&k, "alice", 2);
    add_scram_user(&k, "alice", 1);
    add_record(&k, 22, &kraft_remove_user_scram_credential_message, &gone);
    import_left_out(&k, lines, ARRAY_COUNT(lines));
}

TEST(acls_and_tokens_that_are_in_force_are_told)
{
    static const char *const lines[] = {
        "ACL: User:al\\x0aice from * ALLOW READ on LITERAL TOPIC \"orders\"",
        "ACL: User:al\\x0aice from * ALLOW UNKNOWN on LITERAL TOPIC \"orders\"",
        "delegation token \"two\" of User:alice",
    };
    struct kraft_remove_access_control_entry gone = {{{2}}};
    struct kraft_remove_delegation_token gone_token = {wire_str_of("one")};
    struct kraft_log k = {.count = 0};
    add_acl(&k, 1, 3);
    add_acl(&k, 2, 4);
    add_acl(&k, 3, 99);
    add_record(&k, 19, &kraft_remove_access_control_entry_message, &gone);
    add_token(&k, "one");
    add_token(&k, "two");
    add_record(&k, 26, &kraft_remove_delegation_token_message, &gone_token);
    import_left_out(&k, lines, ARRAY_COUNT(lines));
}

TEST(what_speaks_against_it_is_found_before_anything_is_written)
{
    static const struct {
        const char *path;
        const char *text;
    } harm[] = {
        {"/kafka/.kafka_cleanshutdown", NULL},
        {"/kafka/a-0/partition.metadata", "version: 0\n"},
        {"/kafka/a-1/partition.metadata", "version: 0\ntopic_id: " ID_OTHER},
        {"/kafka/a-1/00000000000000000000.log", "no batch at all, but long enough to be one: it "
                                                "has more than sixty-one bytes"},
        {"/kafka/a-1/leader-epoch-checkpoint", "0\n2\n4 0\n"},
        {"/kafka/a-1/00000000000000000003.snapshot", "short"},
        {"/kafka/a-1/00000000000000000000.log", NULL}, /* by the checkpoint it ended at 3 */
        {"/kafka/a-1/00000000000000000002.index", ""}, /* its segment is lost */
        {"/kafka/meta.properties", "version=1\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(harm); i++) {
        struct mem_env m;
        struct import im;
        int32_t partitions;
        int dirs;
        mem_env_init(&m);
        source(&m);
        if (harm[i].text == NULL)
            CHECK_EQUAL(env_path_unlink(&m.env, harm[i].path), ERR_OK);
        else
            put_text(&m, harm[i].path, harm[i].text);
        begin(&im, &m);
        CHECK_EQUAL(import_run(&im), ERR_INVALID);
        CHECK(im.refusals > 0);
        import_deinit(&im);
        look(&m, &partitions, &dirs);
        CHECK_EQUAL(partitions, 0);
        CHECK_EQUAL(dirs, 0);
        mem_env_deinit(&m);
    }
}

TEST(a_gap_is_refused_unless_it_may_be_there)
{
    struct mem_env m;
    struct import im;
    mem_env_init(&m);
    source(&m);
    put_partition(&m, "a-3", ID_A);
    begin(&im, &m);
    CHECK_EQUAL(import_run(&im), ERR_INVALID);
    import_deinit(&im);
    begin(&im, &m);
    im.allows_missing = true;
    CHECK_EQUAL(import_run(&im), ERR_OK);
    CHECK_EQUAL(im.all[0].partition_count, 4);
    import_deinit(&im);
    mem_env_deinit(&m);
    mem_env_init(&m);
    source(&m);
    const char *given = "a:3"; /* the last one is not here, which nobody else would notice */
    begin(&im, &m);
    im.partitions = (struct cli_words){&given, 1};
    CHECK_EQUAL(import_run(&im), ERR_INVALID);
    import_deinit(&im);
    given = "a:2";
    begin(&im, &m);
    im.partitions = (struct cli_words){&given, 1};
    CHECK_EQUAL(import_run(&im), ERR_OK);
    import_deinit(&im);
    mem_env_deinit(&m);
}

TEST(each_failure_leaves_all_or_nothing)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct mem_env m;
        struct import im;
        int32_t partitions;
        int dirs;
        mem_env_init(&m);
        source(&m);
        begin(&im, &m);
        m.fail_at = n;
        m.fail_with = ERR_IO;
        enum err e = import_run(&im);
        failed = m.fail_at == 0;
        m.fail_at = 0;
        bool is_unknown = im.store.failed != ERR_OK;
        import_deinit(&im);
        CHECK_EQUAL(m.open_fds, 0);
        look(&m, &partitions, &dirs);
        CHECK(e != ERR_OK || partitions == 2);
        CHECK(partitions == 0 || dirs == 2); /* never a topic without its records */
        CHECK(partitions != 0 || dirs == 0 || is_unknown || failed);
        mem_env_deinit(&m);
    }
}

/* Killed at each call: no topic without its records, and the next try is not in the way of what
 * lies there. */
TEST(a_killed_import_can_be_done_again)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct mem_env m;
        struct import im;
        int32_t partitions;
        int dirs;
        mem_env_init(&m);
        source(&m);
        begin(&im, &m);
        im.is_killed = true;
        m.fail_at = n;
        m.fail_with = ERR_IO;
        enum err e = import_run(&im);
        failed = m.fail_at == 0;
        m.fail_at = 0;
        CHECK(failed || e == ERR_OK);
        import_deinit(&im);
        look(&m, &partitions, &dirs);
        CHECK(partitions == 0 || dirs == 2);
        begin(&im, &m);
        CHECK_EQUAL(import_run(&im), partitions == 0 ? ERR_OK : ERR_INVALID);
        import_deinit(&im);
        look(&m, &partitions, &dirs);
        CHECK_EQUAL(partitions, 2);
        CHECK_EQUAL(dirs, 2);
        mem_env_deinit(&m);
    }
}

/* ---- several targets */

static const char *two_targets[] = {"/klamm", "/klamm2"};

static int count_dirs(struct mem_env *m, const char *partition)
{
    int found = 0;
    for (size_t i = 0; i < ARRAY_COUNT(two_targets); i++) {
        char path[32];
        struct verify_names names;
        snprintf(path, sizeof(path), "%s/%s", two_targets[i], partition);
        if (!verify_names_list(&m->env, path, &names))
            continue;
        found++;
        verify_names_free(&names);
    }
    return found;
}

/* True: it was killed. */
static bool take_one_topic(struct mem_env *m, int fail_at)
{
    static const char *only = "a";
    struct import im;
    begin(&im, m);
    im.target_paths = (struct cli_words){two_targets, 2};
    im.topics = (struct cli_words){&only, 1};
    im.is_killed = true;
    m->fail_at = fail_at;
    m->fail_with = ERR_IO;
    enum err e = import_run(&im);
    bool is_killed = m->fail_at == 0;
    m->fail_at = 0;
    import_deinit(&im);
    CHECK(is_killed || e == ERR_OK);
    return is_killed;
}

static enum err take_all(struct mem_env *m)
{
    static const char *count = "a:3";
    struct import im;
    begin(&im, m);
    im.target_paths = (struct cli_words){two_targets, 2};
    im.partitions = (struct cli_words){&count, 1};
    im.allows_missing = true;
    enum err e = import_run(&im);
    import_deinit(&im);
    return e;
}

/* In the second try a topic that sorts before `a` comes along, so the partitions of `a` go into
 * other targets; one of them is not in the source any more, and is made anew. */
TEST(what_a_killed_import_left_in_another_target_is_set_aside)
{
    int done_again = 0;
    bool is_killed = true;
    for (int n = 1; is_killed; n++) {
        struct mem_env m;
        mem_env_init(&m);
        source(&m);
        put_partition(&m, "a-2", ID_A);
        put_partition(&m, "0-0", ID_OTHER);
        is_killed = take_one_topic(&m, n);
        remove_partition(&m, "/kafka/a-2");
        enum err e = take_all(&m);
        CHECK(e == ERR_OK || e == ERR_INVALID); /* the topic was made already */
        if (e == ERR_OK) {
            done_again++;
            CHECK_EQUAL(count_dirs(&m, "0-0"), 1);
            CHECK_EQUAL(count_dirs(&m, "a-0"), 1);
            CHECK_EQUAL(count_dirs(&m, "a-1"), 1);
            CHECK_EQUAL(count_dirs(&m, "a-2"), 0);
        }
        mem_env_deinit(&m);
    }
    CHECK(done_again > 100);
}

/* One that the broker has, and that is no target, is not forgotten. */
TEST(each_target_lists_all_log_directories)
{
    static const struct uuid other = {{7}};
    struct mem_env m;
    struct log_dirs list = {0};
    mem_env_init(&m);
    source(&m);
    CHECK_EQUAL(env_dir_make(&m.env, "/klamm"), ERR_OK);
    log_dirs_add(&list, other, "/klamm3");
    CHECK_EQUAL(log_dirs_write(&m.env, "/klamm", &list), ERR_OK);
    log_dirs_free(&list);
    CHECK_EQUAL(take_all(&m), ERR_OK);
    for (size_t i = 0; i < ARRAY_COUNT(two_targets); i++) {
        CHECK_EQUAL(log_dirs_read(&m.env, two_targets[i], &list), ERR_OK);
        CHECK_EQUAL(list.count, 3);
        CHECK_TEXT(list.entries[1].path, two_targets[1]);
        CHECK_TEXT(log_dirs_find(&list, other)->path, "/klamm3");
        log_dirs_free(&list);
    }
    mem_env_deinit(&m);
}

/* A broker was killed right after it had deleted a topic of this name. */
TEST(what_was_clean_of_a_topic_that_is_gone_is_not_clean_of_one_that_is_taken_over)
{
    struct mem_env m;
    mem_env_init(&m);
    source(&m);
    CHECK_EQUAL(env_dir_make(&m.env, "/klamm"), ERR_OK);
    put_text(&m, "/klamm/meta.properties",
             "version=1\nnode.id=7\ncluster.id=theirs\ndirectory.id=" ID_A "\n");
    put_text(&m, "/klamm/cleaner-offset-checkpoint", "0\n2\na 0 2\na 1 2\n");
    CHECK_EQUAL(take_all(&m), ERR_OK);
    for (size_t i = 0; i < ARRAY_COUNT(two_targets); i++) {
        uint8_t *text = NULL;
        size_t size = 0;
        enum err e =
            log_file_read(&m.env, two_targets[i], "cleaner-offset-checkpoint", 1000, &text, &size);
        CHECK(e == ERR_OK || e == ERR_NOT_FOUND);
        bool tells_of_0 = e == ERR_OK && strstr((char *)text, "a 0 2") != NULL;
        bool tells_of_1 = e == ERR_OK && strstr((char *)text, "a 1 2") != NULL;
        CHECK(!tells_of_0 ||
              log_file_is_missing(&m.env, two_targets[i], "a-0/00000000000000000000.log"));
        CHECK(!tells_of_1 ||
              log_file_is_missing(&m.env, two_targets[i], "a-1/00000000000000000000.log"));
        mem_free(text);
    }
    mem_env_deinit(&m);
}
