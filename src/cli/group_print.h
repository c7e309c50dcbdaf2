// SPDX-License-Identifier: Apache-2.0
/*
 * group_print: a group as `klamm group describe` shows it, as text and as JSON.
 *
 * Thread: main.
 */
#ifndef CLI_GROUP_PRINT_H
#define CLI_GROUP_PRINT_H

#include "cli/group_assignment.h"
#include "cli/group_offsets.h"
#include "cli/json_out.h"

struct group_member_assignment {
    bool is_read; /* it is a consumer's, and makes sense */
    struct group_assignment assignment;
};

struct group_whole {
    const struct describe_groups_response_described_group *group;
    int32_t coordinator;
    struct group_member_assignment *assignments; /* by member */
    struct group_offsets offsets;
};

struct group_print_options {
    bool has_members, has_offsets, is_json;
};

void group_print_text(const struct group_print_options *options, const struct group_whole *view,
                      bool is_first);
json_t *group_print_json(const struct group_print_options *options, const struct group_whole *view);

#endif
