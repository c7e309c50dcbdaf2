// SPDX-License-Identifier: Apache-2.0
/* log_import_plan: what is to be taken over, and what speaks against it. See log_import.h.
 * Thread: main. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/log_import.h"
#include "cli/options.h"
#include "log/log_file.h"
#include "metadata/config_topic.h"
#include "metadata/topic_name.h"

/* ---- one topic */

static bool is_asked_for(const struct import *im, const struct import_topic *topic)
{
    for (int i = 0; i < im->topics.count; i++) {
        if (strcmp(im->topics.items[i], topic->name) == 0)
            return true;
    }
    return im->topics.count == 0;
}

/* False: none of it lies here, nor should it. */
static bool judge_partitions(struct import *im, const struct import_topic *topic)
{
    struct strbuf missing;
    bool is_ours = false;
    strbuf_init(&missing);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        const struct import_partition *partition = &topic->partitions[i];
        is_ours = is_ours || partition->source != SIZE_MAX || partition->is_replica;
        if (partition->source == SIZE_MAX)
            strbuf_printf(&missing, " %d", i);
        else if (im->has_kraft && !partition->is_assigned)
            import_refuse(im, "partition %d of topic %s: Kafka's metadata has no such partition", i,
                          topic->name);
    }
    if (is_ours && missing.len > 0 && !im->allows_missing)
        import_refuse(im,
                      "topic %s: these partitions are not in the directories named:%s; --allow "
                      "missing makes them anew, empty",
                      topic->name, strbuf_text(&missing));
    strbuf_deinit(&missing);
    return is_ours;
}

static void judge_name(struct import *im, const struct import_topic *topic)
{
    size_t len = strlen(topic->name);
    const char *fault = topic_name_fault(topic->name, len);
    if (fault != NULL)
        import_refuse(im, "topic %s: %s", topic->name, fault);
    if (image_topic(im->image, topic->name, len) != NULL)
        import_refuse(im, "topic %s already exists", topic->name);
    else if (image_topic_by_id(im->image, topic->id) != NULL)
        import_refuse(im, "topic %s: another topic has its id", topic->name);
    struct topic_cursor cursor;
    const struct topic_image *other = topic_cursor_first(&cursor, im->image);
    for (; other != NULL && topic_name_has_collision_chars(topic->name, len);
         other = topic_cursor_next(&cursor)) {
        if (topic_name_len(other) == len && strcmp(topic_name(other), topic->name) != 0 &&
            topic_names_collide(topic_name(other), len, topic->name, len))
            import_refuse(im, "topic %s collides with topic %s in the names of metrics",
                          topic->name, topic_name(other));
    }
}

/* ---- configs */

static void take_configs(struct import *im, struct import_topic *topic)
{
    for (size_t i = 0; i < topic->config_count; i++) {
        const struct import_config *config = &topic->configs[i];
        struct strbuf why;
        strbuf_init(&why);
        if (config_topic_put(&topic->values, config->key, strlen(config->key), config->value,
                             strlen(config->value), &why) != ERR_OK)
            import_leave_out(im, "config %s=%s of topic %s: %s", config->key, config->value,
                             topic->name, strbuf_text(&why));
        strbuf_deinit(&why);
    }
}

/* "topic:key=value" of the command line. */
static void give_config(struct import *im, const char *text)
{
    const char *colon = strchr(text, ':');
    const char *equals = colon != NULL ? strchr(colon, '=') : NULL;
    if (equals == NULL) {
        import_refuse(im, "--config takes TOPIC:KEY=VALUE, not \"%s\"", text);
        return;
    }
    struct import_topic *topic = import_topic_find(im, text, (size_t)(colon - text));
    if (topic == NULL || !topic->is_chosen) {
        import_refuse(im, "--config %s: no such topic is taken over", text);
        return;
    }
    struct strbuf why;
    strbuf_init(&why);
    if (config_topic_put(&topic->values, colon + 1, (size_t)(equals - colon - 1), equals + 1,
                         strlen(equals + 1), &why) != ERR_OK)
        import_refuse(im, "--config %s: %s", text, strbuf_text(&why));
    strbuf_deinit(&why);
}

