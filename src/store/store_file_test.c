// SPDX-License-Identifier: Apache-2.0
/* Tests of store_file: appends, conflicts, crashes at every byte, rot, snapshots, each I/O call
 * failing once. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "env/mem_env.h"
#include "store/store.h"
#include "store/store_frame.h"

enum { TEXT_SIZE = 40, ENTRIES_MAX = 64 };

#define LOG_PATH      "d/klamm.metadata"
#define SNAPSHOT_PATH "d/klamm.metadata.snapshot"

static struct store *open_store(struct mem_env *m, enum err *e)
{
    struct store *store = NULL;
    struct strbuf why;
    strbuf_init(&why);
    *e = store_file_open(&m->env, mem_env_loop(m, 0), "d", &why, &store);
    CHECK((*e == ERR_OK) == (store != NULL));
    CHECK((*e == ERR_OK) == (why.len == 0));
    strbuf_deinit(&why);
    return store;
}

static void start_env(struct mem_env *m)
{
    mem_env_init(m);
    CHECK_EQUAL(env_dir_make(&m->env, "d"), ERR_OK);
}

/* ---- appends: entry n is the text "entry n" */

struct one {
    struct store_append append;
    struct store_entry entry;
    char text[TEXT_SIZE];
    bool is_done;
};

static void one_done(struct store_append *append)
{
    struct one *one = container_of(append, struct one, append);
    CHECK(!one->is_done);
    one->is_done = true;
}

static void one_start(struct store *store, struct one *one, int64_t index)
{
    *one = (struct one){0};
    snprintf(one->text, sizeof(one->text), "entry %d", (int)index);
    one->entry = (struct store_entry){(const uint8_t *)one->text, (uint32_t)strlen(one->text)};
    one->append.expected_head = index - 1;
    one->append.entries = &one->entry;
    one->append.entry_count = 1;
    one->append.done = one_done;
    store_append(store, &one->append);
}

static enum store_result append_one(struct mem_env *m, struct store *store, int64_t index)
{
    struct one one;
    one_start(store, &one, index);
    mem_env_run_until_idle(m);
    CHECK(one.is_done);
    return one.append.result;
}

/* ---- reading */

struct reading {
    struct store_read read;
    int64_t snapshot_position;
    char snapshot[TEXT_SIZE];
    int64_t first;
    int64_t last;
    bool is_done;
};

static void on_chunk(struct store_read *read, int64_t position, struct store_entry chunk)
{
    struct reading *r = container_of(read, struct reading, read);
    size_t len = strlen(r->snapshot);
    CHECK(len + chunk.size < sizeof(r->snapshot));
    memcpy(r->snapshot + len, chunk.data, chunk.size);
    CHECK(position > 0);
}

static void on_snapshot_end(struct store_read *read, int64_t position)
{
    container_of(read, struct reading, read)->snapshot_position = position;
}

static void on_entry(struct store_read *read, int64_t index, struct store_entry entry)
{
    struct reading *r = container_of(read, struct reading, read);
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text), "entry %d", (int)index);
    CHECK_EQUAL(entry.size, strlen(text));
    CHECK(memcmp(entry.data, text, entry.size) == 0);
    CHECK(r->first == 0 || index == r->last + 1);
    if (r->first == 0)
        r->first = index;
    r->last = index;
}

static void on_read(struct store_read *read)
{
    container_of(read, struct reading, read)->is_done = true;
}

static struct reading read_all(struct mem_env *m, struct store *store, int64_t from)
{
    struct reading r = {.read = {.from = from,
                                 .snapshot_chunk = on_chunk,
                                 .snapshot_end = on_snapshot_end,
                                 .entry = on_entry,
                                 .done = on_read}};
    store_read(store, &r.read);
    mem_env_run_until_idle(m);
    CHECK(r.is_done);
    return r;
}

static void check_reads(struct mem_env *m, struct store *store, int64_t from, int64_t head)
{
    struct reading r = read_all(m, store, from);
    CHECK_EQUAL(r.read.error, ERR_OK);
    CHECK_EQUAL(r.read.head, head);
    if (head > from) {
        CHECK_EQUAL(r.first, from + 1);
        CHECK_EQUAL(r.last, head);
    } else {
        CHECK_EQUAL(r.last, 0);
    }
}

