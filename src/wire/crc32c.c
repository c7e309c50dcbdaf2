// SPDX-License-Identifier: Apache-2.0
/* crc32c: see crc32c.h; what one processor family does is in crc32c_arch.h. Thread: any. */
#include "wire/crc32c.h"

#include "wire/crc32c_arch.h"

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    if (!crc32c_arch_has())
        return crc32c_plain(crc, data, len);
    return ~crc32c_arch_update(~crc, data, len);
}

/* Half a byte a step: the table fits into one cache line. */
uint32_t crc32c_plain(uint32_t crc, const void *data, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const uint8_t *p = data;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = table[crc & 15] ^ (crc >> 4);
        crc = table[crc & 15] ^ (crc >> 4);
    }
    return ~crc;
}
