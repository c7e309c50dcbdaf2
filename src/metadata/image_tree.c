// SPDX-License-Identifier: Apache-2.0
/*
 * image_tree: a sorted, persistent tree of counted items. See image_tree.h.
 *
 * Leaves hold items. Inner nodes hold children and, for each, its least item (borrowed:
 * the child holds the reference), corrected on the way up after every change. Full nodes
 * are split on the way down, so that a parent always has room. The few recursive functions
 * go as deep as the tree, at most IMAGE_TREE_DEPTH_MAX.
 *
 * Thread: see image_tree.h.
 */
#include "metadata/image_tree.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { FANOUT = 32 };

struct image_tree_node {
    _Atomic uint32_t refs;
    uint16_t count;
    bool is_leaf;
    uint64_t edit;
    void *slots[FANOUT];
    struct image_item *least[]; /* FANOUT of them, inner nodes only */
};

/* The way from the root to a leaf. */
struct path {
    struct image_tree_node *nodes[IMAGE_TREE_DEPTH_MAX];
    uint16_t slots[IMAGE_TREE_DEPTH_MAX];
    int depth;
};

/* ---- items and nodes */

void image_item_init(struct image_item *item, void (*free)(struct image_item *item))
{
    atomic_init(&item->refs, 1);
    item->free = free;
}

void image_item_ref(struct image_item *item)
{
    uint32_t before = atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
}

void image_item_unref(struct image_item *item)
{
    if (item == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&item->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        item->free(item);
}

static struct image_tree_node *node_new(bool is_leaf, uint64_t edit)
{
    size_t size = sizeof(struct image_tree_node);
    if (!is_leaf)
        size += FANOUT * sizeof(struct image_item *);
    struct image_tree_node *node = mem_alloc(size);
    atomic_init(&node->refs, 1);
    node->is_leaf = is_leaf;
    node->edit = edit;
    return node;
}

static struct image_tree_node *node_ref(struct image_tree_node *node)
{
    uint32_t before = atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return node;
}

static void node_unref(struct image_tree_node *node)
{
    uint32_t before = atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    for (uint16_t i = 0; i < node->count; i++) {
        if (node->is_leaf)
            image_item_unref(node->slots[i]);
        else
            node_unref(node->slots[i]);
    }
    mem_free(node);
}

static struct image_item *node_least(const struct image_tree_node *node)
{
    ASSERT(node->count > 0);
    return node->is_leaf ? node->slots[0] : node->least[0];
}

/* Gives up the reference to `node` for one to a node that this edit may change. */
static struct image_tree_node *node_own(struct image_tree_node *node, uint64_t edit)
{
    ASSERT(node->edit <= edit);
    if (node->edit == edit)
        return node;
    struct image_tree_node *copy = node_new(node->is_leaf, edit);
    copy->count = node->count;
    memcpy(copy->slots, node->slots, node->count * sizeof(node->slots[0]));
    if (!node->is_leaf)
        memcpy(copy->least, node->least, node->count * sizeof(node->least[0]));
    for (uint16_t i = 0; i < copy->count; i++) {
        if (copy->is_leaf)
            image_item_ref(copy->slots[i]);
        else
            node_ref(copy->slots[i]);
    }
    node_unref(node);
    return copy;
}

static void node_insert(struct image_tree_node *node, uint16_t at, void *slot,
                        struct image_item *least)
{
    ASSERT(node->count < FANOUT);
    ASSERT(at <= node->count);
    size_t behind = (size_t)(node->count - at);
    memmove(&node->slots[at + 1], &node->slots[at], behind * sizeof(node->slots[0]));
    node->slots[at] = slot;
    if (!node->is_leaf) {
        memmove(&node->least[at + 1], &node->least[at], behind * sizeof(node->least[0]));
        node->least[at] = least;
    }
    node->count++;
}

static void node_erase(struct image_tree_node *node, uint16_t at)
{
    ASSERT(at < node->count);
    size_t behind = (size_t)(node->count - at - 1);
    memmove(&node->slots[at], &node->slots[at + 1], behind * sizeof(node->slots[0]));
    if (!node->is_leaf)
        memmove(&node->least[at], &node->least[at + 1], behind * sizeof(node->least[0]));
    node->count--;
}

/* How many items (or children's least items) stand before the key, or at it. */
static uint16_t node_search(const struct image_tree *tree, const struct image_tree_node *node,
                            const void *key, bool or_at)
{
    uint16_t low = 0;
    uint16_t high = node->count;
    while (low < high) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        const struct image_item *item = node->is_leaf ? node->slots[middle] : node->least[middle];
        int order = tree->compare(item, key);
        if (order < 0 || (or_at && order == 0))
            low = (uint16_t)(middle + 1);
        else
            high = middle;
    }
    return low;
}

