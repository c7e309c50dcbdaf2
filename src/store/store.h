// SPDX-License-Identifier: Apache-2.0
/*
 * store: where the metadata log lives.
 *
 * A log of entries (opaque bytes) with indexes 1, 2, 3..., and a snapshot that stands for
 * all entries up to one of them. Whoever appends says which head he has seen: when another
 * was quicker he is told so and decides again. One store is used by one loop; whatever
 * blocks is done elsewhere, and answers come as callbacks on that loop.
 *
 * It does not know what the entries mean.
 *
 * Thread: the loop's, where nothing else is said.
 * Crash: what was answered STORE_COMMITTED is there after any crash; what was not answered
 *        is there as a whole entry or not at all.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "env/env.h"

struct store;
struct store_sink;

enum store_result {
    STORE_COMMITTED,
    STORE_CONFLICT, /* the head is another: read up to it, then decide again */
    STORE_UNKNOWN,  /* perhaps: read the head before deciding anything */
    STORE_REFUSED, /* not written, the store is as before: `error` is ERR_NO_SPACE, ERR_TOO_LARGE */
    STORE_FAILED,  /* the store takes no more appends; `error` says why */
};

struct store_entry {
    const uint8_t *data;
    uint32_t size; /* 1 ... store_entry_bytes_max */
};

/* Owned by the caller, untouched between store_append and done; so are the entries' bytes. */
struct store_append {
    int64_t expected_head;
    const struct store_entry *entries; /* go in together: all or none is visible to others */
    size_t entry_count;                /* at least 1 */
    void (*done)(struct store_append *append);
    /* Answers: */
    enum store_result result;
    enum err error; /* of STORE_REFUSED and STORE_FAILED */
    /* Internal: */
    struct list link;
};

/* Reads what follows `from` (0: everything): first the chunks of the snapshot, when `from` is
 * below it, then entries in order up to the head as it was found. */
struct store_read {
    int64_t from; /* index of the last entry that the reader has */
    /* `position` is the index that the whole snapshot stands for. `snapshot_end` follows the last.
     */
    void (*snapshot_chunk)(struct store_read *read, int64_t position, struct store_entry chunk);
    void (*snapshot_end)(struct store_read *read, int64_t position);
    void (*entry)(struct store_read *read, int64_t index, struct store_entry entry);
    void (*done)(struct store_read *read);
    /* Answers: */
    enum err error;
    int64_t head;
    /* Internal: */
    struct list link;
    void *state;
};

/* Writes a snapshot that stands for the entries up to `position`, which is committed; older
 * entries may be dropped afterwards. */
struct store_snapshot {
    int64_t position;
    /* On a disk worker: calls store_sink_put for each chunk. */
    enum err (*fill)(struct store_snapshot *snapshot, struct store_sink *sink);
    void (*done)(struct store_snapshot *snapshot);
    /* Answers: */
    enum err error;
    /* Internal: */
    struct list link;
};

/* Thread: within fill. */
enum err store_sink_put(struct store_sink *sink, const uint8_t *data, size_t size) MUST_USE;

/* Called whenever the head has moved, whoever moved it. */
struct store_watch {
    void (*moved)(struct store_watch *watch, int64_t head);
    struct list link;
};

enum store_lease_kind {
    STORE_LEASE_CONTROLLER, /* who holds it decides */
    STORE_LEASE_BROKER,     /* this broker is alive */
};

struct store_lease {
    enum store_lease_kind kind;
    /* Held or lost; the first call tells how it begins. */
    void (*changed)(struct store_lease *lease, bool is_held);
    /* Internal: */
    struct loop_task task;
};

/* done() may be called from within, when the outcome is known at once. */
void store_append(struct store *store, struct store_append *append);
void store_read(struct store *store, struct store_read *read);
void store_write_snapshot(struct store *store, struct store_snapshot *snapshot);
void store_watch_add(struct store *store, struct store_watch *watch);
void store_watch_remove(struct store *store, struct store_watch *watch);
void store_lease_hold(struct store *store, struct store_lease *lease);

/* The largest entry that it takes. Thread: any. */
uint32_t store_entry_bytes_max(const struct store *store);

/* Bytes of log that a new snapshot would make unneeded. */
int64_t store_log_bytes(const struct store *store);

/* Nothing may be under way. Accepts NULL. */
void store_close(struct store *store);

/* ---- kinds */

/* Plain files `klamm.metadata` and `klamm.metadata.snapshot` in `dir` (borrowed), see
 * docs/formats.md. Blocks: at start or on a disk worker. A torn tail is cut; ERR_CORRUPT when
 * what was acknowledged cannot be read, and `why` has gained a line with file and position. */
enum err store_file_open(struct env *env, struct loop *loop, const char *dir, struct strbuf *why,
                         struct store **out) MUST_USE;

/* ---- what a store is made of */

struct store_ops {
    void (*append)(struct store *store, struct store_append *append);
    void (*read)(struct store *store, struct store_read *read);
    void (*write_snapshot)(struct store *store, struct store_snapshot *snapshot);
    void (*watch_add)(struct store *store, struct store_watch *watch);
    void (*lease_hold)(struct store *store, struct store_lease *lease);
    int64_t (*log_bytes)(const struct store *store);
    void (*close)(struct store *store);
};

struct store {
    const struct store_ops *ops;
    uint32_t entry_bytes_max;
};

struct store_sink {
    enum err (*put)(struct store_sink *sink, const uint8_t *data, size_t size);
};

#endif
