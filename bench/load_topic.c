// SPDX-License-Identifier: Apache-2.0
/*
 * load_topic: creates and deletes the topic of a run.
 *
 * A topic is ready when every partition answers a fetch: Kafka says "created"
 * before its brokers lead the partitions.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "stats.h"

#include <stdio.h>
#include <time.h>

enum { READY_WITHIN_SECONDS = 30 };

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static void wait_until_led(const struct load_options *o, struct conn *c, int partition)
{
    struct kbuf request = {0};
    struct fetch_spec fetch = {
        .topic = o->topic, .partition = partition, .partition_bytes_max = 1024};
    put_fetch(&request, &fetch);
    uint64_t deadline = now_ns() + READY_WITHIN_SECONDS * 1000000000ull;
    for (;;) {
        size_t size;
        struct fetch_answer answer = {0};
        const uint8_t *frame = conn_call(c, request.data, request.size, &size);
        bool is_read = read_fetch_answer(frame, size, &answer);
        conn_drop(c, size);
        if (is_read && answer.error == 0)
            break;
        if (now_ns() > deadline)
            die("%s-%d is not led after %d s: error %d", o->topic, partition, READY_WITHIN_SECONDS,
                answer.error);
        nap();
    }
    kbuf_free(&request);
}

void load_create_topic(const struct load_options *o)
{
    if (o->is_floor || o->keep_topic)
        return;
    struct conn c;
    struct kbuf request = {0};
    struct topic_spec topic = {.name = o->topic,
                               .partitions = o->partitions,
                               .config_key = o->config_key,
                               .config_value = o->config_value};
    size_t size;
    int16_t error = 0;
    conn_open(&c, o->port);
    put_create_topic(&request, &topic);
    const uint8_t *frame = conn_call(&c, request.data, request.size, &size);
    if (!read_create_topic_answer(frame, size, &error) || error != 0)
        die("CreateTopics %s: error %d", o->topic, error);
    conn_drop(&c, size);
    for (int p = 0; p < o->partitions; p++)
        wait_until_led(o, &c, p);
    kbuf_free(&request);
    conn_close(&c);
}

void load_create(const struct load_options *o)
{
    load_create_topic(o);
    printf("{\"mode\":\"create\",\"topic\":\"%s\"}\n", o->topic);
}

void load_delete(const struct load_options *o)
{
    struct conn c;
    struct kbuf request = {0};
    size_t size;
    int16_t error = 0;
    conn_open(&c, o->port);
    put_delete_topic(&request, o->topic);
    const uint8_t *frame = conn_call(&c, request.data, request.size, &size);
    if (!read_delete_topic_answer(frame, size, &error) || error != 0)
        die("DeleteTopics %s: error %d", o->topic, error);
    kbuf_free(&request);
    conn_close(&c);
    printf("{\"mode\":\"delete\",\"topic\":\"%s\"}\n", o->topic);
}
