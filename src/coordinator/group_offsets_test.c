// SPDX-License-Identifier: Apache-2.0
/* group_offsets_test: who may commit, what is refused, what is fetched and deleted; groups looked
 * at, listed and deleted in every state. Thread: main. */
#include <string.h>

#include "base/mem.h"
#include "coordinator/group_fixture.h"

static int16_t commit_of(struct group_fixture *f, const struct commit_args *args)
{
    const struct fixture_call *call = fixture_commit_offsets(f, args);
    mem_env_run_until_idle(&f->m);
    return fixture_commit_error(call);
}

static int16_t delete_offset_of(struct group_fixture *f, const char *topic)
{
    const struct fixture_call *call = fixture_delete_offsets(f, NULL, topic, 0);
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(call->done, 1);
    return call->delete_offsets->error_code != KERR_NONE
               ? call->delete_offsets->error_code
               : call->delete_offsets->topics.items[0].partitions.items[0].error_code;
}

static int16_t delete_of(struct group_fixture *f)
{
    const struct fixture_call *call = fixture_delete(f, NULL);
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(call->done, 1);
    return call->deleted->error_code;
}

/* ---- commits */

TEST(a_commit_is_answered_when_it_is_committed)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    f.by_hand = true;
    struct fixture_call *call =
        fixture_commit_offsets(&f, &(struct commit_args){.is_simple = true, .offset = 5});
    CHECK_EQUAL(call->done, 0);
    struct fixture_call *fetch = fixture_fetch(&f, NULL, "t", 0);
    CHECK_EQUAL(fetch->done, 0); /* it has seen what a crash could take back */
    fixture_commit(&f);
    CHECK_EQUAL(fixture_commit_error(call), KERR_NONE);
    CHECK_EQUAL(fetch->done, 1);
    CHECK_EQUAL(fetch->fetch->topics.items[0].partitions.items[0].committed_offset, 5);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_commit_replaces_the_one_before)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    CHECK_EQUAL(
        commit_of(
            &f, &(struct commit_args){.is_simple = true, .offset = 5, .count = 3, .metadata = "m"}),
        KERR_NONE);
    CHECK_EQUAL(
        commit_of(&f, &(struct commit_args){.is_simple = true, .offset = 4, .partition = 1}),
        KERR_NONE);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), 5);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 1), 4);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 2), 5);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 3), -1);
    CHECK_EQUAL(fixture_committed(&f, NULL, "other", 0), -1);
    CHECK_EQUAL(fixture_committed(&f, "unknown", "t", 0), -1);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(all_of_a_group_is_fetched_in_the_order_of_first_commits)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    CHECK_EQUAL(fixture_fetch(&f, NULL, NULL, 0)->fetch->topics.count, 0);
    commit_of(
        &f, &(struct commit_args){.is_simple = true, .topic = "b", .count = 2, .metadata = "text"});
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "a", .offset = 9});
    const struct fixture_call *call = fixture_fetch(&f, NULL, NULL, 0);
    CHECK_EQUAL(call->fetch->topics.count, 2);
    const struct offset_fetch_response_topics *rows = call->fetch->topics.items;
    CHECK(wire_str_is(rows[0].name, "b") && wire_str_is(rows[1].name, "a"));
    CHECK_EQUAL(rows[0].partitions.count, 2);
    CHECK_EQUAL(rows[0].partitions.items[1].partition_index, 1);
    CHECK(wire_str_is(rows[0].partitions.items[1].metadata, "text"));
    CHECK_EQUAL(rows[1].partitions.items[0].committed_offset, 9);
    CHECK_EQUAL(rows[1].partitions.items[0].metadata.len, 0);
    CHECK_EQUAL(rows[1].partitions.items[0].committed_leader_epoch, -1);
    fixture_deinit(&f);
}

TEST(who_commits_without_a_generation)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true}), KERR_NONE);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .member = "x"}), KERR_NONE);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .instance = "i"}),
                KERR_NONE);
    fixture_form(&f, 1, ids);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true}), KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .member = ids[0]}),
                KERR_ILLEGAL_GENERATION);
    fixture_leave(&f, &(struct member_args){.member = ids[0]});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true}), KERR_NONE);
    fixture_deinit(&f);
}

TEST(members_commit_in_their_generation)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.member = "x", .generation = 1}),
                KERR_ILLEGAL_GENERATION); /* no such group */
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_form(&f, 2, ids);
    const struct commit_args good = {.member = ids[0], .generation = 1, .offset = 3};
    CHECK_EQUAL(commit_of(&f, &good), KERR_NONE);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.member = ids[0], .generation = 2}),
                KERR_ILLEGAL_GENERATION);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.member = "x", .generation = 1}),
                KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.generation = 1}), KERR_UNKNOWN_MEMBER_ID);
    struct fixture_call *a = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(commit_of(&f,
                          &(struct commit_args){
                              .member = ids[1], .generation = 1, .partition = 1, .offset = 4}),
                KERR_NONE); /* what it did until now, before it joins again */
    fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.member = ids[0], .generation = 2}),
                KERR_REBALANCE_IN_PROGRESS);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), 3);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 1), 4);
    fixture_sync_all(&f, 2, 2, ids);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_commit_is_a_sign_of_life)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 1, ids);
    for (int i = 0; i < 4; i++) {
        mem_env_advance_ms(&f.m, 9000);
        CHECK_EQUAL(commit_of(&f, &(struct commit_args){.member = ids[0], .generation = 1}),
                    KERR_NONE);
    }
    mem_env_advance_ms(&f.m, 10000);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_deinit(&f);
}

