// SPDX-License-Identifier: Apache-2.0
/* group_memory_test: the first, then the second, then the third ... allocation fails, until a run
 * needs none: nothing leaks, groups keep their invariants, what is in memory equals what the log
 * gives, and who tries again gets through. Thread: main. */
#include <string.h>

#include "base/mem.h"
#include "coordinator/group_fixture.h"

/* Whether the nth allocation since mem_fail_at(n) has been asked for. Ends the failing. */
static bool has_failed(int n)
{
    bool came = true;
    for (int i = 0; i < n && came; i++) {
        void *p = mem_try(1);
        came = p != NULL;
        mem_free(p);
    }
    mem_fail_at(0);
    return came;
}

static void check_all(struct group_fixture *f)
{
    mem_env_run_until_idle(&f->m);
    fixture_check_groups(f);
    if (fixture_is_at_rest(f))
        fixture_check_replay(f);
}

/* Everybody dies, and then a group can be formed as if nothing had been. */
static void check_recovers(struct group_fixture *f)
{
    char ids[2][FIXTURE_ID_SIZE];
    mem_env_advance_ms(&f->m, 600000);
    CHECK(fixture_is_at_rest(f));
    fixture_check_replay(f);
    struct group *group = fixture_group(f, "g");
    CHECK(group == NULL || group->state == GROUP_EMPTY);
    struct fixture_call *a = fixture_join(f, &(struct join_args){.member = NULL});
    struct fixture_call *b = fixture_join(f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f->m, 2 * FIXTURE_START_MS);
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    CHECK_EQUAL(fixture_join_error(b), KERR_NONE);
    fixture_id(a, ids[0]);
    fixture_id(b, ids[1]);
    fixture_sync_all(f, a->join->generation_id, 2, ids);
    fixture_check_replay(f);
}

static bool is_told(int16_t error)
{
    return error == KERR_NONE || error == KERR_COORDINATOR_NOT_AVAILABLE;
}

