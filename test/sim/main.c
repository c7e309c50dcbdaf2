// SPDX-License-Identifier: Apache-2.0
/*
 * klamm-sim: whole worlds of a broker and its clients in one thread each, from seeds.
 *
 *     klamm-sim --seed 17 --verbose        one seed, with its whole trace
 *     klamm-sim --seeds 100-199            these
 *     klamm-sim --random 50                so many new ones
 *     klamm-sim --file test/sim/seeds.txt  of a file: "A[-B] [WORKLOAD]" a line
 *
 * Thread: main.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "runner.h"

enum { KINDS_SEEDS_MIN = 40, TRACE_LINES = 60 };

struct arguments {
    struct runner_options options;
    struct runner_seed *seeds;
    size_t count;
    size_t capacity;
    const struct workload *workload;
};

static void add_seed(struct arguments *a, uint64_t seed, const struct workload *workload)
{
    if (a->count == a->capacity) {
        a->capacity = MAX(a->capacity * 2, (size_t)64);
        a->seeds = mem_realloc(a->seeds, a->capacity * sizeof(*a->seeds));
    }
    a->seeds[a->count++] = (struct runner_seed){seed, workload};
}

static bool parse_number(const char *text, const char **end, uint64_t *out)
{
    char *stop;
    errno = 0;
    *out = strtoull(text, &stop, 10);
    *end = stop;
    return errno == 0 && stop != text;
}

static bool add_one(struct arguments *a, const char *text)
{
    const char *end;
    uint64_t seed;
    if (!parse_number(text, &end, &seed) || *end != '\0')
        return false;
    add_seed(a, seed, NULL);
    return true;
}

static bool add_range(struct arguments *a, const char *text)
{
    const char *end;
    uint64_t first, last;
    if (!parse_number(text, &end, &first) || *end != '-' || !parse_number(end + 1, &end, &last) ||
        *end != '\0' || last < first)
        return false;
    for (uint64_t seed = first; seed <= last; seed++)
        add_seed(a, seed, NULL);
    return true;
}

static bool add_random(struct arguments *a, const char *text)
{
    const char *end;
    uint64_t count;
    uint32_t base;
    if (!parse_number(text, &end, &count) || *end != '\0' ||
        getrandom(&base, sizeof(base), 0) != (ssize_t)sizeof(base))
        return false;
    for (uint64_t i = 0; i < count; i++)
        add_seed(a, (uint64_t)base * 1000 + i, NULL);
    return true;
}

/* "A [WORKLOAD]" or "A-B [WORKLOAD]", # begins a comment. */
static bool add_line(struct arguments *a, const char *line)
{
    line += strspn(line, " \t");
    size_t len = strcspn(line, "#\n");
    if (strspn(line, " \t") >= len)
        return true;
    const char *end;
    uint64_t seed, last;
    if (!parse_number(line, &end, &seed))
        return false;
    last = seed;
    if (*end == '-' && (!parse_number(end + 1, &end, &last) || last < seed))
        return false;
    char name[64] = "";
    end += strspn(end, " \t");
    size_t name_len = strcspn(end, " \t#\n");
    if (name_len >= sizeof(name))
        return false;
    memcpy(name, end, name_len);
    const struct workload *workload = name_len > 0 ? workload_find(name) : NULL;
    if (name_len > 0 && workload == NULL)
        return false;
    for (; seed <= last; seed++)
        add_seed(a, seed, workload);
    return true;
}

static bool add_file(struct arguments *a, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    char line[256];
    bool is_good = true;
    while (is_good && fgets(line, sizeof(line), file) != NULL)
        is_good = add_line(a, line);
    fclose(file);
    return is_good;
}

static bool set_jobs(struct arguments *a, const char *text)
{
    const char *end;
    uint64_t jobs;
    if (!parse_number(text, &end, &jobs) || *end != '\0' || jobs < 1 || jobs > 64)
        return false;
    a->options.jobs = (unsigned)jobs;
    return true;
}

static bool set_workload(struct arguments *a, const char *text)
{
    a->workload = workload_find(text);
    return a->workload != NULL;
}

static void usage(void)
{
    printf("klamm-sim --seed N | --seeds A-B | --random COUNT | --file PATH\n"
           "          [--workload NAME] [--jobs N] [--verbose] [--twice] [--stop-at-first]\n"
           "workloads:");
    for (size_t i = 0; workload_at(i) != NULL; i++)
        printf(" %s", workload_at(i)->name);
    printf(" (without one, the seed chooses)\n");
}

struct option {
    const char *name;
    bool (*take)(struct arguments *a, const char *value);
};

static const struct option options[] = {
    {"--seed", add_one},  {"--seeds", add_range}, {"--random", add_random},
    {"--file", add_file}, {"--jobs", set_jobs},   {"--workload", set_workload},
};

static bool take_flag(struct arguments *a, const char *text)
{
    if (strcmp(text, "--verbose") == 0)
        a->options.is_verbose = true;
    else if (strcmp(text, "--twice") == 0)
        a->options.is_twice = true;
    else if (strcmp(text, "--stop-at-first") == 0)
        a->options.stops_at_first = true;
    else
        return false;
    return true;
}

static bool take_arguments(struct arguments *a, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (take_flag(a, argv[i]))
            continue;
        const struct option *found = NULL;
        for (size_t k = 0; k < ARRAY_COUNT(options); k++)
            found = strcmp(options[k].name, argv[i]) == 0 ? &options[k] : found;
        if (found == NULL || i + 1 == argc || !found->take(a, argv[++i])) {
            fprintf(stderr, "klamm-sim: cannot use %s%s%s\n", argv[MIN(i, argc - 1)],
                    found != NULL ? " for " : "", found != NULL ? found->name : "");
            return false;
        }
    }
    return a->count > 0;
}

int main(int argc, char **argv)
{
    struct arguments a = {.options = {.jobs = 2, .trace_lines = TRACE_LINES, .program = argv[0]}};
    if (!take_arguments(&a, argc, argv)) {
        usage();
        return 2;
    }
    for (size_t i = 0; a.workload != NULL && i < a.count; i++)
        a.seeds[i].workload = a.workload;
    a.options.seeds = a.seeds;
    a.options.seed_count = a.count;
    a.options.wants_all_kinds = a.count >= KINDS_SEEDS_MIN && a.workload == NULL;
    int failures = runner_run(&a.options);
    mem_free(a.seeds);
    return failures == 0 ? 0 : 1;
}
