// SPDX-License-Identifier: Apache-2.0
/* group_random_test: clients that do anything at any time, writes that come back in any order or
 * fail, restarts: whenever all is at rest, what is in memory equals what the log gives.
 * Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "coordinator/group_fixture.h"

enum { CLIENTS = 10, GROUPS = 3, STEPS = 3000, SEEDS = 8, HOUR_MS = 3600000 };

struct client {
    char group[4];
    char instance[4]; /* "": dynamic */
    char id[FIXTURE_ID_SIZE];
    int32_t generation;
    bool is_leader;
    const struct fixture_call *join, *sync; /* without an answer yet */
};

struct driver {
    struct group_fixture f;
    struct prng prng;
    struct client clients[CLIENTS];
    int checks;
    int stable; /* of the checks, with a stable group */
};

static void driver_init(struct driver *d, uint64_t seed)
{
    *d = (struct driver){0};
    struct group_settings settings = fixture_settings();
    settings.members_max = 5;
    fixture_init(&d->f, &settings);
    prng_seed(&d->prng, seed);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &d->clients[i];
        snprintf(c->group, sizeof(c->group), "g%d", i % GROUPS);
        if (i % 2 == 1)
            snprintf(c->instance, sizeof(c->instance), "i%d", i % 4);
    }
}

static const char *instance_of(const struct client *c)
{
    return c->instance[0] != '\0' ? c->instance : NULL;
}

/* What was answered meanwhile. */
static void listen(struct client *c)
{
    if (c->join != NULL && c->join->done > 0) {
        int16_t error = fixture_join_error(c->join);
        if (error == KERR_NONE || error == KERR_MEMBER_ID_REQUIRED)
            fixture_id(c->join, c->id);
        else if (error == KERR_UNKNOWN_MEMBER_ID || error == KERR_FENCED_INSTANCE_ID)
            c->id[0] = '\0';
        if (error == KERR_NONE) {
            c->generation = c->join->join->generation_id;
            c->is_leader = wire_str_is(c->join->join->leader, c->id);
        }
        c->join = NULL;
    }
    if (c->sync != NULL && c->sync->done > 0)
        c->sync = NULL;
}

static void do_join(struct driver *d, struct client *c)
{
    static const char *const protocols[] = {"range", "range,sticky", "sticky,range", "sticky"};
    static const char *const metadata[] = {"@t", "@u", "text", NULL};
    static const int16_t versions[] = {3, 4, 5, 9};
    if (c->join != NULL)
        return;
    bool is_odd = prng_chance(&d->prng, 1, 20);
    c->join = fixture_join(
        &d->f, &(struct join_args){
                   .group = c->group,
                   .member = prng_chance(&d->prng, 4, 5) ? c->id : NULL,
                   .instance = instance_of(c),
                   .type = is_odd ? "connect" : NULL,
                   .protocols = protocols[prng_below(&d->prng, is_odd ? 4 : 3)],
                   .metadata = metadata[prng_below(&d->prng, prng_chance(&d->prng, 1, 9) ? 4 : 1)],
                   .session_ms = (int32_t)prng_range(&d->prng, 6000, 30000),
                   .rebalance_ms = (int32_t)prng_range(&d->prng, 1000, 60000),
                   .version = versions[prng_below(&d->prng, 4)],
               });
}

static void do_sync(struct driver *d, struct client *c)
{
    if (c->sync != NULL || c->join != NULL || c->id[0] == '\0')
        return;
    char text[16];
    const char *pairs[2 * CLIENTS + 1] = {NULL};
    snprintf(text, sizeof(text), "%u", (unsigned)prng_below(&d->prng, 1000));
    int n = 0;
    for (int i = 0; i < CLIENTS && c->is_leader; i++) {
        if (d->clients[i].id[0] == '\0')
            continue;
        pairs[n++] = d->clients[i].id;
        pairs[n++] = text;
    }
    c->sync = fixture_sync(&d->f, &(struct sync_args){.group = c->group,
                                                      .member = c->id,
                                                      .instance = instance_of(c),
                                                      .generation = c->generation,
                                                      .assignments = pairs});
}

static void do_commit(struct driver *d, struct client *c)
{
    fixture_commit_offsets(&d->f, &(struct commit_args){
                                      .group = c->group,
                                      .member = c->id,
                                      .instance = instance_of(c),
                                      .generation = c->generation,
                                      .is_simple = prng_chance(&d->prng, 1, 3),
                                      .topic = prng_chance(&d->prng, 1, 2) ? "t" : "u",
                                      .partition = (int32_t)prng_below(&d->prng, 4),
                                      .count = (int32_t)prng_below(&d->prng, 3),
                                      .offset = prng_range(&d->prng, 0, 1000),
                                      .retention_ms = prng_chance(&d->prng, 1, 5) ? HOUR_MS : 0,
                                      .metadata = prng_chance(&d->prng, 1, 3) ? "some text" : NULL,
                                  });
}

