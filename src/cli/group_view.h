// SPDX-License-Identifier: Apache-2.0
/*
 * group_view: groups as commands see them: asking each one's coordinator, what DescribeGroups
 * tells of them, and their names by ListGroups.
 *
 * A coordinator may be away, be loading, or have moved: it is looked for and asked again until
 * ADMIN_TIMEOUT_MS are over.
 *
 * Thread: main.
 */
#ifndef CLI_GROUP_VIEW_H
#define CLI_GROUP_VIEW_H

#include "cli/admin.h"
#include "cli/options.h"
#include "wire/describe_groups.h"
#include "wire/list_groups.h"

enum { GROUP_NOWHERE = -1 };

enum group_target_state {
    GROUP_WAITING,
    GROUP_ANSWERED, /* with `error` */
    GROUP_FAILED,   /* it has been said why */
};

/* A group that is asked about. */
struct group_target {
    struct wire_str name; /* borrowed */
    int32_t coordinator;  /* a node, or GROUP_NOWHERE: not known */
    enum group_target_state state;
    int16_t error;
};

/* Each name once, in their order. Freed with mem_free. */
struct group_target *group_targets_of(const struct cli_words *words, int32_t *count);

/* For people: control bytes as '?', and "" for the empty name, which a group may have. */
void group_name_add(struct strbuf *text, struct wire_str name);

/* ---- asking coordinators */

struct group_portion {
    struct group_target **targets; /* of one coordinator */
    int32_t count;
};

struct group_ask {
    int16_t api_key;
    int16_t version_max; /* 0: no bound */
    int32_t step;        /* at most so many groups in a request */
    const void *(*fill)(void *arg, struct arena *arena, const struct group_portion *portion);
    /* Calls group_portion_answer for each group that the answer has. May take the result over by
     * leaving zeroes in it. */
    void (*take)(void *arg, struct client_result *result, const struct group_portion *portion);
    void *arg;
};

/* Until each has an answer that is not passing. False: for some there is none; it has been said
 * why. */
bool group_ask(struct admin *a, const struct group_ask *ask, struct group_target *targets,
               int32_t count);

/* Errors of a coordinator that is away, is loading, or has moved. */
bool group_is_passing(int16_t error);

/* What was answered for `name`. NULL: nothing final, it is asked again later; or nobody asked. */
struct group_target *group_portion_answer(const struct group_portion *portion, struct wire_str name,
                                          int16_t error);

/* "group "g": NAME: what the broker said"; CLI_FAILED. */
int group_complain(struct admin *a, struct wire_str name, int16_t error_code,
                   struct wire_str message);

/* ---- DescribeGroups */

struct group_description {
    /* By target; NULL where there was no answer. For an error too, for its message. */
    const struct describe_groups_response_described_group **groups;
    struct client_result *results;
    int32_t result_count;
    const struct group_target *first; /* while asking */
};

/* As group_ask. A group that is not there has the error GROUP_ID_NOT_FOUND in all versions. */
bool group_description_ask(struct admin *a, struct group_target *targets, int32_t count,
                           struct group_description *out);
void group_description_deinit(struct group_description *d);

/* ---- ListGroups */

struct group_listed {
    const struct list_groups_response_listed_group *group;
    int32_t node;
};

struct group_listing {
    struct group_listed *groups; /* by name, in byte order */
    int32_t count;
    struct client_result *results;
    int32_t result_count;
};

/* Asks every broker. False: one did not answer, and it has been said why; the others' are there.
 * `states`: only groups in one of them; count 0: all. */
bool group_listing_ask(struct admin *a, const struct wire_str_array *states,
                       struct group_listing *out);
void group_listing_deinit(struct group_listing *listing);

#endif
