// SPDX-License-Identifier: Apache-2.0
/* mem_private: what the mem_*.c files share. Thread: the test's. */
#ifndef ENV_MEM_PRIVATE_H
#define ENV_MEM_PRIVATE_H

#include "env/mem_env.h"

/* mem_env.c: counts one file or directory call; ERR_OK or what the test wants it to fail with. */
enum err mem_env_count_io(struct mem_env *m);

static inline struct mem_env *mem_env_of(struct env *env)
{
    return container_of(env, struct mem_env, env);
}

/* mem_file.c */
enum err mem_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out);
enum err mem_dir_make(struct env *env, const char *path);
enum err mem_dir_sync(struct env *env, const char *path);
enum err mem_dir_remove(struct env *env, const char *path);
enum err mem_dir_list(struct env *env, const char *path,
                      void (*each)(void *arg, const char *name, bool is_dir), void *arg);
enum err mem_path_unlink(struct env *env, const char *path);
enum err mem_path_rename(struct env *env, const char *from, const char *to);
enum err mem_disk_space(struct env *env, const char *path, int64_t *free_bytes,
                        int64_t *total_bytes);
/* A range of a file for a socket: how much there is. */
const uint8_t *mem_file_range(struct env_file *file, int64_t pos, size_t *len);
void mem_file_free_all(struct mem_env *m);

/* mem_loop.c */
struct mem_loop {
    struct loop loop;
    struct mem_env *m;
    struct list tasks;
    struct heap timers;
};

void mem_loop_free(struct mem_loop *loop);
/* One turn; true when there was something to do. */
bool mem_loop_turn(struct mem_loop *loop);
/* The earliest timer of this loop; false: none. */
bool mem_loop_next_timer(const struct mem_loop *loop, int64_t *at_ns);

/* mem_sock.c */
enum err mem_sock_listen(struct loop *loop, const struct env_addr *addr, struct sock **out);
enum err mem_sock_connect(struct loop *loop, const struct env_addr *to, struct sock **out);
/* Calls the owners of the loop's socks that are ready for what they want; true: there was one. */
bool mem_sock_run_ready(struct mem_env *m, struct loop *loop);
void mem_sock_free_all(struct mem_env *m);

#endif