static void check_configs(struct import *im, const struct import_topic *topic)
{
    struct config_layers layers;
    struct strbuf why;
    config_layers_init(&layers);
    strbuf_init(&why);
    if (config_topic_check(&topic->values, &layers, &why) != ERR_OK)
        import_refuse(im, "topic %s: %s", topic->name, strbuf_text(&why));
    strbuf_deinit(&why);
    config_layers_deinit(&layers);
}

/* "topic:number", where nothing else says how many there are. */
static void give_partitions(struct import *im, const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t count = 0;
    if (colon == NULL || !cli_number_parse(colon + 1, &count) || count < 1 || count > INT32_MAX) {
        import_refuse(im, "--partitions takes TOPIC:NUMBER, not \"%s\"", text);
        return;
    }
    struct import_topic *topic = import_topic_find(im, text, (size_t)(colon - text));
    if (topic == NULL)
        import_refuse(im, "--partitions %s: there is no such topic", text);
    else if (count < topic->partition_count || (im->has_kraft && count != topic->partition_count))
        import_refuse(im, "--partitions %s: topic %s has %d", text, topic->name,
                      topic->partition_count);
    else if (import_partition_at(topic, (int32_t)count - 1) == NULL)
        import_refuse(im, "--partitions %s: that is too many", text);
}

/* ---- where to */

static void place(struct import *im, struct import_partition *partition)
{
    struct import_target *best = &im->targets[0];
    for (size_t i = 1; i < im->target_count; i++) {
        if (im->targets[i].partitions < best->partitions)
            best = &im->targets[i];
    }
    partition->target = (size_t)(best - im->targets);
    best->partitions++;
    best->bytes += partition->bytes;
    im->bytes += partition->bytes;
}

static void check_space(struct import *im)
{
    for (size_t i = 0; i < im->target_count; i++) {
        int64_t free_bytes = 0, total = 0;
        if (im->targets[i].dir != NULL &&
            env_disk_space(im->env, im->targets[i].path, &free_bytes, &total) == ERR_OK &&
            free_bytes < im->targets[i].bytes)
            import_refuse(im, "%s has %" PRId64 " bytes free, %" PRId64 " are needed",
                          im->targets[i].path, free_bytes, im->targets[i].bytes);
    }
}

