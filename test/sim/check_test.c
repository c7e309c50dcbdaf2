// SPDX-License-Identifier: Apache-2.0
/* check_test: each checker is shown a good history, and a bad one that it has to flag. Thread:
 * main. */
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "check.h"

struct fixture {
    struct history h;
    uint32_t durable;
    uint32_t cached;
    uint32_t numbers;
};

static struct fixture fixture_new(void)
{
    struct fixture f;
    memset(&f, 0, sizeof(f));
    history_init(&f.h);
    uint32_t topic = history_add_topic(&f.h, "t");
    f.durable = history_add_partition(&f.h, topic, 0, true);
    f.cached = history_add_partition(&f.h, topic, 1, false);
    return f;
}

static uint32_t send_one(struct fixture *f, uint32_t partition, int32_t instance)
{
    uint32_t record = history_add_record(&f->h, &(struct history_new_record){
                                                    .partition = partition,
                                                    .producer = 0,
                                                    .instance = instance,
                                                    .number = f->numbers++,
                                                    .bytes = 30,
                                                });
    history_sent(&f->h, record);
    return record;
}

static uint32_t send_acked(struct fixture *f, uint32_t partition, int32_t instance, int64_t offset)
{
    uint32_t record = send_one(f, partition, instance);
    history_acked(&f->h, record, offset, true);
    return record;
}

static void read_one(struct fixture *f, uint32_t partition, int64_t offset, uint32_t record)
{
    history_read(&f->h, partition, offset, offset, (int32_t)record);
}

/* The last reading, of these records from offset 0 on. */
static void audit(struct fixture *f, uint32_t partition, const uint32_t *records, int64_t count)
{
    f->h.is_auditing = true;
    for (int64_t i = 0; i < count; i++)
        read_one(f, partition, i, records[i]);
    f->h.partitions[partition].audit_end = count;
    history_check_end(&f->h);
}

static void expect(struct fixture *f, const char *checker)
{
    if (checker == NULL) {
        CHECK_TEXT(f->h.failure, "");
    } else {
        CHECK(f->h.has_failed);
        if (strncmp(f->h.failure, checker, strlen(checker)) != 0)
            CHECK_TEXT(f->h.failure, checker);
    }
    history_deinit(&f->h);
}

TEST(check_good_history_passes)
{
    struct fixture f = fixture_new();
    uint32_t records[3];
    for (int i = 0; i < 3; i++)
        records[i] = send_acked(&f, f.durable, 0, i);
    read_one(&f, f.durable, 0, records[0]);
    history_power_cut(&f.h);
    audit(&f, f.durable, records, 3);
    expect(&f, NULL);
}

TEST(check_records_name_themselves)
{
    struct fixture f = fixture_new();
    uint8_t value[30];
    uint32_t record = send_one(&f, f.durable, -1);
    history_fill(&f.h, record, value);
    CHECK_EQUAL(history_recognise(&f.h, value, sizeof(value)), record);
    CHECK_EQUAL(history_recognise(&f.h, value, sizeof(value) - 1), -1);
    value[29] ^= 1;
    CHECK_EQUAL(history_recognise(&f.h, value, sizeof(value)), -1);
    expect(&f, NULL);
}

TEST(check_acked_flags_a_lost_record)
{
    struct fixture f = fixture_new();
    uint32_t records[2] = {send_acked(&f, f.durable, -1, 0), send_acked(&f, f.durable, -1, 1)};
    audit(&f, f.durable, records, 1);
    expect(&f, "acked is never lost");
}

TEST(check_acked_flags_another_record_in_its_place)
{
    struct fixture f = fixture_new();
    send_acked(&f, f.durable, -1, 0);
    uint32_t other = send_one(&f, f.durable, -1);
    audit(&f, f.durable, &other, 1);
    expect(&f, "acked is never lost");
}

TEST(check_acked_flags_an_answer_with_a_wrong_offset)
{
    struct fixture f = fixture_new();
    uint32_t first = send_one(&f, f.durable, 0);
    uint32_t second = send_one(&f, f.durable, 0);
    read_one(&f, f.durable, 0, first);
    history_acked(&f.h, second, 0, true);
    expect(&f, "acked is never lost");
}

