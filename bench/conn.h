// SPDX-License-Identifier: Apache-2.0
/*
 * conn: one client connection: whole frames in, borrowed bytes out.
 *
 * It does not know what the frames mean. Errors end the program: a load run
 * that lost a connection measures nothing.
 *
 * Thread: each connection belongs to one thread.
 */
#ifndef KLAMM_BENCH_CONN_H
#define KLAMM_BENCH_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn {
    int fd;
    uint8_t *in; /* received and not yet dropped */
    size_t in_size;
    size_t in_capacity;
    const uint8_t *out; /* borrowed until sent */
    size_t out_size;
    bool wants_write; /* is EPOLLOUT asked for */
    int low_water;    /* 0: as the kernel sets it */
};

/* source: a number for the source address 127.0.0.x, 0: the kernel chooses.
 * Gives -1 when refused (or any other failure, errno set). Blocking. */
int connect_loopback(uint16_t port, unsigned source);

/* Connects or dies. The socket stays blocking until conn_watch(). */
void conn_open(struct conn *c, uint16_t port);
void conn_close(struct conn *c);

/* Makes the socket non-blocking and adds it to an epoll set with `c` as datum. */
void conn_watch(struct conn *c, int epoll_fd);

/* Sends what fits now of `data`, which must stay until out_size is 0. Asks
 * epoll for more room when the kernel has none. */
void conn_send(struct conn *c, int epoll_fd, const void *data, size_t size);
void conn_send_rest(struct conn *c, int epoll_fd);

/* One recv. False when there was nothing to read. */
bool conn_receive(struct conn *c);
/* Lets epoll report only when the rest of the current frame, or much of it, is there. A reader
 * that wakes up for each segment makes the broker's CPU pay for the wake-ups. */
void conn_sleep_until_much(struct conn *c);
/* The first whole frame without its length, or NULL; stays until dropped. */
const uint8_t *conn_frame(struct conn *c, size_t *size);
void conn_drop(struct conn *c, size_t frame_size);

/* For a blocking connection: sends a request and waits for the answer, which
 * stays until conn_drop(). */
const uint8_t *conn_call(struct conn *c, const void *data, size_t size, size_t *answer_size);

#endif
