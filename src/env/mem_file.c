// SPDX-License-Identifier: Apache-2.0
/*
 * mem_file: a file system in memory: a flat list of paths. A file that is removed
 * while it is open lives until it closes. Paths are compared as text after leading
 * "./" and "/" and trailing "/" are taken off; the directory of a file must exist.
 *
 * A write that fails has written the first half of its bytes.
 *
 * Thread: the test's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/mem_private.h"

struct mem_node {
    struct list link; /* of the env's nodes; not linked: removed */
    char *path;
    bool is_dir;
    bool is_locked;
    unsigned opens;
    uint8_t *data;
    size_t size;
    size_t capacity;
};

struct mem_file {
    struct env_file file;
    struct mem_env *m;
    struct mem_node *node;
    unsigned flags;
    bool has_lock;
};

static struct mem_file *file_of(struct env_file *file)
{
    return container_of(file, struct mem_file, file);
}

/* ---- paths */

/* The part of `path` that counts: "./a/b/" is "a/b", "." and "/" are "". */
static const char *trim(const char *path, size_t *len)
{
    for (;;) {
        if (path[0] == '/')
            path++;
        else if (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))
            path++;
        else
            break;
    }
    *len = strlen(path);
    while (*len > 0 && path[*len - 1] == '/')
        (*len)--;
    return path;
}

static struct mem_node *find_trimmed(struct mem_env *m, const char *path, size_t len)
{
    LIST_FOR_EACH (link, &m->nodes) {
        struct mem_node *node = container_of(link, struct mem_node, link);
        if (strlen(node->path) == len && memcmp(node->path, path, len) == 0)
            return node;
    }
    return NULL;
}

static struct mem_node *find(struct mem_env *m, const char *path)
{
    size_t len;
    path = trim(path, &len);
    return find_trimmed(m, path, len);
}

static bool is_existing_dir(struct mem_env *m, const char *path, size_t len)
{
    if (len == 0)
        return true; /* the root */
    const struct mem_node *node = find_trimmed(m, path, len);
    return node != NULL && node->is_dir;
}

static bool has_parent(struct mem_env *m, const char *path)
{
    size_t len;
    path = trim(path, &len);
    while (len > 0 && path[len - 1] != '/')
        len--;
    return is_existing_dir(m, path, len > 0 ? len - 1 : 0);
}

/* The name of `node` within the directory, or NULL when it lies elsewhere or deeper. */
static const char *name_in(const struct mem_node *node, const char *dir, size_t dir_len)
{
    const char *name = node->path;
    if (dir_len > 0) {
        if (strncmp(name, dir, dir_len) != 0 || name[dir_len] != '/')
            return NULL;
        name += dir_len + 1;
    }
    return strchr(name, '/') == NULL ? name : NULL;
}

static struct mem_node *node_new(struct mem_env *m, const char *path, bool is_dir)
{
    size_t len;
    path = trim(path, &len);
    struct mem_node *node = mem_alloc(sizeof(*node));
    node->path = mem_alloc(len + 1);
    memcpy(node->path, path, len);
    node->is_dir = is_dir;
    list_push_back(&m->nodes, &node->link);
    return node;
}

static void node_free(struct mem_env *m, struct mem_node *node)
{
    ASSERT(node->opens == 0);
    list_remove(&node->link);
    m->used_bytes -= (int64_t)node->size;
    mem_free(node->path);
    mem_free(node->data);
    mem_free(node);
}

static void node_unlink(struct mem_env *m, struct mem_node *node)
{
    list_remove(&node->link);
    if (node->opens == 0)
        node_free(m, node);
}

/* Zeros where it grows. */
static enum err node_resize(struct mem_env *m, struct mem_node *node, size_t size)
{
    if (size > node->size && (int64_t)(size - node->size) > m->space_bytes - m->used_bytes)
        return ERR_NO_SPACE;
    if (size > node->capacity) {
        node->capacity = MAX(size, node->capacity * 2);
        node->data = mem_realloc(node->data, node->capacity);
    }
    if (size > node->size)
        memset(node->data + node->size, 0, size - node->size);
    m->used_bytes += (int64_t)size - (int64_t)node->size;
    node->size = size;
    return ERR_OK;
}