TEST(check_acked_flags_invented_and_refused_records)
{
    struct fixture f = fixture_new();
    history_read(&f.h, f.durable, 0, 0, -1);
    expect(&f, "acked is never lost");
    f = fixture_new();
    uint32_t record = send_one(&f, f.durable, -1);
    history_refused(&f.h, record);
    read_one(&f, f.durable, 0, record);
    expect(&f, "acked is never lost");
    f = fixture_new();
    record = send_one(&f, f.durable, -1);
    read_one(&f, f.cached, 0, record);
    expect(&f, "acked is never lost");
}

TEST(check_acked_lets_a_power_cut_take_what_was_not_promised)
{
    struct fixture f = fixture_new();
    send_acked(&f, f.cached, -1, 0);
    uint32_t weak = send_one(&f, f.durable, -1);
    history_acked(&f.h, weak, 0, false); /* acks=1 */
    uint32_t late = send_one(&f, f.durable, -1);
    history_power_cut(&f.h);
    history_acked(&f.h, late, 1, false); /* the answer was on its way when the power went */
    CHECK(f.h.records[late].state == RECORD_UNKNOWN);
    audit(&f, f.cached, NULL, 0);
    audit(&f, f.durable, NULL, 0);
    expect(&f, NULL);
}

TEST(check_acked_lets_nothing_go_without_a_power_cut)
{
    struct fixture f = fixture_new();
    send_acked(&f, f.cached, -1, 0);
    audit(&f, f.cached, NULL, 0);
    expect(&f, "acked is never lost");
}

TEST(check_order_flags_a_double)
{
    struct fixture f = fixture_new();
    uint32_t record = send_one(&f, f.durable, 0);
    history_unknown(&f.h, record);
    audit(&f, f.durable, (uint32_t[]){record, record}, 2);
    expect(&f, "no gap, no double");
}

TEST(check_order_flags_disorder)
{
    struct fixture f = fixture_new();
    uint32_t first = send_one(&f, f.durable, 0);
    uint32_t second = send_one(&f, f.durable, 0);
    audit(&f, f.durable, (uint32_t[]){second, first}, 2);
    expect(&f, "no gap, no double");
}

TEST(check_order_allows_both_to_plain_producers)
{
    struct fixture f = fixture_new();
    uint32_t first = send_one(&f, f.durable, -1);
    uint32_t second = send_one(&f, f.durable, -1);
    audit(&f, f.durable, (uint32_t[]){second, first, first}, 3);
    CHECK_EQUAL(f.h.repeats_read, 1);
    expect(&f, NULL);
}

TEST(check_order_allows_disorder_between_instances)
{
    struct fixture f = fixture_new();
    uint32_t old = send_one(&f, f.durable, 0);
    uint32_t new = send_one(&f, f.durable, 1);
    audit(&f, f.durable, (uint32_t[]){new, old}, 2);
    expect(&f, NULL);
}

TEST(check_offsets_flags_a_hole)
{
    struct fixture f = fixture_new();
    uint32_t record = send_one(&f, f.durable, -1);
    history_read(&f.h, f.durable, 3, 4, (int32_t)record);
    expect(&f, "offsets");
    f = fixture_new();
    record = send_one(&f, f.durable, -1);
    f.h.is_auditing = true;
    read_one(&f, f.durable, 1, record);
    f.h.partitions[f.durable].audit_end = 2;
    check_offsets_at_end(&f.h);
    expect(&f, "offsets");
}

static void told(struct fixture *f, const struct history_floor *floor, int64_t high_watermark,
                 int64_t log_start, int32_t epoch)
{
    history_trim_asked(&f->h, f->durable, log_start);
    history_told(&f->h, f->durable, floor,
                 &(struct history_offsets){high_watermark, log_start, epoch});
}

TEST(check_offsets_flags_what_goes_back)
{
    static const struct history_offsets bad[] = {{9, 0, 3}, {10, 1, 3}, {10, 2, 2}, {10, 11, 3}};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct fixture f = fixture_new();
        struct history_floor floor = history_floor_of(&f.h, f.durable);
        told(&f, &floor, 10, 2, 3);
        struct history_floor later = history_floor_of(&f.h, f.durable);
        told(&f, &floor, 5, 0, 1); /* asked before: may be older */
        told(&f, &later, 10, 2, 3);
        CHECK(!f.h.has_failed);
        told(&f, &later, bad[i].high_watermark, bad[i].log_start, bad[i].leader_epoch);
        expect(&f, "offsets");
    }
}

