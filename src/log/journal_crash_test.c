// SPDX-License-Identifier: Apache-2.0
/*
 * Logs that share a journal, on a disk that forgets: random commits, cuts, rolls, retention,
 * partitions that go and come, clean stops, and power cuts in the middle of a disk operation. After
 * each of them what was reported durable has to be there, and nothing that was cut away.
 *
 * The model is a tree: each batch knows the one that it was written behind. What a log holds is a
 * way in it, through the last batch that was reported durable.
 *
 * Thread: the test's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "env/sim_env.h"
#include "log/journal_fixture.h"
#include "log/log_file.h"
#include "log/log_fixture.h"

enum { SEEDS = 600, LIVES = 5, PARTITIONS = 3, BATCHES_MAX = 2000, IO_MAX = 250 };

struct known_batch {
    int64_t time_ms; /* no two are alike */
    int64_t first_offset;
    int64_t end_offset;
    int parent;  /* -1: none */
    bool is_cut; /* for good */
};

struct model {
    struct known_batch batches[BATCHES_MAX];
    int count;
    int tip;    /* the last that was written; -1: none */
    int locked; /* the last that was reported durable; -1: none */
};

struct crash {
    uint64_t seed;
    struct prng prng;
    struct sim *sim;
    struct sim_disk *disk;
    struct sim_env *process;
    struct bench b;
    struct model models[BENCH_MEMBERS];
    int64_t journal_bytes;
    uint64_t replayed; /* in all lives */
    uint64_t held;
    uint64_t rotations;
};

static void claim(const struct crash *c, bool is_true, const char *text, int line)
{
    if (!is_true)
        print_error("seed %llu\n", (unsigned long long)c->seed);
    _assert_true(is_true, text, __FILE__, line);
}

#define CLAIM(c, text) claim(c, text, #text, __LINE__)

static int64_t draw(struct crash *c, int64_t bound)
{
    return (int64_t)prng_below(&c->prng, (uint64_t)bound);
}

static bool chance(struct crash *c, int percent)
{
    return draw(c, 100) < percent;
}

static struct model *model_of(struct crash *c, const struct member *m)
{
    return &c->models[m - c->b.members];
}

static void model_reset(struct model *model)
{
    model->count = 0;
    model->tip = -1;
    model->locked = -1;
}

/* What is not on the way to the tip never comes back. */
static void model_lock(struct model *model, int tip)
{
    model->tip = tip;
    model->locked = tip;
    for (int i = model->count - 1; i >= 0; i--) {
        model->batches[i].is_cut = i != tip;
        if (i == tip)
            tip = model->batches[i].parent;
    }
}

/* ---- what a log holds */

static int find_batch(const struct model *model, int64_t time_ms)
{
    for (int i = model->count - 1; i >= 0; i--) {
        if (model->batches[i].time_ms == time_ms)
            return i;
    }
    return -1;
}

/* False: the machine died meanwhile. */
static bool read_batch(struct crash *c, struct member *m, int64_t offset,
                       struct batch_header *header)
{
    struct log_position limit = partition_log_written(m->log);
    struct log_view view;
    struct log_range range;
    CLAIM(c, partition_log_view(m->log, offset, &limit, &view) == ERR_OK);
    enum err e = log_view_find(&view, offset, 1, true, ENV_WAIT, &range);
    log_view_release(&view);
    CLAIM(c, e == ERR_OK || c->process->is_dead);
    if (e != ERR_OK)
        return false;
    size_t size = (size_t)range.first_batch_bytes;
    uint8_t *bytes = mem_alloc(size);
    size_t got = 0;
    e = log_range_read(&range, bytes, size, &got);
    CLAIM(c, e == ERR_OK || c->process->is_dead);
    if (e == ERR_OK) {
        CLAIM(c, got == size && batch_header_read(bytes, size, header));
        CLAIM(c, batch_size(header) == size && batch_crc(bytes, size) == header->crc);
    }
    mem_free(bytes);
    log_range_release(&range);
    return e == ERR_OK;
}

