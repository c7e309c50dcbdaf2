// SPDX-License-Identifier: Apache-2.0
/* logger_file: see logger_file.h. The descriptor's number never changes: reopening puts the new
 * file under it with dup3, so writers need no lock. Thread: any. */
#include "env/logger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/real_errno.h"

struct logger_file {
    struct logger logger;
    char *path; /* NULL: stderr */
    int fd;
};

static void write_line(struct logger *logger, enum log_level level, const char *text)
{
    static const char *const padded[] = {"ERROR", "WARN ", "INFO ", "DEBUG"};
    const struct logger_file *file = container_of(logger, struct logger_file, logger);
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    char line[LOG_TEXT_BYTES_MAX + 64];
    size_t used = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S", &tm);
    int more = snprintf(line + used, sizeof(line) - used, ".%03d %s %s\n",
                        (int)(now.tv_nsec / 1000000), padded[level], text);
    /* A log that cannot be written has nobody left to be told to. */
    ssize_t written = write(file->fd, line, used + (size_t)(more > 0 ? more : 0));
    (void)written;
}

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

enum err logger_file_open(const char *path, enum log_level level, struct logger_file **out)
{
    int fd = path != NULL ? open_path(path) : STDERR_FILENO;
    if (fd < 0)
        return real_errno(errno);
    struct logger_file *file = mem_alloc(sizeof(*file));
    file->logger.level = (int)level;
    file->logger.write = write_line;
    file->path = path != NULL ? mem_strdup(path) : NULL;
    file->fd = fd;
    *out = file;
    return ERR_OK;
}

struct logger *logger_file_logger(struct logger_file *file)
{
    return &file->logger;
}

enum err logger_file_reopen(struct logger_file *file)
{
    if (file->path == NULL)
        return ERR_OK;
    int fd = open_path(file->path);
    if (fd < 0)
        return real_errno(errno);
    enum err e = dup3(fd, file->fd, O_CLOEXEC) < 0 ? real_errno(errno) : ERR_OK;
    close(fd);
    return e;
}

void logger_file_close(struct logger_file *file)
{
    if (file == NULL)
        return;
    if (file->path != NULL)
        close(file->fd);
    mem_free(file->path);
    mem_free(file);
}