/* The child in which the key is or would be. */
static uint16_t node_child(const struct image_tree *tree, const struct image_tree_node *node,
                           const void *key)
{
    ASSERT(!node->is_leaf && node->count > 0);
    uint16_t behind = node_search(tree, node, key, true);
    return behind == 0 ? 0 : (uint16_t)(behind - 1);
}

/* ---- trees */

void image_tree_init(struct image_tree *tree, image_tree_compare *compare)
{
    *tree = (struct image_tree){.compare = compare};
}

void image_tree_deinit(struct image_tree *tree)
{
    if (tree->root != NULL)
        node_unref(tree->root);
    tree->root = NULL;
    tree->count = 0;
}

void image_tree_share(const struct image_tree *tree, struct image_tree *copy)
{
    *copy = *tree;
    if (copy->root != NULL)
        node_ref(copy->root);
}

struct image_item *image_tree_find(const struct image_tree *tree, const void *key)
{
    const struct image_tree_node *node = tree->root;
    if (node == NULL)
        return NULL;
    while (!node->is_leaf)
        node = node->slots[node_child(tree, node, key)];
    uint16_t at = node_search(tree, node, key, false);
    if (at == node->count || tree->compare(node->slots[at], key) != 0)
        return NULL;
    return node->slots[at];
}

/* Splits the full child at `slot` in two. What is put behind everything goes into a node of
 * its own, so that items that come in order fill their nodes. */
static void split_child(const struct image_tree *tree, struct image_tree_node *parent,
                        uint16_t slot, const void *key)
{
    struct image_tree_node *left = parent->slots[slot];
    ASSERT(left->count == FANOUT && parent->count < FANOUT);
    ASSERT(left->edit == parent->edit);
    bool is_last = node_search(tree, left, key, true) == FANOUT;
    uint16_t keep = is_last ? FANOUT - 1 : FANOUT / 2;
    struct image_tree_node *right = node_new(left->is_leaf, left->edit);
    right->count = (uint16_t)(FANOUT - keep);
    memcpy(right->slots, &left->slots[keep], right->count * sizeof(right->slots[0]));
    if (!left->is_leaf)
        memcpy(right->least, &left->least[keep], right->count * sizeof(right->least[0]));
    left->count = keep;
    node_insert(parent, (uint16_t)(slot + 1), right, node_least(right));
}

/* Goes down to the key's leaf, making the way ours, and with room when `is_insert`. */
static void path_make(struct image_tree *tree, uint64_t edit, const void *key, bool is_insert,
                      struct path *path)
{
    tree->root = node_own(tree->root, edit);
    if (is_insert && tree->root->count == FANOUT) {
        struct image_tree_node *root = node_new(false, edit);
        node_insert(root, 0, tree->root, node_least(tree->root));
        tree->root = root;
        split_child(tree, root, 0, key);
    }
    struct image_tree_node *node = tree->root;
    path->depth = 0;
    while (!node->is_leaf) {
        ASSERT(path->depth < IMAGE_TREE_DEPTH_MAX - 1);
        uint16_t slot = node_child(tree, node, key);
        struct image_tree_node *child = node_own(node->slots[slot], edit);
        node->slots[slot] = child;
        if (is_insert && child->count == FANOUT) {
            split_child(tree, node, slot, key);
            slot = node_child(tree, node, key);
            child = node->slots[slot];
        }
        path->nodes[path->depth] = node;
        path->slots[path->depth] = slot;
        path->depth++;
        node = child;
    }
    path->nodes[path->depth] = node;
}

/* Bottom up: what the inner nodes say about those below is true again; empty ones go. */
static void path_settle(struct path *path)
{
    for (int level = path->depth - 1; level >= 0; level--) {
        struct image_tree_node *node = path->nodes[level];
        struct image_tree_node *child = path->nodes[level + 1];
        uint16_t slot = path->slots[level];
        ASSERT(node->slots[slot] == child);
        if (child->count > 0) {
            node->least[slot] = node_least(child);
        } else {
            node_erase(node, slot);
            node_unref(child);
        }
    }
}

