// SPDX-License-Identifier: Apache-2.0
/*
 * crc32c: the checksum of a record batch (CRC-32C, Castagnoli, reflected).
 *
 * Two ways to compute it: the processor's own instruction, three lanes at a
 * time, and a plain one. Which one is asked of the processor at each call: that
 * costs one load, and needs no pointer that somebody must have set before.
 *
 * Thread: any.
 */
#ifndef WIRE_CRC32C_H
#define WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `len` bytes; `crc` is 0, or the checksum of the bytes before
 * them: crc32c(crc32c(0, a), b) is the checksum of a and b together. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The same without the processor's help; for tests and old machines. */
uint32_t crc32c_plain(uint32_t crc, const void *data, size_t len);

#endif
