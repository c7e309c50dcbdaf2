// SPDX-License-Identifier: Apache-2.0
/* Tests of image_tree against a plain array. Thread: main. */
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "metadata/image_tree.h"

enum { KEYS = 700 };

struct number {
    struct image_item item;
    int key;
    int value;
};

static int items_alive;

static void number_free(struct image_item *item)
{
    items_alive--;
    mem_free(container_of(item, struct number, item));
}

static struct image_item *number_new(int key, int value)
{
    struct number *n = mem_alloc(sizeof(*n));
    image_item_init(&n->item, number_free);
    n->key = key;
    n->value = value;
    items_alive++;
    return &n->item;
}

static int number_compare(const struct image_item *item, const void *key)
{
    int a = ((const struct number *)(const void *)item)->key;
    int b = *(const int *)key;
    return a < b ? -1 : a > b;
}

static void check_same(const struct image_tree *tree, const int *values)
{
    image_tree_check(tree);
    struct image_tree_cursor cursor;
    struct image_item *item = image_tree_seek(tree, NULL, &cursor);
    size_t count = 0;
    for (int key = 0; key < KEYS; key++) {
        struct image_item *found = image_tree_find(tree, &key);
        CHECK((found != NULL) == (values[key] != 0));
        if (found == NULL)
            continue;
        CHECK(found == item);
        CHECK_EQUAL(container_of(found, struct number, item)->value, values[key]);
        item = image_tree_next(&cursor);
        count++;
    }
    CHECK(item == NULL);
    CHECK_EQUAL(count, tree->count);
}

static void change(struct prng *p, struct image_tree *tree, uint64_t edit, int *values)
{
    int key = (int)prng_below(p, KEYS);
    if (prng_chance(p, 3, 5)) {
        int value = (int)prng_below(p, 1000) + 1;
        bool replaced = image_tree_put(tree, edit, &key, number_new(key, value));
        CHECK(replaced == (values[key] != 0));
        values[key] = value;
    } else {
        CHECK(image_tree_remove(tree, edit, &key) == (values[key] != 0));
        values[key] = 0;
    }
}

TEST(image_tree_keeps_old_trees_as_they_were)
{
    struct prng p;
    prng_seed(&p, 11);
    enum { TREES = 40 };
    static struct image_tree trees[TREES];
    static int values[TREES][KEYS];
    memset(values, 0, sizeof(values));
    image_tree_init(&trees[0], number_compare);
    for (int t = 1; t < TREES; t++) {
        image_tree_share(&trees[t - 1], &trees[t]);
        memcpy(values[t], values[t - 1], sizeof(values[t]));
        for (int n = (int)prng_below(&p, t % 7 == 0 ? 900 : 60); n > 0; n--)
            change(&p, &trees[t], (uint64_t)t, values[t]);
        check_same(&trees[t], values[t]);
    }
    for (int t = 0; t < TREES; t++)
        check_same(&trees[t], values[t]);
    for (int t = 0; t < TREES; t++)
        image_tree_deinit(&trees[t * 7 % TREES]);
    CHECK_EQUAL(items_alive, 0);
}

TEST(image_tree_two_edits_of_one_base)
{
    struct image_tree base, a, b;
    image_tree_init(&base, number_compare);
    for (int key = 0; key < 200; key++)
        image_tree_put(&base, 1, &key, number_new(key, 1));
    image_tree_share(&base, &a);
    image_tree_share(&base, &b);
    int key = 77;
    image_tree_put(&a, 2, &key, number_new(key, 2));
    image_tree_remove(&b, 2, &key);
    CHECK_EQUAL(container_of(image_tree_find(&base, &key), struct number, item)->value, 1);
    CHECK_EQUAL(container_of(image_tree_find(&a, &key), struct number, item)->value, 2);
    CHECK(image_tree_find(&b, &key) == NULL);
    image_tree_deinit(&base);
    image_tree_check(&a);
    image_tree_check(&b);
    image_tree_deinit(&a);
    image_tree_deinit(&b);
    CHECK_EQUAL(items_alive, 0);
}

TEST(image_tree_seek_finds_the_next_one)
{
    struct image_tree tree;
    image_tree_init(&tree, number_compare);
    struct image_tree_cursor cursor;
    int key = 3;
    CHECK(image_tree_seek(&tree, &key, &cursor) == NULL);
    for (int k = 0; k < 2000; k += 2)
        image_tree_put(&tree, 1, &k, number_new(k, 1));
    for (int k = -1; k < 2001; k++) {
        struct image_item *item = image_tree_seek(&tree, &k, &cursor);
        int expected = k < 0 ? 0 : k + k % 2;
        if (expected > 1998) {
            CHECK(item == NULL);
            continue;
        }
        CHECK_EQUAL(container_of(item, struct number, item)->key, expected);
        item = image_tree_next(&cursor);
        CHECK((item == NULL) == (expected == 1998));
    }
    image_tree_deinit(&tree);
    CHECK_EQUAL(items_alive, 0);
}
