// SPDX-License-Identifier: Apache-2.0
/* log_import_source: the log directories of a Kafka and the partitions in them. See log_import.h.
 * Thread: main. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/log_import.h"
#include "cli/options.h"
#include "log/checkpoint_file.h"
#include "log/log_file.h"
#include "log/partition_metadata.h"

enum { META_BYTES_MAX = 64 << 10, PARTITIONS_MAX = 1000000 };

/* ---- topics by name */

struct import_topic *import_topic_find(struct import *im, const char *name, size_t len)
{
    for (size_t n = 0; n < im->topic_count; n++) { /* mostly the one that was found before */
        size_t i = (im->found + im->topic_count - n) % im->topic_count;
        struct import_topic *topic = &im->all[i];
        if (topic->is_removed || strlen(topic->name) != len || memcmp(topic->name, name, len) != 0)
            continue;
        im->found = i;
        return topic;
    }
    return NULL;
}

struct import_topic *import_topic_by_id(struct import *im, struct uuid id)
{
    for (size_t n = 0; n < im->topic_count; n++) {
        size_t i = (im->found + im->topic_count - n) % im->topic_count;
        if (im->all[i].is_removed || !uuid_equals(im->all[i].id, id))
            continue;
        im->found = i;
        return &im->all[i];
    }
    return NULL;
}

struct import_topic *import_topic_add(struct import *im, const char *name, size_t len)
{
    if (im->topic_count == im->topic_capacity) {
        im->topic_capacity = MAX(2 * im->topic_capacity, (size_t)16);
        im->all = mem_realloc(im->all, im->topic_capacity * sizeof(*im->all));
    }
    im->found = im->topic_count++;
    struct import_topic *topic = &im->all[im->found];
    *topic = (struct import_topic){.name = mem_alloc(len + 1)};
    memcpy(topic->name, name, len);
    config_set_init(&topic->values);
    return topic;
}

struct import_partition *import_partition_at(struct import_topic *topic, int32_t index)
{
    if (index < 0 || index >= PARTITIONS_MAX)
        return NULL;
    if (index >= topic->partition_count) {
        topic->partitions =
            mem_realloc(topic->partitions, ((size_t)index + 1) * sizeof(*topic->partitions));
        for (int32_t i = topic->partition_count; i <= index; i++)
            topic->partitions[i] = (struct import_partition){
                .index = i, .leader_epoch = -1, .source = SIZE_MAX, .marks = {-1, -1, -1}};
        topic->partition_count = index + 1;
    }
    return &topic->partitions[index];
}

/* ---- a directory */

/* False: somebody uses it. Kafka removes its .lock when it stops; where none is, nobody runs. */
static bool take_lock(struct import *im, struct import_source *source)
{
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, source->path, ".lock") ||
        env_file_open(im->env, path, ENV_READ | ENV_WRITE, &source->lock) != ERR_OK)
        return true;
    return env_file_lock(source->lock) != ERR_BUSY;
}

static bool read_identity(struct import *im, struct import_source *source)
{
    char path[LOG_PATH_SIZE];
    uint8_t *text = NULL;
    size_t size;
    struct strbuf why;
    strbuf_init(&why);
    enum err e = log_file_path(path, source->path, "meta.properties") ? ERR_OK : ERR_TOO_LARGE;
    if (e == ERR_OK)
        e = log_scan_read(&im->verify.scan, path, META_BYTES_MAX, &text, &size);
    if (e == ERR_OK)
        e = log_dir_parse_meta((char *)text, &why, &source->identity);
    if (e != ERR_OK)
        import_refuse(im, "%s is no log directory: meta.properties: %s", source->path,
                      why.len > 0 ? strbuf_text(&why) : err_text(e));
    mem_free(text);
    strbuf_deinit(&why);
    return e == ERR_OK;
}

static bool open_source(struct import *im, struct import_source *source)
{
    if (!read_identity(im, source))
        return false;
    const struct import_source *first = &im->sources[0];
    if (strcmp(source->identity.cluster_id, first->identity.cluster_id) != 0 ||
        source->identity.node_id != first->identity.node_id) {
        import_refuse(im, "%s is of node %d of cluster %s, and %s of node %d of cluster %s",
                      source->path, source->identity.node_id, source->identity.cluster_id,
                      first->path, first->identity.node_id, first->identity.cluster_id);
        return false;
    }
    if (!take_lock(im, source)) {
        import_refuse(im, "%s is in use: stop the broker", source->path);
        return false;
    }
    verify_home_read(&im->verify, source->path);
    source->home = im->verify.home;
    im->verify.home = (struct verify_home){0};
    source->home.is_in_use = false; /* the lock is ours */
    struct env_file *mark = NULL;
    char path[LOG_PATH_SIZE];
    source->home.is_clean = log_file_path(path, source->path, ".kafka_cleanshutdown") &&
                            env_file_open(im->env, path, ENV_READ, &mark) == ERR_OK;
    env_file_unref(mark);
    im->is_clean = im->is_clean && source->home.is_clean;
    if (!source->home.is_clean && !im->allows_unclean)
        import_refuse(
            im,
            "%s was not stopped cleanly: start that Kafka and stop it, or --allow unclean "
            "lets Klamm recover it",
            source->path);
    return true;
}

/* ---- partitions */

