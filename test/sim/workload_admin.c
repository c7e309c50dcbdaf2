// SPDX-License-Identifier: Apache-2.0
/* workload_admin: topics come and go, and others use them meanwhile. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1200, TOPICS = 10 };

static void set_up(struct world *w)
{
    int64_t admins = sim_draw(w->sim, 2, 6);
    for (int64_t i = 0; i < admins; i++)
        world_add_admin(w, TOPICS, (unsigned)(OPERATIONS / admins / TOPICS + 1));
    if (sim_percent(w->sim, 70))
        world_add_noise(w, (uint32_t)sim_draw(w->sim, 1, 4));
}

const struct workload workload_admin = {"admin", set_up};
