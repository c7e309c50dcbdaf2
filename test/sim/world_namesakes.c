// SPDX-License-Identifier: Apache-2.0
/* world_namesakes: before the work begins, all topics were there already, with other records, were
 * deleted and made again under their names. Nothing of the old ones may be seen, and nothing that
 * was remembered of them may harm the new ones. Thread: one. */
#include "base/assert.h"
#include "world.h"

enum { BATCHES_MAX = 60, BATCH_RECORDS = 5, WRITE_MAX_S = 60, RENEW_MAX_S = 120, DIE_IO_MAX = 200 };

static bool is_written(const struct world *w)
{
    return producer_is_done(&w->filler);
}

static void write_old(struct world *w)
{
    struct client_options client = world_client_of_all(w);
    struct producer_options options = {.acks = -1,
                                       .in_flight_max = 1,
                                       .batches = (unsigned)sim_draw(w->sim, 1, BATCHES_MAX),
                                       .batch_records_max = BATCH_RECORDS,
                                       .record_bytes_max = (unsigned)w->record_bytes_max};
    producer_start(&w->filler, w->producer_count + 1, &client, &options);
    if (!world_run_until(w, is_written, WRITE_MAX_S))
        world_fail(w, "the old topics cannot be written to", "");
    producer_stop(&w->filler);
}

static bool is_renewed(const struct world *w)
{
    return world_broker_is_ready(w) && admin_is_done(&w->set_up_admin);
}

/* Somewhere in it the broker may die. */
static void renew(struct world *w)
{
    struct client_options client = world_new_client(w);
    for (uint32_t i = 0; i < w->set_up_count; i++)
        w->set_up_topics[i].rounds = 2;
    if (sim_percent(w->sim, 50))
        sim_env_die_at_io(process_env(w->process), sim_draw(w->sim, 1, DIE_IO_MAX),
                          world_draw_death(w));
    admin_start(&w->set_up_admin, &client, w->set_up_topics, w->set_up_count);
    if (!world_run_until(w, is_renewed, RENEW_MAX_S))
        world_fail(w, "the topics are not made again", "");
    admin_stop(&w->set_up_admin);
    if (w->process != NULL)
        sim_env_spare(process_env(w->process));
}

void world_make_namesakes(struct world *w)
{
    if (!w->has_namesakes || w->has_failed)
        return;
    int64_t operations = w->history.acked_operations;
    write_old(w);
    if (!w->has_failed)
        world_restart(w);
    if (!w->has_failed)
        renew(w);
    for (uint32_t i = 0; i < w->history.partition_count; i++)
        history_renewed(&w->history, i);
    w->history.acked_operations = operations;
}
