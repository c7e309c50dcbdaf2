// SPDX-License-Identifier: Apache-2.0
/*
 * group_dump: what a shard holds as text: what a fresh shard that replays the log would hold, too.
 *
 * Left out is what is not in the log: who is pending or parked, what members would also support,
 * when a stable group became so, the ids of topics.
 *
 * Thread: the shard's loop.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "coordinator/group_private.h"

static void add_text(struct strbuf *out, const char *name, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    strbuf_printf(out, " %s=\"", name);
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\')
            strbuf_putc(out, (char)bytes[i]);
        else
            strbuf_printf(out, "\\x%02x", bytes[i]);
    }
    strbuf_putc(out, '"');
}

/* NULL: nothing. */
static void add_string(struct strbuf *out, const char *name, const char *text)
{
    if (text != NULL)
        add_text(out, name, text, strlen(text));
}

/* ---- one order */

static int compare_ids(const struct group *a, const struct group *b)
{
    uint32_t len = MIN(a->id_len, b->id_len);
    int order = memcmp(a->id, b->id, len);
    return order != 0 ? order : (a->id_len > b->id_len) - (a->id_len < b->id_len);
}

static int by_group_id(const void *a, const void *b)
{
    return compare_ids(*(const struct group *const *)a, *(const struct group *const *)b);
}

static int by_member_id(const void *a, const void *b)
{
    const struct group_member *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

static int by_topic_and_partition(const void *a, const void *b)
{
    const struct committed_offset *x = *(const struct committed_offset *const *)a;
    const struct committed_offset *y = *(const struct committed_offset *const *)b;
    int order = strcmp(x->topic->name, y->topic->name);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* ---- the parts */

static void add_member(struct strbuf *out, const struct group_member *member)
{
    struct wire_bytes metadata = group_member_metadata(member, member->group->protocol);
    strbuf_puts(out, "  member");
    add_string(out, "id", member->id);
    add_string(out, "instance", member->instance_id);
    add_string(out, "client", member->client_id);
    add_string(out, "host", member->client_host);
    strbuf_printf(out, " session=%d rebalance=%d", member->session_timeout_ms,
                  member->rebalance_timeout_ms);
    add_text(out, "metadata", metadata.data, (size_t)metadata.len);
    add_text(out, "assignment", member->assignment.data, (size_t)member->assignment.len);
    strbuf_putc(out, '\n');
}

static void add_members(struct strbuf *out, const struct group *group)
{
    size_t count = 0;
    const struct group_member **sorted =
        mem_alloc((size_t)group->member_count * sizeof(sorted[0]) + 1);
    LIST_FOR_EACH (node, &group->members)
        sorted[count++] = container_of(node, struct group_member, link);
    qsort(sorted, count, sizeof(sorted[0]), by_member_id);
    for (size_t i = 0; i < count; i++)
        add_member(out, sorted[i]);
    mem_free(sorted);
}

static void add_offset(struct strbuf *out, const struct committed_offset *offset)
{
    strbuf_puts(out, "  offset");
    add_text(out, "topic", offset->topic->name, (size_t)offset->topic->name_len);
    strbuf_printf(out, " partition=%d offset=%lld epoch=%d committed=%lld expires=%lld",
                  offset->partition, (long long)offset->offset, offset->leader_epoch,
                  (long long)offset->commit_ms, (long long)offset->expire_ms);
    add_text(out, "metadata", offset->metadata, (size_t)offset->metadata_len);
    strbuf_putc(out, '\n');
}

static void add_offsets(struct strbuf *out, const struct offset_table *table)
{
    size_t count = 0;
    const struct committed_offset **sorted =
        mem_alloc(table->offsets.count * sizeof(sorted[0]) + 1);
    MAP_FOR_EACH (node, &table->offsets)
        sorted[count++] = container_of(node, struct committed_offset, node);
    qsort(sorted, count, sizeof(sorted[0]), by_topic_and_partition);
    for (size_t i = 0; i < count; i++)
        add_offset(out, sorted[i]);
    mem_free(sorted);
}

static void add_group(struct strbuf *out, const struct group *group)
{
    strbuf_puts(out, "group");
    add_text(out, "id", group->id, group->id_len);
    if (group->has_record) {
        strbuf_printf(out, " state=%s generation=%d", group_state_name(group->state),
                      group->generation);
        add_string(out, "type", group->protocol_type);
        add_string(out, "protocol", group->protocol);
        add_string(out, "leader", group->leader);
        if (group->state == GROUP_EMPTY)
            strbuf_printf(out, " since=%lld", (long long)group->state_since_ms);
    }
    strbuf_putc(out, '\n');
    add_members(out, group);
    add_offsets(out, &group->offsets);
}

void group_shard_dump(const struct group_shard *shard, struct strbuf *out)
{
    size_t count = 0;
    const struct group **sorted = mem_alloc(shard->groups.count * sizeof(sorted[0]) + 1);
    MAP_FOR_EACH (node, &shard->groups)
        sorted[count++] = container_of(node, struct group, node);
    qsort(sorted, count, sizeof(sorted[0]), by_group_id);
    for (size_t i = 0; i < count; i++) {
        /* Replaying gives no group of which nothing is in the log. */
        if (sorted[i]->has_record || sorted[i]->offsets.offsets.count > 0)
            add_group(out, sorted[i]);
    }
    mem_free(sorted);
}