TEST(joins_survive_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        fixture_init(&f, NULL);
        fixture_commit_offsets(&f, &(struct commit_args){.is_simple = true});
        mem_env_run_until_idle(&f.m);
        mem_fail_at(n);
        struct fixture_call *a =
            fixture_join(&f, &(struct join_args){.type = "connect", .protocols = "x"});
        failed = has_failed(n);
        CHECK(a->done == 0 || fixture_join_error(a) == KERR_COORDINATOR_NOT_AVAILABLE);
        CHECK(a->done == 0 || fixture_group(&f, "g")->protocol_type == NULL);
        check_all(&f);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(rounds_of_joining_survive_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        char id[FIXTURE_ID_SIZE];
        fixture_init(&f, NULL);
        struct fixture_call *first = fixture_join(&f, &(struct join_args){.version = 4});
        mem_env_run_until_idle(&f.m);
        fixture_id(first, id);
        mem_fail_at(n);
        struct fixture_call *calls[] = {
            fixture_join(&f, &(struct join_args){.group = "new"}),
            fixture_join(&f, &(struct join_args){.instance = "i0", .version = 5}),
            fixture_join(&f, &(struct join_args){.instance = "i0", .version = 5}),
            fixture_join(&f, &(struct join_args){.version = 4}),
            fixture_join(&f, &(struct join_args){.member = id, .version = 4}),
            fixture_join(&f, &(struct join_args){.member = id, .version = 4}),
        };
        mem_env_advance_ms(&f.m, 20000); /* also when a generation has to be tried again */
        failed = has_failed(n);
        for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
            int16_t error = fixture_join_error(calls[i]);
            CHECK(is_told(error) || error == KERR_MEMBER_ID_REQUIRED ||
                  error == KERR_FENCED_INSTANCE_ID || error == KERR_REBALANCE_IN_PROGRESS ||
                  error == KERR_UNKNOWN_MEMBER_ID);
        }
        if (!failed) {
            CHECK_EQUAL(fixture_join_error(calls[2]), KERR_NONE);
            CHECK_EQUAL(fixture_join_error(calls[5]), KERR_NONE);
        }
        check_all(&f);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(syncs_survive_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        char ids[2][FIXTURE_ID_SIZE];
        fixture_init(&f, NULL);
        for (int i = 0; i < 2; i++)
            fixture_join(&f, &(struct join_args){.client = i == 0 ? "a" : "b"});
        mem_env_advance_ms(&f.m, 2 * FIXTURE_START_MS);
        int i = 0;
        LIST_FOR_EACH (link, &f.calls)
            fixture_id(container_of(link, struct fixture_call, link), ids[i++]);
        const char *const pairs[] = {ids[0], "zero", ids[1], "one", NULL};
        mem_fail_at(n);
        struct fixture_call *b =
            fixture_sync(&f, &(struct sync_args){.member = ids[1], .generation = 1});
        struct fixture_call *a = fixture_sync(
            &f, &(struct sync_args){.member = ids[0], .generation = 1, .assignments = pairs});
        mem_env_run_until_idle(&f.m);
        failed = has_failed(n);
        CHECK(is_told(fixture_sync_error(a)));
        CHECK(is_told(fixture_sync_error(b)));
        CHECK(failed || fixture_state(&f) == GROUP_STABLE);
        check_all(&f);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(commits_survive_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        fixture_init(&f, NULL);
        fixture_commit_offsets(&f, &(struct commit_args){.is_simple = true, .offset = 1});
        mem_env_run_until_idle(&f.m);
        mem_fail_at(n);
        struct fixture_call *call = fixture_commit_offsets(
            &f,
            &(struct commit_args){.is_simple = true, .offset = 2, .count = 3, .metadata = "text"});
        failed = has_failed(n);
        check_all(&f);
        CHECK(is_told(fixture_commit_error(call)));
        bool is_done = fixture_commit_error(call) == KERR_NONE;
        CHECK(failed || is_done);
        CHECK_EQUAL(f.shard->state, SHARD_ACTIVE);
        int64_t offset = fixture_committed(&f, NULL, "t", 0);
        CHECK(offset == 2 || (offset == 1 && !is_done));
        CHECK_EQUAL(fixture_committed(&f, NULL, "t", 2), offset == 2 ? 2 : -1);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(first_commits_survive_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        fixture_init(&f, NULL);
        mem_fail_at(n);
        struct fixture_call *call =
            fixture_commit_offsets(&f, &(struct commit_args){.is_simple = true, .offset = 2});
        failed = has_failed(n);
        check_all(&f);
        CHECK(is_told(fixture_commit_error(call)));
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(static_members_come_back_through_each_failure_of_memory)
{
    for (int who = 0; who < 2; who++) {
        bool failed = true;
        for (int n = 1; failed; n++) {
            struct group_fixture f;
            char ids[2][FIXTURE_ID_SIZE];
            fixture_init(&f, NULL);
            fixture_form_static(&f, 2, ids);
            mem_fail_at(n);
            struct fixture_call *call = fixture_join(
                &f, &(struct join_args){.instance = who == 0 ? "i0" : "i1", .version = 9});
            failed = has_failed(n);
            check_all(&f);
            bool is_done = fixture_join_error(call) == KERR_NONE;
            int16_t old = fixture_heartbeat_error(fixture_heartbeat(
                &f, &(struct member_args){
                        .member = ids[who], .instance = who == 0 ? "i0" : "i1", .generation = 1}));
            CHECK(is_told(fixture_join_error(call)));
            CHECK(failed || is_done);
            CHECK(old == KERR_FENCED_INSTANCE_ID || (old == KERR_NONE && !is_done));
            check_recovers(&f);
            fixture_deinit(&f);
        }
    }
}

TEST(answers_survive_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        char ids[2][FIXTURE_ID_SIZE];
        fixture_init(&f, NULL);
        fixture_form_static(&f, 2, ids);
        fixture_commit_offsets(&f, &(struct commit_args){.member = ids[0], .generation = 1});
        mem_env_run_until_idle(&f.m);
        mem_fail_at(n);
        struct fixture_call *calls[] = {
            fixture_fetch(&f, NULL, NULL, 0),
            fixture_fetch(&f, NULL, "t", 0),
            fixture_describe(&f, NULL),
            fixture_list(&f, NULL, NULL),
            fixture_rejoin(&f, ids[1]),
            fixture_sync(&f, &(struct sync_args){.member = ids[1], .generation = 1}),
            fixture_leave(&f, &(struct member_args){.member = ids[1]}),
        };
        failed = has_failed(n);
        for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
            CHECK_EQUAL(calls[i]->done, 1);
            CHECK(is_told((int16_t)calls[i]->op.error));
            CHECK(failed || calls[i]->op.error == KERR_NONE);
        }
        check_all(&f);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(deleting_survives_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        fixture_init(&f, NULL);
        fixture_commit_offsets(&f, &(struct commit_args){.is_simple = true, .count = 3});
        mem_env_run_until_idle(&f.m);
        mem_fail_at(n);
        struct fixture_call *offset = fixture_delete_offsets(&f, NULL, "t", 1);
        struct fixture_call *group = fixture_delete(&f, NULL);
        failed = has_failed(n);
        check_all(&f);
        CHECK(is_told(offset->delete_offsets->error_code));
        CHECK(is_told(group->deleted->error_code));
        CHECK(failed || fixture_state(&f) == GROUP_DEAD);
        CHECK_EQUAL(fixture_state(&f) == GROUP_DEAD, group->deleted->error_code == KERR_NONE);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(expiry_survives_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        fixture_init(&f, NULL);
        fixture_commit_offsets(
            &f, &(struct commit_args){.is_simple = true, .count = 3, .retention_ms = 1000});
        mem_env_run_until_idle(&f.m);
        mem_fail_at(n);
        mem_env_advance_ms(&f.m, 600000);
        failed = has_failed(n);
        check_all(&f);
        mem_env_advance_ms(&f.m, 600000);
        CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}

TEST(loading_survives_each_failure_of_memory)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct group_fixture f;
        char ids[2][FIXTURE_ID_SIZE];
        fixture_init(&f, NULL);
        fixture_form_static(&f, 2, ids);
        fixture_commit_offsets(
            &f, &(struct commit_args){.member = ids[0], .generation = 1, .metadata = "m"});
        mem_env_run_until_idle(&f.m);
        char *before = fixture_dump(&f);
        fixture_stop(&f);
        group_shard_start(f.shard);
        mem_fail_at(n);
        mem_env_run_until_idle(&f.m);
        failed = has_failed(n);
        CHECK(f.shard->state == SHARD_ACTIVE || (failed && f.shard->groups.count == 0));
        if (f.shard->state != SHARD_ACTIVE)
            mem_env_advance_ms(&f.m, 10000);
        CHECK_EQUAL(f.shard->state, SHARD_ACTIVE);
        char *after = fixture_dump(&f);
        CHECK_TEXT(before, after);
        mem_free(before);
        mem_free(after);
        check_all(&f);
        check_recovers(&f);
        fixture_deinit(&f);
    }
}
