// SPDX-License-Identifier: Apache-2.0
/*
 * klamm-load: a load generator that speaks raw Kafka frames.
 *
 * It sends frames made beforehand, so that the broker is what is busy. It
 * knows nothing about which broker it talks to, but for --floor.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "stats.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "klamm-load MODE --port N [options]\n"
    "  produce   send batches over --conns connections until --bytes or --seconds\n"
    "  fetch     read back what produce wrote with the same options\n"
    "  latency   one producer at --rate, one long-polling consumer, for --seconds\n"
    "  idle      open --conns connections, hold them until standard input ends\n"
    "  start     -- COMMAND...: time from exec to the first acknowledged record\n"
    "  create, delete   the topic\n"
    "  commit    OffsetCommit for --groups groups of one member over --conns connections\n"
    "  rebalance one group of --conns members: --passes leaves and joins, --deaths deaths\n"
    "  groups    make --groups groups of --members members; docs/benchmarks.md has the rest\n"
    "  topics    create --topics topics\n"
    "  partitions  create --topics topics of --partitions, one record to each partition\n"
    "  metadata  ask for all of --topics topics, or for --named of them\n"
    "options: --topic NAME --config KEY=VALUE --pid BROKER --floor --keep-topic --check --spin "
    "--rotate\n"
    "  --groups N --members N --topics N --named N --deaths N --session-ms N\n"
    "  --acks N --conns N --partitions N --depth N --value-size N --batch-bytes N\n"
    "  --fetch-batches N --passes N --bytes N --seconds S --warm-seconds S --rate R\n";

struct mode {
    const char *name;
    void (*run)(const struct load_options *o);
};

static const struct mode modes[] = {
    {"produce", load_produce},       {"fetch", load_fetch},
    {"latency", load_latency},       {"idle", load_idle},
    {"start", load_start},           {"create", load_create},
    {"delete", load_delete},         {"commit", load_commit},
    {"rebalance", load_rebalance},   {"groups", load_groups},
    {"topics", load_topics},         {"metadata", load_metadata},
    {"partitions", load_partitions},
};

static const struct option long_options[] = {
    {"topic", required_argument, NULL, 't'},
    {"config", required_argument, NULL, 'g'},
    {"port", required_argument, NULL, 'p'},
    {"pid", required_argument, NULL, 'P'},
    {"floor", no_argument, NULL, 'F'},
    {"keep-topic", no_argument, NULL, 'k'},
    {"check", no_argument, NULL, 'C'},
    {"spin", no_argument, NULL, 'S'},
    {"rotate", no_argument, NULL, 'o'},
    {"acks", required_argument, NULL, 'a'},
    {"conns", required_argument, NULL, 'c'},
    {"partitions", required_argument, NULL, 'n'},
    {"depth", required_argument, NULL, 'd'},
    {"value-size", required_argument, NULL, 'v'},
    {"batch-bytes", required_argument, NULL, 'b'},
    {"fetch-batches", required_argument, NULL, 'f'},
    {"passes", required_argument, NULL, 'R'},
    {"bytes", required_argument, NULL, 'B'},
    {"seconds", required_argument, NULL, 's'},
    {"warm-seconds", required_argument, NULL, 'w'},
    {"rate", required_argument, NULL, 'r'},
    {"groups", required_argument, NULL, 'G'},
    {"members", required_argument, NULL, 'M'},
    {"topics", required_argument, NULL, 'T'},
    {"named", required_argument, NULL, 'N'},
    {"deaths", required_argument, NULL, 'D'},
    {"session-ms", required_argument, NULL, 'm'},
    {NULL, 0, NULL, 0},
};

static double number(const char *text, double least, double most)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(v >= least && v <= most))
        die("'%s' is not a number from %g to %g", text, least, most);
    return v;
}

static void parse_config(struct load_options *o, char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL)
        die("--config wants KEY=VALUE");
    *equals = '\0';
    o->config_key = text;
    o->config_value = equals + 1;
}

static void parse_option(struct load_options *o, int letter, char *text)
{
    switch (letter) {
    case 't':
        o->topic = text;
        break;
    case 'g':
        parse_config(o, text);
        break;
    case 'p':
        o->port = (uint16_t)number(text, 1, 65535);
        break;
    case 'P':
        o->pid = (int)number(text, 1, 1e9);
        break;
    case 'F':
        o->is_floor = true;
        break;
    case 'k':
        o->keep_topic = true;
        break;
    case 'S':
        o->spin = true;
        break;
    case 'o':
        o->rotate = true;
        break;
    case 'C':
        o->check = true;
        break;
    case 'a':
        o->acks = (int16_t)number(text, -1, 1);
        break;
    case 'c':
        o->conns = (int)number(text, 1, 100000);
        break;
    case 'n':
        o->partitions = (int)number(text, 1, 100000);
        break;
    case 'd':
        o->depth = (int)number(text, 1, 1000);
        break;
    case 'v':
        o->value_size = (uint32_t)number(text, 8, 1e8);
        break;
    case 'b':
        o->batch_bytes = (uint32_t)number(text, 0, 1e8);
        break;
    case 'f':
        o->fetch_batches = (uint32_t)number(text, 1, 1000);
        break;
    case 'R':
        o->passes = (int)number(text, 1, 1000);
        break;
    case 'B':
        o->bytes = (uint64_t)number(text, 0, 1e15);
        break;
    case 's':
        o->seconds = number(text, 0, 1e6);
        break;
    case 'w':
        o->warm_seconds = number(text, 0, 1e6);
        break;
    case 'r':
        o->rate = number(text, 1, 1e7);
        break;
    case 'G':
        o->groups = (int)number(text, 1, 1e6);
        break;
    case 'M':
        o->members = (int)number(text, 1, 1000);
        break;
    case 'T':
        o->topics = (int)number(text, 1, 1e6);
        break;
    case 'N':
        o->named = (int)number(text, 0, 1000);
        break;
    case 'D':
        o->deaths = (int)number(text, 0, 1000);
        break;
    case 'm':
        o->session_ms = (int)number(text, 100, 1800000);
        break;
    default:
        die("\n%s", usage);
    }
}

struct batch_shape load_shape(const struct load_options *o)
{
    int32_t count = o->batch_bytes == 0 ? 1 : batch_fit(o->value_size, o->batch_bytes);
    return (struct batch_shape){.count = count, .value_size = o->value_size};
}

int main(int argc, char **argv)
{
    struct load_options o = {
        .topic = "bench",
        .acks = -1,
        .conns = 1,
        .partitions = 1,
        .depth = 1,
        .value_size = 1024,
        .passes = 1,
        .fetch_batches = 8,
        .rate = 500,
        .groups = 1,
        .members = 10,
        .session_ms = 6000,
    };
    if (argc < 2)
        die("\n%s", usage);
    int letter;
    while ((letter = getopt_long(argc - 1, argv + 1, "", long_options, NULL)) != -1)
        parse_option(&o, letter, optarg);
    o.command = argv + 1 + optind;
    if (o.port == 0)
        die("--port is missing");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i].name, argv[1]) == 0) {
            modes[i].run(&o);
            return 0;
        }
    die("no mode '%s'\n%s", argv[1], usage);
}