/* ---- an open file */

static void file_close(struct env_file *base)
{
    struct mem_file *file = file_of(base);
    struct mem_node *node = file->node;
    ASSERT(node->opens > 0 && file->m->open_fds > 0);
    if (file->has_lock)
        node->is_locked = false;
    node->opens--;
    file->m->open_fds--;
    if (node->opens == 0 && !list_is_linked(&node->link))
        node_free(file->m, node);
    mem_free(file);
}

static enum err file_read(struct env_file *base, void *out, size_t len, int64_t pos,
                          enum env_read_mode mode, size_t *got)
{
    struct mem_file *file = file_of(base);
    enum err e = mem_env_count_io(file->m);
    if (e != ERR_OK)
        return e;
    ASSERT((file->flags & ENV_READ) != 0);
    if (mode == ENV_NOWAIT && file->m->is_cold)
        return ERR_AGAIN;
    size_t left = (uint64_t)pos < file->node->size ? file->node->size - (size_t)pos : 0;
    size_t n = MIN(len, left);
    if (n > 0)
        memcpy(out, file->node->data + pos, n);
    file->m->read_bytes += (int64_t)n;
    *got = n;
    return ERR_OK;
}

static enum err file_write(struct env_file *base, struct iovec *iov, int iov_count, int64_t pos)
{
    struct mem_file *file = file_of(base);
    struct mem_node *node = file->node;
    ASSERT((file->flags & ENV_WRITE) != 0);
    size_t total = 0;
    for (int i = 0; i < iov_count; i++)
        total += iov[i].iov_len;
    enum err failure = mem_env_count_io(file->m);
    if (failure != ERR_OK)
        total /= 2;
    file->m->writes++;
    enum err e = node_resize(file->m, node, MAX(node->size, (size_t)pos + total));
    if (e != ERR_OK)
        return e;
    size_t done = 0;
    for (int i = 0; i < iov_count && done < total; i++) {
        size_t n = MIN(iov[i].iov_len, total - done);
        if (n > 0)
            memcpy(node->data + pos + done, iov[i].iov_base, n);
        done += n;
        iov[i].iov_len = 0; /* used up, as the contract says */
    }
    return failure;
}

static enum err file_sync(struct env_file *base)
{
    struct mem_file *file = file_of(base);
    file->m->syncs++;
    return mem_env_count_io(file->m);
}

static enum err file_truncate(struct env_file *base, int64_t size)
{
    struct mem_file *file = file_of(base);
    enum err e = mem_env_count_io(file->m);
    return e != ERR_OK ? e : node_resize(file->m, file->node, (size_t)size);
}

static enum err file_size(struct env_file *base, int64_t *out)
{
    struct mem_file *file = file_of(base);
    enum err e = mem_env_count_io(file->m);
    if (e == ERR_OK)
        *out = (int64_t)file->node->size;
    return e;
}

static enum err file_allocate(struct env_file *base, int64_t pos, int64_t len)
{
    struct mem_file *file = file_of(base);
    enum err e = mem_env_count_io(file->m);
    if (e != ERR_OK)
        return e;
    return node_resize(file->m, file->node, MAX(file->node->size, (size_t)(pos + len)));
}

static enum err file_lock(struct env_file *base)
{
    struct mem_file *file = file_of(base);
    enum err e = mem_env_count_io(file->m);
    if (e != ERR_OK)
        return e;
    if (file->node->is_locked && !file->has_lock)
        return ERR_BUSY;
    file->node->is_locked = true;
    file->has_lock = true;
    return ERR_OK;
}

static bool file_is_cached(struct env_file *base, int64_t pos, int64_t len)
{
    return !file_of(base)->m->is_cold;
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
};

