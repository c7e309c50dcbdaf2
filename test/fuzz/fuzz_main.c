// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_main: drives one fuzz target without a fuzzing engine: every file of the
 * corpus given, then mutations of them and plain random bytes from a seed, for
 * a number of runs. A crash or a sanitizer's report is the failure.
 * (The same targets link with libFuzzer for long runs: see docs/testing.md.)
 *
 *   fuzz_x [--runs N] [--seed S] [FILE...]
 *
 * Thread: main.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"

enum { INPUT_BYTES_MAX = 1 << 16, CORPUS_MAX = 4096 };

int FUZZ_TARGET(const uint8_t *data, size_t size);

struct input {
    uint8_t *data;
    size_t size;
};

static struct input corpus[CORPUS_MAX];
static size_t corpus_count;

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL || corpus_count == CORPUS_MAX) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    struct input *in = &corpus[corpus_count++];
    in->data = mem_alloc(INPUT_BYTES_MAX);
    in->size = fread(in->data, 1, INPUT_BYTES_MAX, f);
    fclose(f);
}

static size_t mutate(struct prng *p, uint8_t *out)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 16, 64};
    size_t size;
    if (corpus_count > 0 && prng_chance(p, 9, 10)) {
        const struct input *in = &corpus[prng_below(p, corpus_count)];
        size = in->size;
        memcpy(out, in->data, size);
    } else {
        size = prng_below(p, 512);
        prng_fill(p, out, size);
    }
    for (uint64_t n = prng_below(p, 8); n > 0 && size > 0; n--) {
        size_t at = prng_below(p, size);
        if (prng_chance(p, 1, 2))
            out[at] = edges[prng_below(p, sizeof(edges))];
        else
            out[at] ^= (uint8_t)(1u << prng_below(p, 8));
    }
    if (size > 0 && prng_chance(p, 1, 5))
        size = prng_below(p, size);
    return size;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    long runs = 10000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else
            load(argv[i]);
    }
    for (size_t i = 0; i < corpus_count; i++)
        FUZZ_TARGET(corpus[i].data, corpus[i].size);
    struct prng p;
    prng_seed(&p, seed);
    uint8_t *scratch = mem_alloc(INPUT_BYTES_MAX);
    for (long run = 0; run < runs; run++) {
        size_t size = mutate(&p, scratch);
        uint8_t *exact = mem_alloc(size); /* its own block, so that overreads show */
        memcpy(exact, scratch, size);
        FUZZ_TARGET(exact, size);
        mem_free(exact);
    }
    mem_free(scratch);
    for (size_t i = 0; i < corpus_count; i++)
        mem_free(corpus[i].data);
    printf("%zu corpus inputs and %ld mutations from seed %llu: fine\n", corpus_count, runs,
           (unsigned long long)seed);
    return 0;
}
