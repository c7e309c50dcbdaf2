// SPDX-License-Identifier: Apache-2.0
/*
 * sim: the heart of a simulated world: one virtual clock, one heap of events, one
 * seed from which every delay and every fault is drawn, and a trace whose hash is
 * equal when the same seed runs twice.
 *
 * It does not know machines, disks or networks: env/sim_env.h and its neighbours
 * hang theirs on it.
 *
 * Thread: one; the whole world runs on it.
 */
#ifndef ENV_SIM_H
#define ENV_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/prng.h"

struct sim;
struct sim_env;
struct sim_fiber;

#define SIM_US INT64_C(1000)
#define SIM_MS INT64_C(1000000)
#define SIM_S  INT64_C(1000000000)

/* What went wrong, or close to it. Counted, so that a batch of seeds can tell that every
 * kind has happened. */
enum sim_fault {
    SIM_FAULT_POWER_CUT,        /* a machine lost what it had not synced */
    SIM_FAULT_PROCESS_KILL,     /* a process died, its page cache stayed */
    SIM_FAULT_CRASH_IN_IO,      /* of those: in the middle of a disk operation */
    SIM_FAULT_LOST_SECTOR,      /* unsynced sectors that a power cut took */
    SIM_FAULT_TORN_FILE,        /* files of which some unsynced sectors stayed and some did not */
    SIM_FAULT_LOST_SIZE,        /* files whose new size was lost */
    SIM_FAULT_LOST_NAME,        /* names, renames or deletions that were lost */
    SIM_FAULT_RESET,            /* a connection cut from outside */
    SIM_FAULT_REFUSED,          /* a connection attempt that found nobody */
    SIM_FAULT_BACK_PRESSURE,    /* a send that found no room */
    SIM_FAULT_PART_SENT,        /* a send that took a part only */
    SIM_FAULT_COLD_READ,        /* a read that the page cache could not serve */
    SIM_FAULT_SLOW_DISK,        /* a disk operation that took very long */
    SIM_FAULT_CLOCK_JUMP,       /* the calendar moved */
    SIM_FAULT_CLEAN_STOP,       /* a broker was asked to stop, in the middle of the work */
    SIM_FAULT_RETENTION,        /* partitions whose log start had moved up in the end */
    SIM_FAULT_MEMBER_DEATH,     /* a member of a group went without a word */
    SIM_FAULT_MEMBER_SLEEP,     /* a member said nothing for longer than it may, or almost */
    SIM_FAULT_DISK_ERROR,       /* a write, a sync or a read that failed */
    SIM_FAULT_DISK_FULL,        /* a write that found no room */
    SIM_FAULT_COMPACTION,       /* of one log, to its end */
    SIM_FAULT_JOURNAL_ROTATION, /* a journal left one half for the other */
    SIM_FAULT_JOURNAL_REPLAY,   /* commits that a journal had and the segments had not */
    SIM_FAULT_HELD,             /* commits whose segment was written later than their journal */
    SIM_FAULT_DIE_OPENING,      /* crashes of a broker that was not ready again */
    SIM_FAULT_DIE_ROLLING,      /* crashes soon after a segment was begun */
    SIM_FAULT_DIE_RETIRING,     /* crashes while old segments were renamed or unlinked */
    SIM_FAULT_MOVE,             /* partitions that went to another log directory */
    SIM_FAULT_DIE_MOVING,       /* crashes while one was copied or went over */
    SIM_FAULT_BIT_FLIP,         /* bits that changed on the platter */
    SIM_FAULT_DIR_MISSING,      /* starts without a log directory that there was before */
    SIM_FAULT_COUNT
};

const char *sim_fault_name(enum sim_fault fault);

/* Delays and chances of one world; the world sets them from its seed and may change them at
 * any time (to heal). Times in ns, chances in percent where nothing else is said. */