const uint8_t *mem_file_range(struct env_file *base, int64_t pos, size_t *len)
{
    ASSERT(base->ops == &file_ops);
    ASSERT(!file_of(base)->m->is_cold); /* a loop never waits for a disk */
    const struct mem_node *node = file_of(base)->node;
    size_t left = (uint64_t)pos < node->size ? node->size - (size_t)pos : 0;
    *len = MIN(*len, left);
    return *len > 0 ? node->data + pos : NULL;
}

enum err mem_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out)
{
    struct mem_env *m = mem_env_of(env);
    enum err e = mem_env_count_io(m);
    if (e != ERR_OK)
        return e;
    struct mem_node *node = find(m, path);
    if (node == NULL && ((flags & ENV_CREATE) == 0 || !has_parent(m, path)))
        return ERR_NOT_FOUND;
    if (node != NULL && (flags & ENV_CREATE) != 0 && (flags & ENV_EXCLUSIVE) != 0)
        return ERR_EXISTS;
    if (node != NULL && node->is_dir)
        return ERR_INVALID;
    if (node == NULL)
        node = node_new(m, path, false);
    if ((flags & ENV_TRUNCATE) != 0) {
        e = node_resize(m, node, 0);
        ASSERT(e == ERR_OK);
    }
    struct mem_file *file = mem_alloc(sizeof(*file));
    file->file.ops = &file_ops;
    atomic_store(&file->file.refs, 1);
    file->m = m;
    file->node = node;
    file->flags = flags;
    node->opens++;
    m->opens++;
    m->open_fds++;
    *out = &file->file;
    return ERR_OK;
}

uint8_t *mem_env_file_bytes(struct mem_env *m, const char *path, size_t *size)
{
    struct mem_node *node = find(m, path);
    if (node == NULL || node->is_dir)
        return NULL;
    if (node->data == NULL)
        node->data = mem_alloc(1);
    *size = node->size;
    return node->data;
}

void mem_env_put_file(struct mem_env *m, const char *path, const void *data, size_t size)
{
    struct env_file *file;
    enum err e = env_file_open(&m->env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file);
    ASSERT(e == ERR_OK);
    struct iovec iov = {(void *)(uintptr_t)data, size}; /* only read */
    if (size > 0)
        e = env_file_write(file, &iov, 1, 0);
    ASSERT(e == ERR_OK);
    env_file_unref(file);
}

/* ---- names */

enum err mem_dir_make(struct env *env, const char *path)
{
    struct mem_env *m = mem_env_of(env);
    enum err e = mem_env_count_io(m);
    if (e != ERR_OK)
        return e;
    size_t len;
    trim(path, &len);
    if (len == 0 || find(m, path) != NULL)
        return ERR_EXISTS;
    if (!has_parent(m, path))
        return ERR_NOT_FOUND;
    node_new(m, path, true);
    return ERR_OK;
}

/* Is it a directory; counts the call. */
static enum err check_dir(struct mem_env *m, const char *path)
{
    enum err e = mem_env_count_io(m);
    if (e != ERR_OK)
        return e;
    size_t len;
    path = trim(path, &len);
    return is_existing_dir(m, path, len) ? ERR_OK : ERR_NOT_FOUND;
}

enum err mem_dir_sync(struct env *env, const char *path)
{
    struct mem_env *m = mem_env_of(env);
    m->dir_syncs++;
    return check_dir(m, path);
}

enum err mem_dir_remove(struct env *env, const char *path)
{
    struct mem_env *m = mem_env_of(env);
    enum err e = check_dir(m, path);
    if (e != ERR_OK)
        return e;
    size_t len;
    path = trim(path, &len);
    if (len == 0)
        return ERR_INVALID;
    LIST_FOR_EACH (link, &m->nodes) {
        if (name_in(container_of(link, struct mem_node, link), path, len) != NULL)
            return ERR_EXISTS;
    }
    node_unlink(m, find_trimmed(m, path, len));
    return ERR_OK;
}