TEST(store_file_keeps_entries_in_order)
{
    struct mem_env m;
    start_env(&m);
    enum err e;
    struct store *store = open_store(&m, &e);
    check_reads(&m, store, 0, 0);
    for (int n = 1; n <= 5; n++)
        CHECK_EQUAL(append_one(&m, store, n), STORE_COMMITTED);
    check_reads(&m, store, 0, 5);
    check_reads(&m, store, 3, 5);
    check_reads(&m, store, 5, 5);
    CHECK_EQUAL(append_one(&m, store, 5), STORE_CONFLICT);
    CHECK_EQUAL(append_one(&m, store, 7), STORE_CONFLICT);
    store_close(store);
    store = open_store(&m, &e);
    check_reads(&m, store, 0, 5);
    CHECK_EQUAL(append_one(&m, store, 6), STORE_COMMITTED);
    check_reads(&m, store, 0, 6);
    store_close(store);
    mem_env_deinit(&m);
}

static int64_t watched_head;

static void on_moved(struct store_watch *watch, int64_t head)
{
    watched_head = head;
}

static int leases_held;

static void on_lease(struct store_lease *lease, bool is_held)
{
    leases_held += is_held ? 1 : -1;
}

TEST(store_file_groups_what_waits)
{
    struct mem_env m;
    start_env(&m);
    enum err e;
    struct store *store = open_store(&m, &e);
    struct store_watch watch = {.moved = on_moved};
    struct store_lease lease = {.kind = STORE_LEASE_CONTROLLER, .changed = on_lease};
    store_watch_add(store, &watch);
    store_lease_hold(store, &lease);
    static struct one ones[30];
    for (int n = 0; n < 30; n++)
        one_start(store, &ones[n], n + 1);
    int syncs = m.syncs;
    mem_env_run_until_idle(&m);
    for (int n = 0; n < 30; n++)
        CHECK(ones[n].is_done && ones[n].append.result == STORE_COMMITTED);
    CHECK_EQUAL(m.syncs - syncs, 2); /* the first went alone, the others together */
    CHECK_EQUAL(watched_head, 30);
    CHECK_EQUAL(leases_held, 1);
    store_watch_remove(store, &watch);
    check_reads(&m, store, 0, 30);
    store_close(store);
    mem_env_deinit(&m);
}

/* ---- crashes and rot */

struct image_of_log {
    uint8_t bytes[4096];
    size_t size;
    size_t ends[ENTRIES_MAX]; /* where entry n ends */
};

/* Entries 1 ... alone each have a sync of their own; `together` more share one. */
static void make_log(struct image_of_log *log, int alone, int together)
{
    struct mem_env m;
    start_env(&m);
    enum err e;
    struct store *store = open_store(&m, &e);
    int index = 0;
    for (int n = 0; n < alone; n++)
        CHECK_EQUAL(append_one(&m, store, ++index), STORE_COMMITTED);
    struct store_entry entries[ENTRIES_MAX];
    char texts[ENTRIES_MAX][TEXT_SIZE];
    for (int n = 0; n < together; n++) {
        snprintf(texts[n], TEXT_SIZE, "entry %d", index + n + 1);
        entries[n] = (struct store_entry){(const uint8_t *)texts[n], (uint32_t)strlen(texts[n])};
    }
    if (together > 0) {
        struct one one = {.append = {.expected_head = index,
                                     .entries = entries,
                                     .entry_count = (size_t)together,
                                     .done = one_done}};
        store_append(store, &one.append);
        mem_env_run_until_idle(&m);
        CHECK_EQUAL(one.append.result, STORE_COMMITTED);
    }
    store_close(store);
    const uint8_t *bytes = mem_env_file_bytes(&m, LOG_PATH, &log->size);
    CHECK(log->size <= sizeof(log->bytes));
    memcpy(log->bytes, bytes, log->size);
    struct store_frame frame;
    size_t pos = 0;
    for (int n = 1; n <= alone + together; n++) {
        CHECK(store_frame_read(log->bytes + pos, log->size - pos, &frame));
        pos += store_frame_bytes(&frame);
        log->ends[n] = pos;
    }
    mem_env_deinit(&m);
}