struct sim_tuning {
    int64_t net_delay_min;
    int64_t net_delay_max;
    int32_t net_slow_ppm; /* of segments: delayed by up to net_slow_max */
    int64_t net_slow_max;
    int64_t net_reset_delay_max; /* until an end learns of a cut */
    int32_t net_segment_max;     /* bytes */
    int32_t net_window_min; /* bytes in flight and unread, drawn per connection and direction */
    int32_t net_window_max;
    int32_t part_percent; /* sends and receives that take less than they could */
    int64_t disk_delay_min;
    int64_t disk_delay_max;
    int64_t sync_delay_min;
    int64_t sync_delay_max;
    int32_t disk_slow_ppm; /* of operations: take up to disk_slow_max */
    int64_t disk_slow_max;
    int32_t disk_error_ppm;        /* of writes, syncs and reads that wait: fail with ERR_IO */
    int32_t name_error_ppm;        /* the same of names that are made, changed, removed or synced;
                                    * such a call may have had its effect. Listings, of which there
                                    * are few, fail three times as often */
    bool disk_is_full;             /* no file can grow, no directory be made, hardly a file:
                                    * ERR_NO_SPACE, a part may be written */
    const char *disk_faults_under; /* errors only of files whose path holds this; NULL: of all */
    const char *disk_full_under;   /* the same for want of room */
    int32_t cold_percent;          /* reads that do not want to wait and would have to */
    int64_t turn_delay_max;        /* until a loop looks at what came in */
    int64_t timer_late_max;
    int64_t step_delay_max; /* until a worker takes the next job or step */
};

/* A calm world: small delays, no faults. */
struct sim_tuning sim_tuning_calm(void);

struct sim_event {
    struct heap_node node;
    void (*fire)(struct sim_event *event);
    const struct sim_env *owner; /* NULL: nobody's; events of a dead machine never fire */
};

enum { SIM_RING_SIZE = 256, SIM_LINE_SIZE = 200 };

struct sim_trace_entry {
    int64_t at_ns;
    const char *what;
    uint64_t a, b, c;
    char line[SIM_LINE_SIZE]; /* of a log; "" elsewhere */
};

struct sim {
    int64_t now_ns;
    struct sim_tuning tuning;
    struct prng prng;
    struct heap events;
    uint64_t event_count;
    uint64_t hash;
    int64_t faults[SIM_FAULT_COUNT];
    struct sim_fiber *fiber; /* the one that runs; NULL: the scheduler itself */
    struct list envs;
    struct list conns;
    uint32_t next_id;
    /* What the machines say; may be NULL. */
    void (*on_line)(void *arg, int level, const char *line); /* enum log_level */
    void *on_line_arg;
    bool is_verbose; /* every trace entry goes to stderr at once */
    size_t ring_count;
    struct sim_trace_entry ring[SIM_RING_SIZE];
};

struct sim *sim_new(uint64_t seed);

/* Frees machines and connections too; disks belong to their makers. Accepts NULL. */
void sim_free(struct sim *sim);

/* `at` in the past means now. Moves the event when it is scheduled already. */
void sim_schedule(struct sim *sim, struct sim_event *event, int64_t at_ns);
void sim_cancel(struct sim *sim, struct sim_event *event); /* harmless when not scheduled */

/* The next event; false when there is none before `until_ns` (the clock is there then). */
bool sim_step(struct sim *sim, int64_t until_ns);

/* Events until the clock reaches `until_ns`. */
void sim_run(struct sim *sim, int64_t until_ns);

/* Uniform in [low, high]; in one place, so that no draw is forgotten. */
int64_t sim_draw(struct sim *sim, int64_t low, int64_t high);
bool sim_percent(struct sim *sim, int32_t percent);
bool sim_ppm(struct sim *sim, int32_t ppm);

void sim_count(struct sim *sim, enum sim_fault fault);

/* One fact of the run, folded into the hash. `what` must be a literal. */
void sim_trace(struct sim *sim, const char *what, uint64_t a, uint64_t b, uint64_t c);

/* One line of somebody's log, folded in too; cut. */
void sim_trace_line(struct sim *sim, const char *what, uint64_t a, const char *line);

/* The last `count` entries, oldest first. */
void sim_trace_print(const struct sim *sim, size_t count);

#endif
