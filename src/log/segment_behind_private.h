// SPDX-License-Identifier: Apache-2.0
/* segment_behind_private: what is held, for segment_behind.c, and for the simulator, which compares
 * files with what a broker says of them. Thread: fields are under `monitor`. */
#ifndef LOG_SEGMENT_BEHIND_PRIVATE_H
#define LOG_SEGMENT_BEHIND_PRIVATE_H

#include "env/monitor.h"
#include "log/segment_behind.h"

/* Of one file. What was published never changes there, more comes behind it: readers may have
 * references. (What was not may be dropped, and other bytes come in its place.) */
struct held {
    struct iobuf *buf; /* NULL: none */
    uint32_t start;    /* where in it the first byte is */
    uint32_t len;
    int64_t pos; /* where that byte belongs in the file */
};

struct segment_behind {
    struct monitor monitor;
    atomic_bool is_any; /* changed under the monitor */
    bool is_writing;    /* somebody writes what is held, without the monitor */
    enum err failed;
    struct held files[SEGMENT_FILES];
};

#endif
