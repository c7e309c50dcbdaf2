// SPDX-License-Identifier: Apache-2.0
/*
 * real_sock: TCP sockets of the kernel, never blocking.
 *
 * A sock that wants no event is taken out of epoll: it would report a hung-up peer
 * at every turn otherwise. A sock closed within a turn is freed at the turn's end,
 * because the events of the turn may still name it.
 *
 * An IPv4 peer of a dual-stack listener is shown with its IPv4 address.
 *
 * Thread: its loop's; an unattached sock: whoever holds it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

enum { LISTEN_BACKLOG = 1024, PARTS_PER_CALL = 64 };

struct real_sock {
    struct real_source source;
    struct sock sock;
    struct list link; /* of the loop's socks, or its dead */
    int fd;           /* -1: closed in this turn */
    uint8_t want;
    bool is_in_epoll;
};

static struct real_sock *real_of(struct sock *sock)
{
    return container_of(sock, struct real_sock, sock);
}

int real_sock_fd(struct sock *sock)
{
    return real_of(sock)->fd;
}

static struct real_loop *loop_of(const struct real_sock *s)
{
    return container_of(s->sock.loop, struct real_loop, loop);
}

/* ---- addresses */

union any_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t to_sockaddr(const struct env_addr *addr, union any_sockaddr *out)
{
    ASSERT(addr->family == 4 || addr->family == 6);
    memset(out, 0, sizeof(*out));
    if (addr->family == 4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(addr->port);
        memcpy(&out->v4.sin_addr, addr->ip, 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(addr->port);
    memcpy(&out->v6.sin6_addr, addr->ip, 16);
    return sizeof(out->v6);
}

static void from_sockaddr(const union any_sockaddr *from, struct env_addr *out)
{
    *out = (struct env_addr){.family = 4};
    if (from->any.sa_family == AF_INET) {
        memcpy(out->ip, &from->v4.sin_addr, 4);
        out->port = ntohs(from->v4.sin_port);
    } else if (from->any.sa_family == AF_INET6) {
        const uint8_t *ip = from->v6.sin6_addr.s6_addr;
        out->port = ntohs(from->v6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&from->v6.sin6_addr)) {
            memcpy(out->ip, ip + 12, 4);
        } else {
            out->family = 6;
            memcpy(out->ip, ip, 16);
        }
    }
}

static void sock_get_local(struct sock *sock, struct env_addr *out)
{
    union any_sockaddr sa = {0};
    socklen_t len = sizeof(sa);
    getsockname(real_of(sock)->fd, &sa.any, &len); /* on failure: 0.0.0.0:0 */
    from_sockaddr(&sa, out);
}

static void sock_get_peer(struct sock *sock, struct env_addr *out)
{
    union any_sockaddr sa = {0};
    socklen_t len = sizeof(sa);
    getpeername(real_of(sock)->fd, &sa.any, &len);
    from_sockaddr(&sa, out);
}

/* ---- events */

static void on_events(struct real_source *source, uint32_t events)
{
    struct real_sock *s = container_of(source, struct real_sock, source);
    if (s->fd < 0)
        return; /* closed earlier in this turn */
    unsigned ready = 0;
    if ((events & EPOLLIN) != 0)
        ready |= SOCK_READABLE;
    if ((events & EPOLLOUT) != 0)
        ready |= SOCK_WRITABLE;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        ready |= SOCK_READABLE | SOCK_WRITABLE; /* trying tells what it is */
    ready &= s->want;
    if (ready != 0)
        s->sock.ready(s->sock.ready_arg, ready);
}

static void sock_set_want(struct sock *sock, unsigned want)
{
    struct real_sock *s = real_of(sock);
    ASSERT(s->fd >= 0);
    if (want == s->want && (want != 0) == s->is_in_epoll)
        return;
    struct epoll_event event = {.data.ptr = &s->source};
    if ((want & SOCK_READABLE) != 0)
        event.events |= EPOLLIN;
    if ((want & SOCK_WRITABLE) != 0)
        event.events |= EPOLLOUT;
    int op = want == 0 ? EPOLL_CTL_DEL : s->is_in_epoll ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int failed = epoll_ctl(loop_of(s)->epoll_fd, op, s->fd, &event);
    /* ENOMEM or ENOSPC (max_user_watches): this one goes silent, its owner's limits close it. */
    s->want = (uint8_t)want;
    s->is_in_epoll = failed == 0 ? want != 0 : s->is_in_epoll;
}

static void sock_attach_to(struct sock *sock, struct loop *loop)
{
    struct real_sock *s = real_of(sock);
    list_push_back(&loop_of(s)->socks, &s->link);
    sock_set_want(sock, SOCK_READABLE);
}

/* ---- bytes */

static enum err sock_receive(struct sock *sock, void *out, size_t len, size_t *got)
{
    ssize_t n;
    do {
        n = recv(real_of(sock)->fd, out, len, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return real_errno_sock(errno);
    if (n == 0)
        return ERR_CLOSED;
    *got = (size_t)n;
    return ERR_OK;
}

static void set_flag(int fd, int level, int name, int value)
{
    /* Only ever a matter of speed or comfort: a kernel that refuses is fine. */
    int failed = setsockopt(fd, level, name, &value, sizeof(value));
    (void)failed;
}

/* Sends the run of memory parts at the front. *used: how many parts are in the run. */
static ssize_t send_memory(int fd, const struct sock_part *parts, size_t count, size_t *used,
                           size_t *asked)
{
    struct iovec iov[PARTS_PER_CALL];
    size_t n = 0;
    *asked = 0;
    while (n < count && n < PARTS_PER_CALL && parts[n].file == NULL) {
        /* sendmsg only reads, whatever iovec's type says. */
        iov[n] =
            (struct iovec){.iov_base = (void *)(uintptr_t)parts[n].data, .iov_len = parts[n].len};
        *asked += parts[n].len;
        n++;
    }
    *used = n;
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
    return sendmsg(fd, &msg, MSG_NOSIGNAL | (n < count ? MSG_MORE : 0));
}

static ssize_t send_range(int fd, const struct sock_part *part)
{
    off_t pos = part->pos;
    return sendfile(fd, real_file_fd(part->file), &pos, part->len);
}

static enum err send_all(int fd, const struct sock_part *parts, size_t count, size_t *sent)
{
    size_t total = 0;
    for (size_t i = 0; i < count;) {
        size_t used = 1, asked = parts[i].len;
        bool is_file = parts[i].file != NULL;
        ssize_t n = is_file ? send_range(fd, &parts[i])
                            : send_memory(fd, parts + i, count - i, &used, &asked);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && total > 0)
            break; /* tell of the bytes first; the next call meets the error again */
        if (n < 0 && is_file && (errno == EIO || errno == EINVAL || errno == EOVERFLOW))
            return ERR_IO;
        if (n < 0)
            return real_errno_sock(errno);
        if (n == 0 && asked > 0) {
            if (total > 0)
                break;
            return ERR_IO; /* the file ends before the range does */
        }
        total += (size_t)n;
        if ((size_t)n < asked)
            break; /* full; or sendfile stopped early, the caller comes again */
        i += used;
    }
    *sent = total;
    return ERR_OK;
}

/* sendfile knows no MSG_MORE: what follows a file range, be it three bytes, would leave in a packet
 * of its own. Where something follows, the socket holds back packets that are not full until all
 * parts are given to it. Off again whatever comes, because a cork that is forgotten delays by 200
 * ms. */
static enum err sock_send_parts(struct sock *sock, const struct sock_part *parts, size_t count,
                                size_t *sent)
{
    int fd = real_of(sock)->fd;
    bool is_corked = false;
    for (size_t i = 0; i + 1 < count && !is_corked; i++)
        is_corked = parts[i].file != NULL;
    if (is_corked)
        set_flag(fd, IPPROTO_TCP, TCP_CORK, 1);
    enum err e = send_all(fd, parts, count, sent);
    if (is_corked)
        set_flag(fd, IPPROTO_TCP, TCP_CORK, 0);
    return e;
}

/* ---- making and closing */

static const struct sock_ops sock_ops;

static struct sock *sock_new(int fd, struct loop *loop)
{
    struct real_sock *s = mem_alloc(sizeof(*s));
    s->source.on_events = on_events;
    s->sock.ops = &sock_ops;
    s->sock.loop = loop;
    s->fd = fd;
    list_init(&s->link);
    if (loop != NULL)
        list_push_back(&loop_of(s)->socks, &s->link);
    return &s->sock;
}

static bool is_loopback(const union any_sockaddr *sa)
{
    struct env_addr addr;
    from_sockaddr(sa, &addr);
    static const uint8_t v6[16] = {[15] = 1};
    return addr.family == 4 ? addr.ip[0] == 127 : memcmp(addr.ip, v6, sizeof(v6)) == 0;
}

/* Bytes that do not leave this machine meet no congestion. Where bbr is the default, its timers for
 * each packet cost a third of the CPU of a large Fetch over loopback. Accepted sockets inherit it
 * from a listener; one that began with bbr keeps some of its timers (docs/decisions/006). */
static void unpace(int fd)
{
    static const char name[] = "reno"; /* always there, allowed for everybody */
    int failed = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name) - 1);
    (void)failed; /* as in set_flag */
}