/* From here on it is what everything goes on from, and durable. */
static void check_log(struct crash *c, struct member *m)
{
    struct model *model = model_of(c, m);
    int64_t offset = partition_log_start_offset(m->log);
    int64_t end = partition_log_written(m->log).offset;
    int last = -1;
    bool has_locked = model->locked < 0 || model->batches[model->locked].end_offset <= offset;
    while (offset < end) {
        struct batch_header header;
        if (!read_batch(c, m, offset, &header))
            return;
        int at = find_batch(model, header.max_timestamp - header.last_offset_delta);
        CLAIM(c, at >= 0); /* nobody wrote it, or into another log */
        const struct known_batch *batch = &model->batches[at];
        CLAIM(c, batch->first_offset == offset && header.base_offset == offset);
        CLAIM(c, batch->parent == last || (last < 0 && offset > 0));
        CLAIM(c, !batch->is_cut);
        has_locked = has_locked || at == model->locked;
        last = at;
        offset = batch->end_offset;
    }
    CLAIM(c, offset == end);
    CLAIM(c, has_locked); /* it was reported durable */
    CLAIM(c, !m->report.cut_below_recovery_point);
    if (last < 0 && end > 0) /* retention took all: it goes on from the last one */
        last = model->locked;
    model_lock(model, last);
}

/* ---- what is done to it */

/* The last batch that ends at or below the offset, on the way to the tip. */
static int batch_below(const struct model *model, int64_t offset)
{
    int at = model->tip;
    while (at >= 0 && model->batches[at].end_offset > offset)
        at = model->batches[at].parent;
    return at;
}

static void on_durable(struct member *m)
{
    struct crash *c = container_of(m->bench, struct crash, b);
    struct model *model = model_of(c, m);
    model->locked = batch_below(model, m->durable);
}

static void append(struct crash *c, struct member *m, size_t payload)
{
    struct model *model = model_of(c, m);
    int32_t records = (int32_t)(1 + draw(c, 3));
    if (model->count == BATCHES_MAX)
        return;
    model->batches[model->count] =
        (struct known_batch){.time_ms = c->b.time_ms,
                             .first_offset = partition_log_assigned(m->log),
                             .end_offset = partition_log_assigned(m->log) + records,
                             .parent = model->tip};
    CLAIM(c, member_append(m, records, payload / (size_t)records) == ERR_OK);
    model->tip = model->count++;
}

static void put(struct crash *c, struct member *m)
{
    struct model *model = model_of(c, m);
    int tip = model->tip;
    bool is_large = chance(c, 2);
    for (int64_t n = 1 + draw(c, 3); n > 0; n--)
        append(c, m, is_large ? 40000 : (size_t)draw(c, 900));
    c->sim->tuning.disk_is_full = chance(c, 3);
    bool has_failed = member_commit(m) == WAY_FAILED;
    c->sim->tuning.disk_is_full = false;
    if (has_failed && !m->is_failed) /* taken back; after a crash it may be there */
        model->tip = tip;
}

static void cut(struct crash *c, struct member *m)
{
    struct model *model = model_of(c, m);
    int64_t start = partition_log_start_offset(m->log);
    int64_t end = partition_log_written(m->log).offset;
    if (end == start)
        return;
    /* Until the end it may be as it was, or cut. */
    int64_t wanted = draw(c, 12);
    int64_t offset = end - MIN(end - start, wanted);
    int to = batch_below(model, offset);
    int64_t border = to >= 0 ? model->batches[to].end_offset : 0;
    if (border < start)
        return;
    ASSERT(model->locked == model->tip); /* nothing waits */
    model->locked = to;
    enum err e = member_cut(m, offset);
    if (c->process->is_dead)
        return;
    CLAIM(c, e == ERR_OK || e == ERR_BUSY);
    if (e == ERR_BUSY) { /* all of it was flushed */
        model->locked = model->tip;
        return;
    }
    CLAIM(c, partition_log_written(m->log).offset == border);
    model_lock(model, to);
    m->leader_epoch++;
}

/* A reader anywhere finds the batch, whether it is held or not. */
static void look(struct crash *c, struct member *m)
{
    struct model *model = model_of(c, m);
    struct batch_header header;
    int64_t start = partition_log_start_offset(m->log);
    int64_t end = partition_log_written(m->log).offset;
    if (end == start)
        return;
    int64_t offset = chance(c, 50) ? end - 1 : start + draw(c, end - start);
    if (!read_batch(c, m, offset, &header))
        return;
    int at = find_batch(model, header.max_timestamp - header.last_offset_delta);
    CLAIM(c, at >= 0 && model->batches[at].first_offset == header.base_offset);
    CLAIM(c, header.base_offset <= offset && batch_last_offset(&header) >= offset);
}

