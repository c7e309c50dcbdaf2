// SPDX-License-Identifier: Apache-2.0
/*
 * log_open: from a directory to a log, in steps:
 *   1. the directory and partition.metadata;
 *   2. what a crash left half done is finished (log_names);
 *   3. what the journal has is written into them;
 *   4. each segment is trusted or scanned (log_recovery), up to the first that does not
 *      continue the one before it;
 *   5. leader epochs, producers (log_replay), the log start.
 * All that was scanned is synced, so the log's end is durable when it is open.
 *
 * Thread: any one; blocks.
 * Crash:  may be repeated after any step.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/checkpoint_file.h"
#include "log/journal.h"
#include "log/log_names.h"
#include "log/log_place.h"
#include "log/log_recovery.h"
#include "log/log_replay.h"
#include "log/partition_log_private.h"
#include "log/partition_metadata.h"

static const char epochs_name[] = "leader-epoch-checkpoint";

struct log_opening {
    const struct log_open_options *options;
    struct partition_log *log;
    struct log_names names;
    struct log_recovery recovery;
    bool is_new; /* the directory was made just now: what checkpoints say is of another one */
};

/* ---- the directory */

static enum err make_dir(struct log_opening *o)
{
    enum err e = env_dir_make(o->log->env, o->options->dir);
    if (e == ERR_EXISTS)
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    o->is_new = true;
    o->recovery.recovery_point = 0;
    return log_file_sync_parent(o->log->env, o->options->dir);
}

/* Of one that could not be made elsewhere: what was begun there counts less. */
static enum err write_moved(struct log_opening *o)
{
    if (!o->is_new || o->options->moved == 0)
        return ERR_OK;
    o->names.is_changed = true;
    return log_place_write_moved(o->log->env, o->options->dir, o->options->moved);
}

static enum err write_metadata(struct log_opening *o)
{
    char id[UUID_TEXT_SIZE];
    char text[128];
    int len = snprintf(text, sizeof(text), "version: 0\ntopic_id: %s",
                       uuid_format(o->options->topic_id, id));
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    o->names.is_changed = true;
    return log_file_replace(o->log->env, o->options->dir, LOG_PARTITION_METADATA_NAME, text,
                            (size_t)len);
}

bool log_partition_metadata_parse(char *text, struct uuid *out)
{
    static const char version[] = "version: 0";
    static const char id_key[] = "topic_id: ";
    bool has_version = false;
    bool has_id = false;
    for (char *line = text, *rest; line != NULL; line = rest) {
        rest = strchr(line, '\n');
        if (rest != NULL)
            *rest++ = '\0';
        size_t len = strlen(line);
        while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
            line[--len] = '\0';
        if (strcmp(line, version) == 0)
            has_version = true;
        else if (strncmp(line, id_key, strlen(id_key)) == 0)
            has_id = uuid_parse(line + strlen(id_key), out);
    }
    return has_version && has_id;
}

static enum err check_metadata(struct log_opening *o)
{
    if (uuid_is_zero(o->options->topic_id))
        return ERR_OK;
    struct uuid id;
    enum err e = log_place_read_topic_id(o->log->env, o->options->dir, &id);
    if (e == ERR_NOT_FOUND)
        return write_metadata(o);
    if (e == ERR_CORRUPT)
        recovery_say(&o->recovery, "%s cannot be read", LOG_PARTITION_METADATA_NAME);
    if (e != ERR_OK)
        return e;
    return uuid_equals(id, o->options->topic_id) ? ERR_OK : ERR_CONFLICT;
}

/* It was about to go to another log directory, or went. */
static enum err check_leaving(struct log_opening *o)
{
    const struct log_open_options *options = o->options;
    struct uuid to = {0};
    char id[UUID_TEXT_SIZE];
    if (!o->names.is_leaving || options->stays_here == NULL)
        return ERR_OK;
    enum err e = log_place_read_leaving(o->log->env, options->dir, &to);
    if (e != ERR_OK && e != ERR_CORRUPT)
        return e;
    if (e == ERR_OK && options->stays_here(options->stays_arg, to)) {
        o->names.is_changed = true;
        return log_file_remove(o->log->env, options->dir, LOG_LEAVING_NAME);
    }
    recovery_say(
        &o->recovery,
        "it was to go to the log directory with the id %s: what is there may be newer, and "
        "not all log directories are in service",
        uuid_format(to, id));
    return ERR_STALE;
}

/* The file may be missing or unreadable: what is scanned fills it again. */
static enum err load_epochs(struct log_opening *o)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(o->log->env, o->options->dir, epochs_name, LIMIT_EPOCHS_FILE_BYTES,
                               &data, &size);
    if (e == ERR_OK && leader_epochs_read(&o->log->epochs, data, size) != ERR_OK)
        recovery_say(&o->recovery, "%s cannot be read", epochs_name);
    mem_free(data);
    return e == ERR_NOT_FOUND || e == ERR_TOO_LARGE ? ERR_OK : e;
}

/* ---- segments */

