// SPDX-License-Identifier: Apache-2.0
/*
 * store_disk: the files of the metadata log of a single node: `klamm.metadata` has the
 * entries, `klamm.metadata.snapshot` stands for all up to one of them.
 *
 * It knows neither loops nor jobs: store_file calls it from its job.
 *
 * Thread: one at a time; all of it blocks.
 * Crash:  what store_disk_append wrote is there after it returned ERR_OK. Snapshots and
 *         trimmed logs are written beside, synced and renamed.
 * Limits: LIMIT_METADATA_APPEND_BYTES for one write, LIMIT_METADATA_FILE_BYTES for a file.
 */
#ifndef STORE_STORE_DISK_H
#define STORE_STORE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "env/env.h"
#include "store/store.h"

struct file_bytes {
    uint8_t *data;
    size_t size;
};

void file_bytes_free(struct file_bytes *bytes);

struct store_disk {
    struct env *env;
    char *dir;
    char *log_path;
    char *log_new_path;
    char *snapshot_path;
    char *snapshot_new_path;
    struct env_file *log; /* NULL: there is none yet */
    int64_t head;
    int64_t size;              /* bytes of the log that are good and on disk */
    int64_t covered;           /* bytes of it that the snapshot stands for */
    int64_t snapshot_position; /* 0: there is no snapshot */
    bool is_named;             /* the log's name is on disk */
    enum err failed;           /* not ERR_OK: no appends any more */
};

/* As store_file_open. */
enum err store_disk_open(struct env *env, const char *dir, struct strbuf *why,
                         struct store_disk *out) MUST_USE;
void store_disk_close(struct store_disk *d);

/* Writes a group of appends (struct store_append by link), the first of which expects d->head and
 * each other one what the one before it gives. When d->failed is still ERR_OK after an error, all
 * is as it was before. */
enum err store_disk_append(struct store_disk *d, const struct list *group) MUST_USE;

/* Writes the snapshot and trims the log. */
enum err store_disk_snapshot(struct store_disk *d, struct store_snapshot *snapshot) MUST_USE;

/* The frames that follow entry `from`: those of the snapshot (none when `from` is not below it),
 * and those of the log, older ones included. */
enum err store_disk_read(struct store_disk *d, int64_t from, struct file_bytes *snapshot,
                         struct file_bytes *log) MUST_USE;

#endif
