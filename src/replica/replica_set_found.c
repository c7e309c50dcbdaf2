// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_found: what the log directories held at the start, and what of it counts.
 *
 * Most partitions have one directory, of which nothing is asked. Some have several of one name: a
 * crash came amid a move, a partition was made anew where the first disk had failed, or a topic was
 * deleted and made again while a log directory was out of service. Then each says whose it is and
 * how often it was moved (log/log_place.h): of those of the topic the one with the highest number
 * counts. Where one cannot be asked the partition is offline until the next start: the older one
 * lacks what was acknowledged last.
 *
 * The others are dealt with when the first update was followed: those of other topics are renamed
 * to "-stray"; those of the topic are removed once the one that counts is open.
 *
 * Thread: replica_set_scan: the start; replica_set_set_strays_aside: a worker, while nothing is
 * followed; both block. The others: the set's loop.
 */
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/log_file.h"
#include "log/log_place.h"
#include "replica/replica_set_private.h"

struct found_dir {
    struct list link;
    struct map_node node; /* by topic and index; several may have the same */
    size_t dir;
    int32_t index;
    bool has_twins; /* then: */
    enum err error; /* it could not be asked */
    struct log_place place;
    char topic[];
};

/* ---- by name */

uint64_t replica_set_name_hash(const struct replica_set *set, const char *topic, int32_t index)
{
    return hash_bytes(set->found_seed, topic, strlen(topic)) ^ hash_u64((uint64_t)index);
}

static struct found_dir *same_name(struct map_node *node, const char *topic, int32_t index)
{
    for (; node != NULL; node = map_next_same(node)) {
        struct found_dir *found = container_of(node, struct found_dir, node);
        if (found->index == index && strcmp(found->topic, topic) == 0)
            return found;
    }
    return NULL;
}

static struct found_dir *first_named(const struct replica_set *set, const char *topic,
                                     int32_t index)
{
    return same_name(map_first(&set->found_map, replica_set_name_hash(set, topic, index)), topic,
                     index);
}

static struct found_dir *next_named(struct found_dir *found)
{
    return same_name(map_next_same(&found->node), found->topic, found->index);
}

static struct found_dir *find_in(const struct replica_set *set, const char *topic, int32_t index,
                                 size_t dir)
{
    struct found_dir *found = first_named(set, topic, index);
    while (found != NULL && found->dir != dir)
        found = next_named(found);
    return found;
}

/* ---- looking */

struct scan {
    struct replica_set *set;
    size_t dir;
};

static void scan_found(void *arg, const char *topic, int32_t partition)
{
    struct scan *scan = arg;
    struct replica_set *set = scan->set;
    size_t size = strlen(topic) + 1;
    struct found_dir *found = mem_alloc(sizeof(*found) + size);
    found->dir = scan->dir;
    found->index = partition;
    memcpy(found->topic, topic, size);
    for (struct found_dir *twin = first_named(set, topic, partition); twin != NULL;
         twin = next_named(twin))
        twin->has_twins = found->has_twins = true;
    list_push_back(&set->found, &found->link);
    map_insert(&set->found_map, &found->node, replica_set_name_hash(set, topic, partition));
}

static void scan_future(void *arg, const char *name, const char *topic, int32_t partition)
{
    struct scan *scan = arg;
    replica_set_found_copy(scan->set, scan->dir, name, topic, partition);
}

static bool is_found_here(void *arg, const char *topic, int32_t partition)
{
    const struct scan *scan = arg;
    return find_in(scan->set, topic, partition, scan->dir) != NULL;
}

/* What it holds nobody knows: nothing may be begun anew elsewhere. */
static void lose_dir(struct replica_set *set, size_t dir, enum err e)
{
    set->has_lost_dir = true;
    replica_set_dir_failed(set, dir, e, "the listing of its partitions");
}

