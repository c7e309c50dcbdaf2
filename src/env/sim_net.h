// SPDX-License-Identifier: Apache-2.0
/*
 * sim_net: the network between simulated processes: connections whose bytes arrive in
 * order, late and in pieces, with little room, and which may be reset at any moment.
 *
 * Thread: one.
 */
#ifndef ENV_SIM_NET_H
#define ENV_SIM_NET_H

#include "env/sim_env.h"

/* Cuts one open connection, chosen by chance; false when there is none. */
bool sim_net_reset_one(struct sim *sim);

/* ---- between the parts of env/sim_*; not for others */

enum err sim_net_listen(struct loop *loop, const struct env_addr *addr, struct sock **out) MUST_USE;
enum err sim_net_connect(struct loop *loop, const struct env_addr *to, struct sock **out) MUST_USE;
void sim_net_run_ready(struct sim_loop *loop);
bool sim_net_has_ready(struct sim_loop *loop);

/* The process is gone: its listeners vanish, its peers learn it in a while. */
void sim_net_cut_machine(struct sim_env *env);
void sim_net_free_socks(struct sim_env *env);
void sim_net_free(struct sim *sim);

#endif
