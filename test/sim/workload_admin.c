// SPDX-License-Identifier: Apache-2.0
/* workload_admin: topics come and go. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1200, TOPICS = 10 };

static void set_up(struct world *w)
{
    int64_t admins = sim_draw(w->sim, 2, 6);
    for (int64_t i = 0; i < admins; i++)
        world_add_admin(w, TOPICS, (unsigned)(OPERATIONS / admins / TOPICS + 1));
}

const struct workload workload_admin = {"admin", set_up};