static void scan_dir(struct replica_set *set, size_t index)
{
    struct scan scan = {set, index};
    struct log_dir *dir = set->options.dirs[index];
    enum err e = log_dir_list(dir, scan_found, &scan);
    if (e == ERR_OK)
        e = log_dir_list_futures(dir, scan_future, &scan);
    if (e != ERR_OK)
        lose_dir(set, index, e);
    else /* a crash may have come between the end of a partition and the next checkpoint */
        log_dir_checkpoint_keep_only(dir, is_found_here, &scan);
}

static bool path_of(const struct replica_set *set, const struct found_dir *found,
                    char path[LOG_PATH_SIZE])
{
    return log_dir_partition_path(set->options.dirs[found->dir], found->topic, found->index, path,
                                  LOG_PATH_SIZE);
}

static void ask(struct replica_set *set, struct found_dir *found)
{
    char path[LOG_PATH_SIZE];
    found->error =
        path_of(set, found, path) ? log_place_read(set->env, path, &found->place) : ERR_TOO_LARGE;
    if (found->error != ERR_OK)
        log_error(set->env,
                  "%s-%d is in more than one log directory, and what is in %s does not say which "
                  "counts: %s",
                  found->topic, found->index, log_dir_path(set->options.dirs[found->dir]),
                  err_text(found->error));
}

void replica_set_scan(struct replica_set *set)
{
    env_random(set->env, &set->found_seed, sizeof(set->found_seed));
    for (size_t i = 0; i < set->options.dir_count; i++) {
        if (!log_dir_has_failed(set->options.dirs[i]))
            scan_dir(set, i);
    }
    LIST_FOR_EACH (node, &set->found) {
        struct found_dir *found = container_of(node, struct found_dir, link);
        if (found->has_twins)
            ask(set, found);
    }
}

/* ---- which counts */

/* Is `found` of this topic, and does it count more than `best` (NULL: none yet)? One that says no
 * topic was begun and not served, or is older than topic ids. */
static bool counts_more(const struct found_dir *found, const struct found_dir *best,
                        struct uuid topic_id)
{
    bool is_sure = uuid_equals(found->place.topic_id, topic_id);
    if (!is_sure && !uuid_is_zero(found->place.topic_id))
        return false;
    if (best == NULL)
        return true;
    bool best_is_sure = uuid_equals(best->place.topic_id, topic_id);
    if (is_sure != best_is_sure)
        return is_sure;
    if (found->place.moved != best->place.moved)
        return (found->place.moved > best->place.moved) != CANARY(MOVE_TWIN);
    return found->dir < best->dir;
}

/* NULL: none; *is_torn: nobody can tell. */
static struct found_dir *what_counts(const struct replica_set *set, const char *topic,
                                     int32_t index, struct uuid topic_id, bool *is_torn)
{
    *is_torn = false;
    struct found_dir *found = first_named(set, topic, index);
    if (found == NULL || !found->has_twins)
        return found; /* whose it is shows when it is opened */
    struct found_dir *best = NULL;
    for (; found != NULL; found = next_named(found)) {
        *is_torn |= found->error != ERR_OK;
        if (counts_more(found, best, topic_id))
            best = found;
    }
    return *is_torn ? NULL : best;
}

enum replica_place replica_set_find_dir(const struct replica_set *set, const char *topic,
                                        int32_t index, struct uuid topic_id, size_t *dir)
{
    bool is_torn;
    const struct found_dir *found = what_counts(set, topic, index, topic_id, &is_torn);
    *dir = found != NULL ? found->dir : SIZE_MAX;
    if (is_torn)
        return REPLICA_IS_TORN;
    return found != NULL ? REPLICA_IS_FOUND : REPLICA_IS_NOWHERE;
}

/* ---- the others */

static void forget(struct replica_set *set, struct found_dir *found)
{
    map_remove(&set->found_map, &found->node);
    list_remove(&found->link);
    mem_free(found);
}

void replica_set_forget_one_found(struct replica_set *set, const char *topic, int32_t index,
                                  size_t dir)
{
    struct found_dir *found = find_in(set, topic, index, dir);
    if (found != NULL)
        forget(set, found);
}

