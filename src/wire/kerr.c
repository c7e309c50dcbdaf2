// SPDX-License-Identifier: Apache-2.0
/* kerr: see kerr.h. Thread: any; constant. */
#include "wire/kerr.h"

#include "base/assert.h"

bool kerr_is_known(int16_t code)
{
    return code >= KERR_FIRST && code <= KERR_LAST;
}

static const struct kerr_def *kerr_find(enum kerr k)
{
    static const struct kerr_def unknown = {"UNKNOWN", "an error code that is not known here",
                                            false};
    return kerr_is_known((int16_t)k) ? &kerr_defs[(int)k - KERR_FIRST] : &unknown;
}

const char *kerr_name(enum kerr k)
{
    return kerr_find(k)->name;
}

const char *kerr_message(enum kerr k)
{
    return kerr_find(k)->message;
}

bool kerr_is_retriable(enum kerr k)
{
    return kerr_find(k)->is_retriable;
}

/* Clients give up on UNKNOWN_SERVER_ERROR, so whatever may pass by itself (memory, a limit, a
 * lock) becomes a code that they retry. */
enum kerr kerr_from_err(enum err e)
{
    switch (e) {
    case ERR_OK:
        return KERR_NONE;
    case ERR_IO:
    case ERR_NO_SPACE:
    case ERR_DENIED:
    case ERR_READ_ONLY:
        return KERR_KAFKA_STORAGE_ERROR;
    case ERR_AGAIN:
    case ERR_NO_MEMORY:
    case ERR_FULL:
    case ERR_BUSY:
    case ERR_TIMEOUT:
        return KERR_REQUEST_TIMED_OUT;
    case ERR_CORRUPT:
        return KERR_CORRUPT_MESSAGE;
    case ERR_RANGE:
        return KERR_OFFSET_OUT_OF_RANGE;
    case ERR_NOT_FOUND:
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    case ERR_EXISTS:
        return KERR_TOPIC_ALREADY_EXISTS;
    case ERR_INVALID:
        return KERR_INVALID_REQUEST;
    case ERR_UNSUPPORTED:
        return KERR_UNSUPPORTED_VERSION;
    case ERR_TOO_LARGE:
        return KERR_MESSAGE_TOO_LARGE;
    case ERR_CONFLICT:
        return KERR_NOT_CONTROLLER;
    case ERR_CLOSED:
    case ERR_STALE:
        return KERR_NOT_LEADER_OR_FOLLOWER;
    case ERR_COUNT:
        break;
    }
    ASSERT(e < ERR_COUNT);
    return KERR_UNKNOWN_SERVER_ERROR;
}