TEST(metadata_that_is_too_long_is_refused_row_by_row)
{
    struct group_fixture f;
    char text[102];
    memset(text, 'm', sizeof(text));
    text[101] = '\0';
    fixture_init(&f, NULL);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .metadata = text}),
                KERR_OFFSET_METADATA_TOO_LARGE);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD); /* nothing came of it */
    CHECK_EQUAL(f.batch_count, 0);
    text[100] = '\0';
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .metadata = text}),
                KERR_NONE);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_commit_that_does_not_fit_into_a_batch_is_refused_as_a_whole)
{
    struct group_fixture f;
    struct group_settings settings = fixture_settings();
    settings.batch_bytes_max = 1000;
    fixture_init(&f, &settings);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .count = 100}),
                KERR_UNKNOWN_SERVER_ERROR);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .count = 2}), KERR_NONE);
    CHECK_EQUAL(commit_of(&f, &(struct commit_args){.is_simple = true, .count = 100}),
                KERR_UNKNOWN_SERVER_ERROR);
    CHECK_EQUAL(fixture_group(&f, "g")->offsets.offsets.count, 2);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

/* ---- OffsetDelete */

/* A group of one that reads "t" with this type, in the state asked for. */
static void form_reader(struct group_fixture *f, const char *type, enum group_state state,
                        char id[FIXTURE_ID_SIZE])
{
    struct fixture_call *call =
        fixture_join(f, &(struct join_args){.type = type, .metadata = "@t"});
    if (state == GROUP_PREPARING)
        return;
    mem_env_advance_ms(&f->m, FIXTURE_START_MS);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    fixture_id(call, id);
    if (state == GROUP_STABLE)
        fixture_sync(f, &(struct sync_args){.member = id, .generation = 1});
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(fixture_state(f), state);
}

TEST(offsets_are_deleted_of_topics_that_nobody_reads)
{
    static const enum group_state states[] = {GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE};
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        struct group_fixture f;
        char id[FIXTURE_ID_SIZE];
        fixture_init(&f, NULL);
        commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "t"});
        commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "u"});
        form_reader(&f, "consumer", states[i], id);
        CHECK_EQUAL(delete_offset_of(&f, "t"), KERR_GROUP_SUBSCRIBED_TO_TOPIC);
        /* While no protocol is chosen it is not known what they read. */
        bool is_known = states[i] != GROUP_PREPARING;
        CHECK_EQUAL(delete_offset_of(&f, "u"),
                    is_known ? KERR_NONE : KERR_GROUP_SUBSCRIBED_TO_TOPIC);
        CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), 0);
        CHECK_EQUAL(fixture_committed(&f, NULL, "u", 0), is_known ? -1 : 0);
        fixture_deinit(&f);
    }
}

TEST(offsets_of_other_kinds_of_groups_are_deleted_when_they_are_empty)
{
    struct group_fixture f;
    char id[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    CHECK_EQUAL(delete_offset_of(&f, "t"), KERR_GROUP_ID_NOT_FOUND);
    commit_of(&f, &(struct commit_args){.is_simple = true});
    form_reader(&f, "connect", GROUP_STABLE, id);
    CHECK_EQUAL(delete_offset_of(&f, "t"), KERR_NON_EMPTY_GROUP);
    fixture_leave(&f, &(struct member_args){.member = id});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(delete_offset_of(&f, "t"), KERR_NONE);
    CHECK_EQUAL(delete_offset_of(&f, "t"), KERR_NONE); /* there is none: as good as done */
    CHECK_EQUAL(delete_offset_of(&f, "never"), KERR_NONE);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), -1);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY); /* the group stays until it expires */
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_group_of_consumers_whose_metadata_cannot_be_read_counts_as_reading_all)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true});
    fixture_form(&f, 1, ids); /* its metadata is "range" */
    CHECK_EQUAL(delete_offset_of(&f, "t"), KERR_GROUP_SUBSCRIBED_TO_TOPIC);
    fixture_deinit(&f);
}

/* ---- DeleteGroups, DescribeGroups, ListGroups */