TEST(check_offsets_flags_a_start_that_nobody_asked_for)
{
    struct fixture f = fixture_new();
    struct history_floor floor = history_floor_of(&f.h, f.durable);
    history_trim_asked(&f.h, f.durable, 4);
    history_told(&f.h, f.durable, &floor, &(struct history_offsets){10, 4, 3});
    CHECK(!f.h.has_failed);
    history_told(&f.h, f.durable, &floor, &(struct history_offsets){10, 5, 3});
    expect(&f, "offsets");
    f = fixture_new();
    f.h.partitions[f.durable].has_retention = true;
    history_told(&f.h, f.durable, &floor, &(struct history_offsets){10, 5, 3});
    CHECK(!f.h.has_failed);
    history_deinit(&f.h);
}

TEST(check_offsets_lets_retentions_start_go_back_with_a_process)
{
    struct fixture f = fixture_new();
    f.h.partitions[f.durable].has_retention = true;
    struct history_floor floor = history_floor_of(&f.h, f.durable);
    told(&f, &floor, 10, 4, 3);
    floor = history_floor_of(&f.h, f.durable);
    history_broker_starts(&f.h, false);
    told(&f, &floor, 10, 4, 3); /* asked before */
    floor = history_floor_of(&f.h, f.durable);
    told(&f, &floor, 10, 2, 4);
    CHECK(!f.h.has_failed);
    floor = history_floor_of(&f.h, f.durable);
    told(&f, &floor, 10, 1, 4);
    expect(&f, "offsets");
}

TEST(check_offsets_flags_an_epoch_that_does_not_rise_with_a_start)
{
    struct fixture f = fixture_new();
    struct history_floor floor = history_floor_of(&f.h, f.durable);
    told(&f, &floor, 10, 0, 3);
    history_broker_starts(&f.h, false);
    told(&f, &floor, 10, 0, 3); /* asked before */
    floor = history_floor_of(&f.h, f.durable);
    told(&f, &floor, 10, 0, 4);
    CHECK(!f.h.has_failed);
    told(&f, &floor, 10, 0, 3);
    expect(&f, "offsets");
}

TEST(check_stable_flags_a_change)
{
    struct fixture f = fixture_new();
    uint32_t first = send_one(&f, f.durable, -1);
    uint32_t second = send_one(&f, f.durable, -1);
    read_one(&f, f.durable, 0, first);
    history_power_cut(&f.h);
    read_one(&f, f.durable, 0, second);
    expect(&f, "what was seen stays");
}

TEST(check_stable_flags_a_loss)
{
    struct fixture f = fixture_new();
    uint32_t first = send_one(&f, f.durable, -1);
    read_one(&f, f.durable, 0, first);
    history_power_cut(&f.h);
    audit(&f, f.durable, NULL, 0);
    expect(&f, "what was seen stays");
}

TEST(check_stable_forgets_the_page_cache_with_the_power)
{
    struct fixture f = fixture_new();
    uint32_t first = send_one(&f, f.cached, -1);
    uint32_t second = send_one(&f, f.cached, -1);
    struct history_floor floor = history_floor_of(&f.h, f.cached);
    read_one(&f, f.cached, 0, first);
    history_power_cut(&f.h);
    CHECK(!history_is_current(&f.h, f.cached, &floor));
    read_one(&f, f.cached, 0, second);
    expect(&f, NULL);
}

static void topic_seen(struct fixture *f, const struct history_topic_view *view, bool is_there,
                       uint8_t id, int32_t partitions)
{
    history_topic_seen(&f->h, 0, view,
                       &(struct history_topic_answer){is_there, {{id}}, partitions});
}

