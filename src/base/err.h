// SPDX-License-Identifier: Apache-2.0
/*
 * err: how an operation went, here. What a Kafka client is told is `enum kerr`
 * (wire/kerr.h), made from this one in one place.
 *
 * Thread: any.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/macros.h"

enum err {
    ERR_OK = 0,
    ERR_AGAIN,       /* not yet: park or wait for readiness, never spin */
    ERR_IO,          /* the disk or the kernel failed: not retried */
    ERR_NO_SPACE,    /* the disk is full */
    ERR_NO_MEMORY,   /* a budget or the allocator said no */
    ERR_FULL,        /* a limit of ours is reached */
    ERR_CORRUPT,     /* bytes that break their format */
    ERR_RANGE,       /* a number outside what exists (an offset, a position) */
    ERR_NOT_FOUND,   /* no such thing */
    ERR_EXISTS,      /* there is one already */
    ERR_INVALID,     /* arguments or settings that make no sense */
    ERR_UNSUPPORTED, /* valid elsewhere, not here */
    ERR_TOO_LARGE,   /* over a configured size */
    ERR_BUSY,        /* somebody else holds it */
    ERR_CONFLICT,    /* the head moved; read again before deciding */
    ERR_CLOSED,      /* the peer or the owner closed it */
    ERR_TIMEOUT,     /* the deadline passed */
    ERR_DENIED,      /* the kernel's permissions or ours say no */
    ERR_READ_ONLY,   /* the file system takes no writes: mounted so, or turned so by an error */
    ERR_STALE,       /* an older epoch or generation than what is here */
    ERR_COUNT
};

/* For want of room, descriptors or memory: the same call may go well later, and nothing is lost. A
 * sync is never so: whatever it says, it has failed. */
static inline bool err_may_pass(enum err e)
{
    return e == ERR_NO_SPACE || e == ERR_FULL || e == ERR_NO_MEMORY;
}

/* The disk has failed: all else on it would fare the same. */
static inline bool err_is_of_disk(enum err e)
{
    return e == ERR_IO || e == ERR_READ_ONLY;
}

/* "ERR_IO" and so on; a static string. */
const char *err_name(enum err e);

/* A few plain words for people, lower case: "disk full". A static string. */
const char *err_text(enum err e);

#endif
