// SPDX-License-Identifier: Apache-2.0
/* real_stats: what /proc and the kernel tell of this process. Thread: any; reads /proc, which does
 * not wait for a disk. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "env/real_private.h"

static int64_t resident_bytes(void)
{
    long long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%lld %lld", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

static int64_t count_open_fds(void)
{
    int64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] != '.')
            count++;
    }
    closedir(dir);
    return count - 1; /* the listing's own */
}

void real_process_stats(struct env *env, struct env_process_stats *out)
{
    const struct real_env *real = container_of(env, struct real_env, env);
    struct timespec cpu = {0};
    struct rlimit limit = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    getrlimit(RLIMIT_NOFILE, &limit);
    *out = (struct env_process_stats){
        .resident_bytes = resident_bytes(),
        .cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9,
        .open_fds = count_open_fds(),
        .fds_max = (int64_t)limit.rlim_cur,
        .start_time_seconds = (double)real->start_wall_ms / 1000,
        .loop_stalls = atomic_load_explicit(&real->loop_stalls, memory_order_relaxed),
    };
}
