// SPDX-License-Identifier: Apache-2.0
/* group_assignment: see group_assignment.h. Thread: any. */
#include "cli/group_assignment.h"

#include "wire/reader.h"

enum {
    TOPIC_BYTES_MIN = 2 + 4, /* a name's length and a count of partitions */
    PARTITION_BYTES = 4,
};

static enum err read_topic(struct wire_reader *r, struct arena *arena,
                           struct group_assignment_topic *out)
{
    out->name = wire_read_str(r, false, false);
    int32_t count = wire_read_count(r, false, false, PARTITION_BYTES);
    if (r->failed || count == 0)
        return ERR_OK; /* the failure is looked at once, at the end */
    int32_t *partitions = arena_alloc_array(arena, (size_t)count, sizeof(*partitions));
    if (partitions == NULL)
        return ERR_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        partitions[i] = wire_read_i32(r);
        if (partitions[i] < 0)
            wire_fail(r);
    }
    out->partitions = (struct wire_i32_array){partitions, count};
    return ERR_OK;
}

enum err group_assignment_parse(struct wire_bytes bytes, struct arena *arena,
                                struct group_assignment *out)
{
    struct group_assignment read = {0};
    if (bytes.len <= 0) {
        *out = read;
        return ERR_OK;
    }
    struct wire_reader r = wire_reader_of(bytes.data, (size_t)bytes.len);
    if (wire_read_i16(&r) < 0)
        return ERR_CORRUPT;
    read.count = wire_read_count(&r, false, false, TOPIC_BYTES_MIN);
    if (r.failed)
        return ERR_CORRUPT;
    read.topics = arena_alloc_array(arena, (size_t)read.count, sizeof(*read.topics));
    if (read.topics == NULL && read.count > 0)
        return ERR_NO_MEMORY;
    enum err e = ERR_OK;
    for (int32_t i = 0; i < read.count && e == ERR_OK && !r.failed; i++)
        e = read_topic(&r, arena, &read.topics[i]);
    if (e != ERR_OK)
        return e;
    if (!r.failed && wire_left(&r) > 0) /* some clients leave the user data out */
        (void)wire_read_bytes(&r, false, true);
    if (r.failed)
        return ERR_CORRUPT;
    *out = read;
    return ERR_OK;
}
