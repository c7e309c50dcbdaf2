// SPDX-License-Identifier: Apache-2.0
/*
 * descriptors: how the descriptors that a process may have are shared out: files of segments
 * that stay open, connections, and a reserve for everything else (the metadata log,
 * listeners, the admin listener's connections, files that a worker opens for a moment).
 *
 * Thread: any; pure.
 */
#ifndef BROKER_DESCRIPTORS_H
#define BROKER_DESCRIPTORS_H

#include <stdint.h>

enum {
    DESCRIPTORS_FILES_MAX = 32768, /* of segments, where the operator names no number */
    DESCRIPTORS_FILES_MIN = 8,
    DESCRIPTORS_FILES_UNKNOWN = 1024, /* where the system names no bound */
    DESCRIPTORS_FETCH_FILES_MAX = 1000,
};

struct descriptors {
    uint32_t files;       /* of segments that stay open */
    uint32_t connections; /* of clients */
    uint32_t fetch_files; /* that one answer to a Fetch may hold until it is sent */
};

/* `process_max`: RLIMIT_NOFILE, 0: not known. `files_wanted`: klamm.open.files.max, 0: not given;
 * one that leaves too little for the rest is bounded. */
struct descriptors descriptors_share(int64_t process_max, int64_t files_wanted);

#endif
