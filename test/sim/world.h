// SPDX-License-Identifier: Apache-2.0
/*
 * world: a broker on a forgetful disk, its clients, and everything that goes wrong between
 * them, all from one seed.
 *
 * Phases: set up (topics are made, perhaps twice, all is calm), safety (clients work, faults
 * happen), healing (no more faults; everybody has to finish within a bound), audit (after one more
 * crash, perhaps, everything is read from the start), lone (one record at a time, with a
 * bound on its latency), stop (the broker closes cleanly within a bound).
 *
 * Thread: one. A world that had a crash leaks the dead broker: one world a process.
 */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include "admin.h"
#include "committer.h"
#include "consumer.h"
#include "env/sim_env.h"
#include "env/sim_net.h"
#include "history.h"
#include "inspector.h"
#include "member.h"
#include "mover.h"
#include "noise.h"
#include "producer.h"
#include "trimmer.h"

enum { WORLD_CLIENTS_MAX = 32, WORLD_CRASHES_MAX = 12, WORLD_FAILURE_SIZE = 600 };

struct world;
struct broker_process;

/* What a workload puts into the world. */
struct workload {
    const char *name;
    void (*set_up)(struct world *w);
};

extern const struct workload workload_produce_consume;
extern const struct workload workload_idempotent;
extern const struct workload workload_admin;
extern const struct workload workload_mixed;
extern const struct workload workload_groups;
extern const struct workload workload_trim;
extern const struct workload workload_retain;
extern const struct workload workload_compact;
extern const struct workload workload_move;
extern const struct workload workload_again;

/* NULL: no such workload. */
const struct workload *workload_find(const char *name);
const struct workload *workload_at(size_t index); /* NULL behind the last */

/* Of worlds with groups, drawn by swarm_draw_groups. */
struct swarm_groups {
    int32_t offsets_partitions;    /* of __consumer_offsets; 0: no groups, Kafka's defaults */
    int32_t offsets_segment_bytes; /* 0: the broker makes the topic */
    int32_t initial_delay_ms;
    int32_t retention_check_ms;
    int32_t retention_max_ms;     /* of committers: some commits stay so long only; 0: all stay */
    int32_t static_percent;       /* of members */
    struct member_options member; /* what all have in common */
    int32_t disk_error_ppm;       /* of writes and syncs under __consumer_offsets */
    int64_t full_interval_ns;     /* mean time between full disks there; 0: none */
    int64_t full_max_ns;          /* how long it is full at most */
};

/* Of worlds with disk errors that are not of groups. */
struct swarm_faults {
    const char *under; /* see sim_tuning.disk_faults_under; NULL: there are none */
    int32_t disk_error_ppm;
    int32_t name_error_ppm;
};

/* Of worlds with compacted topics. */
struct swarm_cleaner {
    bool is_thorough;   /* however little is dirty */
    int64_t backoff_ms; /* 0: Kafka's default, too long for a world */
    int64_t threads;
    int64_t bytes_per_second;
};

/* The broker reads its sealed segments again. */
struct swarm_scrub {
    int64_t interval_ms; /* 0: hardly ever, as is the default */
    int64_t bytes_per_second;
};

/* Drawn from the seed by swarm_draw. */
struct swarm {
    struct sim_tuning tuning;
    unsigned workers;
    unsigned loops;
    unsigned log_dirs;
    unsigned dir_missing_percent; /* of the starts: the last of several is not there */
    unsigned crashes;
    int32_t power_cut_percent; /* of crashes; the others kill the process or stop it cleanly */
    int32_t clean_stop_percent;
    int32_t crash_in_io_percent;
    int32_t crash_in_recovery_percent;
    int32_t crash_aimed_percent; /* in a roll or in retention, when one comes */
    bool aims_at_moves;          /* of these, most in a move */
    bool has_rot;                /* after all else, bits change on the disk */
    int64_t reset_interval_ns;   /* mean time between cut connections; 0: none */
    int64_t jump_interval_ns;    /* of the calendar; 0: none */
    int64_t retention_check_ms;
    int64_t journal_bytes;
    int64_t journal_after_commits;
    int64_t journal_held_bytes;
    int64_t backoff_max_ns;   /* of clients that come back */
    int64_t full_interval_ns; /* mean time between disks that are full for everything; 0: none */
    int64_t full_max_ns;      /* how long they are at most */
    int32_t open_files;       /* of segments; 0: as the broker thinks best */
    struct swarm_groups groups;
    struct swarm_cleaner cleaner;
    struct swarm_scrub scrub;
    struct swarm_faults faults;
};

void swarm_draw(struct sim *sim, struct swarm *out);
void swarm_draw_groups(struct sim *sim, struct swarm_groups *out);

enum world_phase {
    WORLD_SET_UP,
    WORLD_SAFETY,
    WORLD_HEALING,
    WORLD_AUDIT,
    WORLD_LONE,
    WORLD_STOP,
};

