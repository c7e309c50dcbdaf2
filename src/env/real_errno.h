// SPDX-License-Identifier: Apache-2.0
/* real_errno: the kernel's error numbers as ours, in one place. Thread: any. */
#ifndef ENV_REAL_ERRNO_H
#define ENV_REAL_ERRNO_H

#include "base/err.h"

/* For files, directories and the making of sockets. Never ERR_OK. */
enum err real_errno(int number);

/* For a connection that is used: whatever went wrong, it is gone, except ERR_AGAIN. */
enum err real_errno_sock(int number);

#endif