static enum err create_first(struct log_opening *o)
{
    struct segment *seg = segment_new(o->log->home, 0, env_wall_ms(o->log->env));
    enum err e = segment_create(seg);
    if (e == ERR_OK)
        e = log_preallocate(&o->log->config, seg);
    segment_close_files(seg);
    if (e != ERR_OK) {
        segment_unref(seg);
        return e;
    }
    o->names.is_changed = true;
    log_push_segment(o->log, seg);
    return ERR_OK;
}

static enum err load_segment(struct log_opening *o, struct segment *seg, int64_t next_base)
{
    bool is_last = next_base < 0;
    ASSERT(is_last || next_base > seg->base_offset);
    bool was_clean = o->options->was_clean;
    /* Nothing durable behind the roll: its sync may be missing, and a preallocated file long. */
    if (!is_last && (was_clean || next_base < o->recovery.recovery_point))
        return recovery_trust(&o->recovery, seg, next_base);
    enum err e = was_clean ? recovery_trust_last(&o->recovery, seg) : ERR_AGAIN;
    if (e == ERR_AGAIN) {
        struct log_recovery recovery = o->recovery;
        if (was_clean) /* also when the checkpoint was lost: nothing here may be torn */
            recovery.recovery_point = RECOVERY_POINT_END;
        recovery.next_base = is_last || was_clean ? 0 : next_base;
        e = recovery_scan(&recovery, seg, !is_last);
    }
    /* Nothing durable was lost: if its last records are not there, compaction took them. */
    if (e == ERR_OK && next_base == o->recovery.recovery_point)
        seg->tail.next_offset = MAX(seg->tail.next_offset, next_base);
    return e;
}

/* Does the next segment begin where this one ends? Only sealed ones of which all is durable may
 * leave a hole: compaction makes it. */
static enum err check_border(struct log_opening *o, const struct segment *seg, int64_t next_base,
                             bool *continues)
{
    *continues = next_base < 0 || seg->tail.next_offset == next_base;
    if (*continues || seg->tail.next_offset >= o->recovery.recovery_point)
        return ERR_OK;
    recovery_say(&o->recovery,
                 "%020" PRId64 ".log ends at offset %" PRId64 ", below the recovery point %" PRId64,
                 seg->base_offset, seg->tail.next_offset, o->recovery.recovery_point);
    o->recovery.report->cut_below_recovery_point = true;
    return ERR_CORRUPT;
}

static int64_t next_log(const struct log_names *names, size_t *at)
{
    while (*at < names->count && names->items[*at].kind != LOG_FILE_LOG)
        (*at)++;
    return *at < names->count ? names->items[(*at)++].offset : -1;
}

static enum err load_segments(struct log_opening *o)
{
    struct partition_log *log = o->log;
    int64_t now_ms = env_wall_ms(log->env);
    size_t at = 0;
    bool continues = true;
    int64_t base = next_log(&o->names, &at);
    while (base >= 0) {
        int64_t next_base = next_log(&o->names, &at);
        struct segment *seg = segment_new(log->home, base, now_ms);
        enum err e;
        if (continues) {
            e = load_segment(o, seg, next_base);
            if (e == ERR_OK)
                log_push_segment(log, segment_ref(seg));
            if (e == ERR_OK)
                e = check_border(o, seg, next_base, &continues);
        } else {
            e = recovery_set_aside(&o->recovery, seg);
            o->names.is_changed = true;
        }
        segment_unref(seg);
        if (e != ERR_OK)
            return e;
        base = next_base;
    }
    enum err e = continues ? ERR_OK : log_names_list(&o->names, log->home); /* fewer are left */
    return e == ERR_OK && log->segment_count == 0 ? create_first(o) : e;
}

/* ---- the whole */

static void set_ends(struct log_opening *o)
{
    struct partition_log *log = o->log;
    ASSERT(log->segment_count > 0);
    const struct segment *last = log_last_segment(log);
    for (uint32_t i = 0; i < log->segment_count; i++)
        log->size_bytes += log->segments[i]->tail.size;
    log->written = (struct log_position){.offset = last->tail.next_offset,
                                         .segment_base = last->base_offset,
                                         .pos = last->tail.size};
    log->durable = log->written;
    log->synced = log->written.offset;
    log->sync_claimed = log->durable.offset;
    log->log_start = log->segments[0]->base_offset;
    log_reset_layout(log);
    if (log->written.offset < o->recovery.recovery_point) {
        o->recovery.report->cut_below_recovery_point = true;
        recovery_say(&o->recovery, "ends at offset %" PRId64 ", below the recovery point %" PRId64,
                     log->written.offset, o->recovery.recovery_point);
    }
    /* One above the end is of another log with this name; nothing is hidden for it. */
    if (!o->is_new && o->options->log_start <= log->written.offset)
        partition_log_raise_start(log, o->options->log_start);
    leader_epochs_cut_end(&log->epochs, log->written.offset);
    leader_epochs_cut_start(&log->epochs, log->log_start);
}

