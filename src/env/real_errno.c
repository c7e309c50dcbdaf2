// SPDX-License-Identifier: Apache-2.0
/* real_errno: see real_errno.h. Thread: any. */
#include "env/real_errno.h"

#include <errno.h>

enum err real_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case EADDRNOTAVAIL:
        return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case EROFS:
        return ERR_READ_ONLY;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
        return ERR_FULL;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EADDRINUSE:
    case EBUSY:
    case ETXTBSY:
        return ERR_BUSY;
    case EFBIG:
    case ENAMETOOLONG:
        return ERR_TOO_LARGE;
    case EAGAIN:
    case EINPROGRESS:
        return ERR_AGAIN;
    case EINVAL:
    case EISDIR:
    case ELOOP:
        return ERR_INVALID;
    case EOPNOTSUPP:
    case ENOSYS:
    case EAFNOSUPPORT:
        return ERR_UNSUPPORTED;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        return ERR_CLOSED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

enum err real_errno_sock(int number)
{
    return number == EAGAIN || number == EINTR ? ERR_AGAIN : ERR_CLOSED;
}
