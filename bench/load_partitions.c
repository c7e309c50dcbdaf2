// SPDX-License-Identifier: Apache-2.0
/*
 * load_partitions: creates --topics topics of --partitions partitions each, one
 * topic a request, then writes one record to every partition, a hundred
 * partitions a request, one request after another. With --keep-topic they are
 * there already and are written to only.
 *
 * Every partition must take its record. "Not led yet" is tried again, since Kafka says
 * "created" before its brokers lead; any other error ends the run.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "kwire_group.h"
#include "stats.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    PARTITIONS_PER_REQUEST = 100,
    UNKNOWN_TOPIC_OR_PARTITION = 3,
    NOT_LEADER_OR_FOLLOWER = 6,
    WITHIN_SECONDS = 600,
};

struct run {
    const struct load_options *o;
    struct conn conn;
    struct kbuf request;
    uint64_t deadline;
    uint64_t written;
    uint64_t tried_again;
};

static void create_all(struct run *run)
{
    for (int t = 0; t < run->o->topics; t++) {
        char name[32];
        struct topic_spec topic = {.name = name,
                                   .partitions = run->o->partitions,
                                   .config_key = run->o->config_key,
                                   .config_value = run->o->config_value};
        size_t size;
        int16_t error = -1;
        topic_name(name, t);
        run->request.size = 0;
        put_create_topic(&run->request, &topic);
        const uint8_t *frame = conn_call(&run->conn, run->request.data, run->request.size, &size);
        if (!read_create_topic_answer(frame, size, &error) || error != 0)
            die("CreateTopics %s: error %d", name, error);
        conn_drop(&run->conn, size);
    }
}

/* One record to each of the listed partitions; those that are not led yet stay in the list. */
static void write_to(struct run *run, const char *topic, int32_t *list, int *count)
{
    struct produce_many many = {.topic = topic,
                                .partitions = list,
                                .count = *count,
                                .acks = run->o->acks,
                                .shape = {.count = 1, .value_size = run->o->value_size}};
    struct partition_error errors[PARTITIONS_PER_REQUEST];
    size_t size;
    run->request.size = 0;
    put_produce_many(&run->request, &many);
    const uint8_t *frame = conn_call(&run->conn, run->request.data, run->request.size, &size);
    if (!read_produce_many_answer(frame, size, errors, *count))
        die("Produce to %d partitions of %s is not answered well", *count, topic);
    conn_drop(&run->conn, size);
    int left = 0;
    for (int i = 0; i < *count; i++) {
        int16_t error = errors[i].error;
        if (error == UNKNOWN_TOPIC_OR_PARTITION || error == NOT_LEADER_OR_FOLLOWER)
            list[left++] = errors[i].partition;
        else if (error != 0)
            die("Produce to %s-%d: error %d", topic, errors[i].partition, error);
        else
            run->written++;
    }
    run->tried_again += (uint64_t)left;
    *count = left;
}

static void write_some(struct run *run, const char *topic, int first)
{
    int32_t list[PARTITIONS_PER_REQUEST];
    int count = 0;
    while (count < PARTITIONS_PER_REQUEST && first + count < run->o->partitions) {
        list[count] = first + count;
        count++;
    }
    for (;;) {
        write_to(run, topic, list, &count);
        if (count == 0)
            return;
        if (now_ns() > run->deadline)
            die("%s-%d is not led after %d s", topic, list[0], WITHIN_SECONDS);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static void write_all(struct run *run)
{
    for (int t = 0; t < run->o->topics; t++) {
        char name[32];
        topic_name(name, t);
        for (int first = 0; first < run->o->partitions; first += PARTITIONS_PER_REQUEST)
            write_some(run, name, first);
    }
}

struct spent {
    double seconds;
    double cpu;
};

static struct spent measure(struct run *run, void (*part)(struct run *run))
{
    uint64_t ticks = cpu_ticks(run->o->pid);
    uint64_t start = now_ns();
    run->deadline = start + WITHIN_SECONDS * 1000000000ull;
    part(run);
    return (struct spent){.seconds = (double)(now_ns() - start) / 1e9,
                          .cpu = cpu_seconds(cpu_ticks(run->o->pid) - ticks)};
}

void load_partitions(const struct load_options *o)
{
    struct run run = {.o = o};
    struct spent create = {0};
    if (o->topics == 0)
        die("partitions wants --topics");
    conn_open(&run.conn, o->port);
    if (!o->keep_topic)
        create = measure(&run, create_all);
    struct spent write = measure(&run, write_all);
    uint64_t partitions = (uint64_t)o->topics * (uint64_t)o->partitions;
    if (run.written != partitions)
        die("%llu of %llu partitions took a record", (unsigned long long)run.written,
            (unsigned long long)partitions);
    printf("{\"mode\":\"partitions\",\"partitions\":%llu,\"create_s\":%.3f,\"create_cpu_s\":%.2f,"
           "\"create_cpu_s_per_1000\":%.4f,\"write_s\":%.3f,\"write_cpu_s\":%.2f,"
           "\"write_cpu_us\":%.1f,\"tried_again\":%llu}\n",
           (unsigned long long)partitions, create.seconds, create.cpu,
           create.cpu * 1000 / (double)partitions, write.seconds, write.cpu,
           write.cpu * 1e6 / (double)partitions, (unsigned long long)run.tried_again);
    kbuf_free(&run.request);
    conn_close(&run.conn);
}
