// SPDX-License-Identifier: Apache-2.0
/* topic_marks: see topic_marks.h. Thread: one. */
#include "coordinator/topic_marks.h"

#include "base/assert.h"
#include "base/macros.h"

struct topic_mark {
    struct map_node node;
    struct wire_str name;
    bool is_set;
};

void topic_marks_init(struct topic_marks *t, struct arena *arena, uint64_t hash_seed)
{
    *t = (struct topic_marks){.arena = arena, .hash_seed = hash_seed};
    map_init(&t->map);
}

void topic_marks_deinit(struct topic_marks *t)
{
    map_deinit(&t->map);
}

static uint64_t hash_of(const struct topic_marks *t, struct wire_str name)
{
    ASSERT(name.len >= 0);
    return hash_bytes(t->hash_seed, name.data, (size_t)name.len);
}

static struct topic_mark *find(const struct topic_marks *t, struct wire_str name)
{
    for (struct map_node *node = map_first(&t->map, hash_of(t, name)); node != NULL;
         node = map_next_same(node)) {
        struct topic_mark *mark = container_of(node, struct topic_mark, node);
        if (wire_str_equal(mark->name, name))
            return mark;
    }
    return NULL;
}

bool topic_marks_add(struct topic_marks *t, struct wire_str name)
{
    if (find(t, name) != NULL)
        return true;
    struct topic_mark *mark = arena_alloc(t->arena, sizeof(*mark));
    if (mark == NULL)
        return false;
    mark->name = name;
    map_insert(&t->map, &mark->node, hash_of(t, name));
    return true;
}

void topic_marks_set(struct topic_marks *t, struct wire_str name)
{
    struct topic_mark *mark = find(t, name);
    if (mark != NULL)
        mark->is_set = true;
}

bool topic_marks_has(const struct topic_marks *t, struct wire_str name)
{
    const struct topic_mark *mark = t->all ? NULL : find(t, name);
    return t->all || (mark != NULL && mark->is_set);
}
