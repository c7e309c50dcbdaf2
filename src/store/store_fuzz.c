// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: any bytes as the files of the metadata log, and frames with good checksums
 * and any contents, made from the same bytes.
 *
 * Thread: any.
 */
#include "base/assert.h"
#include "store/store_frame.h"

int fuzz_store(const uint8_t *data, size_t size);

static void scan_both(const uint8_t *data, size_t size, int64_t snapshot_position)
{
    struct strbuf why;
    strbuf_init(&why);
    struct store_log_scan scan;
    if (store_log_scan(data, size, snapshot_position, &why, &scan) == ERR_OK) {
        ASSERT(scan.end <= size && scan.covered <= scan.end);
        ASSERT(scan.head >= snapshot_position);
    }
    int64_t position = 0;
    if (store_snapshot_scan(data, size, &why, &position) == ERR_OK)
        ASSERT(position > 0);
    strbuf_deinit(&why);
}

int fuzz_store(const uint8_t *data, size_t size)
{
    int64_t snapshot_position = size > 0 ? data[0] % 4 : 0;
    scan_both(data, size, snapshot_position);

    uint8_t file[2048];
    size_t used = 0;
    for (size_t at = 0; at + 8 <= size && used + 256 <= sizeof(file); at += 8) {
        struct store_frame f = {.data = data + at, .size = data[at] % 9};
        f.kind = data[at + 1] % 16 == 0  ? STORE_FRAME_SNAPSHOT_END
                 : data[at + 1] % 4 == 0 ? STORE_FRAME_SNAPSHOT_CHUNK
                                         : STORE_FRAME_ENTRY;
        f.index = data[at + 2] % 8 + 1;
        f.synced = f.kind == STORE_FRAME_ENTRY ? data[at + 3] % f.index : data[at + 3] % 3;
        store_frame_header(&f, file + used);
        for (uint32_t i = 0; i < f.size; i++)
            file[used + STORE_FRAME_HEADER_BYTES + i] = f.data[i];
        if (data[at + 4] % 8 == 0)
            file[used + data[at + 5] % STORE_FRAME_HEADER_BYTES] ^= data[at + 6];
        used += store_frame_bytes(&f);
    }
    scan_both(file, used, snapshot_position);
    return 0;
}