struct listed {
    char *name;
    bool is_dir;
};

static int compare_listed(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

enum err mem_dir_list(struct env *env, const char *path,
                      void (*each)(void *arg, const char *name, bool is_dir), void *arg)
{
    struct mem_env *m = mem_env_of(env);
    enum err e = check_dir(m, path);
    if (e != ERR_OK)
        return e;
    size_t len, count = 0, capacity = 0;
    path = trim(path, &len);
    struct listed *items = NULL;
    LIST_FOR_EACH (link, &m->nodes) {
        const struct mem_node *node = container_of(link, struct mem_node, link);
        const char *name = name_in(node, path, len);
        if (name == NULL)
            continue;
        if (count == capacity) {
            capacity = capacity * 2 + 8;
            items = mem_realloc(items, capacity * sizeof(items[0]));
        }
        items[count++] = (struct listed){mem_strdup(name), node->is_dir};
    }
    if (count > 0)
        qsort(items, count, sizeof(items[0]), compare_listed);
    for (size_t i = 0; i < count; i++) {
        each(arg, items[i].name, items[i].is_dir);
        mem_free(items[i].name);
    }
    mem_free(items);
    return ERR_OK;
}

enum err mem_path_unlink(struct env *env, const char *path)
{
    struct mem_env *m = mem_env_of(env);
    enum err e = mem_env_count_io(m);
    if (e != ERR_OK)
        return e;
    struct mem_node *node = find(m, path);
    if (node == NULL)
        return ERR_NOT_FOUND;
    if (node->is_dir)
        return ERR_INVALID;
    node_unlink(m, node);
    return ERR_OK;
}

static void set_path(struct mem_node *node, const char *head, size_t head_len, const char *tail)
{
    size_t tail_size = strlen(tail) + 1;
    char *path = mem_alloc(head_len + tail_size);
    memcpy(path, head, head_len);
    memcpy(path + head_len, tail, tail_size);
    mem_free(node->path);
    node->path = path;
}

enum err mem_path_rename(struct env *env, const char *from, const char *to)
{
    struct mem_env *m = mem_env_of(env);
    enum err e = mem_env_count_io(m);
    if (e != ERR_OK)
        return e;
    struct mem_node *node = find(m, from);
    struct mem_node *replaced = find(m, to);
    if (node == NULL || !has_parent(m, to))
        return ERR_NOT_FOUND;
    if (node == replaced)
        return ERR_OK;
    if (replaced != NULL && (replaced->is_dir || node->is_dir))
        return ERR_EXISTS;
    if (replaced != NULL)
        node_unlink(m, replaced);
    size_t from_len, to_len;
    from = trim(from, &from_len);
    to = trim(to, &to_len);
    char *old = mem_strdup(from); /* `from` may be the node's own text */
    old[from_len] = '\0';
    LIST_FOR_EACH (link, &m->nodes) {
        struct mem_node *inner = container_of(link, struct mem_node, link);
        if (strncmp(inner->path, old, from_len) == 0 && inner->path[from_len] == '/')
            set_path(inner, to, to_len, inner->path + from_len);
    }
    set_path(node, to, to_len, "");
    mem_free(old);
    return ERR_OK;
}

enum err mem_disk_space(struct env *env, const char *path, int64_t *free_bytes,
                        int64_t *total_bytes)
{
    struct mem_env *m = mem_env_of(env);
    enum err e = mem_env_count_io(m);
    if (e != ERR_OK)
        return e;
    *total_bytes = m->space_bytes;
    *free_bytes = m->space_bytes - m->used_bytes;
    return ERR_OK;
}

void mem_file_free_all(struct mem_env *m)
{
    LIST_FOR_EACH_SAFE (link, &m->nodes) {
        struct mem_node *node = container_of(link, struct mem_node, link);
        node->opens = 0; /* a leaky test's own loss */
        node_free(m, node);
    }
}
