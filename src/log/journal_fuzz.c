// SPDX-License-Identifier: Apache-2.0
/*
 * journal_fuzz: a log directory with foreign bytes in both halves of its journal, opened as after a
 * crash, and replayed into a partition's log. The header pages are good; groups are taken as they
 * are, or with the salt and checksum that make them count.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "env/mem_env.h"
#include "log/journal.h"
#include "log/journal_format.h"

int fuzz_journal(const uint8_t *data, size_t size);

enum { HALF_BYTES = 16 * JOURNAL_PAGE_BYTES, HEAD_BYTES = 2, GROUP_BYTES_MAX = 600 };

static const struct uuid directory_id = {{5}};
static const struct uuid topic_id = {{6}};

static void read_formats(const uint8_t *data, size_t size)
{
    uint8_t page[JOURNAL_PAGE_BYTES] = {0};
    struct journal_file_header header;
    struct journal_group_header group;
    struct journal_item item;
    memcpy(page, data, MIN(size, sizeof(page)));
    (void)!journal_file_header_read(page, &header);
    if (size >= JOURNAL_GROUP_HEADER_BYTES && journal_group_read(data, &group))
        (void)!journal_group_is_whole(data, (uint32_t)MIN(size, (size_t)group.size));
    (void)!journal_item_read(data, size, &item);
}

/* The input's groups one behind another, each up to GROUP_BYTES_MAX: the entries are its bytes,
 * with a head that fits, and a topic that is there. */
static void put_groups(uint8_t *half, const uint8_t *data, size_t size, uint64_t generation)
{
    for (uint64_t number = 0; size > 1 && number < 14; number++) {
        size_t len = MIN(size - 1, (size_t)data[0] * 3 % GROUP_BYTES_MAX);
        uint8_t *at = half + (number + 1) * JOURNAL_PAGE_BYTES;
        struct journal_group_header header = {
            .size = (uint32_t)MAX(JOURNAL_GROUP_HEADER_BYTES + len,
                                  (size_t)JOURNAL_GROUP_HEADER_BYTES + JOURNAL_ENTRY_HEADER_BYTES),
            .count = 1 + data[0] % 3u,
            .generation = generation,
            .number = number,
            .salt = 3,
        };
        memcpy(at + JOURNAL_GROUP_HEADER_BYTES, data + 1, len);
        uint8_t *entry = at + JOURNAL_GROUP_HEADER_BYTES;
        if (len > 0 && (data[0] & 0x80) != 0) { /* one that is valid but for its numbers */
            entry[0] = (uint8_t)(1 + entry[0] % 4);
            memset(entry + 4, 0, 2);
            memset(entry + 8, 0, 4);
            memcpy(entry + 16, topic_id.bytes, sizeof(topic_id.bytes));
            for (int field = 32; field < 64; field += 8)
                memset(entry + field, 0, 6);
        }
        journal_group_seal(&header, at);
        data += 1 + len;
        size -= 1 + len;
    }
}

static void put_half(struct mem_env *m, unsigned index, const uint8_t *data, size_t size,
                     bool is_sealed)
{
    static uint8_t half[HALF_BYTES];
    struct journal_file_header header = {directory_id, index, HALF_BYTES};
    memset(half, 0, sizeof(half));
    if (is_sealed)
        put_groups(half, data, size, 7 + index);
    else
        memcpy(half + JOURNAL_PAGE_BYTES, data, MIN(size, sizeof(half) - JOURNAL_PAGE_BYTES));
    journal_file_header_write(&header, half);
    mem_env_put_file(m, index == 0 ? "klamm.journal.0" : "klamm.journal.1", half, sizeof(half));
}

static bool is_known(void *arg, struct uuid id, int32_t partition)
{
    (void)arg;
    return partition == 0 && uuid_equals(id, topic_id);
}

static void replay(struct mem_env *m, struct journal *j, int64_t recovery_point)
{
    struct journal_target target = {
        .topic_id = topic_id, .dir = "t-0", .recovery_point = recovery_point};
    struct log_open_report report = {0};
    int64_t first_offset;
    enum err e = journal_replay(j, &target, &report, &first_offset);
    ASSERT(e == ERR_OK);
    struct journal_client client = {.topic_id = topic_id};
    journal_client_init(&client);
    journal_settle(j, is_known, NULL);
    mem_env_run_jobs(m);
}

int fuzz_journal(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES + 2)
        return 0;
    read_formats(data, size);
    struct mem_env m;
    mem_env_init(&m);
    enum err e = env_dir_make(&m.env, "t-0");
    ASSERT(e == ERR_OK);
    mem_env_put_file(&m, "t-0/00000000000000000000.log", data, size / 2);
    const uint8_t *bytes = data + HEAD_BYTES;
    size_t half = (size - HEAD_BYTES) / 2;
    put_half(&m, 0, bytes, half, (data[0] & 1) != 0);
    put_half(&m, 1, bytes + half, half, (data[0] & 2) != 0);
    struct journal_stats stats = {0};
    struct journal_options options = {
        .dir = "", .directory_id = directory_id, .bytes = 2 * HALF_BYTES, .stats = &stats};
    struct journal *j = NULL;
    e = journal_open(&m.env, &options, &j);
    ASSERT(e == ERR_OK);
    replay(&m, j, data[1] % 16);
    journal_free(j);
    mem_env_deinit(&m);
    return 0;
}
