// SPDX-License-Identifier: Apache-2.0
/* Tests of store_disk in the simulated world: power cuts in the middle of any disk operation, which
 * take unsynced sectors, sizes and names. Thread: main. */
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "env/sim_env.h"
#include "store/store_disk.h"
#include "store/store_frame.h"

enum { SEEDS = 400, LIVES = 8, ENTRY_BYTES_MAX = 1500, GROUP_MAX = 4, TOGETHER_MAX = 3 };

struct run {
    struct sim *sim;
    struct sim_disk *disk;
    struct sim_env *machine;
    int64_t acked;
    int64_t snapshot_acked;
};

static uint32_t entry_size(int64_t index)
{
    return (uint32_t)(1 + index * 389 % ENTRY_BYTES_MAX);
}

static uint8_t entry_byte(int64_t index, uint32_t at)
{
    return (uint8_t)(index * 31 + at);
}

static void boot(struct run *r)
{
    r->machine = sim_env_new(
        r->sim,
        &(struct sim_env_options){.ip = "10.0.0.1", .disk = r->disk, .workers = 1, .loops = 1});
}

/* ---- what must be there */

static void check_entries(const struct file_bytes *log, int64_t from, int64_t head)
{
    struct store_frame frame;
    int64_t last = from;
    for (size_t pos = 0;
         pos < log->size && store_frame_read(log->data + pos, log->size - pos, &frame);
         pos += store_frame_bytes(&frame)) {
        if (frame.index <= last)
            continue;
        CHECK_EQUAL(frame.index, last + 1);
        CHECK_EQUAL(frame.size, entry_size(frame.index));
        for (uint32_t i = 0; i < frame.size; i++)
            CHECK_EQUAL(frame.data[i], entry_byte(frame.index, i));
        last = frame.index;
    }
    CHECK_EQUAL(last, head);
}

static void check_disk(struct run *r, struct store_disk *d)
{
    CHECK(d->head >= r->acked);
    CHECK(d->snapshot_position >= r->snapshot_acked);
    struct file_bytes snapshot = {NULL, 0}, log = {NULL, 0};
    enum err e = store_disk_read(d, 0, &snapshot, &log);
    CHECK(e == ERR_OK || r->machine->is_dead);
    if (e == ERR_OK)
        check_entries(&log, d->snapshot_position, d->head);
    if (e == ERR_OK && d->snapshot_position > 0) {
        struct store_frame frame;
        CHECK(store_frame_read(snapshot.data, snapshot.size, &frame));
        CHECK_EQUAL(frame.size, sizeof(d->snapshot_position));
        CHECK(memcmp(frame.data, &d->snapshot_position, frame.size) == 0);
    }
    file_bytes_free(&snapshot);
    file_bytes_free(&log);
}

/* ---- what is done */

static enum err fill(struct store_snapshot *snapshot, struct store_sink *sink)
{
    return store_sink_put(sink, (const uint8_t *)&snapshot->position, sizeof(snapshot->position));
}

struct one {
    struct store_append append;
    struct store_entry entries[TOGETHER_MAX];
    uint8_t bytes[TOGETHER_MAX][ENTRY_BYTES_MAX];
};

static void one_fill(struct one *one, int64_t head, size_t count)
{
    one->append =
        (struct store_append){.expected_head = head, .entries = one->entries, .entry_count = count};
    for (size_t i = 0; i < count; i++) {
        int64_t index = head + (int64_t)i + 1;
        for (uint32_t at = 0; at < entry_size(index); at++)
            one->bytes[i][at] = entry_byte(index, at);
        one->entries[i] = (struct store_entry){one->bytes[i], entry_size(index)};
    }
}

static enum err append_group(struct run *r, struct store_disk *d)
{
    static struct one ones[GROUP_MAX];
    struct list group;
    list_init(&group);
    int64_t head = d->head;
    for (int64_t n = sim_draw(r->sim, 1, GROUP_MAX); n > 0; n--) {
        size_t count = (size_t)sim_draw(r->sim, 1, TOGETHER_MAX);
        one_fill(&ones[n - 1], head, count);
        list_push_back(&group, &ones[n - 1].append.link);
        head += (int64_t)count;
    }
    enum err e = store_disk_append(d, &group);
    if (e == ERR_OK && !r->machine->is_dead)
        r->acked = d->head;
    return e;
}

static enum err snapshot_now(struct run *r, struct store_disk *d)
{
    int64_t least = MAX(d->snapshot_position, INT64_C(1));
    struct store_snapshot snapshot = {.position = sim_draw(r->sim, least, d->head), .fill = fill};
    enum err e = store_disk_snapshot(d, &snapshot);
    if (e == ERR_OK && !r->machine->is_dead)
        r->snapshot_acked = snapshot.position;
    return e;
}

/* One life of a process, which a power cut or a kill ends in some disk operation. */
static void live(struct run *r)
{
    boot(r);
    struct strbuf why;
    strbuf_init(&why);
    enum sim_death how = sim_percent(r->sim, 80) ? SIM_DEATH_POWER_CUT : SIM_DEATH_KILL;
    sim_env_die_at_io(r->machine, sim_draw(r->sim, 1, 60), how);
    struct store_disk d;
    enum err e = store_disk_open(&r->machine->env, "", &why, &d);
    CHECK(e == ERR_OK || r->machine->is_dead);
    strbuf_deinit(&why);
    if (e != ERR_OK)
        return;
    if (!r->machine->is_dead)
        check_disk(r, &d);
    while (e == ERR_OK && !r->machine->is_dead)
        e = d.head > 0 && sim_percent(r->sim, 10) ? snapshot_now(r, &d) : append_group(r, &d);
    CHECK(r->machine->is_dead);
    store_disk_close(&d);
}

TEST(store_disk_keeps_its_word_through_power_cuts)
{
    int64_t entries = 0, cuts = 0, torn = 0, names = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct run r = {.sim = sim_new(seed), .disk = sim_disk_new()};
        for (int n = 0; n < LIVES; n++)
            live(&r);
        boot(&r);
        struct strbuf why;
        strbuf_init(&why);
        struct store_disk d;
        CHECK_EQUAL(store_disk_open(&r.machine->env, "", &why, &d), ERR_OK);
        check_disk(&r, &d);
        store_disk_close(&d);
        strbuf_deinit(&why);
        entries += r.acked;
        cuts += r.sim->faults[SIM_FAULT_CRASH_IN_IO];
        torn += r.sim->faults[SIM_FAULT_TORN_FILE];
        names += r.sim->faults[SIM_FAULT_LOST_NAME];
        sim_free(r.sim);
        sim_disk_free(r.disk);
    }
    CHECK(entries > SEEDS * 10 && cuts > SEEDS * LIVES / 2);
    CHECK(torn > SEEDS / 10 && names > SEEDS / 10);
}
