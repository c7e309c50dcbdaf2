// SPDX-License-Identifier: Apache-2.0
/* real_dir: names of the kernel's file system: directories, unlink, rename. Thread: any. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

enum err real_dir_make(struct env *env, const char *path)
{
    ASSERT(!real_is_on_loop());
    return mkdir(path, 0755) == 0 ? ERR_OK : real_errno(errno);
}

/* ---- syncing: a moment in which others hold all descriptors must not look like a bad disk */

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void real_spare_take(struct real_env *real)
{
    pthread_mutex_init(&real->spare_mutex, NULL); /* which cannot fail, as real_loop has it */
    real->spare_fd = open_spare();
}

void real_spare_drop(struct real_env *real)
{
    if (real->spare_fd >= 0)
        close(real->spare_fd);
    pthread_mutex_destroy(&real->spare_mutex);
}

static enum err sync_opened(int fd)
{
    enum err e = fsync(fd) == 0 ? ERR_OK : real_errno(errno);
    close(fd);
    return e;
}

static int open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Others may be faster and take what is given up here: ERR_FULL then, as without it. */
static enum err sync_with_spare(struct real_env *real, const char *path)
{
    pthread_mutex_lock(&real->spare_mutex);
    if (real->spare_fd >= 0)
        close(real->spare_fd);
    int fd = open_dir(path);
    enum err e = fd >= 0 ? sync_opened(fd) : real_errno(errno);
    real->spare_fd = open_spare();
    pthread_mutex_unlock(&real->spare_mutex);
    return e;
}

enum err real_dir_sync(struct env *env, const char *path)
{
    ASSERT(!real_is_on_loop());
    int fd = open_dir(path);
    if (fd >= 0)
        return sync_opened(fd);
    enum err e = real_errno(errno);
    return e == ERR_FULL ? sync_with_spare(container_of(env, struct real_env, env), path) : e;
}

enum err real_dir_remove(struct env *env, const char *path)
{
    ASSERT(!real_is_on_loop());
    return rmdir(path) == 0 ? ERR_OK : real_errno(errno);
}

struct names {
    struct name {
        char *text;
        bool is_dir;
    } * items;
    size_t count;
    size_t capacity;
};

static bool is_directory(DIR *dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static enum err names_collect(struct names *names, DIR *dir)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            return errno == 0 ? ERR_OK : real_errno(errno);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names->count == names->capacity) {
            names->capacity = names->capacity == 0 ? 16 : names->capacity * 2;
            names->items = mem_realloc(names->items, names->capacity * sizeof(names->items[0]));
        }
        names->items[names->count++] =
            (struct name){mem_strdup(entry->d_name), is_directory(dir, entry)};
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

enum err real_dir_list(struct env *env, const char *path,
                       void (*each)(void *arg, const char *name, bool is_dir), void *arg)
{
    ASSERT(!real_is_on_loop());
    DIR *dir = opendir(path);
    if (dir == NULL)
        return real_errno(errno);
    struct names names = {0};
    enum err e = names_collect(&names, dir);
    closedir(dir); /* before the calls: they may remove what is listed */
    if (e == ERR_OK && names.count > 0) {
        qsort(names.items, names.count, sizeof(names.items[0]), compare_names);
        for (size_t i = 0; i < names.count; i++)
            each(arg, names.items[i].text, names.items[i].is_dir);
    }
    for (size_t i = 0; i < names.count; i++)
        mem_free(names.items[i].text);
    mem_free(names.items);
    return e;
}

enum err real_path_unlink(struct env *env, const char *path)
{
    ASSERT(!real_is_on_loop());
    return unlink(path) == 0 ? ERR_OK : real_errno(errno);
}

enum err real_path_rename(struct env *env, const char *from, const char *to)
{
    ASSERT(!real_is_on_loop());
    return rename(from, to) == 0 ? ERR_OK : real_errno(errno);
}

enum err real_disk_space(struct env *env, const char *path, int64_t *free_bytes,
                         int64_t *total_bytes)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return real_errno(errno);
    *free_bytes = (int64_t)st.f_bavail * (int64_t)st.f_frsize;
    *total_bytes = (int64_t)st.f_blocks * (int64_t)st.f_frsize;
    return ERR_OK;
}
