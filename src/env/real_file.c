// SPDX-License-Identifier: Apache-2.0
/*
 * real_file: files of the kernel, by position: no seeking, partial writes are
 * continued, a short read means the end.
 *
 * Thread: any.
 * Crash:  what env_file_sync returned ERR_OK for is on disk; of anything else any
 *         part may be.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

enum {
    PAGE_BYTES = 4096,
    PROBE_BYTES = 32 * 1024,
    READ_RECENTLY_NS = 100000000,
    AHEAD_BYTES = 128 * 1024, /* who reads forward in small steps gets so much at once */
};

struct real_file {
    struct env_file file;
    struct env *env;
    struct env_job close_job;
    int fd;
    bool is_memory;
    _Atomic int64_t read_end; /* of the last small read that could wait */
};

static int fd_of(const struct env_file *file)
{
    return ((const struct real_file *)(const void *)file)->fd;
}

static bool is_memory(const struct env_file *file)
{
    return ((const struct real_file *)(const void *)file)->is_memory;
}

static struct real_env *real_env_of(const struct env_file *file)
{
    struct env *env = ((const struct real_file *)(const void *)file)->env;
    return container_of(env, struct real_env, env);
}

static bool close_now(struct env_job *job)
{
    struct real_file *file = container_of(job, struct real_file, close_job);
    close(file->fd);
    mem_free(file);
    return false;
}

/* The last close of a file that is deleted already gives back its blocks, which takes its time:
 * on a loop it is a worker's job. */
static void file_close(struct env_file *base)
{
    struct real_file *file = container_of(base, struct real_file, file);
    if (real_is_on_loop())
        env_submit(file->env, &file->close_job);
    else
        close_now(&file->close_job);
}

enum cache_answer { CACHE_HAS_ALL, CACHE_LACKS_SOME, CACHE_UNKNOWN /* to this kernel */ };

static enum cache_answer ask_cache(struct env_file *file, int64_t pos, int64_t len);

