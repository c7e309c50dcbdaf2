// SPDX-License-Identifier: Apache-2.0
/* base_test: the containers and helpers of base. Thread: main. */
#include "base/arena.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/iobuf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/prng.h"
#include "base/strbuf.h"
#include "base/testing.h"
#include "base/uuid.h"

TEST(arena_stays_inside_its_limit)
{
    struct arena a;
    arena_init(&a, 10000);
    size_t got = 0;
    while (arena_alloc(&a, 100) != NULL)
        got += 100;
    CHECK(got >= 8000 && got <= 10000);
    CHECK(a.used_bytes <= 10000);
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(arena_alloc_array(&a, SIZE_MAX / 2, 4) == NULL);
    arena_deinit(&a);
    CHECK(arena_alloc(&a, 5000) != NULL);
    arena_deinit(&a);
}

TEST(arena_fails_cleanly_when_memory_is_short)
{
    struct arena a;
    arena_init(&a, 10000);
    mem_fail_at(1);
    CHECK(arena_alloc(&a, 10) == NULL);
    CHECK(arena_alloc(&a, 10) != NULL);
    arena_deinit(&a);
}

struct thing {
    struct map_node node;
    struct heap_node timer;
    struct list link;
    uint64_t key;
};

TEST(map_finds_what_was_inserted)
{
    enum { COUNT = 1000 };
    static struct thing things[COUNT];
    struct map m;
    map_init(&m);
    for (uint64_t i = 0; i < COUNT; i++) {
        things[i].key = i;
        map_insert(&m, &things[i].node, hash_u64(i % 500)); /* each hash twice */
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        struct map_node *at = map_first(&m, hash_u64(i % 500));
        while (at != NULL && container_of(at, struct thing, node)->key != i)
            at = map_next_same(at);
        CHECK(at == &things[i].node);
    }
    size_t seen = 0;
    MAP_FOR_EACH (node, &m) {
        seen++;
        map_remove(&m, node);
    }
    CHECK_EQUAL(seen, COUNT);
    CHECK_EQUAL(m.count, 0);
    map_deinit(&m);
}

TEST(heap_gives_keys_in_order_and_ties_first_come_first)
{
    enum { COUNT = 500 };
    static struct thing things[COUNT];
    struct heap h;
    struct prng p;
    prng_seed(&p, 7);
    heap_init(&h);
    for (int i = 0; i < COUNT; i++)
        heap_insert(&h, &things[i].timer, (int64_t)prng_below(&p, 50));
    for (int i = 0; i < COUNT; i += 3)
        heap_remove(&h, &things[i].timer);
    int64_t key = -1;
    uint64_t sequence = 0;
    while (heap_min(&h) != NULL) {
        struct heap_node *least = heap_min(&h);
        CHECK(least->key > key || (least->key == key && least->sequence > sequence));
        key = least->key;
        sequence = least->sequence;
        heap_remove(&h, least);
        CHECK(!heap_contains(least));
    }
    heap_deinit(&h);
}

TEST(list_keeps_order_and_splices)
{
    struct thing a, b, c;
    struct list head, other;
    list_init(&head);
    list_init(&other);
    list_push_back(&head, &a.link);
    list_push_back(&other, &b.link);
    list_push_back(&other, &c.link);
    list_splice_back(&head, &other);
    CHECK(list_is_empty(&other));
    CHECK(list_pop_front(&head) == &a.link);
    list_remove(&b.link);
    CHECK(!list_is_linked(&b.link));
    CHECK(list_pop_front(&head) == &c.link);
    CHECK(list_pop_front(&head) == NULL);
}

static void count_free(void *owner, size_t size)
{
    *(size_t *)owner += size;
}

TEST(iobuf_is_freed_with_its_last_slice)
{
    size_t freed = 0;
    struct iobuf *buf = iobuf_try_new(100);
    buf->on_free = count_free;
    buf->owner = &freed;
    struct iobuf_slice slice = iobuf_slice(buf, buf->data + 10, 90);
    iobuf_unref(buf);
    CHECK_EQUAL(freed, 0);
    iobuf_slice_release(&slice);
    CHECK_EQUAL(freed, 100);
    CHECK(slice.buf == NULL && slice.len == 0);
}

TEST(uuid_text_round_trips)
{
    struct prng p;
    prng_seed(&p, 1);
    for (int i = 0; i < 100; i++) {
        uint8_t bytes[16];
        prng_fill(&p, bytes, sizeof(bytes));
        struct uuid u = uuid_from_random(bytes), back;
        char text[UUID_TEXT_SIZE];
        CHECK(uuid_parse(uuid_format(u, text), &back));
        CHECK(uuid_equals(u, back));
    }
    struct uuid u;
    CHECK(!uuid_parse("short", &u));
    CHECK(!uuid_parse("AAAAAAAAAAAAAAAAAAAA+A", &u));
}

TEST(strbuf_grows_and_stays_terminated)
{
    struct strbuf b;
    strbuf_init(&b);
    CHECK_TEXT(strbuf_text(&b), "");
    for (int i = 0; i < 100; i++)
        strbuf_printf(&b, "%d,", i);
    CHECK_EQUAL(strlen(strbuf_text(&b)), b.len);
    strbuf_clear(&b);
    strbuf_puts(&b, "x");
    CHECK_TEXT(strbuf_text(&b), "x");
    strbuf_deinit(&b);
}

TEST(prng_repeats_and_stays_in_bounds)
{
    struct prng a, b;
    prng_seed(&a, 42);
    prng_seed(&b, 42);
    for (int i = 0; i < 1000; i++) {
        int64_t x = prng_range(&a, -5, 5);
        CHECK(x >= -5 && x <= 5);
        CHECK_EQUAL(x, prng_range(&b, -5, 5));
    }
}

TEST(hash_depends_on_seed_and_every_byte)
{
    char text[32] = "klamm";
    uint64_t before = hash_bytes(1, text, 20);
    CHECK(before != hash_bytes(2, text, 20));
    for (int i = 0; i < 20; i++) {
        text[i] ^= 1;
        CHECK(before != hash_bytes(1, text, 20));
        text[i] ^= 1;
    }
    CHECK(before == hash_bytes(1, text, 20));
}

static const char *nearest_of(const char *name)
{
    static const char *const known[] = {"retention.ms", "retention.bytes", "segment.ms"};
    struct nearest n;
    nearest_init(&n, name, strlen(name));
    for (size_t i = 0; i < ARRAY_COUNT(known); i++)
        nearest_offer(&n, known[i], strlen(known[i]));
    CHECK(n.best == NULL || n.best_len == strlen(n.best));
    return n.best;
}

TEST(nearest_finds_what_was_meant_and_no_other_word)
{
    CHECK_TEXT(nearest_of("retention.m"), "retention.ms");
    CHECK_TEXT(nearest_of("retenton.byts"), "retention.bytes");
    CHECK_TEXT(nearest_of("segments.ms"), "segment.ms");
    CHECK(nearest_of("cleanup.policy") == NULL);
    CHECK(nearest_of("") == NULL);
    CHECK(nearest_of("ms") == NULL);
    char longest[256 + 1];
    memset(longest, 'x', 256);
    longest[256] = '\0';
    CHECK(nearest_of(longest) == NULL);
}

TEST(every_error_has_a_name_and_a_text)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        CHECK(err_name((enum err)e) != NULL);
        CHECK(err_text((enum err)e) != NULL);
    }
}