struct world_topic {
    uint32_t topic; /* of the history */
    uint32_t first_partition;
    int32_t partitions;
};

struct world_groups {
    struct {
        struct client_options client;
        struct member_options options;
        struct member member;
    } members[WORLD_CLIENTS_MAX];
    uint32_t member_count;
    struct {
        struct client_options client;
        uint32_t group; /* of the history */
        struct committer committer;
    } committers[WORLD_CLIENTS_MAX];
    uint32_t committer_count;
    int64_t commits_wanted;
    int64_t converge_until_ns;
    bool has_converged;
    const struct inspector *inspector; /* at work */
};

struct world {
    struct sim *sim;
    struct sim_disk *disk;
    struct history history;
    struct swarm swarm;
    enum world_phase phase;
    struct env_addr broker_addr;
    struct broker_process *process;
    uint32_t starts;
    uint32_t starts_checked; /* its logs were compared with their segments */
    struct sim_event restart;
    struct sim_event reset;
    struct sim_event jump;
    struct sim_event fill;   /* the disk is full, and has room again */
    struct sim_event repair; /* somebody restarts a broker whose disk failed */
    uint32_t repair_start;   /* which of the broker's starts is meant */
    bool has_repair;
    bool lacks_dir; /* this start does */
    int64_t disk_errors_seen;
    int64_t jumped_ms;                   /* of the broker's calendar; it survives its process */
    int64_t crash_at[WORLD_CRASHES_MAX]; /* acknowledged operations */
    unsigned crash_count;
    unsigned crashes_done;
    int64_t operations_wanted;
    int32_t record_bytes_max; /* so that a batch always fits into a segment */
    uint32_t client_ids;

    struct admin_topic set_up_topics[ADMIN_TOPICS_MAX];
    uint32_t set_up_count;
    struct world_topic topics[ADMIN_TOPICS_MAX];
    uint32_t topic_count;

    struct {
        struct client_options client;
        struct producer_options options;
        struct producer producer;
    } producers[WORLD_CLIENTS_MAX];
    uint32_t producer_count;
    struct {
        struct client_options client;
        struct consumer_options options;
        struct consumer consumer;
    } consumers[WORLD_CLIENTS_MAX];
    uint32_t consumer_count;
    struct {
        struct client_options client;
        struct admin_topic topics[ADMIN_TOPICS_MAX];
        uint32_t topic_count;
        struct admin admin;
    } admins[WORLD_CLIENTS_MAX];
    uint32_t admin_count;
    struct {
        struct client_options client;
        struct noise noise;
    } noises[WORLD_CLIENTS_MAX];
    uint32_t noise_count;
    struct world_groups groups;
    struct {
        struct client_options client;
        struct trimmer trimmer;
    } trimmers[WORLD_CLIENTS_MAX];
    uint32_t trimmer_count;
    struct {
        struct client_options client;
        struct mover_options options;
        struct mover mover;
    } movers[WORLD_CLIENTS_MAX];
    uint32_t mover_count;
    struct mover looker;  /* asks where partitions are when nothing moves */
    int64_t scrub_rounds; /* how many there have to be */
    int64_t settle_s;     /* rests so long after the audit, then looks at the disk; 0: does not */
    struct admin set_up_admin;
    struct consumer auditor;
    struct producer lone;
    struct producer filler; /* so that segments are sealed */

    bool has_namesakes; /* the topics are made twice: world_namesakes.c */
    bool has_failed;
    char failure[WORLD_FAILURE_SIZE];
};

struct world_result {
    uint64_t hash;
    int64_t acked_operations;
    int64_t records_read;
    int64_t crashes;
    int64_t event_count;
    int64_t virtual_ms;
    int64_t faults[SIM_FAULT_COUNT];
    bool has_failed;
    char failure[WORLD_FAILURE_SIZE];
};

/* Runs one seed from beginning to end; on a failure the last `trace_lines` of the trace go to
 * stderr. */
void world_run(uint64_t seed, const struct workload *workload, bool is_verbose, size_t trace_lines,
               struct world_result *out);

/* ---- for workloads */

struct world_topic_options {
    const char *name;
    int32_t partitions;
    bool is_durable;
    int32_t segment_bytes;
    int32_t index_interval_bytes;
    bool is_preallocated;
    int32_t retention_ms;    /* 0: all is kept */
    int32_t retention_bytes; /* 0: all is kept */
    int32_t delete_delay_ms;
    int32_t segment_ms; /* 0: the default, a week */
    int32_t segment_jitter_ms;
    const char *compression; /* NULL: the producer's */
    bool is_log_append_time;
    int32_t flush_messages; /* 0: the default, never */
    int32_t keys;           /* compacted, with so many keys; 0: not */
    int32_t delete_retention_ms;
    int32_t compaction_lag_ms; /* at least */
};

