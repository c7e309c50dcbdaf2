// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_placing: in which of the directories a partition is, where that is not plain: one
 * that is not made yet and was asked for somewhere, a copy that did not end before this start, a
 * partition with two directories after a crash (replica_set_move.h).
 *
 * Thread: the set's loop; replica_set_found_copy and replica_set_settle_twins: the start; block.
 */
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/limits.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/log_copy.h"
#include "log/log_file.h"
#include "replica/replica_move_private.h"

/* A partition that is not here yet, and where it is to be made; forgotten by a stop, as in Kafka.
 */
struct preferred_dir {
    struct map_node node;
    size_t dir;
    int32_t index;
    char topic[];
};

/* A copy that did not end before this start. */
struct found_copy {
    struct list link;
    size_t dir;
    int32_t index;
    struct doomed_dir *doomed;
    char *path;
    char topic[];
};

/* ---- where partitions are made */

static struct preferred_dir *find_preferred(const struct replica_set *set, const char *topic,
                                            int32_t index)
{
    struct map_node *node =
        map_first(&set->moves->preferred, replica_set_name_hash(set, topic, index));
    for (; node != NULL; node = map_next_same(node)) {
        struct preferred_dir *preferred = container_of(node, struct preferred_dir, node);
        if (preferred->index == index && strcmp(preferred->topic, topic) == 0)
            return preferred;
    }
    return NULL;
}

void replica_set_prefer_dir(struct replica_set *set, const char *topic, int32_t index, size_t dir)
{
    struct map *map = &set->moves->preferred;
    struct preferred_dir *preferred = find_preferred(set, topic, index);
    if (preferred == NULL && map->count >= LIMIT_PREFERRED_DIRS)
        return;
    if (preferred == NULL) {
        size_t size = strlen(topic) + 1;
        preferred = mem_alloc(sizeof(*preferred) + size);
        preferred->index = index;
        memcpy(preferred->topic, topic, size);
        map_insert(map, &preferred->node, replica_set_name_hash(set, topic, index));
    }
    preferred->dir = dir;
}

size_t replica_set_take_preferred_dir(struct replica_set *set, const char *topic, int32_t index)
{
    struct preferred_dir *preferred = find_preferred(set, topic, index);
    if (preferred == NULL)
        return SIZE_MAX;
    size_t dir = preferred->dir;
    map_remove(&set->moves->preferred, &preferred->node);
    mem_free(preferred);
    return replica_set_dir_is_offline(set, dir) ? SIZE_MAX : dir;
}

/* ---- after a start */

void replica_set_found_copy(struct replica_set *set, size_t dir, const char *name,
                            const char *topic, int32_t index)
{
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, log_dir_path(set->options.dirs[dir]), name))
        return;
    size_t size = strlen(topic) + 1;
    struct found_copy *found = mem_alloc(sizeof(*found) + size);
    memcpy(found->topic, topic, size);
    found->dir = dir;
    found->index = index;
    found->path = mem_strdup(path);
    found->doomed = replica_set_doomed_new(set->env, path);
    list_push_back(&set->moves->found, &found->link);
}

static void found_free(struct found_copy *found)
{
    mem_free(found->doomed);
    mem_free(found->path);
    mem_free(found);
}

static struct replica *replica_of(struct replica_set *set, const struct image *image,
                                  const struct found_copy *found)
{
    const struct topic_image *topic = image_topic(image, found->topic, strlen(found->topic));
    if (topic == NULL)
        return NULL;
    monitor_enter(&set->monitor);
    struct replica *replica = replica_set_lookup(set, topic_id(topic), found->index);
    monitor_leave(&set->monitor);
    return replica;
}

static void resume(struct replica_set *set, struct replica *replica, struct found_copy *found)
{
    bool is_here = replica != NULL && replica->partition != NULL;
    bool moves = is_here && replica->dir != found->dir && replica->move == NULL;
    if (replica != NULL && !is_here) {
        log_warn(set->env, "%s is a copy that did not end, and its partition is offline: left",
                 found->path);
    } else if (moves && replica_set_is_any_dir_offline(set)) {
        log_warn(set->env, "%s is a copy that did not end, and a log directory is offline: left",
                 found->path);
    } else if (moves) {
        replica_move_start(set, replica, found->dir, found->path);
    } else {
        replica_set_doomed_add(set, found->doomed);
        found->doomed = NULL;
    }
}

static void resume_and_free(struct replica_set *set, struct replica *replica,
                            struct found_copy *found)
{
    list_remove(&found->link);
    resume(set, replica, found);
    found_free(found);
}

void replica_set_moves_resume(struct replica_set *set, const struct image *image)
{
    LIST_FOR_EACH_SAFE (node, &set->moves->found) {
        struct found_copy *found = container_of(node, struct found_copy, link);
        struct replica *replica = replica_of(set, image, found);
        if (replica == NULL || replica->reopen == NULL)
            resume_and_free(set, replica, found);
    }
}

void replica_set_moves_reopened(struct replica_set *set, struct replica *replica)
{
    LIST_FOR_EACH_SAFE (node, &set->moves->found) {
        struct found_copy *found = container_of(node, struct found_copy, link);
        if (found->index == replica->index && strcmp(found->topic, replica->topic) == 0)
            resume_and_free(set, replica, found);
    }
}

/* ---- life */

struct replica_set_moves *replica_set_moves_new(void)
{
    struct replica_set_moves *moves = mem_alloc(sizeof(*moves));
    list_init(&moves->all);
    list_init(&moves->found);
    map_init(&moves->preferred);
    pacer_init(&moves->pacer, INT64_MAX);
    return moves;
}

void replica_set_moves_free(struct replica_set_moves *moves)
{
    ASSERT(list_is_empty(&moves->all));
    for (struct list *node; (node = list_pop_front(&moves->found)) != NULL;)
        found_free(container_of(node, struct found_copy, link));
    MAP_FOR_EACH (node, &moves->preferred) {
        map_remove(&moves->preferred, node);
        mem_free(container_of(node, struct preferred_dir, node));
    }
    map_deinit(&moves->preferred);
    mem_free(moves);
}
