// SPDX-License-Identifier: Apache-2.0
/*
 * confirm: asks before what nothing brings back.
 *
 * Thread: main.
 */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include <stdbool.h>

#include "base/macros.h"

/* Is somebody there who can be asked: is standard input a terminal? */
bool cli_can_confirm(void);

/* Shows the question on stderr with " [y/N] " behind it and waits for a line; control bytes in it
 * are shown as '?'. True: yes. */
bool cli_confirm(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