TEST(store_file_cuts_a_torn_tail_at_any_byte)
{
    static struct image_of_log log;
    make_log(&log, 6, 0);
    for (size_t size = 0; size <= log.size; size++) {
        struct mem_env m;
        start_env(&m);
        mem_env_put_file(&m, LOG_PATH, log.bytes, size);
        enum err e;
        struct store *store = open_store(&m, &e);
        CHECK_EQUAL(e, ERR_OK);
        int64_t whole = 0;
        while (whole < 6 && log.ends[whole + 1] <= size)
            whole++;
        check_reads(&m, store, 0, whole);
        CHECK_EQUAL(append_one(&m, store, whole + 1), STORE_COMMITTED);
        store_close(store);
        store = open_store(&m, &e);
        check_reads(&m, store, 0, whole + 1);
        store_close(store);
        mem_env_deinit(&m);
    }
}

/* Of the last write any part may be missing: what was answered before stays. */
TEST(store_file_cuts_a_torn_group)
{
    static struct image_of_log log;
    make_log(&log, 3, 4);
    for (size_t at = log.ends[3]; at < log.size; at++) {
        struct mem_env m;
        start_env(&m);
        uint8_t bytes[sizeof(log.bytes)];
        memcpy(bytes, log.bytes, log.size);
        bytes[at] ^= 0x20;
        mem_env_put_file(&m, LOG_PATH, bytes, log.size);
        enum err e;
        struct store *store = open_store(&m, &e);
        CHECK_EQUAL(e, ERR_OK);
        int64_t whole = 3;
        while (log.ends[whole + 1] <= at)
            whole++;
        check_reads(&m, store, 0, whole);
        CHECK_EQUAL(m.log_lines[LOG_WARN], 1);
        store_close(store);
        mem_env_deinit(&m);
    }
}

TEST(store_file_refuses_rot)
{
    static struct image_of_log log;
    make_log(&log, 6, 0);
    for (size_t at = 0; at < log.ends[5]; at++) {
        struct mem_env m;
        start_env(&m);
        uint8_t bytes[sizeof(log.bytes)];
        memcpy(bytes, log.bytes, log.size);
        bytes[at] ^= 0x01;
        mem_env_put_file(&m, LOG_PATH, bytes, log.size);
        enum err e;
        struct store *store = open_store(&m, &e);
        CHECK_EQUAL(e, ERR_CORRUPT);
        CHECK(store == NULL);
        size_t size = 0;
        CHECK(memcmp(mem_env_file_bytes(&m, LOG_PATH, &size), bytes, log.size) == 0);
        CHECK_EQUAL(size, log.size);
        mem_env_deinit(&m);
    }
}

/* ---- snapshots */

struct snapshotting {
    struct store_snapshot snapshot;
    bool is_done;
};

static enum err on_fill(struct store_snapshot *snapshot, struct store_sink *sink)
{
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text), "up to %d", (int)snapshot->position);
    enum err e = store_sink_put(sink, (const uint8_t *)"snap", 4);
    return e == ERR_OK ? store_sink_put(sink, (const uint8_t *)text, strlen(text)) : e;
}

static void on_snapshot(struct store_snapshot *snapshot)
{
    container_of(snapshot, struct snapshotting, snapshot)->is_done = true;
}

static enum err write_snapshot(struct mem_env *m, struct store *store, int64_t position)
{
    struct snapshotting s = {
        .snapshot = {.position = position, .fill = on_fill, .done = on_snapshot}};
    store_write_snapshot(store, &s.snapshot);
    mem_env_run_until_idle(m);
    CHECK(s.is_done);
    return s.snapshot.error;
}

static void check_snapshot(struct mem_env *m, struct store *store, int64_t position, int64_t head)
{
    struct reading r = read_all(m, store, 0);
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text), "snapup to %d", (int)position);
    CHECK_EQUAL(r.read.error, ERR_OK);
    CHECK_EQUAL(r.snapshot_position, position);
    CHECK_TEXT(r.snapshot, text);
    CHECK_EQUAL(r.first, head > position ? position + 1 : 0);
    CHECK_EQUAL(r.last, head > position ? head : 0);
    CHECK_EQUAL(r.read.head, head);
}

