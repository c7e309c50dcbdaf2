// SPDX-License-Identifier: Apache-2.0
/*
 * log_import_target: the log directories of a Klamm, into which topics are taken over: opened and
 * locked as a broker does it; copies; the entry of the metadata log.
 *
 * Thread: main; blocks.
 * Crash: see log_import.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/log_import.h"
#include "cli/options.h"
#include "log/log_dirs.h"
#include "log/log_file.h"
#include "metadata/config_topic.h"
#include "store/store_frame.h"
#include "wire/record_set.h"

enum { COPY_BYTES = 1 << 20 };

/* ---- opening */

static bool open_dir(struct import *im, struct import_target *target)
{
    struct strbuf why;
    if (im->is_dry_run && log_file_is_missing(im->env, target->path, "meta.properties"))
        return true; /* it would be made */
    strbuf_init(&why);
    enum err e = log_dir_open(im->env, target->path, &why, &target->dir);
    if (e != ERR_OK)
        import_refuse(im, "%s", strbuf_text(&why));
    strbuf_deinit(&why);
    return e == ERR_OK;
}

static void check_identity(struct import *im, const struct import_target *target)
{
    const struct log_dir_identity *id = log_dir_identity(target->dir);
    if (id->is_new)
        return;
    for (size_t i = 0; i < im->source_count; i++) {
        if (uuid_equals(id->directory_id, im->sources[i].identity.directory_id))
            import_refuse(im, "%s is the directory that is taken over", target->path);
    }
    im->was_clean = im->was_clean && log_dir_was_clean(target->dir);
    const struct log_dir_identity *first =
        im->targets[0].dir != NULL ? log_dir_identity(im->targets[0].dir) : id;
    if (first->is_new)
        import_refuse(im, "%s is new, and %s is not: the first is where the metadata log is",
                      im->targets[0].path, target->path);
    else if (strcmp(first->cluster_id, id->cluster_id) != 0 || first->node_id != id->node_id)
        import_refuse(im, "%s is of node %d of cluster %s, and %s is not", target->path,
                      id->node_id, id->cluster_id, im->targets[0].path);
}

/* All that the metadata log says. */
static enum err read_image(struct import *im, struct strbuf *why)
{
    struct file_bytes snapshot = {0}, log = {0};
    enum err e = store_disk_read(&im->store, 0, &snapshot, &log);
    struct image *image = image_new_empty();
    for (int pass = 0; pass < 2 && e == ERR_OK; pass++) { /* the snapshot, then the log */
        const struct file_bytes *bytes = pass == 0 ? &snapshot : &log;
        struct image_entry *entries = NULL;
        size_t count = 0;
        struct store_frame frame;
        for (size_t pos = 0;
             pos < bytes->size && store_frame_read(bytes->data + pos, bytes->size - pos, &frame);
             pos += store_frame_bytes(&frame)) {
            if (frame.size == 0 || (pass == 1 && frame.index <= image_position(image)))
                continue;
            entries = mem_realloc(entries, (count + 1) * sizeof(*entries));
            entries[count++] = (struct image_entry){frame.data, frame.size};
        }
        struct image *next = NULL;
        if (count > 0)
            e = pass == 0 ? image_from_snapshot(entries, count, why, &next)
                          : image_apply(image, entries, count, NULL, why, &next);
        if (next != NULL) {
            image_unref(image);
            image = next;
        }
        mem_free(entries);
    }
    file_bytes_free(&snapshot);
    file_bytes_free(&log);
    if (e == ERR_OK)
        im->image = image;
    else
        image_unref(image);
    return e;
}

static void count_partition(void *arg, const char *topic, int32_t partition)
{
    ++*(int *)arg;
}

static bool has_partitions(struct log_dir *dir)
{
    int count = 0;
    return log_dir_list(dir, count_partition, &count) != ERR_OK || count > 0;
}

