// SPDX-License-Identifier: Apache-2.0
/*
 * bad_disk: a disk that fails, for a real process: loaded before libc (LD_PRELOAD), it answers EIO
 * to file calls below the directories that a control file names, one "CALL PATH" a line. CALL is
 * sync, write, read or name (open, mkdir, rename, unlink, list). Without the file nothing fails.
 *
 * The file's path is in the variable BAD_DISK.
 *
 * Thread: any.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_named(char *text, const char *call, const char *path)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *under = strchr(line, ' ');
        if (under == NULL)
            continue;
        *under++ = '\0';
        if (strcmp(line, call) == 0 && strncmp(path, under, strlen(under)) == 0)
            return true;
    }
    return false;
}

static bool path_fails(const char *call, const char *path)
{
    char text[4096];
    const char *control = getenv("BAD_DISK");
    int fd = control != NULL ? (int)syscall(SYS_open, control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    ssize_t got = syscall(SYS_read, fd, text, sizeof(text) - 1);
    syscall(SYS_close, fd);
    text[got > 0 ? got : 0] = '\0';
    if (!is_named(text, call, path))
        return false;
    errno = EIO;
    return true;
}

static bool fd_fails(const char *call, int fd)
{
    char link[64];
    char path[PATH_MAX];
    int saved = errno;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    errno = saved;
    if (len <= 0)
        return false;
    path[len] = '\0';
    return path_fails(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fdatasync(int fd)
{
    return fd_fails("sync", fd) ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    return fd_fails("sync", fd) ? -1 : REAL(fsync)(fd);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
    return fd_fails("write", fd) ? -1 : REAL(pwritev)(fd, iov, count, pos);
}

int ftruncate(int fd, off_t size)
{
    return fd_fails("write", fd) ? -1 : REAL(ftruncate)(fd, size);
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
    return fd_fails("read", fd) ? -1 : REAL(preadv2)(fd, iov, count, pos, flags);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return path_fails("name", path) ? -1 : REAL(open)(path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return path_fails("name", path) ? -1 : REAL(mkdir)(path, mode);
}

int rename(const char *from, const char *to)
{
    return path_fails("name", from) ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path)
{
    return path_fails("name", path) ? -1 : REAL(unlink)(path);
}

DIR *opendir(const char *path)
{
    return path_fails("name", path) ? NULL : REAL(opendir)(path);
}
