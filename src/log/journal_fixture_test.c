// SPDX-License-Identifier: Apache-2.0
/* journal_fixture: see journal_fixture.h. Thread: the test's. */
#include "log/journal_fixture.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/log_fixture.h"

void bench_init(struct bench *b, struct env *env, struct list *jobs, int members)
{
    ASSERT(members <= BENCH_MEMBERS);
    *b = (struct bench){.env = env, .jobs = jobs, .member_count = members, .time_ms = 1000};
    b->options = (struct journal_options){
        .dir = "", .directory_id = {{9}}, .bytes = BENCH_JOURNAL_BYTES, .stats = &b->stats};
    for (int i = 0; i < members; i++) {
        struct member *m = &b->members[i];
        m->bench = b;
        m->index = i;
        m->topic_id = (struct uuid){{7, (uint8_t)i}};
        m->config = fixture_config();
        m->leader_epoch = 1;
        snprintf(m->dir, sizeof(m->dir), "t-%d", i);
    }
}

/* ---- what the journal says */

static void on_done(struct journal_entry *entry, enum err e)
{
    struct member *m = container_of(entry, struct member, entry);
    ASSERT(m->is_waiting);
    m->is_waiting = false;
    m->done_calls++;
    if (e != ERR_OK) {
        m->is_failed = true;
        partition_log_fail(m->log, &m->commit);
        fixture_free_appends(&m->commit.appends);
        return;
    }
    partition_log_publish_journaled(m->log, &m->commit, entry->generation);
    m->durable = partition_log_durable(m->log).offset;
    if (m->on_durable != NULL)
        m->on_durable(m);
}

static void on_flush(struct journal_client *client)
{
    struct member *m = container_of(client, struct member, client);
    ASSERT(m->covers > 0);
    if (m->is_closed)
        journal_flushed(m->bench->journal, client, INT64_MAX);
    else
        m->wants_flush = true;
}

static void on_released(struct journal_client *client, uint64_t generation)
{
    struct member *m = container_of(client, struct member, client);
    ASSERT(m->covers > 0);
    m->covers--;
    m->releases++;
    ASSERT(m->covers > 0 || !list_is_linked(&client->notice_link)); /* it may go now */
    if (m->log != NULL)
        partition_log_journal_released(m->log, generation);
    if (m->on_released != NULL)
        m->on_released(m);
}

/* ---- opening and closing */

enum err bench_open_journal(struct bench *b)
{
    return journal_open(b->env, &b->options, &b->journal);
}

enum err member_open(struct member *m)
{
    struct bench *b = m->bench;
    struct log_open_options options = {.dir = m->dir,
                                       .topic_id = m->topic_id,
                                       .recovery_point = m->checkpoint,
                                       .was_clean = b->options.was_clean,
                                       .journal = b->journal,
                                       .partition = m->index,
                                       .jitter_seed = 1,
                                       .config = &m->config};
    m->client = (struct journal_client){
        .topic_id = m->topic_id, .partition = m->index, .flush = on_flush, .released = on_released};
    journal_client_init(&m->client);
    m->entry = (struct journal_entry){.client = &m->client, .done = on_done};
    list_init(&m->entry.link);
    m->is_closed = false;
    m->is_failed = false;
    m->wants_flush = false;
    m->covers = 0;
    log_commit_init(&m->commit);
    m->open_error = partition_log_open(b->env, &options, &m->report, &m->log);
    if (m->open_error != ERR_OK)
        return m->open_error;
    m->durable = partition_log_durable(m->log).offset;
    m->covers += journal_replayed(b->journal, &m->client);
    return ERR_OK;
}

static bool is_known(void *arg, struct uuid topic_id, int32_t partition)
{
    const struct bench *b = arg;
    for (int i = 0; i < b->member_count; i++) {
        if (b->members[i].index == partition && uuid_equals(b->members[i].topic_id, topic_id))
            return true;
    }
    return false;
}