TEST(check_topics_flags_what_is_not_as_told)
{
    static const struct {
        bool is_there;
        uint8_t id;
        int32_t partitions;
    } bad[] = {{false, 7, 2}, {true, 8, 2}, {true, 7, 3}};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct fixture f = fixture_new();
        history_topic_asked(&f.h, 0);
        struct history_topic_view unsure = history_topic_view(&f.h, 0);
        history_topic_created(&f.h, 0, (struct uuid){{7}}, 2);
        struct history_topic_view view = history_topic_view(&f.h, 0);
        topic_seen(&f, &view, true, 7, 2);
        topic_seen(&f, &unsure, bad[i].is_there, bad[i].id, bad[i].partitions);
        CHECK(!f.h.has_failed);
        topic_seen(&f, &view, bad[i].is_there, bad[i].id, bad[i].partitions);
        expect(&f, "topics stay");
    }
}

TEST(check_topics_flags_one_that_comes_back)
{
    struct fixture f = fixture_new();
    history_topic_created(&f.h, 0, (struct uuid){{7}}, 2);
    history_topic_asked(&f.h, 0);
    history_topic_deleted(&f.h, 0);
    struct history_topic_view view = history_topic_view(&f.h, 0);
    topic_seen(&f, &view, false, 0, 0);
    CHECK(!f.h.has_failed);
    topic_seen(&f, &view, true, 7, 2);
    expect(&f, "topics stay");
}

TEST(check_producer_ids_flags_one_that_is_given_twice)
{
    struct fixture f = fixture_new();
    history_producer_id(&f.h, 1, 0);
    history_producer_id(&f.h, 1, 1);
    history_producer_id(&f.h, 2, 0);
    CHECK(!f.h.has_failed);
    history_producer_id(&f.h, 1, 1);
    expect(&f, "producer ids");
}

TEST(check_cluster_flags_another_one)
{
    struct fixture f = fixture_new();
    history_cluster(&f.h, "abc", 3);
    history_cluster(&f.h, "abc", 3);
    CHECK(!f.h.has_failed);
    history_cluster(&f.h, "abd", 3);
    expect(&f, "a broker stays in its cluster");
}

TEST(check_latency_flags_a_late_answer)
{
    struct fixture f = fixture_new();
    check_latency_on_lone_ack(&f.h, 100, 100);
    CHECK(!f.h.has_failed);
    check_latency_on_lone_ack(&f.h, 101, 100);
    expect(&f, "a lone record");
}

/* ---- retention */

static int64_t world_ns;

/* A record that is acknowledged at offset 0 and 500 ms old. */
static struct fixture fixture_with_age(int64_t retention_ms)
{
    struct fixture f = fixture_new();
    world_ns = INT64_C(1000000000);
    f.h.now_ns = &world_ns;
    f.h.partitions[f.durable].has_retention = true;
    f.h.partitions[f.durable].retention_ms = retention_ms;
    history_acked(&f.h, send_one(&f, f.durable, -1), 0, true);
    world_ns += INT64_C(500000000);
    return f;
}

TEST(retention_may_take_what_is_old_enough)
{
    struct fixture f = fixture_with_age(500);
    check_retention_on_told(&f.h, f.durable, 1);
    CHECK(!f.h.has_failed);
    history_deinit(&f.h);
}

TEST(retention_may_take_what_somebody_wanted_gone)
{
    struct fixture f = fixture_with_age(501);
    history_trim_asked(&f.h, f.durable, 1);
    check_retention_on_told(&f.h, f.durable, 1);
    CHECK(!f.h.has_failed);
    history_deinit(&f.h);
}

TEST(retention_that_takes_what_is_wanted_is_flagged)
{
    struct fixture f = fixture_with_age(501);
    check_retention_on_told(&f.h, f.durable, 1);
    CHECK(f.h.has_failed);
    history_deinit(&f.h);
}

TEST(retention_that_leaves_too_few_bytes_is_flagged)
{
    for (int64_t wanted = 100; wanted <= 1000; wanted += 900) {
        struct fixture f = fixture_with_age(0);
        struct history_partition *p = &f.h.partitions[f.durable];
        p->retention_bytes = wanted;
        p->log_start = 1;
        f.h.is_auditing = true;
        history_read(&f.h, f.durable, -1, 1, (int32_t)send_one(&f, f.durable, -1));
        p->audit_end = 2;
        check_retention_at_end(&f.h);
        CHECK(f.h.has_failed == (wanted == 1000));
        history_deinit(&f.h);
    }
}

