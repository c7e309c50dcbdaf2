// SPDX-License-Identifier: Apache-2.0
/* member_bytes: see member_bytes.h. Thread: one. */
#include "member_bytes.h"

#include "wire/reader.h"

enum { METADATA_MAGIC = 0x6d656d62, ASSIGNMENT_MAGIC = 0x61736769, USER_BYTES = 16 };

void member_metadata_write(const struct history *h, const struct member_metadata *metadata,
                           struct wire_writer *w)
{
    wire_write_i16(w, 0);
    wire_write_i32(w, (int32_t)h->topic_count);
    for (uint32_t i = 0; i < h->topic_count; i++)
        wire_write_str(w, wire_str_of(h->topics[i].name), false);
    wire_write_i32(w, USER_BYTES);
    wire_write_u32(w, METADATA_MAGIC);
    wire_write_u32(w, metadata->group);
    wire_write_u32(w, metadata->owner);
    wire_write_u32(w, metadata->revision);
}

bool member_metadata_read(struct wire_bytes bytes, struct member_metadata *out)
{
    struct wire_reader r = wire_reader_of(bytes.data, bytes.len > 0 ? (size_t)bytes.len : 0);
    (void)wire_read_i16(&r);
    int32_t topics = wire_read_i32(&r);
    for (int32_t i = 0; i < topics && !r.failed; i++)
        wire_skip(&r, (size_t)wire_read_u16(&r));
    (void)wire_read_i32(&r);
    uint32_t magic = wire_read_u32(&r);
    out->group = wire_read_u32(&r);
    out->owner = wire_read_u32(&r);
    out->revision = wire_read_u32(&r);
    return !r.failed && wire_left(&r) == 0 && magic == METADATA_MAGIC;
}

void member_assignment_write(const struct member_assignment *assignment, struct wire_writer *w)
{
    wire_write_i16(w, 0);
    wire_write_u32(w, ASSIGNMENT_MAGIC);
    wire_write_u32(w, assignment->nonce);
    wire_write_i32(w, assignment->generation);
    wire_write_u32(w, assignment->owner);
    wire_write_u32(w, assignment->count);
    for (uint32_t i = 0; i < assignment->count; i++)
        wire_write_u32(w, assignment->partitions[i]);
}

bool member_assignment_read(struct wire_bytes bytes, struct member_assignment *out)
{
    struct wire_reader r = wire_reader_of(bytes.data, bytes.len > 0 ? (size_t)bytes.len : 0);
    (void)wire_read_i16(&r);
    uint32_t magic = wire_read_u32(&r);
    out->nonce = wire_read_u32(&r);
    out->generation = wire_read_i32(&r);
    out->owner = wire_read_u32(&r);
    out->count = wire_read_u32(&r);
    if (r.failed || out->count > GROUP_PARTITIONS_MAX)
        return false;
    for (uint32_t i = 0; i < out->count; i++)
        out->partitions[i] = wire_read_u32(&r);
    return !r.failed && wire_left(&r) == 0 && magic == ASSIGNMENT_MAGIC;
}