static enum err read_with(struct env_file *file, void *out, size_t len, int64_t pos, int flags,
                          size_t *got)
{
    size_t done = 0;
    while (done < len) {
        struct iovec iov = {.iov_base = (char *)out + done, .iov_len = len - done};
        ssize_t n = preadv2(fd_of(file), &iov, 1, pos + (int64_t)done, flags);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && flags != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
            return ERR_AGAIN; /* a file system that cannot tell: as if it were cold */
        if (n < 0)
            return real_errno(errno);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return ERR_OK;
}

/* For what is not there RWF_NOWAIT hands reads to the disk before it says so, and the disk's queue
 * may be full: they are a worker's to hand over. So the page cache is asked first. */
static enum err read_cached(struct env_file *file, void *out, size_t len, int64_t pos, size_t *got)
{
    if (ask_cache(file, pos, (int64_t)len) == CACHE_LACKS_SOME)
        return ERR_AGAIN;
    return read_with(file, out, len, pos, is_memory(file) ? 0 : RWF_NOWAIT, got);
}

/* The kernel's own reading ahead is off, see real_file_open: large reads are as large as they are,
 * small ones that go forward get a little of it here. */
static void read_ahead(struct env_file *base, int64_t pos, size_t len)
{
    struct real_file *file = container_of(base, struct real_file, file);
    if (file->is_memory || len >= AHEAD_BYTES)
        return;
    int64_t before =
        atomic_exchange_explicit(&file->read_end, pos + (int64_t)len, memory_order_relaxed);
    bool goes_on = pos >= before && pos - before <= AHEAD_BYTES;
    if (!goes_on || ask_cache(base, pos, (int64_t)len) != CACHE_LACKS_SOME)
        return;
    int failed = posix_fadvise(file->fd, pos, AHEAD_BYTES, POSIX_FADV_WILLNEED);
    (void)failed; /* only ever a matter of speed */
}

static enum err file_read(struct env_file *file, void *out, size_t len, int64_t pos,
                          enum env_read_mode mode, size_t *got)
{
    if (mode == ENV_NOWAIT)
        return read_cached(file, out, len, pos, got);
    ASSERT(!real_is_on_loop());
    read_ahead(file, pos, len);
    struct real_env *real = real_env_of(file);
    atomic_fetch_add_explicit(&real->reading, 1, memory_order_relaxed);
    enum err e = read_with(file, out, len, pos, 0, got);
    atomic_store_explicit(&real->read_ns, real_mono_ns(), memory_order_relaxed);
    atomic_fetch_sub_explicit(&real->reading, 1, memory_order_relaxed);
    return e;
}

/* Moves past the first `n` bytes. */
static void iov_advance(struct iovec **iov, int *iov_count, size_t n)
{
    while (*iov_count > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*iov_count)--;
    }
    if (n > 0) {
        ASSERT(*iov_count > 0);
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

static enum err file_write(struct env_file *file, struct iovec *iov, int iov_count, int64_t pos)
{
    ASSERT(!real_is_on_loop());
    iov_advance(&iov, &iov_count, 0); /* leading empty ones */
    while (iov_count > 0) {
        ssize_t n = pwritev(fd_of(file), iov, MIN(iov_count, IOV_MAX), pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return real_errno(errno);
        if (n == 0)
            return ERR_IO; /* nothing written and no reason given */
        pos += n;
        iov_advance(&iov, &iov_count, (size_t)n);
    }
    return ERR_OK;
}

static enum err file_sync(struct env_file *file)
{
    ASSERT(!real_is_on_loop());
    atomic_store_explicit(&real_env_of(file)->synced_ns, real_mono_ns(), memory_order_relaxed);
    return fdatasync(fd_of(file)) == 0 ? ERR_OK : real_errno(errno);
}

static enum err file_truncate(struct env_file *file, int64_t size)
{
    ASSERT(!real_is_on_loop());
    int failed;
    do {
        failed = ftruncate(fd_of(file), size);
    } while (failed != 0 && errno == EINTR);
    return failed == 0 ? ERR_OK : real_errno(errno);
}

static enum err file_size(struct env_file *file, int64_t *out)
{
    struct stat st;
    if (fstat(fd_of(file), &st) != 0)
        return real_errno(errno);
    *out = st.st_size;
    return ERR_OK;
}

static enum err file_extend(struct env_file *file, int64_t size_min)
{
    int64_t size;
    enum err e = file_size(file, &size);
    if (e == ERR_OK && size < size_min)
        e = file_truncate(file, size_min);
    return e;
}

static enum err file_allocate(struct env_file *file, int64_t pos, int64_t len)
{
    ASSERT(!real_is_on_loop());
    if (is_memory(file))
        return file_extend(file, pos + len);
    int failed;
    do {
        failed = fallocate(fd_of(file), 0, pos, len);
    } while (failed != 0 && errno == EINTR);
    if (failed == 0)
        return ERR_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return real_errno(errno);
    return file_extend(file, pos + len); /* this file system cannot reserve: zeros at least */
}

static enum err file_lock(struct env_file *file)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd_of(file), F_OFD_SETLK, &lock) == 0)
        return ERR_OK;
    return errno == EAGAIN || errno == EACCES ? ERR_BUSY : real_errno(errno);
}

/* The kernel's answer to cachestat(2), since 6.5; glibc has no wrapper yet. */
struct cache_range {
    uint64_t pos;
    uint64_t len;
};

struct cache_counts {
    uint64_t cached;
    uint64_t dirty;
    uint64_t writeback;
    uint64_t evicted;
    uint64_t recently_evicted;
};

enum { CACHESTAT_CALL = 451 };

static bool is_byte_cached(const struct env_file *file, int64_t pos)
{
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    return preadv2(fd_of(file), &iov, 1, pos, RWF_NOWAIT) >= 0;
}

static uint64_t page_count(int64_t pos, int64_t len)
{
    ASSERT(len > 0);
    return (uint64_t)((pos + len - 1) / PAGE_BYTES - pos / PAGE_BYTES) + 1;
}

/* False: this kernel cannot tell. */
static bool count_cached_pages(const struct env_file *file, int64_t pos, int64_t len, uint64_t *out)
{
    struct cache_range range = {.pos = (uint64_t)pos, .len = (uint64_t)len};
    struct cache_counts counts = {0};
    if (syscall(CACHESTAT_CALL, fd_of(file), &range, &counts, 0) != 0)
        return false;
    *out = counts.cached;
    return true;
}

/* The good case is one call; only where pages are missing the file's end is asked for, because
 * those behind it never are there and nobody waits for them. */