void bench_settle(struct bench *b)
{
    journal_settle(b->journal, is_known, b);
}

enum err bench_open(struct bench *b)
{
    enum err e = bench_open_journal(b);
    for (int i = 0; i < b->member_count && e == ERR_OK; i++)
        e = b->members[i].is_gone ? ERR_OK : member_open(&b->members[i]);
    if (e == ERR_OK)
        bench_settle(b);
    return e;
}

bool bench_step(struct bench *b)
{
    for (int queue = 0; queue < ENV_QUEUE_COUNT; queue++) {
        struct list *node = list_pop_front(&b->jobs[queue]);
        if (node == NULL)
            continue;
        struct env_job *job = container_of(node, struct env_job, link);
        if (job->run(job))
            list_push_front(&b->jobs[queue], &job->link);
        return true;
    }
    return false;
}

void bench_run(struct bench *b)
{
    for (bool is_busy = true; is_busy;) {
        is_busy = bench_step(b);
        for (int i = 0; i < b->member_count; i++) {
            is_busy = is_busy || b->members[i].wants_flush;
            member_flush(&b->members[i]);
        }
    }
}

static void closed(void *arg, enum err e)
{
    struct bench *b = arg;
    b->is_close_done = true;
    b->close_error = e;
}

enum err member_close(struct member *m, bool is_clean)
{
    ASSERT(!m->is_waiting);
    int64_t recovery_point = 0;
    enum err e = is_clean ? partition_log_close_clean(m->log, &recovery_point) : ERR_OK;
    if (e == ERR_OK && is_clean)
        m->checkpoint = recovery_point;
    if (e != ERR_OK)
        journal_fail(m->bench->journal);
    m->is_closed = true;
    if (m->wants_flush)
        journal_flushed(m->bench->journal, &m->client, INT64_MAX);
    m->wants_flush = false;
    return e;
}

enum err bench_close(struct bench *b)
{
    bench_run(b);
    enum err e = ERR_OK;
    for (int i = 0; i < b->member_count; i++) {
        struct member *m = &b->members[i];
        if (m->is_gone)
            continue;
        enum err own = m->log == NULL ? m->open_error : m->is_closed ? ERR_OK : ERR_AGAIN;
        if (own == ERR_AGAIN)
            own = m->is_failed ? ERR_IO : member_close(m, true);
        m->is_closed = true;
        m->wants_flush = false;
        e = e == ERR_OK ? own : e;
    }
    b->is_close_done = false;
    journal_close(b->journal, e == ERR_OK, closed, b);
    bench_run(b);
    ASSERT(b->is_close_done);
    return e == ERR_OK ? b->close_error : e;
}

void bench_drop(struct bench *b)
{
    if (b->journal != NULL)
        journal_fail(b->journal);
    while (bench_step(b)) {
    }
    for (int i = 0; i < b->member_count; i++)
        ASSERT(!b->members[i].is_waiting);
    journal_free(b->journal);
    b->journal = NULL;
    for (int i = 0; i < b->member_count; i++) {
        struct member *m = &b->members[i];
        ASSERT(m->covers == 0);
        m->wants_flush = false;
        partition_log_free(m->log);
        m->log = NULL;
    }
}

/* ---- commits */

enum err member_append(struct member *m, int32_t records, size_t payload)
{
    struct fixture_batch batch = {.records = records,
                                  .payload = payload,
                                  .timestamp_ms = m->bench->time_ms,
                                  .producer_id = -1};
    m->bench->time_ms += records;
    struct log_append *append = mem_alloc(sizeof(*append));
    list_init(&append->link);
    append->bytes = fixture_bytes(&batch);
    append->wants_sync = true;
    bool is_read = batch_header_read(append->bytes.data, append->bytes.len, &append->header);
    ASSERT(is_read);
    enum err e = partition_log_assign(m->log, append, m->leader_epoch, env_wall_ms(m->bench->env));
    if (e != ERR_OK) {
        iobuf_slice_release(&append->bytes);
        mem_free(append);
    }
    return e;
}

