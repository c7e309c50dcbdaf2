// SPDX-License-Identifier: Apache-2.0
/* group_subscription_test: what consumers say that they read, whole, cut and damaged.
 * Thread: main. */
#include "coordinator/group_subscription.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/testing.h"

/* Version 1 with "orders" and "t", user data of two bytes, and owned partitions. */
static const uint8_t whole[] = {0, 1, 0,   0, 0, 2, 0, 6, 'o', 'r', 'd', 'e', 'r', 's',
                                0, 1, 't', 0, 0, 0, 2, 7, 7,   0,   0,   0,   0};

enum answer { NO, YES, UNREADABLE };

struct question {
    const char *topic;
    bool is_there;
};

static void look(void *arg, struct wire_str topic)
{
    struct question *q = arg;
    q->is_there |= wire_str_is(topic, q->topic);
}

static enum answer ask(const uint8_t *data, size_t len, const char *topic)
{
    /* A copy of its own, so that reading behind it is seen. */
    uint8_t *copy = mem_alloc(len > 0 ? len : 1);
    if (len > 0)
        memcpy(copy, data, len);
    struct question q = {.topic = topic};
    bool is_read = group_subscription_walk((struct wire_bytes){copy, (int32_t)len}, look, &q);
    mem_free(copy);
    return !is_read ? UNREADABLE : q.is_there ? YES : NO;
}

TEST(the_topics_of_a_subscription_are_found)
{
    CHECK_EQUAL(ask(whole, sizeof(whole), "orders"), YES);
    CHECK_EQUAL(ask(whole, sizeof(whole), "t"), YES);
    CHECK_EQUAL(ask(whole, sizeof(whole), "order"), NO);
    CHECK_EQUAL(ask(whole, sizeof(whole), ""), NO);
}

TEST(a_subscription_that_is_cut_inside_its_topics_cannot_be_read)
{
    for (size_t len = 0; len < 17; len++)
        CHECK_EQUAL(ask(whole, len, "orders"), UNREADABLE);
    for (size_t len = 17; len <= sizeof(whole); len++) /* the rest is not looked at */
        CHECK_EQUAL(ask(whole, len, "t"), YES);
}

TEST(no_topics_are_none)
{
    static const uint8_t none[] = {0, 3, 0, 0, 0, 0};
    CHECK_EQUAL(ask(none, sizeof(none), "t"), NO);
}

TEST(impossible_lengths_cannot_be_read)
{
    static const uint8_t rows[][10] = {
        {0xff, 0xff, 0, 0, 0, 1, 0, 1, 't', 0},    /* a version below 0 */
        {0, 0, 0xff, 0xff, 0xff, 0xff, 0, 1, 't'}, /* -1 topics */
        {0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 1, 't'}, /* more topics than bytes */
        {0, 0, 0, 0, 0, 1, 0xff, 0xff, 't'},       /* a topic of -1 */
        {0, 0, 0, 0, 0, 1, 0x7f, 0xff, 't'},       /* one that is longer than what is left */
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        CHECK_EQUAL(ask(rows[i], sizeof(rows[i]), "t"), UNREADABLE);
}