/* What the journal has and a power cut may have taken from the segments. */
static enum err replay_journal(struct log_opening *o)
{
    const struct log_open_options *options = o->options;
    if (options->journal == NULL)
        return ERR_OK;
    struct journal_target target = {.topic_id = options->topic_id,
                                    .partition = options->partition,
                                    .dir = options->dir,
                                    .recovery_point = o->recovery.recovery_point};
    int64_t first_offset = -1;
    enum err e = journal_replay(options->journal, &target, o->recovery.report, &first_offset);
    if (e == ERR_OK && first_offset >= 0) {
        uint64_t generation = journal_generation(options->journal);
        o->log->journaled[generation % 2] = (struct log_journaled){generation, first_offset};
    }
    return e;
}

/* Is all on disk that a clean stop leaves there? Then the next one, without a write in between,
 * finds nothing to do. A preallocated file is still to be cut. */
static bool is_as_stopped(const struct log_opening *o)
{
    const struct partition_log *log = o->log;
    if (o->is_new)
        return !log->config.preallocate;
    int64_t end = log->written.offset;
    bool has_snapshot =
        end == log->segments[0]->base_offset || log_names_has(&o->names, LOG_FILE_SNAPSHOT, end);
    return o->options->was_clean && o->recovery.report->scanned_bytes == 0 && has_snapshot;
}

static enum err open_all(struct log_opening *o)
{
    struct partition_log *log = o->log;
    enum err e = make_dir(o);
    if (e == ERR_OK)
        e = write_moved(o);
    if (e == ERR_OK)
        e = check_metadata(o);
    if (e == ERR_OK)
        e = load_epochs(o);
    bool wrote_names = o->names.is_changed;
    if (e == ERR_OK)
        e = log_names_load(&o->names, log->home, o->recovery.buffer, RECOVERY_BUFFER);
    o->names.is_changed = o->names.is_changed || wrote_names;
    if (e == ERR_OK)
        e = check_leaving(o);
    if (e == ERR_OK)
        e = replay_journal(o);
    if (e == ERR_OK)
        e = load_segments(o);
    if (e != ERR_OK)
        return e;
    set_ends(o);
    struct log_replay replay = {.log = log,
                                .producers = &log->producers,
                                .end = log->written.offset,
                                .names = &o->names,
                                .buffer = o->recovery.buffer};
    e = log_replay_producers(&replay);
    log->is_as_stopped = is_as_stopped(o);
    for (uint32_t i = 0; i < log->segment_count; i++)
        segment_close_files(log->segments[i]);
    /* A process that was killed may have left names that no sync covers, and what we found under
     * them counts as durable from now on. */
    if (e == ERR_OK && (o->names.is_changed || !o->options->was_clean))
        e = env_dir_sync(log->env, o->options->dir);
    return e;
}

static struct partition_log *log_blank(struct env *env, const struct log_open_options *options)
{
    struct partition_log *log = mem_alloc(sizeof(*log));
    log->env = env;
    log->home = log_home_new(env, options->files, options->dir);
    log->config = *options->config;
    log->held = log_nothing_held;
    log->writer_held = log_nothing_held;
    list_init(&log->pending);
    list_init(&log->unsynced);
    leader_epochs_init(&log->epochs);
    producer_state_init(&log->producers);
    prng_seed(&log->jitter, options->jitter_seed);
    return log;
}

enum err partition_log_open(struct env *env, const struct log_open_options *options,
                            struct log_open_report *report, struct partition_log **out)
{
    ASSERT(options->dir != NULL && options->config != NULL);
    ASSERT(options->recovery_point >= 0 && options->log_start >= 0);
    *report = (struct log_open_report){0};
    uint8_t *buffer = mem_try(RECOVERY_BUFFER);
    if (buffer == NULL)
        return ERR_NO_MEMORY;
    struct partition_log *log = log_blank(env, options);
    struct log_opening o = {.options = options, .log = log};
    o.recovery = (struct log_recovery){
        .env = env,
        .home = log->home,
        .report = report,
        .epochs = &log->epochs,
        .recovery_point = options->recovery_point,
        .index_interval_bytes = options->config->index_interval_bytes,
        .is_compacted = options->config->cleanup_compact,
        .scanned = options->scanned,
        .buffer = buffer,
    };
    enum err e = open_all(&o);
    log_names_deinit(&o.names);
    mem_free(buffer);
    if (e != ERR_OK) {
        partition_log_free(log);
        return e;
    }
    log->active = segment_ref(log_last_segment(log));
    log->active_tail = log->active->tail;
    ASSERT(log->durable.offset == log->written.offset);
    partition_log_check(log);
    *out = log;
    return ERR_OK;
}

void partition_log_free(struct partition_log *log)
{
    if (log == NULL)
        return;
    ASSERT(list_is_empty(&log->pending));
    ASSERT(!log->is_taken);
    for (struct list *node; (node = list_pop_front(&log->unsynced)) != NULL;)
        segment_unref(container_of(node, struct segment, unsynced_link));
    for (uint32_t i = 0; i < log->segment_count; i++)
        segment_unref(log->segments[i]);
    segment_unref(log->active);
    mem_free(log->segments);
    mem_free(log->recent);
    mem_free(log->fault);
    leader_epochs_deinit(&log->epochs);
    producer_state_deinit(&log->producers);
    log_home_unref(log->home);
    mem_free(log);
}