TEST(groups_are_deleted_when_they_are_empty)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    CHECK_EQUAL(delete_of(&f), KERR_GROUP_ID_NOT_FOUND);
    struct fixture_call *join = fixture_join(&f, &(struct join_args){.member = NULL});
    CHECK_EQUAL(delete_of(&f), KERR_NON_EMPTY_GROUP); /* preparing */
    mem_env_advance_ms(&f.m, FIXTURE_START_MS);
    fixture_id(join, ids[0]);
    CHECK_EQUAL(delete_of(&f), KERR_NON_EMPTY_GROUP); /* completing */
    fixture_sync_all(&f, 1, 1, ids);
    commit_of(&f, &(struct commit_args){.member = ids[0], .generation = 1, .count = 3});
    CHECK_EQUAL(delete_of(&f), KERR_NON_EMPTY_GROUP); /* stable */
    fixture_leave(&f, &(struct member_args){.member = ids[0]});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(delete_of(&f), KERR_NONE);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_check_replay(&f);
    char *text = fixture_dump(&f);
    CHECK_TEXT(text, "");
    mem_free(text);
    fixture_form(&f, 1, ids); /* the name may be used again */
    fixture_deinit(&f);
}

TEST(a_group_that_was_deleted_while_its_assignment_was_written_is_gone)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *join = fixture_join(&f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f.m, FIXTURE_START_MS);
    fixture_id(join, ids[0]);
    f.by_hand = true;
    struct fixture_call *sync =
        fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 1});
    fixture_leave(&f, &(struct member_args){.member = ids[0]});
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    struct fixture_call *deleted = fixture_delete(&f, NULL);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    CHECK_EQUAL(fixture_under_way(&f), 3);
    CHECK_EQUAL(deleted->done, 0);
    fixture_commit(&f);
    CHECK_EQUAL(deleted->deleted->error_code, KERR_NONE);
    CHECK_EQUAL(fixture_sync_error(sync), KERR_UNKNOWN_MEMBER_ID);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_group_is_described_in_every_state)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    const struct fixture_call *call = fixture_describe(&f, NULL);
    CHECK(wire_str_is(call->describe->group_state, "Dead"));
    CHECK_EQUAL(call->describe->error_code, KERR_GROUP_ID_NOT_FOUND);
    commit_of(&f, &(struct commit_args){.is_simple = true});
    call = fixture_describe(&f, NULL);
    CHECK(wire_str_is(call->describe->group_state, "Empty"));
    CHECK_EQUAL(call->describe->protocol_type.len, 0);
    fixture_form_static(&f, 2, ids);
    call = fixture_describe(&f, NULL);
    CHECK(wire_str_is(call->describe->group_state, "Stable"));
    CHECK(wire_str_is(call->describe->protocol_type, "consumer"));
    CHECK(wire_str_is(call->describe->protocol_data, "range"));
    CHECK_EQUAL(call->describe->members.count, 2);
    const struct describe_groups_response_described_group_member *row =
        &call->describe->members.items[1];
    CHECK(wire_str_is(row->member_id, ids[1]));
    CHECK(wire_str_is(row->group_instance_id, "i1"));
    CHECK(wire_str_is(row->client_id, "client"));
    CHECK(wire_str_is(row->client_host, "/127.0.0.1"));
    CHECK_EQUAL(row->member_metadata.len, 5);
    CHECK_EQUAL(row->member_assignment.len, 2);
    fixture_leave(&f, &(struct member_args){.member = ids[1]});
    call = fixture_describe(&f, NULL);
    CHECK(wire_str_is(call->describe->group_state, "PreparingRebalance"));
    CHECK_EQUAL(call->describe->protocol_data.len, 0);
    CHECK_EQUAL(call->describe->members.items[0].member_metadata.len, 0);
    CHECK_EQUAL(call->describe->members.items[0].member_assignment.len, 2); /* what it has still */
    fixture_deinit(&f);
}

TEST(groups_are_listed_by_state_and_type)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.group = "simple", .is_simple = true});
    fixture_form(&f, 1, ids);
    CHECK_EQUAL(fixture_list(&f, NULL, NULL)->list->groups.count, 2);
    CHECK_EQUAL(fixture_list(&f, NULL, "Classic")->list->groups.count, 2);
    CHECK_EQUAL(fixture_list(&f, NULL, "consumer")->list->groups.count, 0);
    CHECK_EQUAL(fixture_list(&f, "dead", NULL)->list->groups.count, 0);
    const struct fixture_call *call = fixture_list(&f, "stable", "classic");
    CHECK_EQUAL(call->list->groups.count, 1);
    CHECK(wire_str_is(call->list->groups.items[0].group_id, "g"));
    CHECK(wire_str_is(call->list->groups.items[0].group_state, "Stable"));
    CHECK(wire_str_is(call->list->groups.items[0].protocol_type, "consumer"));
    CHECK(wire_str_is(call->list->groups.items[0].group_type, "classic"));
    call = fixture_list(&f, "Empty", NULL);
    CHECK(wire_str_is(call->list->groups.items[0].group_id, "simple"));
    fixture_deinit(&f);
}