static void open_store(struct import *im)
{
    struct import_target *first = &im->targets[0];
    if (first->dir == NULL) {
        im->image = image_new_empty();
        return;
    }
    if (!log_dir_identity(first->dir)->is_new &&
        log_file_is_missing(im->env, first->path, "klamm.metadata") && has_partitions(first->dir)) {
        import_refuse(im,
                      "%s has no klamm.metadata: name the directory first that is the first of "
                      "log.dirs",
                      first->path);
        return;
    }
    struct strbuf why;
    strbuf_init(&why);
    enum err e = store_disk_open(im->env, first->path, &why, &im->store);
    im->has_store = e == ERR_OK;
    if (e == ERR_OK)
        e = read_image(im, &why);
    if (e != ERR_OK)
        import_refuse(im, "the metadata log in %s cannot be read: %s", first->path,
                      why.len > 0 ? strbuf_text(&why) : err_text(e));
    strbuf_deinit(&why);
}

void import_open_targets(struct import *im)
{
    im->was_clean = true;
    im->targets = mem_alloc((size_t)im->target_paths.count * sizeof(*im->targets) + 1);
    for (int i = 0; i < im->target_paths.count; i++) {
        im->targets[im->target_count++].path = im->target_paths.items[i];
        if (!open_dir(im, &im->targets[i]))
            return;
    }
    for (size_t i = 0; i < im->target_count; i++) {
        if (im->targets[i].dir != NULL)
            check_identity(im, &im->targets[i]);
    }
    const struct log_dir *first = im->targets[0].dir;
    bool is_new = first == NULL || log_dir_identity(first)->is_new;
    im->node_id = is_new ? im->sources[0].identity.node_id : log_dir_identity(first)->node_id;
    if (im->refusals == 0)
        open_store(im);
}

static const char *cluster_id_of(const struct import *im)
{
    const struct log_dir_identity *first = log_dir_identity(im->targets[0].dir);
    return first->is_new ? im->sources[0].identity.cluster_id : first->cluster_id;
}

/* Each tells of all, those that are no targets too, so that a broker misses one that is not there.
 */
static enum err list_targets(struct import *im)
{
    struct log_dirs list = {0};
    enum err e = ERR_OK;
    for (size_t i = 0; i < im->target_count; i++) {
        struct log_dir *dir = im->targets[i].dir;
        log_dirs_add(&list, log_dir_identity(dir)->directory_id, log_dir_path(dir));
    }
    for (size_t i = 0; i < im->target_count && e == ERR_OK; i++)
        e = log_dirs_add_known(im->env, log_dir_path(im->targets[i].dir), &list);
    for (size_t i = 0; i < im->target_count && e == ERR_OK; i++)
        e = log_dirs_write(im->env, log_dir_path(im->targets[i].dir), &list);
    log_dirs_free(&list);
    return e;
}

/* New ones become those of the node and cluster that the others are of, or the source is of. */
static enum err prepare_targets(struct import *im)
{
    char cluster_id[sizeof(im->sources[0].identity.cluster_id)];
    snprintf(cluster_id, sizeof(cluster_id), "%s", cluster_id_of(im));
    enum err e = ERR_OK;
    for (size_t i = 0; i < im->target_count && e == ERR_OK; i++) {
        struct log_dir *dir = im->targets[i].dir;
        uint8_t random[16];
        env_random(im->env, random, sizeof(random));
        random[0] &= 0x7f; /* no text that begins with a dash */
        if (log_dir_identity(dir)->is_new)
            e = log_dir_format(dir, im->node_id, cluster_id, uuid_from_random(random));
        if (e == ERR_OK)
            e = log_dir_sweep(dir);
        if (e == ERR_OK)
            e = log_dir_mark_dirty(dir);
    }
    return e == ERR_OK ? list_targets(im) : e;
}

/* ---- copies */

static void show_progress(struct import *im)
{
    char done[CLI_COUNT_SIZE], total[CLI_COUNT_SIZE];
    if (cli_progress_is_due(&im->verify.progress))
        cli_progress_show(&im->verify.progress, "copied %s of %s MB",
                          cli_count(im->copied / 1000000, done),
                          cli_count(im->bytes / 1000000, total));
}

static enum err copy_bytes(struct import *im, struct env_file *from, struct env_file *to,
                           uint8_t *buffer)
{
    int64_t pos = 0;
    for (;;) {
        size_t got = 0;
        enum err e = env_file_read(from, buffer, COPY_BYTES, pos, ENV_WAIT, &got);
        if (e != ERR_OK || got == 0)
            return e;
        struct iovec iov = {buffer, got};
        e = env_file_write(to, &iov, 1, pos);
        if (e != ERR_OK)
            return e;
        pos += (int64_t)got;
        im->copied += (int64_t)got;
        show_progress(im);
    }
}

