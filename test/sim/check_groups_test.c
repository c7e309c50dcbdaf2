// SPDX-License-Identifier: Apache-2.0
/* check_groups_test: what check_test.c is for records, for groups. Thread: main. */
#include <string.h>

#include "base/macros.h"
#include "base/testing.h"
#include "check.h"

struct fixture {
    struct history h;
    uint32_t group;
};

static struct fixture fixture_new(void)
{
    struct fixture f;
    memset(&f, 0, sizeof(f));
    history_init(&f.h);
    uint32_t topic = history_add_topic(&f.h, "t");
    history_add_partition(&f.h, topic, 0, true);
    history_add_partition(&f.h, topic, 1, true);
    f.group = history_add_group(&f.h, "g");
    return f;
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

static uint32_t send_one(struct fixture *f, int64_t offset)
{
    return history_commit_sent(
        &f->h, &(struct history_new_commit){.group = f->group, .partition = 1, .offset = offset});
}

static uint32_t send_acked(struct fixture *f, int64_t offset)
{
    uint32_t commit = send_one(f, offset);
    history_commit_acked(&f->h, commit);
    return commit;
}

static uint32_t send_deletion(struct fixture *f)
{
    return history_commit_sent(&f->h, &(struct history_new_commit){
                                          .group = f->group, .partition = 1, .is_deletion = true});
}

static struct history_committed_view ask(struct fixture *f)
{
    return history_committed_view(&f->h, f->group, 1);
}

static void see(struct fixture *f, struct history_committed_view view, uint32_t commit)
{
    char text[COMMIT_TEXT_SIZE];
    history_commit_text(commit, text);
    history_committed_seen(&f->h, &(struct history_committed){
                                      .group = f->group,
                                      .partition = 1,
                                      .view = view,
                                      .offset = f->h.groups.commits[commit].offset,
                                      .metadata = text,
                                      .metadata_len = strlen(text),
                                  });
}

static void see_none(struct fixture *f, struct history_committed_view view)
{
    history_committed_seen(
        &f->h, &(struct history_committed){
                   .group = f->group, .partition = 1, .view = view, .is_none = true, .offset = -1});
}

/* ---- what is committed */

TEST(check_committed_passes_what_may_be)
{
    struct fixture f = fixture_new();
    see_none(&f, ask(&f));
    uint32_t first = send_acked(&f, 1);
    see(&f, ask(&f), first);
    struct history_committed_view before = ask(&f);
    uint32_t second = send_acked(&f, 2);
    see(&f, before, first); /* asked before */
    uint32_t lost = send_one(&f, 3);
    history_commit_unknown(&f.h, lost);
    see(&f, ask(&f), second);
    uint32_t fourth = send_acked(&f, 1); /* back, by a commit */
    see(&f, ask(&f), fourth);
    see(&f, ask(&f), lost); /* it lingered */
    uint32_t gone = send_deletion(&f);
    history_commit_unknown(&f.h, gone);
    see_none(&f, ask(&f));
    expect(&f, NULL);
}

TEST(check_committed_flags_a_lost_commit)
{
    struct fixture f = fixture_new();
    uint32_t first = send_acked(&f, 1);
    send_acked(&f, 2);
    see(&f, ask(&f), first);
    expect(&f, "committed is never lost");
    f = fixture_new();
    send_acked(&f, 1);
    see_none(&f, ask(&f));
    expect(&f, "committed is never lost");
}

TEST(check_committed_flags_one_that_goes_back_after_it_was_seen)
{
    struct fixture f = fixture_new();
    uint32_t first = send_acked(&f, 1);
    uint32_t second = send_one(&f, 2);
    see(&f, ask(&f), second);
    see(&f, ask(&f), first);
    expect(&f, "committed is never lost");
}

TEST(check_committed_flags_one_of_a_dead_process_that_comes_late)
{
    struct fixture f = fixture_new();
    uint32_t lost = send_one(&f, 1);
    history_commit_unknown(&f.h, lost);
    history_broker_starts(&f.h, false);
    send_acked(&f, 2);
    see(&f, ask(&f), lost);
    expect(&f, "committed is never lost");
}

TEST(check_committed_flags_what_a_deletion_has_taken)
{
    struct fixture f = fixture_new();
    uint32_t first = send_acked(&f, 1);
    history_commit_acked(&f.h, send_deletion(&f));
    see_none(&f, ask(&f));
    CHECK(!f.h.has_failed);
    see(&f, ask(&f), first);
    expect(&f, "committed is never lost");
}

TEST(check_committed_flags_what_comes_back_after_its_expiry)
{
    struct fixture f = fixture_new();
    uint32_t first = history_commit_sent(
        &f.h, &(struct history_new_commit){.group = f.group, .partition = 1, .expires = true});
    history_commit_acked(&f.h, first);
    struct history_committed_view early = ask(&f);
    see_none(&f, ask(&f));
    see(&f, early, first); /* asked before it was seen to be gone */
    CHECK(!f.h.has_failed);
    see(&f, ask(&f), first);
    expect(&f, "committed is never lost");
}

TEST(check_committed_flags_what_was_refused_or_never_sent)
{
    struct fixture f = fixture_new();
    uint32_t refused = send_one(&f, 1);
    history_commit_refused(&f.h, refused);
    see(&f, ask(&f), refused);
    expect(&f, "committed is never lost");
    f = fixture_new();
    history_committed_seen(
        &f.h,
        &(struct history_committed){
            .group = f.group, .partition = 1, .offset = 7, .metadata = "c9", .metadata_len = 2});
    expect(&f, "committed is never lost");
}

TEST(check_committed_flags_another_offset_or_partition)
{
    struct fixture f = fixture_new();
    uint32_t commit = send_acked(&f, 1);
    f.h.groups.commits[commit].offset = 2;
    struct history_committed seen = {
        .group = f.group, .partition = 1, .offset = 1, .metadata = "c0", .metadata_len = 2};
    history_committed_seen(&f.h, &seen);
    expect(&f, "committed is never lost");
    f = fixture_new();
    send_acked(&f, 1);
    seen.partition = 0;
    history_committed_seen(&f.h, &seen);
    expect(&f, "committed is never lost");
}

/* ---- generations and owners */

static void join(struct fixture *f, const struct history_group_view *view, int32_t generation)
{
    history_generation_told(&f->h, f->group, view, generation, false);
}

static void assign(struct fixture *f, uint32_t owner, uint32_t partition, int32_t generation,
                   uint32_t nonce)
{
    struct history_group_view view = history_group_view(&f->h, f->group);
    history_assigned(&f->h, f->group, &view,
                     &(struct history_assignment){generation, nonce, owner, &partition, 1});
}

TEST(check_generation_flags_one_that_goes_back)
{
    struct fixture f = fixture_new();
    send_acked(&f, 1);
    struct history_group_view early = history_group_view(&f.h, f.group);
    join(&f, &early, 5);
    struct history_group_view late = history_group_view(&f.h, f.group);
    join(&f, &early, 4); /* asked before */
    join(&f, &late, 5);
    CHECK(!f.h.has_failed);
    join(&f, &late, 4);
    expect(&f, "generations go up");
}

TEST(check_generation_lets_a_process_take_what_was_not_written)
{
    struct fixture f = fixture_new();
    send_acked(&f, 1);
    assign(&f, 1, 0, 4, 0);
    struct history_group_view view = history_group_view(&f.h, f.group);
    join(&f, &view, 5);
    history_broker_starts(&f.h, false);
    view = history_group_view(&f.h, f.group);
    join(&f, &view, 4);
    CHECK(!f.h.has_failed);
    join(&f, &view, 3);
    expect(&f, "generations go up");
}

TEST(check_generation_lets_a_forgotten_group_begin_again)
{
    struct fixture f = fixture_new();
    struct history_group_view view = history_group_view(&f.h, f.group);
    join(&f, &view, 4);
    join(&f, &view, 1);
    expect(&f, NULL);
}

TEST(check_owner_flags_two_of_a_partition)
{
    struct fixture f = fixture_new();
    send_acked(&f, 1);
    assign(&f, 1, 0, 4, 9);
    assign(&f, 2, 1, 4, 9);
    assign(&f, 1, 0, 4, 9); /* asked again */
    assign(&f, 2, 0, 5, 8);
    CHECK(!f.h.has_failed);
    assign(&f, 3, 0, 5, 8);
    expect(&f, "one owner a partition");
}

TEST(check_owner_flags_two_decisions_in_a_generation)
{
    struct fixture f = fixture_new();
    send_acked(&f, 1);
    assign(&f, 1, 0, 4, 9);
    assign(&f, 2, 1, 4, 8);
    expect(&f, "one owner a partition");
}

/* ---- the end */

TEST(check_converged_flags_members_apart)
{
    static const struct {
        bool is_good;
        struct history_holder holders[2];
    } cases[] = {
        {true, {{4, 1, 2}, {4, 2, 0}}},    {false, {{4, 1, 2}, {5, 2, 0}}},
        {false, {{4, 1, 2}, {4, 0, 0}}}, /* a partition has no owner */
        {false, {{4, 3, 2}, {4, 2, 0}}}, /* one has two */
        {false, {{4, 1, 3}, {4, 2, 0}}}, /* a dead member is in */
        {false, {{-1, 1, 2}, {-1, 2, 0}}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fixture f = fixture_new();
        check_converged_at_end(&f.h, f.group, cases[i].holders, 2);
        expect(&f, cases[i].is_good ? NULL : "groups converge");
    }
}

TEST(check_converged_flags_members_that_are_dead)
{
    struct fixture f = fixture_new();
    check_converged_is_empty(&f.h, f.group, false);
    CHECK(!f.h.has_failed);
    check_converged_is_empty(&f.h, f.group, true);
    expect(&f, "groups converge");
}

TEST(check_replay_flags_a_difference)
{
    struct fixture f = fixture_new();
    check_replay_on_restarted(&f.h, f.group, "Stable a 1", "Stable a 1");
    CHECK(!f.h.has_failed);
    check_replay_on_restarted(&f.h, f.group, "Stable a 1", "Stable a 2");
    expect(&f, "replay equals live");
    f = fixture_new();
    check_replay_on_restarted(&f.h, f.group, "Stable a 1", "Stable a");
    expect(&f, "replay equals live");
}
