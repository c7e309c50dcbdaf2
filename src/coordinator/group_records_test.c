// SPDX-License-Identifier: Apache-2.0
/* group_records_test: records of all versions, of kinds that are not built, and damaged ones.
 * Thread: main. */
#include <string.h>

#include "base/mem.h"
#include "coordinator/group_fixture.h"
#include "wire/codec.h"
#include "wire/consumer_offsets.h"

enum { KIND_OFFSET = 1, KIND_GROUP = 2 };

static void encode(struct wire_writer *w, int16_t head, const struct wire_message *m,
                   const void *message)
{
    wire_writer_init(w, 1 << 20);
    wire_write_i16(w, head);
    CHECK_EQUAL(wire_encode(m, head, w, message), ERR_OK);
}

static struct record_bytes bytes_of(const struct wire_writer *w)
{
    return (struct record_bytes){w->data, (int32_t)w->size};
}

static const struct record_bytes none = {NULL, -1};

static void group_key(struct wire_writer *w, const char *group)
{
    struct group_metadata_key key = {.group = wire_str_of(group)};
    encode(w, KIND_GROUP, &group_metadata_key_message, &key);
}

static void offset_key(struct wire_writer *w, const char *group, int16_t kind)
{
    struct offset_commit_key key = {
        .group = wire_str_of(group), .topic = wire_str_of("t"), .partition = 3};
    encode(w, kind, &offset_commit_key_message, &key);
}

static struct wire_bytes raw(const char *text)
{
    return (struct wire_bytes){(const uint8_t *)text, (int32_t)strlen(text)};
}

/* Reads the log again. */
static void restart(struct group_fixture *f)
{
    fixture_stop(f);
    group_shard_start(f->shard);
    mem_env_run_until_idle(&f->m);
}

static void check_loads(struct group_fixture *f)
{
    restart(f);
    CHECK_EQUAL(f->shard->state, SHARD_ACTIVE);
    CHECK_EQUAL(f->m.log_lines[LOG_ERROR], 0);
}

static void check_does_not_load(struct group_fixture *f)
{
    int lines = f->m.log_lines[LOG_ERROR];
    restart(f);
    CHECK_EQUAL(f->shard->state, SHARD_FAILING);
    CHECK_EQUAL(f->m.log_lines[LOG_ERROR], lines + 1);
    CHECK(strstr(f->m.last_line, "__consumer_offsets-7") != NULL);
    CHECK_EQUAL(f->shard->groups.count, 0);
}

/* ---- offsets */

TEST(offsets_of_every_version_are_read)
{
    for (int16_t version = 0; version <= 4; version++) {
        struct group_fixture f;
        struct wire_writer key, value;
        fixture_init(&f, NULL);
        offset_key(&key, "g", version == 0 ? 0 : KIND_OFFSET);
        encode(&value, version, &offset_commit_value_message,
               &(struct offset_commit_value){.offset = 42,
                                             .leader_epoch = version >= 3 ? 6 : -1,
                                             .metadata = wire_str_of("m"),
                                             .commit_timestamp = 1000,
                                             .expire_timestamp = version == 1 ? 5000 : -1});
        fixture_add_record(&f, bytes_of(&key), bytes_of(&value));
        check_loads(&f);
        const struct fixture_call *call = fixture_fetch(&f, NULL, "t", 3);
        const struct offset_fetch_response_partitions *row =
            &call->fetch->topics.items[0].partitions.items[0];
        CHECK_EQUAL(row->committed_offset, 42);
        CHECK_EQUAL(row->committed_leader_epoch, version >= 3 ? 6 : -1);
        CHECK(wire_str_is(row->metadata, "m"));
        fixture_add_record(&f, bytes_of(&key), none);
        check_loads(&f);
        CHECK_EQUAL(fixture_state(&f), GROUP_DEAD); /* nothing of it is left */
        wire_writer_deinit(&key);
        wire_writer_deinit(&value);
        fixture_deinit(&f);
    }
}

/* ---- groups */

