// SPDX-License-Identifier: Apache-2.0
/* real_stdin: the end of standard input as an event of a loop. Thread: the loop's. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

struct real_stdin {
    struct real_source source;
    struct real_loop *loop;
    void (*fn)(void *arg);
    void *arg;
};

/* Level-triggered: the read does not block, and what is left comes again. */
static void on_input(struct real_source *source, uint32_t events)
{
    struct real_stdin *in = container_of(source, struct real_stdin, source);
    char dropped[4096];
    ssize_t n = read(STDIN_FILENO, dropped, sizeof(dropped));
    if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    epoll_ctl(in->loop->epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    in->fn(in->arg);
}

enum err real_loop_on_stdin_end(struct real_loop *loop, void (*fn)(void *arg), void *arg)
{
    ASSERT(loop->stdin_end == NULL);
    struct real_stdin *in = mem_alloc(sizeof(*in));
    *in = (struct real_stdin){.source = {on_input}, .loop = loop, .fn = fn, .arg = arg};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &in->source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
        enum err e = errno == EPERM || errno == EBADF ? ERR_UNSUPPORTED : real_errno(errno);
        mem_free(in);
        return e;
    }
    loop->stdin_end = in;
    return ERR_OK;
}

void real_stdin_free(struct real_loop *loop)
{
    mem_free(loop->stdin_end);
    loop->stdin_end = NULL;
}
