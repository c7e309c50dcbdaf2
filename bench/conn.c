// SPDX-License-Identifier: Apache-2.0
/*
 * conn: one client connection: whole frames in, borrowed bytes out.
 *
 * It does not know what the frames mean.
 *
 * Thread: each connection belongs to one thread.
 * Limits: a frame of more than FRAME_MAX bytes ends the program.
 */
#include "conn.h"

#include "kwire.h"
#include "stats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 64 * 1024 * 1024, IN_STEP = 64 * 1024 };

int connect_loopback(uint16_t port, unsigned source)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in addr = {.sin_family = AF_INET};
    if (source != 0) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
        if (bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0)
            die("bind to 127.0.0.%u: %s", 1 + source, strerror(errno));
    }
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons(port);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

void conn_open(struct conn *c, uint16_t port)
{
    *c = (struct conn){.fd = connect_loopback(port, 0)};
    if (c->fd < 0)
        die("connect to port %u: %s", port, strerror(errno));
}

void conn_close(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    *c = (struct conn){.fd = -1};
}

void conn_watch(struct conn *c, int epoll_fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("watch a connection: %s", strerror(errno));
}

static void want_write(struct conn *c, int epoll_fd, bool wanted)
{
    if (c->wants_write == wanted)
        return;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0)
        die("watch a connection: %s", strerror(errno));
    c->wants_write = wanted;
}

void conn_send_rest(struct conn *c, int epoll_fd)
{
    while (c->out_size > 0) {
        ssize_t n = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            die("send: %s", strerror(errno));
        c->out += n;
        c->out_size -= (size_t)n;
    }
    want_write(c, epoll_fd, c->out_size > 0);
}

void conn_send(struct conn *c, int epoll_fd, const void *data, size_t size)
{
    c->out = data;
    c->out_size = size;
    conn_send_rest(c, epoll_fd);
}

static void make_room(struct conn *c)
{
    size_t wanted = c->in_size + IN_STEP;
    if (c->in_size >= 4) {
        int32_t frame = load_i32(c->in);
        if (frame < 0 || frame > FRAME_MAX)
            die("the broker announces a frame of %d bytes", frame);
        if ((size_t)frame + 4 > wanted)
            wanted = (size_t)frame + 4;
    }
    if (wanted <= c->in_capacity)
        return;
    uint8_t *grown = realloc(c->in, wanted);
    if (grown == NULL)
        die("no memory for a frame of %zu bytes", wanted);
    c->in = grown;
    c->in_capacity = wanted;
}

bool conn_receive(struct conn *c)
{
    make_room(c);
    ssize_t n = recv(c->fd, c->in + c->in_size, c->in_capacity - c->in_size, 0);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n < 0)
        die("recv: %s", strerror(errno));
    if (n == 0)
        die("the broker closed a connection");
    c->in_size += (size_t)n;
    return true;
}

void conn_sleep_until_much(struct conn *c)
{
    enum { MUCH = 512 * 1024 };
    int low_water = 1;
    if (c->in_size >= 4) {
        size_t left = (size_t)load_i32(c->in) + 4 - c->in_size;
        low_water = left > MUCH ? MUCH : (int)left;
    }
    if (low_water == c->low_water)
        return;
    if (setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof low_water) != 0)
        die("SO_RCVLOWAT: %s", strerror(errno));
    c->low_water = low_water;
}

const uint8_t *conn_frame(struct conn *c, size_t *size)
{
    if (c->in_size < 4)
        return NULL;
    int32_t frame = load_i32(c->in);
    if (frame < 0 || frame > FRAME_MAX)
        die("the broker announces a frame of %d bytes", frame);
    if (c->in_size - 4 < (size_t)frame)
        return NULL;
    *size = (size_t)frame;
    return c->in + 4;
}

void conn_drop(struct conn *c, size_t frame_size)
{
    size_t used = frame_size + 4;
    if (c->in_size > used)
        memmove(c->in, c->in + used, c->in_size - used);
    c->in_size -= used;
}

const uint8_t *conn_call(struct conn *c, const void *data, size_t size, size_t *answer_size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t n = send(c->fd, at, size, MSG_NOSIGNAL);
        if (n < 0)
            die("send: %s", strerror(errno));
        at += n;
        size -= (size_t)n;
    }
    const uint8_t *answer;
    while ((answer = conn_frame(c, answer_size)) == NULL)
        conn_receive(c);
    return answer;
}
