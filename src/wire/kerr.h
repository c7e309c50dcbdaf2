// SPDX-License-Identifier: Apache-2.0
/*
 * kerr: what a Kafka client is told. The codes, names and messages are facts in
 * schema/errors.table; how an operation went on our side is `enum err`, and the
 * only way from one to the other is kerr_from_err.
 *
 * Thread: any; constant.
 */
#ifndef WIRE_KERR_H
#define WIRE_KERR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/kerr_codes.h"

struct kerr_def {
    const char *name;
    const char *message;
    bool is_retriable;
};

/* By code, from KERR_FIRST on. */
extern const struct kerr_def kerr_defs[KERR_LAST - KERR_FIRST + 1];

/* Is this a code of the table? For codes that a peer sent. */
bool kerr_is_known(int16_t code);

/* "NOT_LEADER_OR_FOLLOWER"; a static string. "UNKNOWN" for a code that is not known. */
const char *kerr_name(enum kerr k);

/* A sentence without its full stop, for the error_message fields of answers; a static string. */
const char *kerr_message(enum kerr k);

/* May the client send the same again? */
bool kerr_is_retriable(enum kerr k);

/* What a client is told about a failure that nobody nearer to it has named. A handler that knows
 * better (an unknown group is not an unknown topic) says so itself. */
enum kerr kerr_from_err(enum err e);

#endif