static void plan_topic(struct import *im, struct import_topic *topic)
{
    if (topic->is_removed || !is_asked_for(im, topic))
        return;
    if (!judge_partitions(im, topic)) {
        import_leave_out(im,
                         "topic %s: no partition of it is in the directories named, and by Kafka's "
                         "metadata other brokers have them",
                         topic->name);
        return;
    }
    topic->is_chosen = true;
    im->chosen_count++;
    judge_name(im, topic);
    take_configs(im, topic);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        if (topic->partitions[i].source != SIZE_MAX)
            place(im, &topic->partitions[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct import_topic *x = a, *y = b;
    return strcmp(x->name, y->name);
}

void import_plan(struct import *im)
{
    ASSERT(im->image != NULL && im->target_count > 0);
    if (im->topic_count > 0)
        qsort(im->all, im->topic_count, sizeof(*im->all), by_name);
    for (int i = 0; i < im->topics.count; i++) {
        const char *name = im->topics.items[i];
        if (import_topic_find(im, name, strlen(name)) == NULL)
            import_refuse(im, "there is no topic %s", name);
    }
    for (int i = 0; i < im->partitions.count; i++)
        give_partitions(im, im->partitions.items[i]);
    for (size_t i = 0; i < im->topic_count; i++)
        plan_topic(im, &im->all[i]);
    for (int i = 0; i < im->configs.count; i++)
        give_config(im, im->configs.items[i]);
    for (size_t i = 0; i < im->topic_count; i++) {
        if (im->all[i].is_chosen)
            check_configs(im, &im->all[i]);
    }
    check_space(im);
}

/* ---- what is in the files */

static void on_epoch(struct log_scan *s, int depth, const struct log_field *fields, size_t count)
{
    struct verify *v = s->owner;
    ASSERT(count == 2);
    v->last_epoch = MAX(v->last_epoch, (int32_t)fields[0].number);
}

static void on_producer(struct log_scan *s, int depth, const struct log_field *fields, size_t count)
{
    struct verify *v = s->owner;
    ASSERT(count == 8);
    v->last_producer_id = MAX(v->last_producer_id, fields[0].number);
    v->has_open_transaction = v->has_open_transaction || fields[7].number >= 0;
}

/* Of all snapshots: ids may be forgotten in the newest, and still be in records. */
static void read_small_files(struct import *im, const char *dir, struct import_partition *partition)
{
    struct verify *v = &im->verify;
    struct verify_names names;
    char path[LOG_PATH_SIZE];
    if (!verify_names_list(im->env, dir, &names))
        return; /* told by verify_partition */
    v->last_epoch = -1;
    v->last_producer_id = -1;
    for (size_t i = 0; i < names.count; i++) {
        enum log_kind kind = log_kind_of(names.items[i].text);
        bool is_snapshot = kind == LOG_KIND_SNAPSHOT;
        if ((!is_snapshot && kind != LOG_KIND_EPOCHS) ||
            !log_file_path(path, dir, names.items[i].text))
            continue;
        v->scan.item = is_snapshot ? on_producer : on_epoch;
        v->has_open_transaction = false; /* of the last snapshot */
        enum err e = log_scan_other(&v->scan, path, kind);
        v->scan.item = NULL;
        if (e != ERR_OK)
            import_refuse(im, "%s: %s", path, err_text(e));
        if (is_snapshot && v->has_open_transaction)
            partition->has_transactions = true;
    }
    partition->leader_epoch = MAX(partition->leader_epoch, v->last_epoch);
    im->next_producer_id = MAX(im->next_producer_id, v->last_producer_id + 1);
    verify_names_free(&names);
}

static void on_group_record(struct log_scan *s, const struct log_batch *b, const struct record *r)
{
    struct verify *v = s->owner;
    if (!batch_is_control(&b->header))
        import_leave_group(container_of(v, struct import, verify), r);
}

static void refuse_fault(struct import *im, const struct verify_fault *fault)
{
    if (fault->pos >= 0)
        import_refuse(im, "%s: position %" PRId64 ": %s", fault->path, fault->pos, fault->text);
    else
        import_refuse(im, "%s: %s", fault->path, fault->text);
}

static void check_partition(struct import *im, const struct import_topic *topic,
                            struct import_partition *partition)
{
    struct verify *v = &im->verify;
    char name[LOG_PATH_SIZE], path[LOG_PATH_SIZE];
    snprintf(name, sizeof(name), "%s-%d", topic->name, partition->index);
    if (!log_file_path(path, im->sources[partition->source].path, name))
        return;
    struct verify_home own = v->home;
    v->home = im->sources[partition->source].home;
    bool is_of_groups = strcmp(topic->name, "__consumer_offsets") == 0;
    v->scan.record = is_of_groups ? on_group_record : NULL;
    verify_partition(v, path);
    v->scan.record = NULL;
    v->home = own;
    read_small_files(im, path, partition);
    for (size_t i = 0; i < v->faults.count; i++)
        refuse_fault(im, &v->faults.items[i]);
    verify_faults_free(&v->faults);
    verify_faults_free(&v->notes);
    if (partition->has_transactions && !im->allows_transactions)
        import_refuse(im,
                      "%s has transactions that were aborted or are under way, which every reader "
                      "would see: Klamm keeps no transactions yet; --allow transactions takes it "
                      "over all the same",
                      path);
}

void import_check_records(struct import *im)
{
    for (size_t i = 0; i < im->topic_count; i++) {
        struct import_topic *topic = &im->all[i];
        for (int32_t p = 0; topic->is_chosen && p < topic->partition_count; p++) {
            if (topic->partitions[p].source != SIZE_MAX)
                check_partition(im, topic, &topic->partitions[p]);
        }
    }
}
