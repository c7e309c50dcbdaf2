// SPDX-License-Identifier: Apache-2.0
/*
 * crc32c_arch: the processor's CRC-32C instruction, per family. Only crc32c.c
 * includes this.
 *
 * The instruction takes eight bytes and has a latency of three cycles, but one
 * may start each cycle. So a stretch is cut into three lanes that are computed
 * side by side and joined: the sum of a lane followed by n bytes is its own sum
 * multiplied by x^(8n) modulo the polynomial. On x86 one carry-less multiply by
 * a constant of that lane size does it, and the CRC instruction itself reduces
 * the 64-bit product (which is why the constants are x^(8n-33), bit-reversed).
 *
 * crc32c_arch_has(): whether this processor has what crc32c_arch_update needs.
 * crc32c_arch_update(): over a register that is already inverted.
 *
 * Thread: any.
 */
#ifndef WIRE_CRC32C_ARCH_H
#define WIRE_CRC32C_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t crc32c_load(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define CRC32C_TARGET __attribute__((target("sse4.2,pclmul")))

struct crc32c_lanes {
    uint32_t bytes;    /* of one lane, a multiple of eight */
    uint32_t over_one; /* x^(8 * bytes - 33) */
    uint32_t over_two; /* x^(16 * bytes - 33) */
};

static inline bool crc32c_arch_has(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

CRC32C_TARGET static inline uint64_t crc32c_multiply(uint64_t crc, uint32_t by)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
                                           _mm_cvtsi64_si128((long long)(uint64_t)by), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

/* Three lanes from `p` on; returns the sum over all of them. */
CRC32C_TARGET static inline uint64_t crc32c_three(uint64_t crc, const uint8_t *p,
                                                  struct crc32c_lanes lanes)
{
    const uint8_t *second = p + lanes.bytes;
    const uint8_t *third = second + lanes.bytes;
    uint64_t a = crc, b = 0, c = 0;
    for (uint32_t i = 0; i < lanes.bytes; i += 8) {
        a = _mm_crc32_u64(a, crc32c_load(p + i));
        b = _mm_crc32_u64(b, crc32c_load(second + i));
        c = _mm_crc32_u64(c, crc32c_load(third + i));
    }
    uint64_t joined = crc32c_multiply(a, lanes.over_two) ^ crc32c_multiply(b, lanes.over_one);
    return _mm_crc32_u64(0, joined) ^ c;
}

CRC32C_TARGET static inline uint32_t crc32c_arch_update(uint32_t crc, const uint8_t *p, size_t len)
{
    static const struct crc32c_lanes sizes[] = {
        {4096, 0x82f89c77, 0x54a86326},
        {512, 0xdd7e3b0c, 0x170076fa},
        {64, 0x9e4addf8, 0x0d3b6092},
    };
    uint64_t sum = crc;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        size_t step = (size_t)sizes[s].bytes * 3;
        for (; len >= step; len -= step, p += step)
            sum = crc32c_three(sum, p, sizes[s]);
    }
    for (; len >= 8; len -= 8, p += 8)
        sum = _mm_crc32_u64(sum, crc32c_load(p));
    for (; len > 0; len--, p++)
        sum = _mm_crc32_u8((uint32_t)sum, *p);
    return (uint32_t)sum;
}

#elif defined(__aarch64__)

#include <arm_acle.h>
#include <sys/auxv.h>

#if defined(__clang__)
#define CRC32C_TARGET __attribute__((target("crc")))
#define CRC32C_U64    __builtin_arm_crc32cd
#define CRC32C_U8     __builtin_arm_crc32cb
#else
#define CRC32C_TARGET __attribute__((target("+crc")))
#define CRC32C_U64    __crc32cd
#define CRC32C_U8     __crc32cb
#endif

enum { CRC32C_LANE_BYTES = 8192 };

static inline bool crc32c_arch_has(void)
{
    return (getauxval(AT_HWCAP) & (1u << 7)) != 0; /* HWCAP_CRC32 */
}

/* a * b modulo the polynomial, bit by bit, both reflected. Twice per 24 KiB, so
 * the carry-less multiply that not every processor has is not missed. */
static inline uint32_t crc32c_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        if ((a & bit) != 0)
            product ^= b;
        b = (b >> 1) ^ ((b & 1) != 0 ? 0x82f63b78u : 0);
    }
    return product;
}

CRC32C_TARGET static inline uint32_t crc32c_arch_update(uint32_t crc, const uint8_t *p, size_t len)
{
    static const uint32_t over_one = 0x28461564; /* x^(8 * 8192) */
    static const uint32_t over_two = 0xbf455269; /* x^(16 * 8192) */
    for (; len >= 3 * CRC32C_LANE_BYTES; len -= 3 * CRC32C_LANE_BYTES) {
        uint32_t a = crc, b = 0, c = 0;
        for (uint32_t i = 0; i < CRC32C_LANE_BYTES; i += 8) {
            a = CRC32C_U64(a, crc32c_load(p + i));
            b = CRC32C_U64(b, crc32c_load(p + CRC32C_LANE_BYTES + i));
            c = CRC32C_U64(c, crc32c_load(p + 2 * CRC32C_LANE_BYTES + i));
        }
        crc = crc32c_multiply(a, over_two) ^ crc32c_multiply(b, over_one) ^ c;
        p += 3 * CRC32C_LANE_BYTES;
    }
    for (; len >= 8; len -= 8, p += 8)
        crc = CRC32C_U64(crc, crc32c_load(p));
    for (; len > 0; len--, p++)
        crc = CRC32C_U8(crc, *p);
    return crc;
}

#else

static inline bool crc32c_arch_has(void)
{
    return false;
}

static inline uint32_t crc32c_arch_update(uint32_t crc, const uint8_t *p, size_t len)
{
    return crc;
}

#endif
#endif
