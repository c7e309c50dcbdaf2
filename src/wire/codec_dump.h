// SPDX-License-Identifier: Apache-2.0
/*
 * codec_dump: a message as one line of JSON, for people and for tests.
 *
 * Bytes are written in hex, records only as their size.
 *
 * Thread: any.
 */
#ifndef WIRE_CODEC_DUMP_H
#define WIRE_CODEC_DUMP_H

#include "base/strbuf.h"
#include "wire/message.h"

/* The fields that this version has, with Kafka's names; tagged ones only when they
 * are not at their default. */
void wire_dump(const struct wire_message *m, int16_t version, const void *in, struct strbuf *out);

#endif
