// SPDX-License-Identifier: Apache-2.0
/*
 * image_tree: a sorted, persistent tree of counted items: what an image's tables are made of.
 *
 * Trees share nodes. A change copies the nodes on the way from the root to one leaf; nodes
 * that were made during the same edit (a number that rises from image to image) belong to
 * nobody else yet and are changed in place, so that many changes in one edit cost little.
 * Removal leaves nodes thin, an empty one goes.
 *
 * Thread: any number of readers; one edit has one writer, whose new nodes no reader knows.
 */
#ifndef METADATA_IMAGE_TREE_H
#define METADATA_IMAGE_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first member of whatever is kept in a tree. */
struct image_item {
    _Atomic uint32_t refs;
    void (*free)(struct image_item *item);
};

/* < 0: the item stands before the key. */
typedef int image_tree_compare(const struct image_item *item, const void *key);

struct image_tree_node;

struct image_tree {
    struct image_tree_node *root; /* NULL: empty */
    size_t count;
    image_tree_compare *compare;
};

enum { IMAGE_TREE_DEPTH_MAX = 12 };

/* Where a walk stands. Valid as long as the tree. */
struct image_tree_cursor {
    const struct image_tree_node *nodes[IMAGE_TREE_DEPTH_MAX];
    uint16_t slots[IMAGE_TREE_DEPTH_MAX];
    int depth; /* 0: at the end */
};

void image_item_init(struct image_item *item, void (*free)(struct image_item *item));
void image_item_ref(struct image_item *item);
void image_item_unref(struct image_item *item); /* accepts NULL */

void image_tree_init(struct image_tree *tree, image_tree_compare *compare);
void image_tree_deinit(struct image_tree *tree);
/* `copy` shares everything with `tree`. */
void image_tree_share(const struct image_tree *tree, struct image_tree *copy);

struct image_item *image_tree_find(const struct image_tree *tree, const void *key);

/* The item must stand where the key says. True: it replaced another. */
bool image_tree_put(struct image_tree *tree, uint64_t edit, const void *key,
                    struct image_item *take_item);

/* False: no such item, nothing changed. */
bool image_tree_remove(struct image_tree *tree, uint64_t edit, const void *key);

/* The first item that does not stand before the key (with key NULL: the first); NULL: none. */
struct image_item *image_tree_seek(const struct image_tree *tree, const void *key,
                                   struct image_tree_cursor *cursor);
struct image_item *image_tree_next(struct image_tree_cursor *cursor);

/* ASSERTs order, counts and what inner nodes say about those below. */
void image_tree_check(const struct image_tree *tree);

#endif
