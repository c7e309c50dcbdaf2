// SPDX-License-Identifier: Apache-2.0
/* real_signal: signals as events of a loop, by signalfd. Thread: the loop's. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

struct real_signal {
    struct real_source source;
    int fd;
    void (*fn)(void *arg);
    void *arg;
    struct list link;
};

static void on_signal(struct real_source *source, uint32_t events)
{
    struct real_signal *signal = container_of(source, struct real_signal, source);
    struct signalfd_siginfo info;
    if (read(signal->fd, &info, sizeof(info)) == sizeof(info))
        signal->fn(signal->arg);
}

static void signal_close(struct real_signal *signal)
{
    list_remove(&signal->link);
    if (signal->fd >= 0)
        close(signal->fd);
    mem_free(signal);
}

enum err real_loop_on_signal(struct real_loop *loop, int signo, void (*fn)(void *arg), void *arg)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct real_signal *signal = mem_alloc(sizeof(*signal));
    signal->source.on_events = on_signal;
    signal->fn = fn;
    signal->arg = arg;
    list_push_back(&loop->signals, &signal->link);
    signal->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &signal->source};
    if (signal->fd < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, signal->fd, &event) != 0) {
        enum err e = real_errno(errno);
        signal_close(signal);
        return e;
    }
    return ERR_OK;
}

void real_signal_close_all(struct real_loop *loop)
{
    LIST_FOR_EACH_SAFE (link, &loop->signals) {
        signal_close(container_of(link, struct real_signal, link));
    }
}
