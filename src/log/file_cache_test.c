// SPDX-License-Identifier: Apache-2.0
/*
 * file_cache_test: the bound, who goes first, what is synced before it goes, no descriptors, and
 * many threads at once, with files that only count. Thread: the test's, and disk workers.
 */
#include "log/file_cache.h"

#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "env/logger.h"
#include "env/real_env.h"

/* ---- files that count */

struct world {
    atomic_int open;
    atomic_int opened;
    atomic_int syncs;
    int system_max;   /* descriptors: then ERR_FULL; 0: no end of them */
    int fail_open_at; /* the nth open from now on fails */
    enum err fail_with;
    bool sync_fails;
};

struct counted_file {
    struct env_file file;
    struct world *world;
};

static struct counted_file *counted(struct env_file *file)
{
    return container_of(file, struct counted_file, file);
}

static void counted_close(struct env_file *file)
{
    atomic_fetch_sub(&counted(file)->world->open, 1);
    mem_free(counted(file));
}

static enum err counted_sync(struct env_file *file)
{
    atomic_fetch_add(&counted(file)->world->syncs, 1);
    return counted(file)->world->sync_fails ? ERR_IO : ERR_OK;
}

static enum err counted_write(struct env_file *file, struct iovec *iov, int iov_count, int64_t pos)
{
    return ERR_OK;
}

static const struct env_file_ops counted_ops = {
    .close = counted_close, .sync = counted_sync, .write = counted_write};

static enum err counted_open(const void *arg, struct env_file **out)
{
    struct world *w = *(struct world *const *)arg;
    if (w->fail_open_at > 0 && --w->fail_open_at == 0)
        return w->fail_with;
    if (w->system_max > 0 && atomic_load(&w->open) >= w->system_max)
        return ERR_FULL;
    struct counted_file *file = mem_alloc(sizeof(*file));
    file->file.ops = &counted_ops;
    atomic_init(&file->file.refs, 1);
    file->world = w;
    atomic_fetch_add(&w->open, 1);
    atomic_fetch_add(&w->opened, 1);
    *out = &file->file;
    return ERR_OK;
}

enum { SEGMENTS = 100 };

struct fixture {
    struct world world;
    struct world *at; /* what `open` is given */
    struct file_cache *cache;
    struct file_slots slots[SEGMENTS];
};

static void fixture_init(struct fixture *f, uint32_t open_max)
{
    *f = (struct fixture){.at = NULL};
    f->at = &f->world;
    f->cache = file_cache_new(open_max);
    for (int i = 0; i < SEGMENTS; i++)
        file_slots_init(&f->slots[i]);
}

static void fixture_deinit(struct fixture *f)
{
    for (int i = 0; i < SEGMENTS; i++)
        file_cache_close(f->cache, &f->slots[i]);
    CHECK_EQUAL(atomic_load(&f->world.open), 0);
    file_cache_unref(f->cache);
}

static enum err take(struct fixture *f, int segment, int slot, struct env_file **out)
{
    struct file_opening opening = {counted_open, &f->at};
    return file_cache_open(f->cache, &f->slots[segment], slot, &opening, out);
}

static void use(struct fixture *f, int segment, int slot)
{
    struct env_file *file = NULL;
    CHECK_EQUAL(take(f, segment, slot, &file), ERR_OK);
    env_file_unref(file);
}

static bool is_open(struct fixture *f, int segment, int slot)
{
    return f->slots[segment].files[slot] != NULL;
}

static void write_to(struct env_file *file)
{
    char byte = 0;
    struct iovec iov = {&byte, 1};
    CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
}

static void check_counts(struct fixture *f, int open)
{
    struct file_cache_stats stats;
    file_cache_stats(f->cache, &stats);
    CHECK_EQUAL(stats.open, open);
    CHECK_EQUAL(atomic_load(&f->world.open), open);
    CHECK_EQUAL(stats.opened, atomic_load(&f->world.opened));
}

/* ---- */

TEST(no_more_are_open_than_the_bound)
{
    struct fixture f;
    fixture_init(&f, 7);
    for (int i = 0; i < SEGMENTS; i++) {
        use(&f, i, i % FILE_SLOTS);
        CHECK(atomic_load(&f.world.open) <= 7);
    }
    check_counts(&f, 7);
    CHECK(is_open(&f, SEGMENTS - 1, (SEGMENTS - 1) % FILE_SLOTS));
    CHECK(!is_open(&f, 0, 0));
    use(&f, 0, 0); /* and it is opened again */
    check_counts(&f, 7);
    fixture_deinit(&f);
}