static void do_member_things(struct driver *d, struct client *c)
{
    const struct member_args args = {.group = c->group,
                                     .member = c->id,
                                     .instance = instance_of(c),
                                     .generation = c->generation};
    switch (prng_below(&d->prng, 20)) {
    case 0:
        fixture_leave(&d->f, &args);
        break;
    case 1:
        fixture_leave(&d->f, &(struct member_args){.group = c->group, .instance = args.instance});
        break;
    case 2:
        fixture_describe(&d->f, c->group);
        fixture_list(&d->f, NULL, NULL);
        break;
    case 3:
        fixture_fetch(&d->f, c->group, NULL, 0);
        fixture_delete_offsets(&d->f, c->group, prng_chance(&d->prng, 1, 2) ? "t" : "u", 1);
        break;
    case 4:
        if (prng_chance(&d->prng, 1, 4))
            fixture_delete(&d->f, c->group);
        break;
    default:
        fixture_heartbeat(&d->f, &args);
        break;
    }
}

static void pass_time(struct driver *d)
{
    static const int64_t most_ms[] = {10, 1000, 5000, 20000, INT64_C(24) * HOUR_MS};
    uint64_t which = prng_chance(&d->prng, 1, 30) ? 4 : prng_below(&d->prng, 4);
    mem_env_advance_ms(&d->f.m, prng_range(&d->prng, 0, most_ms[which]));
}

static void move_log(struct driver *d)
{
    size_t count = fixture_under_way(&d->f);
    d->f.by_hand = prng_chance(&d->prng, 1, 2);
    if (count == 0)
        return;
    bool fails = prng_chance(&d->prng, 1, 100);
    fixture_complete(&d->f, prng_below(&d->prng, count),
                     fails ? KERR_NOT_LEADER_OR_FOLLOWER : KERR_NONE);
    if (!d->f.by_hand)
        fixture_commit(&d->f);
}

static void restart(struct driver *d)
{
    if (d->f.shard->state != SHARD_ACTIVE)
        return;
    fixture_stop(&d->f);
    fixture_commit(&d->f);
    group_shard_start(d->f.shard);
}

static void step(struct driver *d)
{
    struct client *c = &d->clients[prng_below(&d->prng, CLIENTS)];
    uint64_t what = prng_below(&d->prng, 100);
    if (what < 20)
        do_join(d, c);
    else if (what < 45)
        do_sync(d, c);
    else if (what < 60)
        do_commit(d, c);
    else if (what < 75)
        do_member_things(d, c);
    else if (what < 85)
        pass_time(d);
    else if (what < 99)
        move_log(d);
    else if (prng_chance(&d->prng, 1, 5))
        restart(d);
    mem_env_run_until_idle(&d->f.m);
}

static void check(struct driver *d)
{
    fixture_check_groups(&d->f);
    fixture_check_stats(&d->f);
    for (int i = 0; i < CLIENTS; i++)
        listen(&d->clients[i]);
    fixture_forget_calls(&d->f);
    if (!fixture_is_at_rest(&d->f))
        return;
    struct group_shard_counts counts;
    group_shard_count(d->f.shard, &counts);
    d->checks++;
    d->stable += counts.groups[GROUP_STABLE] > 0;
    fixture_check_replay(&d->f);
}

TEST(replaying_equals_living)
{
    int checks = 0, stable = 0;
    uint64_t rebalances = 0, expired = 0, deleted = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct driver d;
        print_message("seed %llu\n", (unsigned long long)seed);
        driver_init(&d, seed);
        for (int i = 0; i < STEPS; i++) {
            step(&d);
            check(&d);
        }
        checks += d.checks;
        rebalances += d.f.stats.rebalances;
        expired += d.f.stats.offsets_expired;
        deleted += d.f.stats.offsets_deleted;
        stable += d.stable;
        fixture_deinit(&d.f);
    }
    /* It has not passed because there was nothing to see. */
    CHECK(checks > 500);
    CHECK(stable > 100);
    CHECK(rebalances > 100 && expired > 0 && deleted > 0);
    print_message("%d comparisons, %d with a stable group\n", checks, stable);
}