static enum member_way commit_failed(struct member *m, enum err e)
{
    m->is_failed = e != ERR_NO_SPACE;
    partition_log_fail(m->log, &m->commit);
    fixture_free_appends(&m->commit.appends);
    return WAY_FAILED;
}

static enum err write_and_journal(struct member *m)
{
    struct journal *j = m->bench->journal;
    bool begins = false;
    bool is_small = partition_log_may_journal(m->log, &m->commit);
    m->commit.held_max = partition_log_may_hold(m->log, &m->commit) ? journal_held_max(j) : 0;
    enum err e = partition_log_write(m->log, &m->commit);
    if (e != ERR_OK)
        return e;
    m->is_waiting = is_small && journal_add(j, &m->entry, &m->commit, &begins);
    m->covers += begins;
    if (is_small && !m->is_waiting)
        journal_note_small(j);
    return !m->is_waiting && m->commit.is_held ? partition_log_unhold(m->log, &m->commit) : ERR_OK;
}

enum member_way member_commit(struct member *m)
{
    ASSERT(!m->is_waiting && !m->is_closed);
    log_commit_init(&m->commit);
    partition_log_take(m->log, &m->commit, false, env_wall_ms(m->bench->env));
    enum err e = write_and_journal(m);
    if (e != ERR_OK)
        return commit_failed(m, e);
    partition_log_publish_written(m->log, &m->commit);
    fixture_free_appends(&m->commit.appends);
    if (m->is_waiting)
        return WAY_JOURNAL;
    if (m->commit.sync && partition_log_sync(m->log, &m->commit) != ERR_OK)
        return commit_failed(m, ERR_IO);
    partition_log_publish_durable(m->log, &m->commit);
    m->durable = partition_log_durable(m->log).offset;
    if (m->on_durable != NULL)
        m->on_durable(m);
    return WAY_STRAIGHT;
}

enum member_way member_put(struct member *m, int32_t records, size_t payload)
{
    if (member_append(m, records, payload) != ERR_OK)
        return WAY_FAILED;
    enum member_way way = member_commit(m);
    bench_run(m->bench);
    return m->is_failed ? WAY_FAILED : way;
}

void member_flush(struct member *m)
{
    if (!m->wants_flush || m->is_waiting || m->is_closed)
        return;
    m->wants_flush = false;
    struct log_position durable;
    enum err e = partition_log_flush(m->log, &durable);
    if (e == ERR_NO_SPACE) {
        m->wants_flush = true; /* once more, as housekeeping would */
        return;
    }
    if (e != ERR_OK) {
        m->is_failed = true;
        journal_fail(m->bench->journal);
        return;
    }
    partition_log_publish_sealed(m->log, &durable);
    journal_flushed(m->bench->journal, &m->client, durable.offset);
}

void member_save(struct member *m)
{
    m->checkpoint = partition_log_recovery_point(m->log);
}

enum err member_cut(struct member *m, int64_t offset)
{
    struct log_truncation cut = {0};
    struct log_position flushed;
    enum err e = partition_log_flush(m->log, &flushed);
    if (e != ERR_OK)
        return e;
    partition_log_publish_sealed(m->log, &flushed);
    e = partition_log_truncate_find(m->log, offset, &cut);
    if (e != ERR_OK)
        return e;
    int64_t end = cut.end.offset;
    journal_cut(m->bench->journal, &m->client, end);
    bench_run(m->bench);
    if (!journal_is_noticed(m->bench->journal, &m->client)) {
        producer_state_deinit(&cut.producers);
        return ERR_BUSY;
    }
    m->checkpoint = MIN(m->checkpoint, end);
    m->durable = MIN(m->durable, end);
    partition_log_truncate_publish(m->log, &cut);
    return partition_log_truncate_finish(m->log, &cut);
}
