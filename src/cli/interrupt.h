// SPDX-License-Identifier: Apache-2.0
/*
 * interrupt: Ctrl-C (SIGINT) and SIGTERM as a polite end: the command stops taking work, finishes
 * what it has and says how it went. The second one kills.
 *
 * A handler can reach nothing but what is global: a flag, in this file alone.
 *
 * Thread: main.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From here on. `ends_input`: standard input is at its end when it happens, so that a blocked
 * read returns. */
void interrupt_watch(bool ends_input);

bool interrupt_happened(void);

#endif