static enum cache_answer ask_cache(struct env_file *file, int64_t pos, int64_t len)
{
    uint64_t cached = 0;
    int64_t size = 0;
    if (len == 0 || is_memory(file))
        return CACHE_HAS_ALL;
    if (!count_cached_pages(file, pos, len, &cached))
        return CACHE_UNKNOWN;
    if (cached >= page_count(pos, len) || file_size(file, &size) != ERR_OK || size <= pos)
        return CACHE_HAS_ALL; /* or there is nothing to wait for */
    return cached < page_count(pos, MIN(len, size - pos)) ? CACHE_LACKS_SOME : CACHE_HAS_ALL;
}

/* A page counts as cached from the moment that its read begins, and whoever wants it then waits for
 * the disk. So while this process reads, pages are asked for one by one, though not each. */
static bool is_range_readable(const struct env_file *file, int64_t pos, int64_t len)
{
    for (int64_t at = 0; at < len; at += PROBE_BYTES) {
        if (!is_byte_cached(file, pos + at))
            return false;
    }
    return is_byte_cached(file, pos + len - 1);
}

static bool file_is_cached(struct env_file *file, int64_t pos, int64_t len)
{
    ASSERT(pos >= 0 && len >= 0);
    if (len == 0 || is_memory(file))
        return true;
    enum cache_answer answer = ask_cache(file, pos, len);
    if (answer == CACHE_LACKS_SOME)
        return false;
    const struct real_env *real = real_env_of(file);
    bool may_be_on_the_way = answer == CACHE_UNKNOWN ||
                             atomic_load_explicit(&real->reading, memory_order_relaxed) > 0 ||
                             real_was_within(&real->read_ns, READ_RECENTLY_NS);
    if (may_be_on_the_way)
        return is_range_readable(file, pos, len);
    /* Others may read ahead: then the end comes last. */
    return len < PROBE_BYTES || is_byte_cached(file, pos + len - 1);
}

static void file_forget(struct env_file *file, int64_t pos, int64_t len)
{
    (void)posix_fadvise(fd_of(file), pos, len, POSIX_FADV_DONTNEED);
}

static const struct env_file_ops file_ops = {
    .close = file_close,
    .read = file_read,
    .write = file_write,
    .sync = file_sync,
    .truncate = file_truncate,
    .size = file_size,
    .allocate = file_allocate,
    .lock = file_lock,
    .is_cached = file_is_cached,
    .forget = file_forget,
};

int real_file_fd(const struct env_file *file)
{
    ASSERT(file->ops == &file_ops);
    return fd_of(file);
}

void real_file_set_memory(struct env_file *file)
{
    ASSERT(file->ops == &file_ops);
    container_of(file, struct real_file, file)->is_memory = true;
}

enum err real_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out)
{
    ASSERT(!real_is_on_loop());
    int open_flags = O_CLOEXEC | O_NOCTTY;
    ASSERT((flags & (ENV_READ | ENV_WRITE)) != 0);
    if ((flags & ENV_WRITE) == 0)
        open_flags |= O_RDONLY;
    else
        open_flags |= (flags & ENV_READ) != 0 ? O_RDWR : O_WRONLY;
    if ((flags & ENV_CREATE) != 0)
        open_flags |= O_CREAT;
    if ((flags & ENV_EXCLUSIVE) != 0)
        open_flags |= O_EXCL;
    if ((flags & ENV_TRUNCATE) != 0)
        open_flags |= O_TRUNC;
    int fd;
    do {
        fd = open(path, open_flags, 0644);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return real_errno(errno);
    struct real_file *file = mem_alloc(sizeof(*file));
    file->file.ops = &file_ops;
    atomic_init(&file->file.refs, 1);
    file->env = env;
    file->close_job = (struct env_job){.run = close_now, .queue = ENV_QUEUE_BACKGROUND};
    file->fd = fd;
    /* The kernel reads ahead up to megabytes at once (8 MiB was seen): whoever syncs meanwhile
     * waits behind them. And it goes on by marks in the page cache: then it is the loop that sends
     * who hands the reads to the disk, and who waits where the peer is quicker than the disk. */
    int failed = posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    (void)failed; /* a file system that knows no such thing */
    *out = &file->file;
    return ERR_OK;
}