void replica_set_forget_found(struct replica_set *set)
{
    LIST_FOR_EACH_SAFE (node, &set->found)
        forget(set, container_of(node, struct found_dir, link));
    map_deinit(&set->found_map);
}

enum err replica_set_set_aside(struct replica_set *set, size_t index, const char *topic,
                               int32_t partition, const char *whose)
{
    struct log_dir *dir = set->options.dirs[index];
    enum err e = log_dir_set_aside(dir, topic, partition);
    log_warn(set->env, "%s/%s-%d is of %s: %s", log_dir_path(dir), topic, partition, whose,
             e == ERR_OK ? "renamed to -stray" : err_text(e));
    return e;
}

/* Where that fails it stays, and the next start comes to it again. */
static void set_aside(struct replica_set *set, const struct found_dir *found, const char *whose)
{
    enum err ignored = replica_set_set_aside(set, found->dir, found->topic, found->index, whose);
    (void)ignored;
}

/* The partition has another directory, which has everything. */
static void remove_older(struct replica_set *set, const struct found_dir *found,
                         const struct found_dir *newer)
{
    char path[LOG_PATH_SIZE];
    char renamed[LOG_PATH_SIZE] = "";
    struct log_dir *dir = set->options.dirs[found->dir];
    enum err e =
        path_of(set, found, path) ? partition_log_doom_dir(set->env, path, renamed) : ERR_TOO_LARGE;
    if (e == ERR_OK)
        log_dir_checkpoint_drop(dir, found->topic, found->index);
    if (e == ERR_OK && renamed[0] != '\0')
        e = log_file_remove_dir(set->env, renamed);
    if (e == ERR_OK)
        log_info(set->env, "%s-%d is in %s; what an earlier start left in %s is removed",
                 found->topic, found->index, log_dir_path(set->options.dirs[newer->dir]), path);
    else
        log_error(set->env, "%s-%d is in %s; what an earlier start left in %s stays: %s",
                  found->topic, found->index, log_dir_path(set->options.dirs[newer->dir]), path,
                  err_text(e));
}

static bool is_open(struct replica_set *set, struct uuid topic_id, int32_t index)
{
    enum kerr error;
    struct partition *partition = replica_set_find(set, topic_id, index, &error);
    partition_unref(partition);
    return partition != NULL;
}

/* What to do with one that does not count. */
static bool settle_twin(struct replica_set *set, const struct found_dir *found, struct uuid id)
{
    bool is_torn;
    const struct found_dir *counts = what_counts(set, found->topic, found->index, id, &is_torn);
    if (is_torn || counts == found)
        return false;
    if (!uuid_is_zero(found->place.topic_id) && !uuid_equals(found->place.topic_id, id)) {
        set_aside(set, found, REPLICA_OF_ANOTHER_TOPIC);
        return true;
    }
    if (counts == NULL || !is_open(set, id, found->index))
        return false; /* it may be all that there is */
    if (counts->place.moved > found->place.moved || uuid_is_zero(found->place.topic_id))
        remove_older(set, found, counts);
    else
        log_error(set->env, "%s-%d is in %s and in %s: the first is taken, the second left alone",
                  found->topic, found->index, log_dir_path(set->options.dirs[counts->dir]),
                  log_dir_path(set->options.dirs[found->dir]));
    return false;
}

uint32_t replica_set_set_strays_aside(struct replica_set *set, const struct image *image)
{
    uint32_t count = 0;
    LIST_FOR_EACH (node, &set->found) {
        const struct found_dir *found = container_of(node, struct found_dir, link);
        const struct topic_image *topic = image_topic(image, found->topic, strlen(found->topic));
        if (replica_set_dir_is_offline(set, found->dir))
            continue;
        if (topic == NULL || topic_partition(topic, found->index) == NULL) {
            set_aside(set, found, "no known topic");
            count++;
        } else if (found->has_twins) {
            count += settle_twin(set, found, topic_id(topic));
        }
    }
    replica_set_forget_found(set);
    return count;
}
