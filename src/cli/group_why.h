// SPDX-License-Identifier: Apache-2.0
/*
 * group_why: what `klamm group why` shows: a broker's explanation of a group (docs/decisions/
 * 009-explaining-a-group.md) as sentences, as a table of its members, and as JSON.
 *
 * Ages and what is left of a deadline are reckoned from the broker's own clock, which is in the
 * explanation. Numbers that are newer than this program are shown as numbers.
 *
 * Thread: any; printing: main.
 */
#ifndef CLI_GROUP_WHY_H
#define CLI_GROUP_WHY_H

#include "base/strbuf.h"
#include "cli/json_out.h"
#include "wire/describe_groups.h"

struct group_why {
    const struct describe_groups_response_described_group *group; /* with an explanation */
    int32_t node;                                                 /* of its coordinator */
};

enum { CLI_DURATION_SIZE = 48, GROUP_WHY_REQUEST_SIZE = 16 };

/* "0.4 s", "59.9 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; below 0: "0.0 s". Returns `out`. */
char *cli_duration(int64_t ms, char out[CLI_DURATION_SIZE]);

/* Sentences, each a line with a newline behind it. The group is there, and was explained. */
void group_why_sentences(const struct group_why *why, struct strbuf *out);

/* Why its coordinator does not tell of the group, without a newline. */
void group_why_refused(const struct group_why *why, struct strbuf *out);

/* The members as a table on stdout; nothing when there are none. */
void group_why_print_members(const struct group_why *why);

/* All of it. `text`: the sentences. */
json_t *group_why_json(const struct group_why *why, const char *text);

/* ---- between the files of this */

/* "Heartbeat"; "API 99" where it has no name. */
const char *group_why_request(int16_t api_key, char out[GROUP_WHY_REQUEST_SIZE]);

/* From one time to another: never below 0, and never wrapped, whatever a broker says. */
int64_t group_why_between(int64_t from_ms, int64_t to_ms);

#endif
