// SPDX-License-Identifier: Apache-2.0
/*
 * load_idle: many connections that each asked ApiVersions once and then say
 * nothing, until standard input ends; whoever runs this reads the broker's
 * memory meanwhile.
 *
 * Thread: one thread in the whole program.
 * Limits: one descriptor each; raises RLIMIT_NOFILE to its hard limit.
 */
#include "load.h"

#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SOURCES = 8, FILES_BESIDE = 32 };

static void raise_file_limit(int conns)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("getrlimit: %s", strerror(errno));
    if (limit.rlim_max < (rlim_t)conns + FILES_BESIDE)
        die("%d connections need a limit of open files above %llu", conns,
            (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("setrlimit: %s", strerror(errno));
}

void load_idle(const struct load_options *o)
{
    struct kbuf request = {0};
    struct conn *conns = calloc((size_t)o->conns, sizeof *conns);
    if (conns == NULL)
        die("no memory for %d connections", o->conns);
    raise_file_limit(o->conns);
    put_api_versions(&request);
    uint64_t start = now_ns();
    for (int i = 0; i < o->conns; i++) {
        size_t size;
        int16_t error = 0;
        conns[i].fd = connect_loopback(o->port, 1 + (unsigned)i % SOURCES);
        if (conns[i].fd < 0)
            die("connection %d: %s", i, strerror(errno));
        const uint8_t *frame = conn_call(&conns[i], request.data, request.size, &size);
        if (!read_api_versions_answer(frame, size, &error) || error != 0)
            die("ApiVersions: error %d", error);
        free(conns[i].in);
        conns[i].in = NULL;
    }
    printf("{\"mode\":\"idle\",\"conns\":%d,\"seconds\":%.3f}\n", o->conns,
           (double)(now_ns() - start) / 1e9);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    for (int i = 0; i < o->conns; i++)
        conn_close(&conns[i]);
    free(conns);
    kbuf_free(&request);
}