static void flush(struct crash *c, struct member *m)
{
    c->sim->tuning.disk_is_full = chance(c, 10);
    member_flush(m);
    c->sim->tuning.disk_is_full = false;
}

static void retire(struct crash *c, struct member *m)
{
    struct list retired;
    list_init(&retired);
    m->config.retention_bytes = 8000;
    partition_log_set_config(m->log, &m->config);
    partition_log_retire(m->log, env_wall_ms(c->b.env), m->durable, false, &retired);
    if (!list_is_empty(&retired))
        (void)!partition_log_delete_segments(m->log, &retired);
    partition_log_unlink_retired(c->b.env, &retired);
}

static enum err destroy_dir(struct env *env, const char *dir)
{
    char renamed[LOG_PATH_SIZE];
    enum err e = partition_log_doom_dir(env, dir, renamed);
    return e == ERR_OK && renamed[0] != '\0' ? log_file_remove_dir(env, renamed) : e;
}

static struct member *free_slot(struct crash *c)
{
    for (int i = 0; i < BENCH_MEMBERS; i++) {
        struct member *m = &c->b.members[i];
        if (m->is_gone && m->covers == 0)
            return m;
    }
    return NULL;
}

/* Its directory goes, and comes again: of another topic, or of the same. */
static void remake(struct crash *c, struct member *m)
{
    struct member *slot = free_slot(c);
    bool is_same = chance(c, 50);
    struct log_position flushed;
    if (slot == NULL)
        return;
    if (is_same) {
        if (partition_log_flush(m->log, &flushed) != ERR_OK)
            return;
        partition_log_publish_sealed(m->log, &flushed);
        journal_gone(c->b.journal, &m->client);
        bench_run(&c->b);
        if (!journal_is_noticed(c->b.journal, &m->client))
            return;
    }
    struct model *model = model_of(c, slot);
    if (is_same)
        *model = *model_of(c, m);
    else
        model_reset(model);
    model->locked = -1; /* until it is made anew, the old one may be there, or none */
    (void)!member_close(m, false);
    partition_log_free(m->log);
    m->log = NULL;
    m->is_gone = true;
    slot->topic_id = m->topic_id;
    if (!is_same)
        slot->topic_id.bytes[15]++;
    slot->index = m->index;
    slot->checkpoint = 0;
    slot->is_gone = false;
    snprintf(slot->dir, sizeof(slot->dir), "t-%d", slot->index);
    if (destroy_dir(c->b.env, m->dir) == ERR_OK)
        (void)!member_open(slot);
    CLAIM(c, slot->log != NULL || c->process->is_dead);
    if (slot->log != NULL && !c->process->is_dead) {
        CLAIM(c, partition_log_written(slot->log).offset == 0);
        model_reset(model);
    }
}

static void open_late(struct crash *c, struct member *m)
{
    enum err e = member_open(m);
    if (e == ERR_CONFLICT && destroy_dir(c->b.env, m->dir) == ERR_OK)
        e = member_open(m);
    if (e == ERR_OK && !c->process->is_dead)
        check_log(c, m);
}

static void do_something(struct crash *c)
{
    struct member *m = &c->b.members[draw(c, BENCH_MEMBERS)];
    for (int64_t steps = draw(c, 4); steps > 0; steps--)
        (void)bench_step(&c->b);
    if (m->is_gone || m->is_waiting || m->is_failed)
        return;
    if (m->log == NULL) {
        if (chance(c, 10))
            open_late(c, m);
        return;
    }
    int64_t what = draw(c, 100);
    if (what < 60)
        put(c, m);
    else if (what < 75)
        flush(c, m);
    else if (what < 83)
        member_save(m);
    else if (what < 89)
        cut(c, m);
    else if (what < 92)
        retire(c, m);
    else if (what < 94)
        remake(c, m);
    else if (what < 96)
        journal_rotate(c->b.journal);
    else if (what < 98)
        look(c, m);
    else
        bench_run(&c->b);
}

/* ---- lives */

