// SPDX-License-Identifier: Apache-2.0
/* sim: clock, events, chance and trace; see sim.h. Thread: one. */
#include "env/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "env/sim_env.h"
#include "env/sim_net.h"

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[SIM_FAULT_COUNT] = {
        [SIM_FAULT_POWER_CUT] = "power cut",
        [SIM_FAULT_PROCESS_KILL] = "process kill",
        [SIM_FAULT_CRASH_IN_IO] = "crash in i/o",
        [SIM_FAULT_LOST_SECTOR] = "lost sector",
        [SIM_FAULT_TORN_FILE] = "torn file",
        [SIM_FAULT_LOST_SIZE] = "lost size",
        [SIM_FAULT_LOST_NAME] = "lost name",
        [SIM_FAULT_RESET] = "reset",
        [SIM_FAULT_REFUSED] = "refused",
        [SIM_FAULT_BACK_PRESSURE] = "back-pressure",
        [SIM_FAULT_PART_SENT] = "part sent",
        [SIM_FAULT_COLD_READ] = "cold read",
        [SIM_FAULT_SLOW_DISK] = "slow disk",
        [SIM_FAULT_CLOCK_JUMP] = "clock jump",
        [SIM_FAULT_CLEAN_STOP] = "clean stop",
        [SIM_FAULT_RETENTION] = "retention",
        [SIM_FAULT_MEMBER_DEATH] = "member death",
        [SIM_FAULT_MEMBER_SLEEP] = "member sleep",
        [SIM_FAULT_DISK_ERROR] = "disk error",
        [SIM_FAULT_DISK_FULL] = "disk full",
        [SIM_FAULT_COMPACTION] = "compaction",
        [SIM_FAULT_JOURNAL_ROTATION] = "journal rotation",
        [SIM_FAULT_JOURNAL_REPLAY] = "journal replay",
        [SIM_FAULT_HELD] = "held commit",
        [SIM_FAULT_DIE_OPENING] = "die opening",
        [SIM_FAULT_DIE_ROLLING] = "die rolling",
        [SIM_FAULT_DIE_RETIRING] = "die retiring",
        [SIM_FAULT_MOVE] = "move",
        [SIM_FAULT_DIE_MOVING] = "die moving",
        [SIM_FAULT_BIT_FLIP] = "bit flip",
        [SIM_FAULT_DIR_MISSING] = "directory missing",
    };
    ASSERT(fault < SIM_FAULT_COUNT);
    return names[fault];
}

struct sim_tuning sim_tuning_calm(void)
{
    return (struct sim_tuning){
        .net_delay_min = 20 * SIM_US,
        .net_delay_max = 200 * SIM_US,
        .net_reset_delay_max = 200 * SIM_MS,
        .net_segment_max = 1 << 20,
        .net_window_min = 256 << 10,
        .net_window_max = 256 << 10,
        .disk_delay_min = 5 * SIM_US,
        .disk_delay_max = 50 * SIM_US,
        .sync_delay_min = 100 * SIM_US,
        .sync_delay_max = 1 * SIM_MS,
        .turn_delay_max = 10 * SIM_US,
        .timer_late_max = 50 * SIM_US,
        .step_delay_max = 10 * SIM_US,
    };
}

struct sim *sim_new(uint64_t seed)
{
    struct sim *sim = mem_alloc(sizeof(*sim));
    sim->tuning = sim_tuning_calm();
    prng_seed(&sim->prng, seed);
    heap_init(&sim->events);
    list_init(&sim->envs);
    list_init(&sim->conns);
    sim->hash = hash_u64(seed);
    return sim;
}

void sim_free(struct sim *sim)
{
    if (sim == NULL)
        return;
    for (struct list *node; (node = list_pop_front(&sim->envs)) != NULL;)
        sim_env_free(container_of(node, struct sim_env, link));
    sim_net_free(sim);
    heap_deinit(&sim->events);
    mem_free(sim);
}