static enum err copy_file(struct import *im, const char *from_dir, const char *to_dir,
                          const char *name, uint8_t *buffer)
{
    char from_path[LOG_PATH_SIZE], to_path[LOG_PATH_SIZE];
    struct env_file *from = NULL, *to = NULL;
    enum err e = log_file_path(from_path, from_dir, name) && log_file_path(to_path, to_dir, name)
                     ? ERR_OK
                     : ERR_TOO_LARGE;
    if (e == ERR_OK)
        e = env_file_open(im->env, from_path, ENV_READ, &from);
    if (e == ERR_OK)
        e = env_file_open(im->env, to_path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &to);
    if (e == ERR_OK)
        e = copy_bytes(im, from, to, buffer);
    if (e == ERR_OK)
        e = env_file_sync(to);
    if (e != ERR_OK)
        import_refuse(im, "%s/%s: %s", from_dir, name, err_text(e));
    env_file_unref(from);
    env_file_unref(to);
    return e;
}

/* What belongs to a partition and does not wait to be deleted. */
static bool is_copied(const char *name)
{
    struct log_file_name parsed;
    if (log_file_name_parse(name, &parsed))
        return parsed.stage != LOG_STAGE_DELETED;
    return strcmp(name, "leader-epoch-checkpoint") == 0 || strcmp(name, "partition.metadata") == 0;
}

/* "import.ID-delete": the next start of a broker would remove it. */
static enum err make_staged(struct import *im, struct import_partition *partition)
{
    char path[LOG_PATH_SIZE], id[UUID_TEXT_SIZE];
    uint8_t random[16];
    env_random(im->env, random, sizeof(random));
    int len =
        snprintf(path, sizeof(path), "%s/import.%s-delete", im->targets[partition->target].path,
                 uuid_format(uuid_from_random(random), id));
    if (len < 0 || (size_t)len >= sizeof(path))
        return ERR_TOO_LARGE;
    enum err e = env_dir_make(im->env, path);
    if (e == ERR_OK)
        partition->staged = mem_strdup(path);
    return e;
}

static enum err stage(struct import *im, const struct import_topic *topic,
                      struct import_partition *partition, uint8_t *buffer)
{
    char name[LOG_PATH_SIZE], from[LOG_PATH_SIZE];
    struct verify_names names = {0};
    snprintf(name, sizeof(name), "%s-%d", topic->name, partition->index);
    if (!log_file_path(from, im->sources[partition->source].path, name))
        return ERR_TOO_LARGE;
    enum err e = make_staged(im, partition);
    if (e == ERR_OK && !verify_names_list(im->env, from, &names))
        e = ERR_IO;
    for (size_t i = 0; i < names.count && e == ERR_OK; i++) {
        if (!names.items[i].is_dir && is_copied(names.items[i].text))
            e = copy_file(im, from, partition->staged, names.items[i].text, buffer);
    }
    if (e == ERR_OK)
        e = env_dir_sync(im->env, partition->staged);
    verify_names_free(&names);
    return e;
}

static enum err put_in_place(struct import *im, const struct import_topic *topic,
                             struct import_partition *partition)
{
    struct log_dir *dir = im->targets[partition->target].dir;
    char path[LOG_PATH_SIZE];
    if (!log_dir_partition_path(dir, topic->name, partition->index, path, sizeof(path)))
        return ERR_TOO_LARGE;
    enum err e = env_path_rename(im->env, partition->staged, path);
    if (e != ERR_OK)
        return e;
    partition->is_placed = true;
    struct log_dir_checkpoint values = {.recovery_point = MAX(partition->marks.recovery_point, 0),
                                        .log_start = MAX(partition->marks.log_start, 0),
                                        .high_watermark = MAX(partition->marks.high_watermark, 0)};
    /* Also up to where an earlier one of the name was clean. */
    log_dir_checkpoint_drop(dir, topic->name, partition->index);
    log_dir_checkpoint_set(dir, topic->name, partition->index, &values);
    return ERR_OK;
}

/* What an earlier try left under the name has no topic: it is kept, and set aside. In all targets:
 * that try may have chosen another for it, and with two of the same topic a broker takes the one
 * that it finds first. */
