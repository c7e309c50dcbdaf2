// SPDX-License-Identifier: Apache-2.0
/*
 * klamm-floor: the least that a machine can do for Produce and Fetch. It receives
 * Produce frames, checks each batch's CRC-32C, stamps its offset, appends it
 * to a fresh file by pwrite (page cache, no sync), and acks with a real Produce answer;
 * a Fetch it answers by sendfile. Its CPU time is what brokers are held against.
 *
 * It is no broker: it knows no topics, one file a partition, only Produce 9 and Fetch 12 of
 * klamm-load, and batches that are all alike in one partition, so that offset and
 * file position follow from each other without an index. It trusts its peer's
 * fields but for their sizes.
 *
 * Thread: one, epoll.
 * Crash:  promises nothing; its files are for one run.
 */
#include "kwire.h"
#include "stats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PARTITIONS_MAX = 64, IN_CAPACITY = 256 * 1024, IN_SMALL = 16 * 1024, EVENTS_MAX = 64 };

struct partition {
    int fd; /* 0: not there yet */
    int64_t next_offset;
    off_t size;
    off_t batch_bytes;
    int32_t batch_records;
};

struct peer {
    int fd;
    bool wants_write;
    size_t in_size;
    struct kbuf out; /* answers, or what comes before the file range */
    size_t out_pos;
    int file_fd; /* the range that follows `out` */
    off_t file_pos;
    size_t file_left;
    size_t tail_left; /* zero bytes that close a Fetch answer */
    uint8_t in[IN_CAPACITY];
};

struct floor {
    const char *dir;
    int epoll_fd;
    int listen_fd;
    struct partition partitions[PARTITIONS_MAX];
};

static struct partition *find_partition(struct floor *f, int32_t index)
{
    if (index < 0 || index >= PARTITIONS_MAX)
        die("partition %d", index);
    struct partition *p = &f->partitions[index];
    if (p->fd == 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%d.log", f->dir, index);
        p->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (p->fd < 0)
            die("%s: %s", path, strerror(errno));
    }
    return p;
}

/* -- Produce ------------------------------------------------------------ */

static int16_t append(struct partition *p, uint8_t *batch, size_t size, int64_t *base)
{
    enum { CORRUPT_MESSAGE = 2, STORAGE_ERROR = 56 };
    if (size < BATCH_HEADER_SIZE || (size_t)load_i32(batch + 8) + 12 != size ||
        batch_crc(batch, size) != (uint32_t)load_i32(batch + 17))
        return CORRUPT_MESSAGE;
    *base = p->next_offset;
    store_i64(batch, p->next_offset);
    store_i32(batch + 12, 0);
    if (pwrite(p->fd, batch, size, p->size) != (ssize_t)size)
        return STORAGE_ERROR;
    p->batch_bytes = (off_t)size;
    p->batch_records = load_i32(batch + 57);
    p->size += (off_t)size;
    p->next_offset += p->batch_records;
    return 0;
}

static void answer_produce(struct floor *f, struct peer *peer, struct kreader *r, int32_t id)
{
    skip_compact_string(r); /* transactional id */
    get_i16(r);             /* acks: always answered */
    get_i32(r);
    get_uvarint(r); /* one topic */
    uint32_t name_size = get_uvarint(r) - 1;
    const uint8_t *name = get_bytes(r, name_size);
    get_uvarint(r); /* one partition */
    int32_t index = get_i32(r);
    uint32_t size = get_uvarint(r) - 1;
    uint8_t *batch = (uint8_t *)(uintptr_t)get_bytes(r, size);
    if (r->failed)
        die("a Produce that cannot be read");
    int64_t base = -1;
    int16_t error = append(find_partition(f, index), batch, size, &base);

    struct kbuf *out = &peer->out;
    size_t start = out->size;
    put_i32(out, 0);
    put_i32(out, id);
    put_uvarint(out, 0);
    put_uvarint(out, 2);
    put_uvarint(out, name_size + 1);
    put_bytes(out, name, name_size);
    put_uvarint(out, 2);
    put_i32(out, index);
    put_i16(out, error);
    put_i64(out, base);
    put_i64(out, -1);    /* log append time */
    put_i64(out, 0);     /* log start offset */
    put_uvarint(out, 1); /* record errors */
    put_uvarint(out, 0); /* error message */
    put_uvarint(out, 0);
    put_uvarint(out, 0);
    put_i32(out, 0); /* throttle */
    put_uvarint(out, 0);
    store_i32(out->data + start, (int32_t)(out->size - start - 4));
}

/* -- Fetch -------------------------------------------------------------- */

static void plan_range(struct peer *peer, const struct partition *p, int64_t offset, int32_t max)
{
    off_t from = p->batch_records == 0 ? 0 : offset / p->batch_records * p->batch_bytes;
    off_t left = p->size > from ? p->size - from : 0;
    peer->file_fd = p->fd;
    peer->file_pos = from;
    peer->file_left = (size_t)(left < max ? left : max);
    peer->tail_left = 3; /* three empty tag sections */
}

