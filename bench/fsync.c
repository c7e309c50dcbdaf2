// SPDX-License-Identifier: Apache-2.0
/*
 * klamm-fsync: what the disk takes to make one small append durable: pwrite and
 * fdatasync, one at a time, into a file that grows and into one that
 * was written with zeros before. A broker's durable ack is held against it.
 *
 * Thread: one thread in the whole program.
 */
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_BYTES = 1100 }; /* a batch of one 1 KiB record */
enum { PREWRITTEN_BYTES = 64 * 1024 * 1024 };

static int open_file(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        die("%s: %s", path, strerror(errno));
    if (unlink(path) != 0)
        die("%s: %s", path, strerror(errno));
    return fd;
}

static void write_at(int fd, const void *data, size_t size, off_t pos)
{
    if (pwrite(fd, data, size, pos) != (ssize_t)size)
        die("pwrite: %s", strerror(errno));
}

static void sync_data(int fd)
{
    if (fdatasync(fd) != 0)
        die("fdatasync: %s", strerror(errno));
}

static void prewrite(int fd)
{
    static uint8_t zeros[1024 * 1024];
    for (off_t pos = 0; pos < PREWRITTEN_BYTES; pos += (off_t)sizeof zeros)
        write_at(fd, zeros, sizeof zeros, pos);
    sync_data(fd);
}

static void measure(int fd, double seconds, struct samples *s)
{
    static uint8_t record[WRITE_BYTES];
    memset(record, 0x5a, sizeof record);
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    off_t pos = 0;
    uint64_t before;
    while ((before = now_ns()) < end) {
        write_at(fd, record, sizeof record, pos);
        sync_data(fd);
        samples_add(s, now_ns() - before);
        pos += (off_t)sizeof record;
        if (pos > PREWRITTEN_BYTES - (off_t)sizeof record)
            break; /* the growing file stops at the same size */
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("klamm-fsync DIRECTORY SECONDS");
    double seconds = strtod(argv[2], NULL);
    struct samples growing = {0};
    struct samples prewritten = {0};
    int fd = open_file(argv[1], "growing");
    measure(fd, seconds, &growing);
    close(fd);
    fd = open_file(argv[1], "prewritten");
    prewrite(fd);
    measure(fd, seconds, &prewritten);
    close(fd);
    printf("{\"mode\":\"fsync\",\"count\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"prewritten_count\":%zu,\"prewritten_p50_us\":%.1f,\"prewritten_p99_us\":%.1f}\n",
           growing.count, samples_us(&growing, 500), samples_us(&growing, 990), prewritten.count,
           samples_us(&prewritten, 500), samples_us(&prewritten, 990));
    samples_free(&growing);
    samples_free(&prewritten);
    return 0;
}
