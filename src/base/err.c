// SPDX-License-Identifier: Apache-2.0
/* err: names and texts of enum err. Thread: any. */
#include "base/err.h"

#include "base/assert.h"

static const struct {
    const char *name;
    const char *text;
} err_table[ERR_COUNT] = {
    [ERR_OK] = {"ERR_OK", "fine"},
    [ERR_AGAIN] = {"ERR_AGAIN", "not ready yet"},
    [ERR_IO] = {"ERR_IO", "input/output error"},
    [ERR_NO_SPACE] = {"ERR_NO_SPACE", "disk full"},
    [ERR_NO_MEMORY] = {"ERR_NO_MEMORY", "out of memory"},
    [ERR_FULL] = {"ERR_FULL", "limit reached"},
    [ERR_CORRUPT] = {"ERR_CORRUPT", "damaged data"},
    [ERR_RANGE] = {"ERR_RANGE", "out of range"},
    [ERR_NOT_FOUND] = {"ERR_NOT_FOUND", "not found"},
    [ERR_EXISTS] = {"ERR_EXISTS", "already exists"},
    [ERR_INVALID] = {"ERR_INVALID", "invalid"},
    [ERR_UNSUPPORTED] = {"ERR_UNSUPPORTED", "unsupported"},
    [ERR_TOO_LARGE] = {"ERR_TOO_LARGE", "too large"},
    [ERR_BUSY] = {"ERR_BUSY", "in use"},
    [ERR_CONFLICT] = {"ERR_CONFLICT", "changed meanwhile"},
    [ERR_CLOSED] = {"ERR_CLOSED", "closed"},
    [ERR_TIMEOUT] = {"ERR_TIMEOUT", "timed out"},
    [ERR_DENIED] = {"ERR_DENIED", "permission denied"},
    [ERR_READ_ONLY] = {"ERR_READ_ONLY", "read-only file system"},
    [ERR_STALE] = {"ERR_STALE", "stale epoch"},
};

const char *err_name(enum err e)
{
    ASSERT(e < ERR_COUNT);
    return err_table[e].name;
}

const char *err_text(enum err e)
{
    ASSERT(e < ERR_COUNT);
    return err_table[e].text;
}
