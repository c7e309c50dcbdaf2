// SPDX-License-Identifier: Apache-2.0
/*
 * admin: what the commands that ask a broker share: where it is, asking it, and saying what went
 * wrong in one line on stderr.
 *
 * Thread: main.
 */
#ifndef CLI_ADMIN_H
#define CLI_ADMIN_H

#include "base/arena.h"
#include "cli/progress.h"
#include "client/client_sync.h"
#include "wire/metadata.h"

enum {
    KEY_LIST_OFFSETS = 2,
    KEY_METADATA = 3,
    KEY_OFFSET_COMMIT = 8,
    KEY_OFFSET_FETCH = 9,
    KEY_FIND_COORDINATOR = 10,
    KEY_DESCRIBE_GROUPS = 15,
    KEY_LIST_GROUPS = 16,
    KEY_API_VERSIONS = 18,
    KEY_CREATE_TOPICS = 19,
    KEY_DELETE_TOPICS = 20,
    KEY_DELETE_RECORDS = 21,
    KEY_DESCRIBE_CONFIGS = 32,
    KEY_ALTER_REPLICA_LOG_DIRS = 34,
    KEY_DESCRIBE_LOG_DIRS = 35,
    KEY_CREATE_PARTITIONS = 37,
    KEY_DELETE_GROUPS = 42,
    KEY_INCREMENTAL_ALTER_CONFIGS = 44,
    KEY_OFFSET_DELETE = 47,
    KEY_DESCRIBE_CLUSTER = 60,
    KEY_LIST_CONFIG_RESOURCES = 74,
};

enum {
    ADMIN_TIMEOUT_MS = 30000,
    OFFSET_AT_END = -1, /* as timestamps of ListOffsets */
    OFFSET_AT_BEGIN = -2,
    OFFSET_AT_MAX_TIME = -3,
};

struct admin {
    struct client_sync *sync;
    struct strbuf why;
    struct cli_progress progress;
    int32_t asked_node; /* by admin_call */
};

#define ADMIN_HELP_BOOTSTRAP                                                                       \
    "  --bootstrap HOST:PORT,...   brokers to ask first; else the variable KLAMM_BOOTSTRAP, "      \
    "else\n"                                                                                       \
    "                              127.0.0.1:9092\n"                                               \
    "  --help                      this text\n"

/* `bootstrap` NULL: from the environment, or the default. A static or borrowed text. */
const char *admin_bootstrap(const char *bootstrap);

/* False: it has been said why. admin_close also after that. */
bool admin_open(struct admin *a, const char *bootstrap);
void admin_close(struct admin *a);

/* Asks whichever broker answered first, or a certain one. False: it has been said why. */
bool admin_call(struct admin *a, int16_t api_key, const void *request, struct client_result *out);
bool admin_call_node(struct admin *a, int32_t node, int16_t api_key, const void *request,
                     struct client_result *out);

/* The same with a bound on the version, or another time-out. */
bool admin_call_as(struct admin *a, const struct client_request *call, struct client_result *out);

/* All topics, or those of the array; brokers become known to admin_call_node. */
struct admin_topics {
    struct metadata_request_topic_array names; /* count -1: all */
    bool may_create;
};

bool admin_metadata(struct admin *a, const struct admin_topics *topics, struct client_result *out);

/* One topic that may be new: it is asked for again while it has no leader, or, with `may_create`,
 * is not there yet. */
enum admin_lookup { ADMIN_LOOKUP_DONE, ADMIN_LOOKUP_LATER, ADMIN_LOOKUP_FAILED };

struct admin_search {
    const char *topic;
    bool may_create;
    /* Given the topic when it is there; says why before it answers FAILED. `is_last`: there is no
     * later. */
    enum admin_lookup (*look)(void *arg, const struct metadata_response_topic *topic, bool is_last);
    void *arg;
};

/* False: it has been said why, or the command was interrupted. */
bool admin_find_topic(struct admin *a, const struct admin_search *search);

/* A call for many topics, in requests of a limited number, so that each is answered in time and
 * progress can be shown. */
struct admin_portions {
    int16_t api_key;
    int64_t count;    /* of all topics */
    int32_t step;     /* at most so many in a request */
    const char *verb; /* "created", for the progress */
    /* The request for some of them; in the arena, which lives until it is answered. */
    const void *(*fill)(void *arg, struct arena *arena, int64_t first, int32_t count);
    /* Takes an answer; returns how many topics are done by now. */
    int64_t (*take)(void *arg, const void *response);
    void *arg;
};

/* False: a portion was not answered, it has been said why, and the rest was not asked for. */
bool admin_call_portions(struct admin *a, const struct admin_portions *portions);

/* "topic "t": NAME: what the broker said"; CLI_FAILED. `message` may be null. */
int admin_complain(struct admin *a, struct wire_str name, int16_t error_code,
                   struct wire_str message);

/* The same of another kind of thing: "group". */
int admin_complain_of(struct admin *a, const char *kind, struct wire_str name, int16_t error_code,
                      struct wire_str message);

/* "topic "t" has 3 partitions, ...: there is no partition 3"; CLI_FAILED. */
int admin_complain_partition(const char *topic, int32_t count, int64_t partition);

/* For printf("%.*s"): never a negative length. */
#define ADMIN_STR(s) ((s).len > 0 ? (int)(s).len : 0), ((s).len > 0 ? (s).data : "")

#endif