TEST(store_file_trims_behind_a_snapshot)
{
    struct mem_env m;
    start_env(&m);
    enum err e;
    struct store *store = open_store(&m, &e);
    for (int n = 1; n <= 20; n++)
        CHECK_EQUAL(append_one(&m, store, n), STORE_COMMITTED);
    int64_t before = store_log_bytes(store);
    CHECK_EQUAL(write_snapshot(&m, store, 15), ERR_OK);
    CHECK(store_log_bytes(store) < before);
    CHECK(store_log_bytes(store) > 0);
    check_snapshot(&m, store, 15, 20);
    check_reads(&m, store, 17, 20);
    CHECK_EQUAL(append_one(&m, store, 21), STORE_COMMITTED);
    CHECK_EQUAL(write_snapshot(&m, store, 21), ERR_OK);
    CHECK_EQUAL(store_log_bytes(store), 0);
    check_snapshot(&m, store, 21, 21);
    store_close(store);
    store = open_store(&m, &e);
    CHECK_EQUAL(store_log_bytes(store), 0);
    check_snapshot(&m, store, 21, 21);
    CHECK_EQUAL(append_one(&m, store, 22), STORE_COMMITTED);
    check_snapshot(&m, store, 21, 22);
    store_close(store);

    /* Without the log the snapshot cannot be trusted to be the newest. */
    CHECK_EQUAL(env_path_unlink(&m.env, LOG_PATH), ERR_OK);
    store = open_store(&m, &e);
    CHECK_EQUAL(e, ERR_CORRUPT);
    mem_env_deinit(&m);
}

TEST(store_file_refuses_a_damaged_snapshot)
{
    struct mem_env m;
    start_env(&m);
    enum err e;
    struct store *store = open_store(&m, &e);
    for (int n = 1; n <= 4; n++)
        CHECK_EQUAL(append_one(&m, store, n), STORE_COMMITTED);
    CHECK_EQUAL(write_snapshot(&m, store, 4), ERR_OK);
    store_close(store);
    size_t size = 0;
    uint8_t *bytes = mem_env_file_bytes(&m, SNAPSHOT_PATH, &size);
    for (size_t at = 0; at < size; at++) {
        bytes[at] ^= 0x40;
        store = open_store(&m, &e);
        CHECK_EQUAL(e, ERR_CORRUPT);
        bytes = mem_env_file_bytes(&m, SNAPSHOT_PATH, &size);
        bytes[at] ^= 0x40;
    }
    store = open_store(&m, &e);
    CHECK_EQUAL(e, ERR_OK);
    store_close(store);
    mem_env_deinit(&m);
}

/* ---- each I/O call fails once */

/* Opens, appends, writes a snapshot. Returns the head that was promised. */
static int64_t use_store(struct mem_env *m)
{
    enum err e;
    struct store *store = open_store(m, &e);
    if (e != ERR_OK)
        return 0;
    int64_t promised = 0;
    for (int n = 1; n <= 4; n++) {
        enum store_result result = append_one(m, store, n);
        if (result == STORE_COMMITTED)
            promised = n;
        else if (result == STORE_FAILED) /* for good */
            CHECK_EQUAL(append_one(m, store, promised + 1), STORE_FAILED);
        if (n == 3 && promised == 3)
            (void)write_snapshot(m, store, 2);
    }
    store_close(store);
    return promised;
}

TEST(store_file_survives_each_io_failure)
{
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct mem_env m;
        start_env(&m);
        m.fail_at = fail_at;
        int64_t promised = use_store(&m);
        failed = m.fail_at == 0; /* it has been reached */
        CHECK_EQUAL(m.open_fds, 0);
        m.fail_at = 0;
        enum err e;
        struct store *store = open_store(&m, &e);
        CHECK_EQUAL(e, ERR_OK);
        struct reading r = read_all(&m, store, 0);
        CHECK_EQUAL(r.read.error, ERR_OK);
        CHECK(r.read.head >= promised);
        store_close(store);
        mem_env_deinit(&m);
    }
}

TEST(store_file_goes_on_after_a_full_disk)
{
    struct mem_env m;
    start_env(&m);
    enum err e;
    struct store *store = open_store(&m, &e);
    CHECK_EQUAL(append_one(&m, store, 1), STORE_COMMITTED);
    m.space_bytes = 50;
    CHECK_EQUAL(append_one(&m, store, 2), STORE_REFUSED);
    CHECK_EQUAL(append_one(&m, store, 2), STORE_REFUSED);
    m.space_bytes = 5000;
    CHECK_EQUAL(append_one(&m, store, 2), STORE_COMMITTED);
    check_reads(&m, store, 0, 2);
    store_close(store);
    mem_env_deinit(&m);
}