static struct group_metadata_value value_of(struct group_metadata_value_member_metadata *rows,
                                            int32_t count)
{
    static const char *const ids[] = {"m0", "m1", "m2"};
    for (int32_t i = 0; i < count; i++)
        rows[i] = (struct group_metadata_value_member_metadata){
            .member_id = wire_str_of(ids[i]),
            .group_instance_id = wire_str_of(NULL),
            .client_id = wire_str_of("c"),
            .client_host = wire_str_of("/h"),
            .rebalance_timeout = 60000,
            .session_timeout = 10000,
            .subscription = raw("sub"),
            .assignment = raw("ass"),
        };
    return (struct group_metadata_value){
        .protocol_type = wire_str_of("consumer"),
        .generation = 9,
        .protocol = wire_str_of(count > 0 ? "range" : NULL),
        .leader = wire_str_of(count > 0 ? "m0" : NULL),
        .current_state_timestamp = -1,
        .members = {rows, count},
    };
}

static void add_group(struct group_fixture *f, int16_t version,
                      const struct group_metadata_value *value)
{
    struct wire_writer key, bytes;
    group_key(&key, "g");
    encode(&bytes, version, &group_metadata_value_message, value);
    fixture_add_record(f, bytes_of(&key), bytes_of(&bytes));
    wire_writer_deinit(&key);
    wire_writer_deinit(&bytes);
}

TEST(groups_of_every_version_are_read)
{
    for (int16_t version = 0; version <= 4; version++) {
        struct group_fixture f;
        struct group_metadata_value_member_metadata rows[2];
        fixture_init(&f, NULL);
        struct group_metadata_value value = value_of(rows, 2);
        if (version >= 3)
            rows[1].group_instance_id = wire_str_of("i1");
        add_group(&f, version, &value);
        check_loads(&f);
        const struct group *group = fixture_group(&f, "g");
        CHECK_EQUAL(group->state, GROUP_STABLE);
        CHECK_EQUAL(group->generation, 9);
        CHECK_EQUAL(group->member_count, 2);
        CHECK_TEXT(group->leader, "m0");
        CHECK_EQUAL(group->by_instance.count, version >= 3 ? 1 : 0);
        const struct group_member *member = group_member_find(group, wire_str_of("m1"));
        CHECK_EQUAL(member->rebalance_timeout_ms, version == 0 ? 10000 : 60000);
        CHECK_EQUAL(member->session_timeout_ms, 10000);
        CHECK_EQUAL(group_member_metadata(member, "range").len, 3);
        struct fixture_call *sync =
            fixture_sync(&f, &(struct sync_args){.member = "m1", .generation = 9});
        CHECK_EQUAL(fixture_sync_error(sync), KERR_NONE);
        CHECK_EQUAL(sync->sync->assignment.len, 3);
        fixture_check_replay(&f);
        fixture_deinit(&f);
    }
}

TEST(the_last_record_of_a_group_counts)
{
    struct group_fixture f;
    struct wire_writer key;
    struct group_metadata_value_member_metadata rows[3];
    fixture_init(&f, NULL);
    struct group_metadata_value value = value_of(rows, 3);
    add_group(&f, 3, &value);
    value = value_of(rows, 1);
    value.generation = 10;
    add_group(&f, 3, &value);
    check_loads(&f);
    CHECK_EQUAL(fixture_group(&f, "g")->member_count, 1);
    CHECK_EQUAL(fixture_group(&f, "g")->generation, 10);
    value = value_of(rows, 0);
    value.current_state_timestamp = 77;
    add_group(&f, 3, &value);
    check_loads(&f);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    CHECK_EQUAL(fixture_group(&f, "g")->state_since_ms, 77);
    group_key(&key, "g");
    fixture_add_record(&f, bytes_of(&key), none);
    check_loads(&f);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    wire_writer_deinit(&key);
    fixture_deinit(&f);
}

TEST(offsets_stay_when_the_record_of_their_group_is_taken_back)
{
    struct group_fixture f;
    struct wire_writer key;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 1, ids);
    fixture_commit_offsets(&f,
                           &(struct commit_args){.member = ids[0], .generation = 1, .offset = 5});
    mem_env_run_until_idle(&f.m);
    group_key(&key, "g");
    fixture_add_record(&f, bytes_of(&key), none);
    check_loads(&f);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), 5);
    fixture_check_replay(&f);
    wire_writer_deinit(&key);
    fixture_deinit(&f);
}

