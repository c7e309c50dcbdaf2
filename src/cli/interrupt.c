// SPDX-License-Identifier: Apache-2.0
/* interrupt: see interrupt.h. Thread: main; the handler runs on it too. */
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t has_happened;
static volatile sig_atomic_t null_fd = -1;

/* Async-signal-safe: a flag and dup2. A read that begins after it finds /dev/null, one that was
 * waiting ends with EINTR: no moment in between loses the signal. */
static void on_signal(int signo)
{
    int saved = errno;
    has_happened = 1;
    if (null_fd >= 0)
        dup2(null_fd, STDIN_FILENO);
    errno = saved;
}

void interrupt_watch(bool ends_input)
{
    if (ends_input) {
        FILE *null = fopen("/dev/null", "r"); /* kept to the end of the process */
        null_fd = null != NULL ? fileno(null) : -1;
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_happened(void)
{
    return has_happened != 0;
}
