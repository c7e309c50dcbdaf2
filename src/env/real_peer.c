// SPDX-License-Identifier: Apache-2.0
/* real_peer: see real_peer.h. Thread: one at a time per connection. */
#include "env/real_peer.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

enum { PATIENCE_SECONDS = 60 };

int real_peer_dial(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool real_peer_send(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

bool real_peer_read(int fd, void *out, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = recv(fd, (char *)out + done, len - done, 0);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

uint32_t real_peer_packets(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    int failed = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    ASSERT(failed == 0);
    return info.tcpi_data_segs_in;
}

void real_peer_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

struct real_peer_thread {
    pthread_t thread;
    void (*run)(void *arg);
    void *arg;
};

static void *run_peer(void *arg)
{
    struct real_peer_thread *t = arg;
    t->run(t->arg);
    return NULL;
}

struct real_peer_thread *real_peer_start(void (*run)(void *arg), void *arg)
{
    struct real_peer_thread *t = mem_alloc(sizeof(*t));
    t->run = run;
    t->arg = arg;
    int failed = pthread_create(&t->thread, NULL, run_peer, t);
    ASSERT(failed == 0);
    return t;
}

void real_peer_join(struct real_peer_thread *t)
{
    pthread_join(t->thread, NULL);
    mem_free(t);
}