TEST(retention_may_have_counted_what_a_power_cut_took_from_a_cache_topic)
{
    for (uint32_t generation = 0; generation < 2; generation++) {
        struct fixture f = fixture_with_age(0);
        struct history_partition *p = &f.h.partitions[f.cached];
        p->retention_bytes = 1000;
        p->log_start = 1;
        p->audit_end = 1;
        p->generation = generation;
        check_retention_at_end(&f.h);
        CHECK(f.h.has_failed == (generation == 0));
        history_deinit(&f.h);
    }
}

TEST(files_that_should_have_gone_are_flagged)
{
    static struct history_files files;
    const struct {
        int64_t retention_ms, retention_bytes, log_start;
        uint32_t count, deleted;
        bool is_bad;
    } cases[] = {
        {0, 0, 0, 3, 0, false},   {0, 0, 0, 3, 1, true},   {0, 0, 0, 0, 0, true},
        {0, 0, 10, 3, 0, true},   {0, 0, 9, 3, 0, false},  {5, 0, 0, 3, 0, true},
        {0, 200, 0, 3, 0, false}, {0, 100, 0, 3, 0, true}, {0, 100, 0, 2, 0, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fixture f = fixture_new();
        struct history_partition *p = &f.h.partitions[f.durable];
        p->retention_ms = cases[i].retention_ms;
        p->retention_bytes = cases[i].retention_bytes;
        p->log_start = cases[i].log_start;
        p->audit_end = 25;
        files = (struct history_files){.count = cases[i].count, .deleted_count = cases[i].deleted};
        for (uint32_t k = 0; k < cases[i].count; k++)
            files.items[k] = (struct history_file){.base_offset = 10 * k, .size = 150};
        check_retention_on_files(&f.h, f.durable, &files);
        CHECK(f.h.has_failed == cases[i].is_bad);
        history_deinit(&f.h);
    }
}

/* Offsets 3 to 5 of segment 0, at bytes 100 to 180. */
static const struct history_flip flipped = {
    .segment_base = 0, .pos = 100, .end = 180, .offset = 3, .end_offset = 6};

static struct fixture flipped_new(void)
{
    struct fixture f = fixture_new();
    f.h.flips[0] = flipped;
    f.h.flips[0].partition = f.durable;
    f.h.flip_count = 1;
    return f;
}

TEST(check_scrub_wants_what_is_damaged_found_and_nothing_else)
{
    const struct {
        int64_t segment_base, pos, end, end_offset;
        bool is_bad;
    } cases[] = {
        {0, 100, 180, 6, false}, {7, 100, 180, 6, true},  {0, 101, 180, 6, true},
        {0, 100, 300, 6, true},  {0, 100, 180, 10, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fixture f = flipped_new();
        struct history_flip found = {.partition = f.durable,
                                     .segment_base = cases[i].segment_base,
                                     .pos = cases[i].pos,
                                     .end = cases[i].end,
                                     .end_offset = cases[i].end_offset};
        check_scrub_on_found(&f.h, &found);
        CHECK(f.h.has_failed == cases[i].is_bad);
        CHECK(f.h.flips[0].is_found == !cases[i].is_bad);
        history_deinit(&f.h);
    }
    struct fixture f = flipped_new();
    check_scrub_on_missing(&f.h, &f.h.flips[0]);
    CHECK(f.h.has_failed);
    history_deinit(&f.h);
}

TEST(check_scrub_lets_readers_pass_what_is_damaged_only)
{
    for (int64_t offset = 2; offset <= 6; offset++) {
        struct fixture f = flipped_new();
        bool is_lost = offset >= 3 && offset < 6;
        int64_t next = check_scrub_on_refused(&f.h, f.durable, offset);
        CHECK_EQUAL(next, is_lost ? 6 : offset);
        CHECK(f.h.has_failed == !is_lost);
        history_deinit(&f.h);
    }
}

TEST(check_acked_flags_a_record_of_the_topic_before)
{
    struct fixture f = fixture_new();
    uint32_t old = send_acked(&f, f.durable, -1, 0);
    read_one(&f, f.durable, 0, old);
    history_renewed(&f.h, f.durable);
    uint32_t fresh = send_acked(&f, f.durable, -1, 0);
    audit(&f, f.durable, &fresh, 1);
    CHECK(!f.h.has_failed);
    read_one(&f, f.durable, 1, old);
    expect(&f, "acked is never lost");
}