static bool begin_life(struct crash *c)
{
    struct bench *b = &c->b;
    b->env = &c->process->env;
    b->jobs = c->process->jobs;
    b->options.bytes = chance(c, 90) ? c->journal_bytes : chance(c, 50) ? 0 : 2 * c->journal_bytes;
    b->options.after_commits = (uint32_t)draw(c, 4);
    static const uint32_t held[] = {0, 400, 3000, 8192};
    b->options.held_bytes = held[draw(c, (int64_t)ARRAY_COUNT(held))];
    enum err e = env_dir_sync(b->env, ""); /* as log_dir does */
    if (e == ERR_OK)
        e = bench_open_journal(b);
    for (int i = 0; i < BENCH_MEMBERS && e == ERR_OK; i++) {
        struct member *m = &b->members[i];
        m->covers = 0;
        m->open_error = ERR_IO; /* a stop with one that is not open is not clean */
        bool is_late = chance(c, 5);
        if (m->is_gone || is_late)
            continue;
        e = member_open(m);
        if (e == ERR_CONFLICT) /* the former's, which should have gone */
            e = destroy_dir(b->env, m->dir) == ERR_OK ? member_open(m) : ERR_IO;
    }
    bool was_clean = b->options.was_clean;
    b->options.was_clean = false;
    if (c->process->is_dead)
        return false;
    CLAIM(c, e == ERR_OK);
    CLAIM(c, !was_clean || b->stats.replayed == 0);
    bench_settle(b);
    for (int i = 0; i < BENCH_MEMBERS; i++) {
        if (b->members[i].log != NULL)
            check_log(c, &b->members[i]);
    }
    return true;
}

static void end_life(struct crash *c)
{
    struct bench *b = &c->b;
    if (!c->process->is_dead && chance(c, 30))
        b->options.was_clean = bench_close(b) == ERR_OK && !c->process->is_dead;
    sim_env_die(c->process, chance(c, 75) ? SIM_DEATH_POWER_CUT : SIM_DEATH_KILL);
    if (b->journal != NULL)
        bench_drop(b);
    for (int i = 0; i < BENCH_MEMBERS; i++) {
        partition_log_free(b->members[i].log);
        b->members[i].log = NULL;
    }
    c->replayed += b->stats.replayed;
    c->rotations += b->stats.rotations;
    c->held += b->stats.held;
    b->stats.held = 0;
    b->stats.replayed = 0;
    b->stats.rotations = 0;
}

static void live(struct crash *c)
{
    c->process = sim_env_new(
        c->sim, &(struct sim_env_options){.ip = "10.0.0.1", .disk = c->disk, .workers = 1});
    if (chance(c, 80))
        sim_env_die_at_io(c->process, 1 + draw(c, IO_MAX),
                          chance(c, 75) ? SIM_DEATH_POWER_CUT : SIM_DEATH_KILL);
    if (begin_life(c)) {
        for (int64_t n = draw(c, 150); n > 0 && !c->process->is_dead; n--)
            do_something(c);
    }
    end_life(c);
}

static void run_seed(struct crash *c, uint64_t seed)
{
    c->seed = seed;
    prng_seed(&c->prng, seed);
    c->sim = sim_new(seed);
    c->disk = sim_disk_new();
    bench_init(&c->b, NULL, NULL, BENCH_MEMBERS);
    c->journal_bytes = chance(c, 50) ? 65536 : 131072;
    for (int i = 0; i < BENCH_MEMBERS; i++) {
        struct member *m = &c->b.members[i];
        m->is_gone = i >= PARTITIONS;
        m->on_durable = on_durable;
        m->config.segment_bytes = 3000 + draw(c, 20000);
        m->config.preallocate = chance(c, 10);
        model_reset(&c->models[i]);
    }
    for (int n = 0; n < LIVES; n++)
        live(c);
    sim_free(c->sim);
    sim_disk_free(c->disk);
}

TEST(logs_that_share_a_journal_lose_nothing_and_keep_nothing_that_was_cut)
{
    struct crash *c = mem_alloc(sizeof(*c));
    const char *more = getenv("JOURNAL_SEEDS");
    uint64_t seeds = more != NULL ? strtoull(more, NULL, 10) : SEEDS;
    for (uint64_t seed = 0; seed < seeds; seed++)
        run_seed(c, seed);
    /* it was worth something */
    CHECK(c->replayed > seeds / 4 && c->rotations > seeds && c->held > 5 * seeds);
    mem_free(c);
}