/* Index in w->topics. */
uint32_t world_add_topic(struct world *w, const struct world_topic_options *options);

/* __consumer_offsets, made by hand before the first group asks for it, with segments that are
 * smaller than a config allows. */
void world_add_offsets_topic(struct world *w, int32_t partitions, int32_t segment_bytes);

/* All partitions of all topics. */
void world_add_producer(struct world *w, const struct producer_options *options);
void world_add_consumer(struct world *w, const struct consumer_options *options);

/* Topics of its own, made and deleted `rounds` times. */
void world_add_admin(struct world *w, uint32_t topics, unsigned rounds);

/* Clients that use the admins' topics while those come and go. After the admins. */
void world_add_noise(struct world *w, uint32_t clients);

/* Groups of the history, who is in them, and who keeps offsets in one without being in it. After
 * the topics. */
uint32_t world_add_group(struct world *w, const char *name);
void world_add_member(struct world *w, const struct member_options *options);
void world_add_committer(struct world *w, uint32_t group);
/* Who delete records from the front of all partitions of all topics. */
void world_add_trimmers(struct world *w, uint32_t clients);

/* Who move all partitions, and those of the admins' topics. After the topics. */
void world_add_mover(struct world *w, const struct mover_options *options);

/* Topics that are compacted, with a cleaner that does not wait long. */
void world_add_compacted_topics(struct world *w);

/* Topics as chance likes them. */
void world_add_random_topics(struct world *w);
struct producer_options world_random_producer(struct world *w);
struct consumer_options world_random_consumer(struct world *w);

/* world_namesakes.c: before the work. */
void world_make_namesakes(struct world *w);
/* world_retention.c: after the audit. */
void world_settle(struct world *w);
/* world_clean.c: then compacted partitions are compacted to their ends, and read. */
void world_clean(struct world *w);

/* ---- between world.c and world_groups.c */

struct client_options world_client_of_all(struct world *w);
/* Until `is_done` or for `seconds`; false: not done by then. */
bool world_run_until(struct world *w, bool (*is_done)(const struct world *w), int64_t seconds);
/* Serves it? */
bool world_broker_is_ready(const struct world *w);
enum sim_death world_draw_death(struct world *w);
struct client_options world_new_client(struct world *w); /* of no partition */
/* The broker stops or dies, and is back. */
void world_restart(struct world *w);

/* What world_rot.c needs of world.c: the broker, which is off, is started and waited for; all
 * partitions are read to their ends by w->auditor. */
bool world_start_broker(struct world *w);
bool world_read_all(struct world *w);
void world_fail(struct world *w, const char *what, const char *why);
/* Bits change on the disk of a broker that is off; what it serves when it is back. */
void world_rot(struct world *w);
/* The last of all: bits change while the broker runs, and its scrub has to find them. */
void world_scrub(struct world *w);
/* Of these: a partition's directory, or NULL; a segment's name? */
void world_scrub_look(struct world *w); /* nothing is said to be damaged that is not */
struct sim_inode *world_dir_of(const struct world *w, const struct history_partition *p);
bool world_is_log(const char *name);

/* world_move.c */
void world_movers_start(struct world *w);
void world_movers_calm(struct world *w);
bool world_movers_are_done(const struct world *w);
void world_movers_stop(struct world *w);
/* Waits until all moves have ended, and looks at the disk. */
void world_settle_moves(struct world *w);

void world_groups_start(struct world *w);
void world_groups_calm(struct world *w);
void world_groups_stop(struct world *w);
bool world_groups_have_worked(const struct world *w); /* as much as is wanted */
bool world_groups_are_done(const struct world *w);
void world_groups_watch(struct world *w); /* after every event */
/* Who is not done. The length. */
int world_groups_describe(const struct world *w, char *out, size_t size);
/* Restarts the broker: the groups have to be what they were. */
void world_groups_restart(struct world *w);

/* ---- the broker's process (process.c) */

enum process_state {
    PROCESS_STARTING,
    PROCESS_READY,
    PROCESS_STOPPING,
    PROCESS_STOPPED,
    PROCESS_FAILED, /* it has no disk any more */
};

struct broker_process *process_start(struct world *w);
enum process_state process_state(const struct broker_process *p);
struct sim_env *process_env(struct broker_process *p);

struct broker *process_broker(const struct broker_process *p);

/* The partitions of a broker that is ready are what their segments say. */
void process_check_logs(struct broker_process *p);

/* Asks it to stop in good order; it is PROCESS_STOPPED, and its machine dead, some time later. */
void process_stop(struct broker_process *p);

/* Of a broker that is ready: how many of its partitions are on their way. */
int64_t process_moves(const struct broker_process *p);

/* The same: how many could not be opened. */
int64_t process_offline(const struct broker_process *p);

/* It is over: what its journals did is counted. */
void process_count(struct broker_process *p);

#endif