static bool read_id(struct import *im, const char *dir, struct uuid *out)
{
    char path[LOG_PATH_SIZE];
    uint8_t *text = NULL;
    size_t size;
    bool is_read = log_file_path(path, dir, "partition.metadata") &&
                   log_scan_read(&im->verify.scan, path, META_BYTES_MAX, &text, &size) == ERR_OK &&
                   log_partition_metadata_parse((char *)text, out);
    mem_free(text);
    return is_read;
}

/* Kafka's own topics that Klamm has no use for. */
static const char *const left_out_names[] = {"__transaction_state", "__share_group_state",
                                             "__remote_log_metadata"};

static bool is_left_out(const char *topic)
{
    for (size_t i = 0; i < ARRAY_COUNT(left_out_names); i++) {
        if (strcmp(topic, left_out_names[i]) == 0)
            return true;
    }
    return false;
}

static int64_t size_of(struct env *env, const char *path)
{
    struct env_file *file = NULL;
    int64_t size = 0;
    if (env_file_open(env, path, ENV_READ, &file) != ERR_OK || env_file_size(file, &size) != ERR_OK)
        size = 0;
    env_file_unref(file);
    return size;
}

static void add_facts(struct import *im, const char *dir, struct import_partition *partition)
{
    struct verify_names names;
    if (!verify_names_list(im->env, dir, &names)) {
        import_refuse(im, "%s cannot be read", dir);
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        char path[LOG_PATH_SIZE];
        if (names.items[i].is_dir || !log_file_path(path, dir, names.items[i].text))
            continue;
        int64_t size = size_of(im->env, path);
        partition->bytes += size;
        if (log_kind_of(names.items[i].text) == LOG_KIND_TXNINDEX && size > 0)
            partition->has_transactions = true;
    }
    verify_names_free(&names);
}

static void take_partition(struct import *im, size_t source, const char *name)
{
    char topic_name[CHECKPOINT_TOPIC_SIZE];
    char path[LOG_PATH_SIZE];
    int32_t index;
    struct uuid id = {{0}};
    if (!log_dir_parse_partition(name, topic_name, sizeof(topic_name), &index) ||
        !log_file_path(path, im->sources[source].path, name) ||
        strcmp(topic_name, "__cluster_metadata") == 0)
        return;
    if (is_left_out(topic_name)) {
        if (import_topic_find(im, topic_name, strlen(topic_name)) == NULL)
            import_topic_add(im, topic_name, strlen(topic_name)); /* for tell_left_out */
        return;
    }
    if (!read_id(im, path, &id)) {
        import_refuse(im, "%s has no valid partition.metadata, so its topic's id is not known",
                      path);
        return;
    }
    struct import_topic *topic = import_topic_find(im, topic_name, strlen(topic_name));
    if (topic == NULL && !im->has_kraft) {
        topic = import_topic_add(im, topic_name, strlen(topic_name));
        topic->id = id;
    }
    if (topic == NULL || (im->has_kraft && !uuid_equals(topic->id, id))) {
        import_leave_out(im,
                         "%s: Kafka's metadata has no topic %s with the id in its "
                         "partition.metadata; it was deleted",
                         path, topic_name);
        return;
    }
    struct import_partition *partition = import_partition_at(topic, index);
    if (partition == NULL || !uuid_equals(topic->id, id) || partition->source != SIZE_MAX) {
        import_refuse(im, "%s: partition %d of topic %s is there twice, or with another topic's id",
                      path, index, topic_name);
        return;
    }
    partition->source = source;
    partition->marks = verify_marks_of(&im->sources[source].home, name);
    add_facts(im, path, partition);
}

/* "topic-0.ID-delete" or "-stray". */
static bool is_set_aside(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *dash = strrchr(name, '-');
    return dot != NULL && dash > dot &&
           (strcmp(dash, "-delete") == 0 || strcmp(dash, "-stray") == 0);
}

static void take_partitions(struct import *im, size_t source)
{
    struct verify_names names;
    if (!verify_names_list(im->env, im->sources[source].path, &names)) {
        import_refuse(im, "%s cannot be read", im->sources[source].path);
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        const struct verify_name *name = &names.items[i];
        if (name->is_dir && is_set_aside(name->text))
            import_leave_out(im, "%s/%s: Kafka has deleted it, or set it aside",
                             im->sources[source].path, name->text);
        else if (name->is_dir)
            take_partition(im, source, name->text);
    }
    verify_names_free(&names);
}

/* Once for each topic, not for each of its partitions. */
static void tell_left_out(struct import *im)
{
    for (size_t i = 0; i < ARRAY_COUNT(left_out_names); i++) {
        const char *name = left_out_names[i];
        struct import_topic *topic = import_topic_find(im, name, strlen(name));
        if (topic != NULL) {
            topic->is_removed = true;
            import_leave_out(im, "topic %s: Klamm keeps no such state", name);
        }
    }
}

void import_read_sources(struct import *im)
{
    im->is_clean = true;
    im->sources = mem_alloc((size_t)im->source_paths.count * sizeof(*im->sources) + 1);
    for (int i = 0; i < im->source_paths.count; i++) {
        im->sources[im->source_count++].path = im->source_paths.items[i];
        if (!open_source(im, &im->sources[i]))
            return;
    }
    import_read_kraft(im);
    for (size_t i = 0; i < im->source_count && im->refusals == 0; i++)
        take_partitions(im, i);
    tell_left_out(im);
}