TEST(a_leader_that_is_no_member_is_none)
{
    struct group_fixture f;
    struct group_metadata_value_member_metadata rows[2];
    fixture_init(&f, NULL);
    struct group_metadata_value value = value_of(rows, 2);
    value.leader = wire_str_of("gone");
    add_group(&f, 3, &value);
    check_loads(&f);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    CHECK(fixture_group(&f, "g")->leader == NULL);
    fixture_leave(&f, &(struct member_args){.member = "m0"});
    struct fixture_call *call = fixture_rejoin(&f, "m1");
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    CHECK(wire_str_is(call->join->leader, "m1"));
    fixture_deinit(&f);
}

TEST(a_group_without_a_type_is_read)
{
    struct group_fixture f;
    struct group_metadata_value_member_metadata rows[1];
    fixture_init(&f, NULL);
    struct group_metadata_value value = value_of(rows, 1);
    value.protocol_type = wire_str_of("");
    add_group(&f, 3, &value);
    check_loads(&f);
    CHECK_EQUAL(fixture_join_error(fixture_rejoin(&f, "m0")), KERR_INCONSISTENT_GROUP_PROTOCOL);
    struct fixture_call *sync =
        fixture_sync(&f, &(struct sync_args){.member = "m0", .generation = 9});
    CHECK_EQUAL(fixture_sync_error(sync), KERR_NONE);
    mem_env_advance_ms(&f.m, 100000);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

/* ---- what is not ours, and what is broken */

TEST(records_of_kinds_that_are_not_built_are_passed_over_and_told)
{
    struct group_fixture f;
    struct wire_writer key;
    fixture_init(&f, NULL);
    static const uint8_t kinds[][3] = {{0, 3, 'x'}, {0, 16, 'x'}, {0x7f, 0xff, 'x'}};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        fixture_add_record(&f, (struct record_bytes){kinds[i], 3},
                           (struct record_bytes){kinds[i], 1});
    group_key(&key, "unknown");
    fixture_add_record(&f, bytes_of(&key), none);
    check_loads(&f);
    CHECK_EQUAL(f.shard->unknown_records, 3);
    CHECK_EQUAL(f.m.log_lines[LOG_WARN], 1);
    CHECK_EQUAL(f.shard->groups.count, 0);
    check_loads(&f);
    CHECK_EQUAL(f.shard->unknown_records, 3); /* counted anew */
    wire_writer_deinit(&key);
    fixture_deinit(&f);
}

TEST(control_batches_are_passed_over)
{
    struct group_fixture f;
    static const uint8_t key[] = {0, 0, 0, 1}, value[] = {0, 0, 0, 0, 0, 0};
    fixture_init(&f, NULL);
    fixture_add_record(&f, (struct record_bytes){key, sizeof(key)},
                       (struct record_bytes){value, sizeof(value)});
    check_does_not_load(&f);
    uint8_t *batch = f.batches[0].data;
    batch[22] |= BATCH_TRANSACTIONAL | BATCH_CONTROL; /* the low byte of the attributes */
    uint32_t crc = batch_crc(batch, f.batches[0].len);
    for (int i = 0; i < 4; i++)
        batch[17 + i] = (uint8_t)(crc >> (24 - 8 * i));
    restart(&f);
    CHECK_EQUAL(f.shard->state, SHARD_ACTIVE);
    fixture_deinit(&f);
}

TEST(values_of_a_later_version_stop_the_load)
{
    for (int is_group = 0; is_group < 2; is_group++) {
        struct group_fixture f;
        struct wire_writer key;
        static const uint8_t later[] = {0, 5, 0, 0, 0, 0, 0, 0, 0, 0};
        fixture_init(&f, NULL);
        if (is_group)
            group_key(&key, "g");
        else
            offset_key(&key, "g", KIND_OFFSET);
        fixture_add_record(&f, bytes_of(&key), (struct record_bytes){later, sizeof(later)});
        check_does_not_load(&f);
        wire_writer_deinit(&key);
        fixture_deinit(&f);
    }
}

TEST(keys_that_are_cut_stop_the_load)
{
    struct wire_writer key;
    offset_key(&key, "g", KIND_OFFSET);
    for (int32_t len = -1; len < (int32_t)key.size; len++) {
        struct group_fixture f;
        fixture_init(&f, NULL);
        fixture_add_record(&f, (struct record_bytes){key.data, len}, none);
        check_does_not_load(&f);
        fixture_deinit(&f);
    }
    wire_writer_deinit(&key);
}

TEST(values_that_are_cut_or_too_long_stop_the_load)
{
    struct wire_writer key, value;
    struct group_metadata_value_member_metadata rows[1];
    struct group_metadata_value whole = value_of(rows, 1);
    group_key(&key, "g");
    encode(&value, 3, &group_metadata_value_message, &whole);
    wire_write_i16(&value, 0);
    for (size_t len = 0; len <= value.size; len++) {
        struct group_fixture f;
        fixture_init(&f, NULL);
        fixture_add_record(&f, bytes_of(&key), (struct record_bytes){value.data, (int32_t)len});
        if (len == value.size - 2)
            check_loads(&f);
        else
            check_does_not_load(&f);
        fixture_deinit(&f);
    }
    wire_writer_deinit(&key);
    wire_writer_deinit(&value);
}

TEST(members_that_cannot_be_stop_the_load)
{
    for (int i = 0; i < 5; i++) {
        struct group_fixture f;
        struct group_metadata_value_member_metadata rows[2];
        struct group_metadata_value value = value_of(rows, 2);
        if (i == 0)
            rows[1].member_id = rows[0].member_id;
        else if (i == 1)
            value.protocol = wire_str_of(NULL);
        else if (i == 2)
            rows[0].group_instance_id = rows[1].group_instance_id = wire_str_of("same");
        else if (i == 3)
            rows[1].member_id = (struct wire_str){"m\0x", 3};
        else
            rows[1].group_instance_id = (struct wire_str){"\0", 1};
        fixture_init(&f, NULL);
        add_group(&f, 3, &value);
        check_does_not_load(&f);
        fixture_deinit(&f);
    }
}

TEST(a_damaged_log_serves_nothing_until_it_can_be_read)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    size_t last = f.batch_count - 1;
    uint8_t saved = f.batches[last].data[70];
    f.batches[last].data[70] ^= 0xff;
    check_does_not_load(&f);
    CHECK_EQUAL(fixture_heartbeat_error(fixture_heartbeat(
                    &f, &(struct member_args){.member = ids[0], .generation = 1})),
                KERR_COORDINATOR_LOAD_IN_PROGRESS);
    f.batches[last].data[70] = saved;
    mem_env_advance_ms(&f.m, 10000);
    CHECK_EQUAL(f.shard->state, SHARD_ACTIVE);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    fixture_deinit(&f);
}

