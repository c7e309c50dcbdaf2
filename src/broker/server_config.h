// SPDX-License-Identifier: Apache-2.0
/*
 * server_config: what a broker is started with: the configuration file, the
 * environment and the command line merged and checked, as typed values.
 *
 * The command line wins over the environment, the environment over the file.
 * An unknown key stops the start with the nearest known name; so does a security
 * key that is not built, unless it has its default value. Pure logic: the
 * caller reads the file.
 *
 * Thread: any; constant once it is loaded. What is set while the broker runs is in the image
 * (metadata/config_dynamic.h).
 */
#ifndef BROKER_SERVER_CONFIG_H
#define BROKER_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "env/logger.h"
#include "metadata/config_topic.h"

/* A listener or the address that clients are told for it. Only PLAINTEXT gets here. */
struct server_endpoint {
    const char *name; /* of the listener, in capitals */
    const char *host; /* "" is every address; an IPv6 address without its brackets */
    uint16_t port;    /* 0: a free one; advertised: the one that was bound */
};

struct server_config {
    struct config_layers layers; /* `fixed` is what was given; the others are empty */

    const struct server_endpoint *listeners; /* without those of KRaft's controllers */
    const struct server_endpoint *advertised;
    int listener_count;
    int advertised_count;                /* 0: tell clients the address that they reached */
    int inter_broker;                    /* index in listeners */
    const struct server_endpoint *admin; /* NULL: none */

    const char *const *log_dirs;
    int log_dir_count;
    int32_t node_id;  /* -1: not given, the log directories know it, else 1 */
    const char *rack; /* NULL: none */

    int reactors; /* 0: one a core, at most 4 */
    int disk_workers;
    int64_t journal_bytes;
    uint32_t journal_after_commits;
    uint32_t journal_held_bytes;
    int recovery_threads; /* a log directory */
    int open_files_max;   /* 0: derived, see descriptors.h */
    int64_t memory_bytes_max;
    int64_t request_bytes_max; /* at most memory_bytes_max */
    int64_t fetch_bytes_max;
    int64_t connections_idle_ms; /* -1: never closed */
    int64_t connections_max;
    int64_t connections_per_ip_max;
    int fetch_sessions_max;
    int32_t request_partitions_max; /* of a page of DescribeTopicPartitions */
    int64_t retention_check_interval_ms;
    int64_t scrub_bytes_per_second; /* 0: never */
    int64_t scrub_interval_ms;
    int64_t reserve_bytes; /* of a log directory; -1: see disk_room_reserve_of */
    int64_t checkpoint_interval_ms;

    int32_t session_timeout_min_ms;
    int32_t session_timeout_max_ms;
    int32_t initial_rebalance_delay_ms;
    int32_t group_members_max;
    int32_t offset_metadata_bytes_max;
    int64_t offsets_retention_ms;
    int64_t offsets_retention_check_ms;
    int32_t offsets_topic_partitions;
    int16_t offsets_topic_replication_factor;
    int32_t offsets_topic_segment_bytes;

    int32_t num_partitions;
    int32_t replication_factor;
    bool auto_create_topics;
    bool delete_topics;

    const char *log_file; /* NULL: stderr */
    enum log_level log_level;

    /* Lines for the log, each with a newline: keys that mean something but do nothing in this
     * build, and keys that mean nothing here. */
    struct strbuf warnings;
    struct strbuf notes;

    struct arena arena; /* the texts and arrays above */
};

struct server_config_input {
    const char *file_name; /* NULL: no file */
    const char *file_text;
    size_t file_size;
    const char *const *environment; /* "NAME=value", NULL at the end; NULL: none */
    const char *const *sets;        /* "key=value", NULL at the end; NULL: none */

    /* Weaker than all of these, "key=value", NULL at the end; NULL: none. */
    const char *const *defaults;
    const char *defaults_origin; /* what an error calls them */
};

/* Any failure: `error` has gained one line without a newline, fit to be shown as it is. */
enum err server_config_load(const struct server_config_input *in, struct strbuf *error,
                            struct server_config **out) MUST_USE;

/* Accepts NULL. */
void server_config_free(struct server_config *config);

/* For `klamm serve --help`: every key that works with its default, the others by name. */
void server_config_print_help(struct strbuf *out);

#endif