enum err real_sock_listen(struct loop *loop, const struct env_addr *addr, struct sock **out)
{
    union any_sockaddr sa;
    socklen_t len = to_sockaddr(addr, &sa);
    int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return real_errno(errno);
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (addr->family == 6)
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, env_addr_is_any(addr) ? 0 : 1);
    /* Accepted sockets inherit these two: no calls per connection. */
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (is_loopback(&sa))
        unpace(fd);
    if (bind(fd, &sa.any, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        enum err e = real_errno(errno);
        close(fd);
        return e;
    }
    *out = sock_new(fd, loop);
    sock_set_want(*out, SOCK_READABLE);
    return ERR_OK;
}

static enum err sock_accept_next(struct sock *listener, struct sock **out)
{
    for (;;) {
        union any_sockaddr peer = {0};
        socklen_t len = sizeof(peer);
        int fd = accept4(real_of(listener)->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (is_loopback(&peer))
                unpace(fd);
            *out = sock_new(fd, NULL);
            return ERR_OK;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return ERR_FULL;
        if (errno == EAGAIN)
            return ERR_AGAIN;
        if (errno == EINVAL || errno == EBADF || errno == ENOTSOCK || errno == EOPNOTSUPP)
            return ERR_IO;
        /* Otherwise an error of the connection that was to be accepted: take the next. */
    }
}

enum err real_sock_connect(struct loop *loop, const struct env_addr *to, struct sock **out)
{
    union any_sockaddr sa;
    socklen_t len = to_sockaddr(to, &sa);
    int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return real_errno(errno);
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (connect(fd, &sa.any, len) != 0 && errno != EINPROGRESS) {
        enum err e = real_errno(errno);
        close(fd);
        return e;
    }
    *out = sock_new(fd, loop);
    sock_set_want(*out, SOCK_WRITABLE);
    return ERR_OK;
}

static enum err sock_get_connect_result(struct sock *sock)
{
    int number = 0;
    socklen_t len = sizeof(number);
    if (getsockopt(real_of(sock)->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    return number == 0 ? ERR_OK : real_errno(number);
}

static void sock_shut(struct sock *sock)
{
    struct real_sock *s = real_of(sock);
    ASSERT(s->fd >= 0);
    /* close would do that, but not where a process that was forked just now has it, too. */
    if (s->is_in_epoll)
        sock_set_want(sock, 0);
    close(s->fd);
    s->fd = -1;
    list_remove(&s->link);
    if (sock->loop == NULL)
        mem_free(s);
    else
        list_push_back(&loop_of(s)->dead, &s->link);
}

void real_sock_free_dead(struct real_loop *loop)
{
    for (struct list *link = list_pop_front(&loop->dead); link != NULL;
         link = list_pop_front(&loop->dead))
        mem_free(container_of(link, struct real_sock, link));
}

void real_sock_close_all(struct real_loop *loop)
{
    LIST_FOR_EACH_SAFE (link, &loop->socks) {
        sock_shut(&container_of(link, struct real_sock, link)->sock);
    }
    real_sock_free_dead(loop);
}

static const struct sock_ops sock_ops = {
    .accept = sock_accept_next,
    .connect_result = sock_get_connect_result,
    .attach = sock_attach_to,
    .want = sock_set_want,
    .recv = sock_receive,
    .send = sock_send_parts,
    .close = sock_shut,
    .local = sock_get_local,
    .peer = sock_get_peer,
};