static void answer_fetch(struct floor *f, struct peer *peer, struct kreader *r, int32_t id)
{
    get_bytes(r, 4 + 4 + 4 + 4 + 1 + 4 + 4); /* all up to the topics */
    get_uvarint(r);
    uint32_t name_size = get_uvarint(r) - 1;
    const uint8_t *name = get_bytes(r, name_size);
    get_uvarint(r);
    int32_t index = get_i32(r);
    get_i32(r);
    int64_t offset = get_i64(r);
    get_i32(r);
    get_i64(r);
    int32_t max = get_i32(r);
    if (r->failed)
        die("a Fetch that cannot be read");
    const struct partition *p = find_partition(f, index);
    plan_range(peer, p, offset, max);

    struct kbuf *out = &peer->out;
    size_t start = out->size;
    put_i32(out, 0);
    put_i32(out, id);
    put_uvarint(out, 0);
    put_i32(out, 0); /* throttle */
    put_i16(out, 0);
    put_i32(out, 0); /* session */
    put_uvarint(out, 2);
    put_uvarint(out, name_size + 1);
    put_bytes(out, name, name_size);
    put_uvarint(out, 2);
    put_i32(out, index);
    put_i16(out, 0);
    put_i64(out, p->next_offset); /* high watermark */
    put_i64(out, p->next_offset);
    put_i64(out, 0);
    put_uvarint(out, 0); /* aborted */
    put_i32(out, -1);    /* preferred replica */
    put_uvarint(out, (uint32_t)peer->file_left + 1);
    size_t frame = out->size - start - 4 + peer->file_left + peer->tail_left;
    store_i32(out->data + start, (int32_t)frame);
}

/* -- connections -------------------------------------------------------- */

/* False while the socket takes no more. */
static bool send_out(struct peer *peer)
{
    int more = peer->tail_left > 0 ? MSG_MORE : 0;
    while (peer->out_pos < peer->out.size) {
        ssize_t n = send(peer->fd, peer->out.data + peer->out_pos, peer->out.size - peer->out_pos,
                         MSG_NOSIGNAL | more);
        if (n < 0)
            return false;
        peer->out_pos += (size_t)n;
    }
    peer->out.size = 0;
    peer->out_pos = 0;
    while (peer->file_left > 0) {
        ssize_t n = sendfile(peer->fd, peer->file_fd, &peer->file_pos, peer->file_left);
        if (n <= 0)
            return false;
        peer->file_left -= (size_t)n;
    }
    while (peer->tail_left > 0) {
        ssize_t n = send(peer->fd, "\0\0\0", peer->tail_left, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        peer->tail_left -= (size_t)n;
    }
    return true;
}

static void watch(struct floor *f, struct peer *peer, bool wants_write)
{
    if (peer->wants_write == wants_write)
        return;
    struct epoll_event event = {.events = wants_write ? EPOLLOUT : EPOLLIN, .data.ptr = peer};
    epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, peer->fd, &event);
    peer->wants_write = wants_write;
}

static void answer(struct floor *f, struct peer *peer, uint8_t *frame, size_t size)
{
    struct kreader r = {.at = frame, .end = frame + size};
    int16_t api = get_i16(&r);
    get_i16(&r);
    int32_t id = get_i32(&r);
    skip_string(&r);
    skip_tags(&r);
    if (api == API_PRODUCE)
        answer_produce(f, peer, &r, id);
    else if (api == API_FETCH)
        answer_fetch(f, peer, &r, id);
    else
        die("only Produce and Fetch, not API %d", api);
}

/* How much to receive: the rest of this frame and the length of the next, so
 * that hardly a byte is moved afterwards. */
static size_t wanted(const struct peer *peer)
{
    if (peer->in_size < 4)
        return IN_SMALL;
    size_t frame = (size_t)load_i32(peer->in) + 8;
    if (frame > IN_CAPACITY)
        die("a frame of %zu bytes", frame);
    return frame > peer->in_size ? frame - peer->in_size : 1;
}

/* Answers whole frames until one of them has to wait for the socket. */
static void serve(struct floor *f, struct peer *peer)
{
    size_t used = 0;
    while (peer->tail_left == 0 && peer->in_size - used >= 4) {
        size_t size = (size_t)load_i32(peer->in + used);
        if (peer->in_size - used - 4 < size)
            break;
        answer(f, peer, peer->in + used + 4, size);
        used += size + 4;
        if (peer->tail_left > 0)
            send_out(peer);
    }
    if (used > 0)
        memmove(peer->in, peer->in + used, peer->in_size - used);
    peer->in_size -= used;
    watch(f, peer, !send_out(peer));
}

static void take(struct floor *f, struct peer *peer)
{
    ssize_t n = recv(peer->fd, peer->in + peer->in_size, wanted(peer), 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close(peer->fd);
        kbuf_free(&peer->out);
        free(peer);
        return;
    }
    peer->in_size += (size_t)n;
    serve(f, peer);
}

static void take_connection(struct floor *f)
{
    int on = 1;
    struct peer *peer = malloc(sizeof *peer);
    int fd = accept4(f->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 || peer == NULL)
        die("accept: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    memset(peer, 0, offsetof(struct peer, in));
    peer->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void listen_on(struct floor *f)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof addr;
    struct epoll_event event = {.events = EPOLLIN};
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(f->listen_fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4); /* unpaced, as Klamm there */
    if (bind(f->listen_fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        listen(f->listen_fd, 128) != 0 ||
        getsockname(f->listen_fd, (struct sockaddr *)&addr, &size) != 0 ||
        epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->listen_fd, &event) != 0)
        die("listen: %s", strerror(errno));
    fprintf(stderr, "listening on 127.0.0.1:%u\n", ntohs(addr.sin_port));
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("klamm-floor DIRECTORY");
    struct floor f = {.dir = argv[1]};
    listen_on(&f);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(f.epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL)
                take_connection(&f);
            else if (events[i].events & EPOLLOUT)
                serve(&f, peer);
            else
                take(&f, peer);
        }
    }
}