static enum err clear_name(struct import *im, const char *topic, int32_t index)
{
    for (size_t i = 0; i < im->target_count; i++) {
        enum err e = log_dir_set_aside(im->targets[i].dir, topic, index);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return e;
    }
    return ERR_OK;
}

/* Also of those that are to be made anew, empty. */
static enum err clear_names(struct import *im)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < im->topic_count && e == ERR_OK; i++) {
        const struct import_topic *topic = &im->all[i];
        for (int32_t p = 0; topic->is_chosen && p < topic->partition_count && e == ERR_OK; p++)
            e = clear_name(im, topic->name, p);
    }
    return e;
}

/* Calls `step` for each partition that is taken over. */
static enum err each_partition(struct import *im,
                               enum err (*step)(struct import *im, const struct import_topic *topic,
                                                struct import_partition *partition,
                                                uint8_t *buffer))
{
    enum err e = ERR_OK;
    uint8_t *buffer = mem_alloc(COPY_BYTES);
    for (size_t i = 0; i < im->topic_count && e == ERR_OK; i++) {
        struct import_topic *topic = &im->all[i];
        for (int32_t p = 0; topic->is_chosen && p < topic->partition_count && e == ERR_OK; p++) {
            if (topic->partitions[p].source != SIZE_MAX)
                e = step(im, topic, &topic->partitions[p], buffer);
        }
    }
    mem_free(buffer);
    return e;
}

static enum err place_step(struct import *im, const struct import_topic *topic,
                           struct import_partition *partition, uint8_t *buffer)
{
    return put_in_place(im, topic, partition);
}

static enum err remove_step(struct import *im, const struct import_topic *topic,
                            struct import_partition *partition, uint8_t *buffer)
{
    struct log_dir *dir = im->targets[partition->target].dir;
    char path[LOG_PATH_SIZE];
    if (partition->staged == NULL ||
        !log_dir_partition_path(dir, topic->name, partition->index, path, sizeof(path)))
        return ERR_OK;
    if (partition->is_placed)
        log_dir_checkpoint_drop(dir, topic->name, partition->index);
    enum err e = log_file_remove_dir(im->env, partition->is_placed ? path : partition->staged);
    if (e != ERR_OK && partition->is_placed)
        import_refuse(im, "%s cannot be removed: %s; the next start sets it aside", path,
                      err_text(e));
    return ERR_OK;
}

/* ---- the metadata */

static void put_record(struct wire_writer *w, const struct metadata_record *record)
{
    enum err e = wire_record_encode(&metadata_record_set, w, record);
    if (e != ERR_OK && w->error == ERR_OK)
        wire_writer_fail(w, e);
}

static void put_topic(struct import *im, struct wire_writer *w, const struct import_topic *topic)
{
    struct metadata_record record;
    wire_record_init(&metadata_record_set, METADATA_TOPIC, &record);
    record.topic.name = wire_str_of(topic->name);
    record.topic.topic_id = topic->id;
    put_record(w, &record);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        wire_record_init(&metadata_record_set, METADATA_PARTITION, &record);
        record.partition.topic_id = topic->id;
        record.partition.index = i;
        record.partition.replicas = (struct wire_i32_array){&im->node_id, 1};
        record.partition.isr = (struct wire_i32_array){&im->node_id, 1};
        record.partition.leader = im->node_id;
        record.partition.leader_epoch = MAX(topic->partitions[i].leader_epoch, 0);
        put_record(w, &record);
    }
    for (int key = 0; key < CONFIG_TOPIC_COUNT; key++) {
        const char *value = config_set_get(&topic->values, key);
        if (value == NULL)
            continue;
        wire_record_init(&metadata_record_set, METADATA_CONFIG, &record);
        record.config.resource_type = RESOURCE_TOPIC;
        record.config.resource_name = wire_str_of(topic->name);
        record.config.key = wire_str_of(config_topic_defs[key].name);
        record.config.value = wire_str_of(value);
        put_record(w, &record);
    }
}

static void put_records(struct import *im, struct wire_writer *w)
{
    struct metadata_record record;
    if (im->next_producer_id > image_next_producer_id(im->image)) {
        wire_record_init(&metadata_record_set, METADATA_PRODUCER_IDS, &record);
        record.producer_ids.next_producer_id = im->next_producer_id;
        record.producer_ids.node_id = im->node_id;
        put_record(w, &record);
    }
    for (size_t i = 0; i < im->topic_count; i++) {
        if (im->all[i].is_chosen)
            put_topic(im, w, &im->all[i]);
    }
}