TEST(what_is_written_is_in_kafkas_form)
{
    struct group_fixture f;
    struct batch_reader reader;
    struct record record;
    fixture_init(&f, NULL);
    fixture_commit_offsets(
        &f, &(struct commit_args){.is_simple = true, .offset = 0x0102, .metadata = "m"});
    fixture_commit_offsets(
        &f, &(struct commit_args){.is_simple = true, .retention_ms = 1, .partition = 1});
    batch_reader_init(&reader, 1 << 20);
    CHECK_EQUAL(batch_reader_start(&reader, f.batches[0].data, f.batches[0].len), ERR_OK);
    CHECK_EQUAL(batch_reader_next(&reader, &record), ERR_OK);
    static const uint8_t key[] = {0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 0};
    static const uint8_t front[] = {0, 4, 0, 0, 0, 0, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 2, 'm'};
    CHECK_EQUAL(record.key.len, sizeof(key));
    CHECK(memcmp(record.key.data, key, sizeof(key)) == 0);
    CHECK_EQUAL(record.value.len, sizeof(front) + 8 + 1); /* a time, and no tagged fields */
    CHECK(memcmp(record.value.data, front, sizeof(front)) == 0);
    CHECK_EQUAL(record.timestamp, env_wall_ms(&f.m.env));
    CHECK_EQUAL(batch_reader_next(&reader, &record), ERR_NOT_FOUND);
    CHECK_EQUAL(batch_reader_start(&reader, f.batches[1].data, f.batches[1].len), ERR_OK);
    CHECK_EQUAL(batch_reader_next(&reader, &record), ERR_OK);
    CHECK_EQUAL(record.value.data[1], 1); /* the version that has a time of expiry */
    batch_reader_deinit(&reader);
    fixture_deinit(&f);
}
