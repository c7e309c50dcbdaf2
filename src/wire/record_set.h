// SPDX-License-Identifier: Apache-2.0
/*
 * record_set: the records of a log of ours, from and to bytes.
 *
 * One record is a type (varint), a version (varint) and the fields in Kafka's
 * flexible form. The kinds of a log are a table of schema/records; in memory a
 * record is the generated struct x_record: its type and a union of the bodies.
 *
 * Thread: any.
 */
#ifndef WIRE_RECORD_SET_H
#define WIRE_RECORD_SET_H

#include "wire/codec.h"

/* Writes in the last version. The type must be one of the set. Errors as wire_encode. */
enum err wire_record_encode(const struct wire_record_set *set, struct wire_writer *w,
                            const void *record) MUST_USE;

/* Reads one record; more may follow in `r`. Errors as wire_decode; ERR_UNSUPPORTED also
 * for a type that we do not know. The record points into the reader's bytes and the arena. */
enum err wire_record_decode(const struct wire_record_set *set, struct wire_reader *r,
                            struct arena *a, void *record) MUST_USE;

/* Gives the record this type, and its fields their defaults. */
void wire_record_init(const struct wire_record_set *set, uint32_t type, void *record);

/* NULL: no such type. */
const struct wire_message *wire_record_message(const struct wire_record_set *set, uint32_t type);

bool wire_record_equal(const struct wire_record_set *set, const void *a, const void *b);

#endif