static void append_done(struct store_append *append)
{
}

/* Does the image take it, then the log. */
static enum err append(struct import *im, const struct wire_writer *w)
{
    struct image_entry applied = {w->data, w->size};
    struct image *image = NULL;
    struct strbuf why;
    strbuf_init(&why);
    enum err e = image_apply(im->image, &applied, 1, NULL, &why, &image);
    if (e != ERR_OK)
        import_refuse(im, "the topics do not fit into the metadata: %s", strbuf_text(&why));
    strbuf_deinit(&why);
    if (e != ERR_OK)
        return e;
    struct store_entry entry = {w->data, (uint32_t)w->size};
    struct store_append one = {
        .expected_head = im->store.head, .entries = &entry, .entry_count = 1, .done = append_done};
    struct list group;
    list_init(&group);
    list_init(&one.link);
    list_push_back(&group, &one.link);
    e = store_disk_append(&im->store, &group);
    image_unref(e == ERR_OK ? im->image : image);
    im->image = e == ERR_OK ? image : im->image;
    return e;
}

/* The first entry of a new metadata log. With it the directory is known as the one that has it,
 * whatever a crash leaves in it. */
static enum err append_cluster_id(struct import *im)
{
    struct metadata_record record;
    struct wire_writer w;
    if (image_cluster_id(im->image)[0] != '\0')
        return ERR_OK;
    wire_writer_init(&w, LIMIT_METADATA_APPEND_BYTES);
    wire_record_init(&metadata_record_set, METADATA_CLUSTER_ID, &record);
    record.cluster_id.cluster_id = wire_str_of(log_dir_identity(im->targets[0].dir)->cluster_id);
    put_record(&w, &record);
    enum err e = w.error == ERR_OK ? append(im, &w) : w.error;
    wire_writer_deinit(&w);
    return e;
}

/* ---- all of it */

static enum err sync_targets(struct import *im)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < im->target_count && e == ERR_OK; i++) {
        e = log_dir_checkpoint_write(im->targets[i].dir);
        if (e == ERR_OK)
            e = env_dir_sync(im->env, im->targets[i].path);
    }
    return e;
}

static void mark_clean(struct import *im)
{
    for (size_t i = 0; i < im->target_count; i++) {
        enum err e = log_dir_mark_clean(im->targets[i].dir);
        if (e != ERR_OK)
            import_refuse(im, "%s cannot be marked as stopped cleanly: %s; the next start scans it",
                          im->targets[i].path, err_text(e));
    }
}

static enum err stage_and_append(struct import *im, const struct wire_writer *w)
{
    enum err e = prepare_targets(im);
    if (e == ERR_OK)
        e = append_cluster_id(im);
    if (e == ERR_OK)
        e = each_partition(im, stage);
    if (e == ERR_OK)
        e = clear_names(im);
    if (e == ERR_OK)
        e = each_partition(im, place_step);
    if (e == ERR_OK)
        e = sync_targets(im);
    if (e == ERR_OK)
        e = append(im, w);
    return e;
}

enum err import_execute(struct import *im)
{
    struct wire_writer w;
    wire_writer_init(&w, LIMIT_METADATA_APPEND_BYTES);
    put_records(im, &w);
    enum err e = w.error;
    if (e == ERR_TOO_LARGE)
        import_refuse(im, "too many topics for one step: take them over in several, by --topic");
    else if (e == ERR_OK)
        e = stage_and_append(im, &w);
    wire_writer_deinit(&w);
    cli_progress_clear(&im->verify.progress);
    if (e == ERR_OK) {
        if (im->was_clean && im->is_clean)
            mark_clean(im);
        return ERR_OK;
    }
    if (im->is_killed)
        return e;
    if (im->store.failed != ERR_OK) { /* then nobody knows whether the entry is there */
        import_refuse(
            im,
            "the metadata log cannot be written: %s; whether the topics are there shows at "
            "the next start of the broker",
            err_text(e));
        return e;
    }
    import_refuse(im, "nothing was taken over: %s", err_text(e));
    enum err removed = each_partition(im, remove_step);
    if (removed == ERR_OK && sync_targets(im) == ERR_OK && im->was_clean)
        mark_clean(im);
    return e;
}
