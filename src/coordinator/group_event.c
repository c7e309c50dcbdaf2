// SPDX-License-Identifier: Apache-2.0
/* group_event: see group_event.h. Thread: the shard's loop. */
#include "coordinator/group_event.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "coordinator/group.h"

const char *group_event_kind_text(enum group_event_kind kind)
{
    static const char *const texts[GROUP_EVENT_KIND_COUNT] = {
        [GROUP_EVENT_UNKNOWN] = "there was no memory to remember why",
        [GROUP_EVENT_JOINED] = "a member joined",
        [GROUP_EVENT_CHANGED] = "a member has changed what it supports",
        [GROUP_EVENT_LEADER_JOINED] = "the leader joined again",
        [GROUP_EVENT_LEFT] = "a member left",
        [GROUP_EVENT_REMOVED] = "a member was removed",
        [GROUP_EVENT_SESSION_OVER] = "a member was not heard of in time",
        [GROUP_EVENT_NOT_JOINED] = "a member did not join again in time",
        [GROUP_EVENT_NOT_SYNCED] = "a member sent no SyncGroup in time",
        [GROUP_EVENT_REPLACED] = "a static member came back",
        [GROUP_EVENT_REPLACED_UNWRITTEN] = "a static member's new id could not be written",
        [GROUP_EVENT_ASSIGNMENT_UNWRITTEN] = "the assignment could not be written",
        [GROUP_EVENT_TOO_MANY] = "it has more members than group.max.size",
        [GROUP_EVENT_NO_ROOM] = "a member was slow to join again, and the group is full",
    };
    ASSERT(kind < GROUP_EVENT_KIND_COUNT);
    return texts[kind];
}

/* As long as it is kept. A text that is cut ends between two characters of UTF-8. */
static size_t kept_len(struct wire_str text)
{
    if (text.len <= LIMIT_GROUP_EVENT_TEXT_BYTES)
        return text.len > 0 ? (size_t)text.len : 0;
    size_t len = LIMIT_GROUP_EVENT_TEXT_BYTES;
    while (len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--;
    return len;
}

struct group_event *group_event_new(const struct group_event_options *o)
{
    const struct group_member *member = o->member;
    const struct group_op *by = o->by;
    struct wire_str by_client = wire_str_of(NULL);
    if (by != NULL)
        by_client = wire_str_is_null(by->client_id) ? wire_str_of("") : by->client_id;
    const struct wire_str texts[] = {
        wire_str_of(member != NULL ? member->id : NULL),
        wire_str_of(member != NULL ? member->instance_id : NULL),
        wire_str_of(member != NULL ? member->client_id : NULL),
        wire_str_of(member != NULL ? member->client_host : NULL),
        o->reason,
        by_client,
        wire_str_of(by != NULL ? by->client_host : NULL),
    };
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        size += kept_len(texts[i]) + 1;
    struct group_event *event = mem_try_zeroed(sizeof(*event) + size);
    if (event == NULL)
        return NULL;
    event->refs = 1;
    event->kind = o->kind;
    event->at_ms = o->at_ms;
    const char **places[ARRAY_COUNT(texts)] = {
        &event->member_id, &event->instance_id,  &event->client_id,      &event->client_host,
        &event->reason,    &event->by_client_id, &event->by_client_host,
    };
    char *at = event->texts;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (wire_str_is_null(texts[i]))
            continue;
        size_t len = kept_len(texts[i]);
        if (len > 0)
            memcpy(at, texts[i].data, len);
        *places[i] = at;
        at += len + 1; /* the memory came zeroed: a NUL stands behind each */
    }
    return event;
}

struct group_event *group_event_ref(struct group_event *event)
{
    if (event != NULL)
        event->refs++;
    return event;
}

void group_event_unref(struct group_event *event)
{
    if (event == NULL)
        return;
    ASSERT(event->refs > 0);
    if (--event->refs == 0)
        mem_free(event);
}
