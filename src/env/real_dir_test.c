// SPDX-License-Identifier: Apache-2.0
/* real_dir_test: a directory is synced though all descriptors are in use. Thread: main. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/testing.h"
#include "env/logger_file.h"
#include "env/real_private.h"

enum { LIMIT = 64 };

/* Opens whatever can be opened. Returns how many. */
static int use_up(int fds[LIMIT])
{
    int count = 0;
    while (count < LIMIT && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    CHECK(count < LIMIT && errno == EMFILE);
    return count;
}

TEST(a_directory_is_synced_without_a_free_descriptor)
{
    struct logger_file *log;
    struct real_env *real;
    char path[500];
    char nowhere[600];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/klamm-dir-XXXXXX", tmp != NULL ? tmp : "/tmp");
    CHECK(mkdtemp(path) != NULL);
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", path);
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = 1, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    struct rlimit before;
    CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = LIMIT, .rlim_max = before.rlim_max};
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
    int fds[LIMIT];
    int count = use_up(fds);
    struct env_file *file = NULL;
    CHECK_EQUAL(env_file_open(&real->env, "/dev/null", ENV_READ, &file), ERR_FULL);
    for (int i = 0; i < 3; i++) /* what was given up is there again */
        CHECK_EQUAL(env_dir_sync(&real->env, path), ERR_OK);
    CHECK_EQUAL(env_dir_sync(&real->env, nowhere), ERR_NOT_FOUND);
    CHECK_EQUAL(env_dir_sync(&real->env, path), ERR_OK);
    while (count > 0)
        close(fds[--count]);
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    real_env_free(real);
    logger_file_close(log);
    CHECK_EQUAL(rmdir(path), 0);
}