bool image_tree_put(struct image_tree *tree, uint64_t edit, const void *key,
                    struct image_item *take_item)
{
    ASSERT(tree->compare(take_item, key) == 0);
    if (tree->root == NULL)
        tree->root = node_new(true, edit);
    struct path path;
    path_make(tree, edit, key, true, &path);
    struct image_tree_node *leaf = path.nodes[path.depth];
    uint16_t at = node_search(tree, leaf, key, false);
    bool is_there = at < leaf->count && tree->compare(leaf->slots[at], key) == 0;
    struct image_item *old = NULL;
    if (is_there) {
        old = leaf->slots[at];
        leaf->slots[at] = take_item;
    } else {
        node_insert(leaf, at, take_item, NULL);
        tree->count++;
    }
    path_settle(&path);
    image_item_unref(old);
    return is_there;
}

bool image_tree_remove(struct image_tree *tree, uint64_t edit, const void *key)
{
    if (image_tree_find(tree, key) == NULL)
        return false;
    struct path path;
    path_make(tree, edit, key, false, &path);
    struct image_tree_node *leaf = path.nodes[path.depth];
    uint16_t at = node_search(tree, leaf, key, false);
    struct image_item *old = leaf->slots[at];
    node_erase(leaf, at);
    path_settle(&path);
    image_item_unref(old);
    ASSERT(tree->count > 0);
    tree->count--;
    if (tree->root->count == 0) {
        ASSERT(tree->count == 0);
        node_unref(tree->root);
        tree->root = NULL;
        return true;
    }
    while (!tree->root->is_leaf && tree->root->count == 1) {
        struct image_tree_node *child = node_ref(tree->root->slots[0]);
        node_unref(tree->root);
        tree->root = child;
    }
    return true;
}

/* ---- walks */

struct image_item *image_tree_seek(const struct image_tree *tree, const void *key,
                                   struct image_tree_cursor *cursor)
{
    cursor->depth = 0;
    const struct image_tree_node *node = tree->root;
    if (node == NULL)
        return NULL;
    for (;;) {
        ASSERT(cursor->depth < IMAGE_TREE_DEPTH_MAX);
        uint16_t slot = 0;
        if (key != NULL)
            slot =
                node->is_leaf ? node_search(tree, node, key, false) : node_child(tree, node, key);
        cursor->nodes[cursor->depth] = node;
        cursor->slots[cursor->depth] = slot;
        cursor->depth++;
        if (node->is_leaf) {
            if (slot < node->count)
                return node->slots[slot];
            cursor->slots[cursor->depth - 1]--; /* the last one of this leaf stands before */
            return image_tree_next(cursor);
        }
        node = node->slots[slot];
    }
}

struct image_item *image_tree_next(struct image_tree_cursor *cursor)
{
    while (cursor->depth > 0) {
        int top = cursor->depth - 1;
        const struct image_tree_node *node = cursor->nodes[top];
        if (cursor->slots[top] + 1 == node->count) {
            cursor->depth--;
            continue;
        }
        cursor->slots[top]++;
        while (!node->is_leaf) {
            node = node->slots[cursor->slots[top]];
            top++;
            ASSERT(top < IMAGE_TREE_DEPTH_MAX);
            cursor->nodes[top] = node;
            cursor->slots[top] = 0;
        }
        cursor->depth = top + 1;
        return node->slots[cursor->slots[top]];
    }
    return NULL;
}

static size_t node_check(const struct image_tree_node *node, uint64_t edit_max)
{
    ASSERT(atomic_load(&node->refs) > 0);
    ASSERT(node->count > 0 && node->count <= FANOUT);
    ASSERT(node->edit <= edit_max);
    if (node->is_leaf)
        return node->count;
    size_t items = 0;
    for (uint16_t i = 0; i < node->count; i++) {
        const struct image_tree_node *child = node->slots[i];
        ASSERT(node->least[i] == node_least(child));
        items += node_check(child, node->edit);
    }
    return items;
}

void image_tree_check(const struct image_tree *tree)
{
    if (tree->root == NULL) {
        ASSERT(tree->count == 0);
        return;
    }
    ASSERT(node_check(tree->root, UINT64_MAX) == tree->count);
}
