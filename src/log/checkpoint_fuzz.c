// SPDX-License-Identifier: Apache-2.0
/*
 * checkpoint_fuzz: foreign bytes as every small file of a log directory and of a partition:
 * checkpoints, epochs, meta.properties, partition.metadata.
 *
 * Thread: main.
 */
#include "base/assert.h"
#include "env/mem_env.h"
#include "log/leader_epochs.h"
#include "log/log_dir.h"
#include "log/partition_log.h"

int fuzz_checkpoint(const uint8_t *data, size_t size);

/* What was read is written and read again: the same. */
static void check_epochs(const uint8_t *data, size_t size)
{
    struct leader_epochs epochs;
    struct leader_epochs again;
    leader_epochs_init(&epochs);
    leader_epochs_init(&again);
    if (leader_epochs_read(&epochs, data, size) == ERR_OK) {
        struct strbuf text;
        strbuf_init(&text);
        leader_epochs_write(&epochs, &text);
        enum err e = leader_epochs_read(&again, strbuf_text(&text), text.len);
        ASSERT(e == ERR_OK && again.count == epochs.count);
        strbuf_deinit(&text);
    }
    leader_epochs_deinit(&epochs);
    leader_epochs_deinit(&again);
}

static void open_dir(struct mem_env *m)
{
    struct strbuf why;
    strbuf_init(&why);
    struct log_dir *dir = NULL;
    if (log_dir_open(&m->env, "d", &why, &dir) == ERR_OK) {
        log_dir_checkpoint_of(dir, "t", 0);
        enum err e = log_dir_checkpoint_write(dir);
        ASSERT(e == ERR_OK);
    }
    log_dir_close(dir);
    strbuf_deinit(&why);
}

int fuzz_checkpoint(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "d/recovery-point-offset-checkpoint", "d/log-start-offset-checkpoint",
        "d/replication-offset-checkpoint",    "d/meta.properties",
        "d/t-0/leader-epoch-checkpoint",      "d/t-0/partition.metadata"};
    check_epochs(data, size);
    struct mem_env m;
    mem_env_init(&m);
    m.logger.level = LOG_ERROR;
    enum err e = env_dir_make(&m.env, "d");
    ASSERT(e == ERR_OK);
    e = env_dir_make(&m.env, "d/t-0");
    ASSERT(e == ERR_OK);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        mem_env_put_file(&m, names[i], data, size);
    open_dir(&m);
    struct log_config config = {.segment_bytes = 1 << 20, .segment_index_bytes = 1 << 20};
    struct log_open_options options = {.dir = "d/t-0", .topic_id = {{1}}, .config = &config};
    struct log_open_report report;
    struct partition_log *log = NULL;
    if (partition_log_open(&m.env, &options, &report, &log) == ERR_OK)
        partition_log_free(log);
    mem_env_deinit(&m);
    return 0;
}