void sim_schedule(struct sim *sim, struct sim_event *event, int64_t at_ns)
{
    ASSERT(event->fire != NULL);
    heap_remove(&sim->events, &event->node);
    heap_insert(&sim->events, &event->node, MAX(at_ns, sim->now_ns));
}

void sim_cancel(struct sim *sim, struct sim_event *event)
{
    heap_remove(&sim->events, &event->node);
}

bool sim_step(struct sim *sim, int64_t until_ns)
{
    ASSERT(sim->fiber == NULL);
    struct heap_node *node = heap_min(&sim->events);
    if (node == NULL || node->key > until_ns) {
        sim->now_ns = MAX(sim->now_ns, until_ns);
        return false;
    }
    ASSERT(node->key >= sim->now_ns);
    sim->now_ns = node->key;
    heap_remove(&sim->events, node);
    sim->event_count++;
    struct sim_event *event = container_of(node, struct sim_event, node);
    if (event->owner == NULL || !event->owner->is_dead)
        event->fire(event);
    return true;
}

void sim_run(struct sim *sim, int64_t until_ns)
{
    while (sim_step(sim, until_ns))
        ;
}

int64_t sim_draw(struct sim *sim, int64_t low, int64_t high)
{
    return prng_range(&sim->prng, low, high);
}

bool sim_percent(struct sim *sim, int32_t percent)
{
    return percent > 0 && prng_chance(&sim->prng, (uint32_t)percent, 100);
}

bool sim_ppm(struct sim *sim, int32_t ppm)
{
    return ppm > 0 && prng_chance(&sim->prng, (uint32_t)ppm, 1000000);
}

void sim_count(struct sim *sim, enum sim_fault fault)
{
    ASSERT(fault < SIM_FAULT_COUNT);
    sim->faults[fault]++;
    sim_trace(sim, sim_fault_name(fault), (uint64_t)sim->faults[fault], 0, 0);
}

/* ---- trace */

static void print_entry(const struct sim_trace_entry *entry)
{
    fprintf(stderr, "  %12.6f ms  %-16s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
            (double)entry->at_ns / 1e6, entry->what, entry->a, entry->b, entry->c, entry->line);
}

static void fold(struct sim *sim, uint64_t value)
{
    sim->hash = hash_u64(sim->hash ^ value);
}

static struct sim_trace_entry *add_entry(struct sim *sim, const char *what)
{
    struct sim_trace_entry *entry = &sim->ring[sim->ring_count++ % SIM_RING_SIZE];
    entry->at_ns = sim->now_ns;
    entry->what = what;
    entry->line[0] = '\0';
    uint64_t name = 0; /* the text, not where it lies: that differs from run to run */
    for (const char *at = what; *at != '\0'; at++)
        name = name * 31 + (unsigned char)*at;
    fold(sim, name);
    fold(sim, (uint64_t)sim->now_ns);
    return entry;
}

void sim_trace(struct sim *sim, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    struct sim_trace_entry *entry = add_entry(sim, what);
    entry->a = a;
    entry->b = b;
    entry->c = c;
    fold(sim, a);
    fold(sim, b);
    fold(sim, c);
    if (sim->is_verbose)
        print_entry(entry);
}

void sim_trace_line(struct sim *sim, const char *what, uint64_t a, const char *line)
{
    struct sim_trace_entry *entry = add_entry(sim, what);
    entry->a = a;
    entry->b = 0;
    entry->c = 0;
    snprintf(entry->line, sizeof(entry->line), "%s", line);
    fold(sim, a);
    fold(sim, hash_bytes(0, entry->line, strlen(entry->line)));
    if (sim->is_verbose)
        print_entry(entry);
}

void sim_trace_print(const struct sim *sim, size_t count)
{
    size_t first = sim->ring_count - MIN(sim->ring_count, MIN(count, (size_t)SIM_RING_SIZE));
    for (size_t i = first; i < sim->ring_count; i++)
        print_entry(&sim->ring[i % SIM_RING_SIZE]);
}