TEST(what_is_used_stays)
{
    struct fixture f;
    fixture_init(&f, 4);
    use(&f, 0, 0);
    for (int i = 1; i < SEGMENTS; i++) {
        use(&f, i, 0);
        struct env_file *file = NULL;
        CHECK_EQUAL(file_cache_peek(&f.slots[0], 0, &file), ERR_OK);
        env_file_unref(file);
    }
    CHECK_EQUAL(atomic_load(&f.world.opened), SEGMENTS);
    struct env_file *none = NULL;
    CHECK_EQUAL(file_cache_peek(&f.slots[1], 0, &none), ERR_AGAIN);
    fixture_deinit(&f);
}

TEST(what_is_held_is_not_closed)
{
    struct fixture f;
    fixture_init(&f, 2);
    struct env_file *held[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQUAL(take(&f, i, 0, &held[i]), ERR_OK);
    check_counts(&f, 4); /* the bound, and those in use beyond it */
    for (int i = 10; i < 20; i++)
        use(&f, i, 0);
    for (int i = 0; i < 4; i++) {
        CHECK(is_open(&f, i, 0));
        env_file_unref(held[i]);
    }
    use(&f, 30, 0);
    CHECK(atomic_load(&f.world.open) <= 2);
    fixture_deinit(&f);
}

TEST(a_log_is_synced_before_it_goes_and_an_index_is_not)
{
    struct fixture f;
    fixture_init(&f, 2);
    struct env_file *file = NULL;
    CHECK_EQUAL(take(&f, 0, 0, &file), ERR_OK);
    write_to(file);
    env_file_unref(file);
    CHECK_EQUAL(take(&f, 1, 1, &file), ERR_OK);
    write_to(file);
    env_file_unref(file);
    for (int i = 2; i < 10; i++)
        use(&f, i, 0);
    CHECK(!is_open(&f, 0, 0) && !is_open(&f, 1, 1));
    CHECK_EQUAL(atomic_load(&f.world.syncs), 1);
    fixture_deinit(&f);
}

TEST(a_log_whose_sync_fails_stays_and_its_writer_is_told)
{
    struct fixture f;
    fixture_init(&f, 2);
    struct env_file *file = NULL;
    CHECK_EQUAL(take(&f, 0, 0, &file), ERR_OK);
    write_to(file);
    env_file_unref(file);
    f.world.sync_fails = true;
    for (int i = 1; i < 10; i++)
        use(&f, i, 0);
    CHECK(is_open(&f, 0, 0));
    f.world.sync_fails = false;
    CHECK_EQUAL(take(&f, 0, 0, &file), ERR_OK);
    CHECK_EQUAL(env_file_sync(file), ERR_IO); /* though the kernel would say that all is well */
    env_file_unref(file);
    while (file_cache_close_idle(f.cache)) {
    }
    check_counts(&f, 1); /* it is not tried again and again */
    fixture_deinit(&f);
}

TEST(without_descriptors_others_are_given_back)
{
    struct fixture f;
    fixture_init(&f, 50);
    f.world.system_max = 9;
    for (int i = 0; i < SEGMENTS; i++)
        use(&f, i, 0);
    CHECK(atomic_load(&f.world.open) <= 9);
    struct file_cache_stats stats;
    file_cache_stats(f.cache, &stats);
    CHECK(stats.exhausted > 0);
    fixture_deinit(&f);
}

TEST(an_open_that_fails_leaves_the_room_to_others)
{
    struct fixture f;
    for (int fail_at = 1; fail_at <= 10; fail_at++) {
        fixture_init(&f, 3);
        f.world.fail_open_at = fail_at;
        f.world.fail_with = ERR_NOT_FOUND;
        for (int i = 0; i < 10; i++) {
            struct env_file *file = NULL;
            enum err e = take(&f, i, 0, &file);
            CHECK_EQUAL(e, i + 1 == fail_at ? ERR_NOT_FOUND : ERR_OK);
            CHECK((file == NULL) == (e != ERR_OK));
            env_file_unref(file);
        }
        check_counts(&f, fail_at == 10 ? 2 : 3);
        fixture_deinit(&f);
    }
}

TEST(what_nobody_uses_is_closed_in_the_end)
{
    struct fixture f;
    fixture_init(&f, 50);
    for (int i = 0; i < 20; i++)
        use(&f, i, 0);
    struct env_file *held = NULL;
    CHECK_EQUAL(take(&f, 3, 0, &held), ERR_OK); /* touched, and held */
    CHECK(file_cache_close_idle(f.cache));
    check_counts(&f, 1);
    CHECK(file_cache_close_idle(f.cache));
    check_counts(&f, 1);
    env_file_unref(held);
    CHECK(!file_cache_close_idle(f.cache));
    CHECK(!file_cache_is_used(f.cache));
    check_counts(&f, 0);
    fixture_deinit(&f);
}

TEST(a_segment_that_ends_gives_its_room_back)
{
    struct fixture f;
    fixture_init(&f, 5);
    for (int i = 0; i < SEGMENTS; i++) {
        use(&f, i, 0);
        use(&f, i, 1);
        file_cache_close(f.cache, &f.slots[i]);
    }
    check_counts(&f, 0);
    struct file_cache_stats stats;
    file_cache_stats(f.cache, &stats);
    CHECK_EQUAL(stats.evicted, 0);
    fixture_deinit(&f);
}

TEST(without_a_cache_there_is_no_bound)
{
    struct fixture f;
    fixture_init(&f, 1);
    struct file_opening opening = {counted_open, &f.at};
    for (int i = 0; i < 10; i++) {
        struct env_file *file = NULL;
        CHECK_EQUAL(file_cache_open(NULL, &f.slots[i], 0, &opening, &file), ERR_OK);
        env_file_unref(file);
    }
    CHECK_EQUAL(atomic_load(&f.world.open), 10);
    for (int i = 0; i < 10; i++)
        file_cache_close(NULL, &f.slots[i]);
    fixture_deinit(&f);
}

/* ---- many at once */

enum { THREADS = 4, ROUNDS = 20000, BOUND = 16 };

static void write_nothing(struct logger *logger, enum log_level level, const char *line)
{
    (void)logger;
    (void)level;
    (void)line;
}

struct user {
    struct env_job job;
    struct fixture *f;
    uint64_t seed;
    atomic_int *most;
};

static bool use_many(struct env_job *job)
{
    const struct user *user = container_of(job, struct user, job);
    struct prng prng;
    prng_seed(&prng, user->seed);
    for (int i = 0; i < ROUNDS; i++) {
        int segment = (int)prng_below(&prng, SEGMENTS);
        int slot = (int)prng_below(&prng, FILE_SLOTS);
        uint64_t what = prng_below(&prng, 100);
        struct env_file *file = NULL;
        if (what < 2)
            file_cache_close(user->f->cache, &user->f->slots[segment]);
        else if (what == 2)
            (void)file_cache_close_idle(user->f->cache);
        else if (take(user->f, segment, slot, &file) == ERR_OK && what < 30)
            write_to(file);
        int open = atomic_load(&user->f->world.open);
        int most = atomic_load(user->most);
        while (open > most && !atomic_compare_exchange_weak(user->most, &most, open)) {
        }
        env_file_unref(file);
    }
    return false;
}

TEST(many_threads_keep_the_bound)
{
    struct fixture f;
    struct logger logger = {.level = LOG_ERROR, .write = write_nothing};
    struct real_env *real = NULL;
    struct user users[THREADS];
    atomic_int most = 0;
    fixture_init(&f, BOUND);
    struct real_env_options options = {.workers = THREADS, .logger = &logger};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    for (int i = 0; i < THREADS; i++) {
        users[i] = (struct user){.job = {.run = use_many, .queue = ENV_QUEUE_WRITE},
                                 .f = &f,
                                 .seed = (uint64_t)i + 1,
                                 .most = &most};
        env_submit(real_env_env(real), &users[i].job);
    }
    real_env_free(real);
    /* Each thread holds one, and may have caught one segment's that it is about to close. */
    CHECK(atomic_load(&most) <= BOUND + THREADS * (1 + FILE_SLOTS));
    struct file_cache_stats stats;
    file_cache_stats(f.cache, &stats);
    CHECK_EQUAL(stats.open, atomic_load(&f.world.open));
    CHECK(stats.evicted > 0);
    fixture_deinit(&f);
}
