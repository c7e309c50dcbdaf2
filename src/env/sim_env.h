// SPDX-License-Identifier: Apache-2.0
/*
 * sim_env: one process on one simulated machine: an env with files on a sim_disk,
 * disk workers, loops and sockets in the simulated network.
 *
 *     struct sim_env *m = sim_env_new(sim, &(struct sim_env_options){...});
 *     sim_env_run_main(m, start, arg);      // what a process's main would do; may block
 *     sim_run(sim, sim->now_ns + SIM_S);
 *     sim_env_die(m, SIM_DEATH_POWER_CUT);  // then make another on the same disk
 *
 * A blocking call takes virtual time and lets everything else go on meanwhile; one on
 * a loop is an ASSERT. A dead process's memory is abandoned: it never runs again, its
 * peers see resets. Whoever tests for leaks runs no deaths.
 *
 * Thread: one.
 */
#ifndef ENV_SIM_ENV_H
#define ENV_SIM_ENV_H

#include "base/prng.h"
#include "env/env.h"
#include "env/logger.h"
#include "env/sim.h"
#include "env/sim_disk.h"

enum { SIM_LOOPS_MAX = 4, SIM_WORKERS_MAX = 8 };

struct sim_fiber;

enum sim_death {
    SIM_DEATH_POWER_CUT, /* loses what was not synced */
    SIM_DEATH_KILL,      /* the page cache stays */
    SIM_DEATH_EXIT,      /* the same, in good order: counts as no fault */
};

/* In the middle of what a machine is to die. */
enum sim_aim {
    SIM_AIM_NONE,
    SIM_AIM_ROLL,      /* a .log is made */
    SIM_AIM_RETENTION, /* a name that ends in .deleted is made or unlinked */
    SIM_AIM_COPY,      /* something is made in a directory -future, or it itself */
    SIM_AIM_GO_OVER,   /* one gets its partition's name */
    SIM_AIM_LEAVE,     /* a directory gets a name that ends in -delete */
    SIM_AIM_MARKER,    /* a klamm.moved is written */
};

struct sim_worker {
    struct sim_env *env;
    struct sim_event wake;
    struct sim_fiber *fiber;
    bool is_idle;
};

struct sim_loop {
    struct loop loop;
    struct sim_env *env;
    struct sim_event turn;
    struct list tasks;
    struct heap timers;
    struct list socks;
    int64_t turn_at_ns; /* of the scheduled turn; INT64_MAX: none */
    int64_t now_ns;
};

struct sim_env_options {
    const char *ip;        /* "10.0.0.1" */
    struct sim_disk *disk; /* NULL: none */
    unsigned workers;      /* 0: none */
    unsigned loops;
};

struct sim_env {
    struct env env;
    struct sim *sim;
    struct list link; /* of the sim's */
    uint32_t id;
    bool is_dead;
    bool is_main_done;
    struct env_addr addr; /* port 0 */
    struct sim_disk *disk;
    struct logger logger;
    struct prng prng;
    int64_t wall_offset_ms;
    int64_t io_count;
    int64_t die_at_io; /* the machine dies in this disk operation from its start; 0: no */
    enum sim_death die_how;
    enum sim_aim die_aim; /* die_at_io is set when this comes */
    enum sim_aim met_aim;
    int open_files;
    struct list files;
    struct list socks; /* all of this process, attached or not */
    struct list jobs[ENV_QUEUE_COUNT];
    unsigned worker_count;
    unsigned slow_running; /* jobs of the background and cold reads */
    struct sim_worker workers[SIM_WORKERS_MAX];
    unsigned loop_count;
    struct sim_loop loops[SIM_LOOPS_MAX];
    struct sim_loop *running_loop; /* inside a turn */
    uint16_t next_port;
    struct sim_event main_wake;
    struct sim_fiber *main_fiber;
    void (*main_run)(void *arg);
    void *main_arg;
};

struct sim_env *sim_env_new(struct sim *sim, const struct sim_env_options *options);

/* Only by sim_free. */
void sim_env_free(struct sim_env *env);

struct loop *sim_env_loop(struct sim_env *env, unsigned index);

/* Runs `run` where blocking calls are allowed, soon. Once per process. */
void sim_env_run_main(struct sim_env *env, void (*run)(void *arg), void *arg);

/* Harmless when it is dead. */
void sim_env_die(struct sim_env *env, enum sim_death how);

/* Dies in the nth disk operation from now on, which may have happened, in part, or not. */
void sim_env_die_at_io(struct sim_env *env, int64_t nth, enum sim_death how);

/* Dies soon after the next operation of this kind, in one of those that follow. */
void sim_env_die_amid(struct sim_env *env, enum sim_aim aim, enum sim_death how);
void sim_env_spare(struct sim_env *env); /* it does not die of itself any more */

/* The calendar of this machine moves; monotonic time does not. */
void sim_env_jump_wall_ms(struct sim_env *env, int64_t ms);

/* ---- between the parts of env/sim_*; not for others */

struct sim_env *sim_env_of(struct env *env);

/* Blocks the running fiber for this long. */
void sim_env_sleep(struct sim_env *env, int64_t ns);

/* The loop will take a turn at `at_ns` or before. */
void sim_loop_kick(struct sim_loop *loop, int64_t at_ns);
void sim_loop_kick_soon(struct sim_loop *loop);

/* sim_file.c */
enum err sim_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out)
    MUST_USE;
enum err sim_dir_make(struct env *env, const char *path) MUST_USE;
enum err sim_dir_sync(struct env *env, const char *path) MUST_USE;
enum err sim_dir_remove(struct env *env, const char *path) MUST_USE;
enum err sim_dir_list(struct env *env, const char *path,
                      void (*each)(void *arg, const char *name, bool is_dir), void *arg) MUST_USE;
enum err sim_path_unlink(struct env *env, const char *path) MUST_USE;
enum err sim_path_rename(struct env *env, const char *from, const char *to) MUST_USE;
enum err sim_disk_space(struct env *env, const char *path, int64_t *free_bytes,
                        int64_t *total_bytes) MUST_USE;
void sim_files_free(struct sim_env *env);

/* What a socket sends of a file: the page cache as it is now. False: the range is not there. That
 * it is cached must have been found out at this very moment: a loop never waits for a disk. */
bool sim_file_peek(struct env_file *file, int64_t pos, uint8_t *out, size_t len) MUST_USE;

#endif
