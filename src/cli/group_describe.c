// SPDX-License-Identifier: Apache-2.0
/*
 * group_describe: `klamm group describe`: DescribeGroups and OffsetFetch of each group's
 * coordinator, the ends of the partitions by ListOffsets. In chunks of groups. What is shown is
 * gathered here and printed by group_print.c.
 *
 * Thread: main.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "cli/group.h"
#include "cli/group_print.h"
#include "wire/kerr.h"

enum { GROUPS_PER_CHUNK = 100 };

static const char help[] =
    "usage: klamm group describe [NAME...] [--lag] [--members] [--json]\n\n"
    "Shows groups (all of them when none is named): state, coordinator and protocol; the members\n"
    "with the partitions that they have; and the offsets: committed, end of the partition, lag.\n\n"
    "  --lag                       of these only the offsets, or, with --members, both\n"
    "  --members                   of these only the members\n"
    "  --json                      an array of objects, for programs\n" //
    ADMIN_HELP_BOOTSTRAP;

struct describe {
    struct admin admin;
    const char *bootstrap;
    struct group_print_options print;
    json_t *array;
    int64_t shown;
    int status;
};

/* ---- one group */

/* Members of other protocols, and those that say nonsense, have none that we can tell. */
static void read_assignments(struct group_whole *view, struct arena *arena)
{
    const struct describe_groups_response_described_group *group = view->group;
    bool is_consumer = wire_str_is(group->protocol_type, "consumer");
    view->assignments =
        mem_alloc(((size_t)MAX(group->members.count, 0) + 1) * sizeof(*view->assignments));
    for (int32_t i = 0; i < group->members.count; i++) {
        struct group_member_assignment *m = &view->assignments[i];
        m->is_read =
            is_consumer && group_assignment_parse(group->members.items[i].member_assignment, arena,
                                                  &m->assignment) == ERR_OK;
    }
}

static void add_assigned(struct group_whole *view)
{
    for (int32_t i = 0; i < view->group->members.count; i++) {
        const struct group_assignment *a = &view->assignments[i].assignment;
        for (int32_t t = 0; t < a->count; t++) {
            for (int32_t p = 0; p < a->topics[t].partitions.count; p++)
                group_offsets_add_assigned(&view->offsets, a->topics[t].name,
                                           a->topics[t].partitions.items[p], i);
        }
    }
    group_offsets_sort(&view->offsets);
}

static bool ask_offsets(struct describe *d, struct group_target *target, struct group_whole *view)
{
    if (!group_offsets_fetch(&d->admin, target, &view->offsets))
        return false;
    add_assigned(view);
    if (!group_offsets_ask_ends(&d->admin, &view->offsets))
        d->status = CLI_FAILED; /* a leader that is away: its ends are not known */
    return true;
}

static void show_group(struct describe *d, struct group_target *target,
                       const struct describe_groups_response_described_group *group)
{
    struct arena arena;
    struct group_whole view = {.group = group, .coordinator = target->coordinator};
    arena_init(&arena, SIZE_MAX); /* an answer bounds it */
    read_assignments(&view, &arena);
    bool is_whole = !d->print.has_offsets || ask_offsets(d, target, &view);
    cli_progress_clear(&d->admin.progress);
    if (!is_whole) {
        d->status = CLI_FAILED;
    } else if (d->print.is_json) {
        json_out_append(d->array, group_print_json(&d->print, &view));
    } else {
        group_print_text(&d->print, &view, d->shown == 0);
    }
    d->shown++;
    group_offsets_deinit(&view.offsets);
    mem_free(view.assignments);
    arena_deinit(&arena);
}

/* ---- all of them */

static void show_chunk(struct describe *d, struct group_target *targets, int32_t count)
{
    struct group_description description;
    if (!group_description_ask(&d->admin, targets, count, &description))
        d->status = CLI_FAILED;
    for (int32_t i = 0; i < count; i++) {
        const struct describe_groups_response_described_group *group = description.groups[i];
        if (group == NULL)
            continue; /* it has been said why */
        if (targets[i].error != KERR_NONE)
            d->status =
                group_complain(&d->admin, targets[i].name, targets[i].error, group->error_message);
        else
            show_group(d, &targets[i], group);
    }
    group_description_deinit(&description);
}

static void show_all(struct describe *d, struct group_target *targets, int32_t count)
{
    d->array = json_array();
    for (int32_t first = 0; first < count; first += GROUPS_PER_CHUNK) {
        char done[CLI_COUNT_SIZE], all[CLI_COUNT_SIZE];
        show_chunk(d, &targets[first], MIN(GROUPS_PER_CHUNK, count - first));
        if (d->print.is_json && cli_progress_is_due(&d->admin.progress))
            cli_progress_show(&d->admin.progress, "asked for %s of %s groups",
                              cli_count(MIN(first + GROUPS_PER_CHUNK, count), done),
                              cli_count(count, all));
    }
    cli_progress_clear(&d->admin.progress);
    if (!d->print.is_json)
        json_decref(d->array);
    else if (json_out_print(d->array) != CLI_OK)
        d->status = CLI_FAILED;
}

static void show_listed(struct describe *d)
{
    struct wire_str_array any_state = {NULL, 0};
    struct group_listing listing;
    if (!group_listing_ask(&d->admin, &any_state, &listing))
        d->status = CLI_FAILED;
    if (listing.results != NULL) {
        struct group_target *targets = mem_alloc(((size_t)listing.count + 1) * sizeof(*targets));
        for (int32_t i = 0; i < listing.count; i++)
            targets[i] = (struct group_target){.name = listing.groups[i].group->group_id,
                                               .coordinator = GROUP_NOWHERE};
        show_all(d, targets, listing.count);
        mem_free(targets);
    }
    group_listing_deinit(&listing);
}

static void show_named(struct describe *d, const struct cli_words *words)
{
    int32_t count = 0;
    struct group_target *targets = group_targets_of(words, &count);
    show_all(d, targets, count);
    mem_free(targets);
}

int cli_group_describe(int argc, char **argv)
{
    struct describe d = {.status = CLI_OK};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &d.bootstrap, 0, 0},
        {"--lag", CLI_FLAG, &d.print.has_offsets, 0, 0},
        {"--members", CLI_FLAG, &d.print.has_members, 0, 0},
        {"--json", CLI_FLAG, &d.print.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "group describe",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON) {
        if (!d.print.has_offsets && !d.print.has_members)
            d.print.has_offsets = d.print.has_members = true;
        if (!admin_open(&d.admin, d.bootstrap))
            d.status = CLI_FAILED;
        else if (parse.words.count > 0)
            show_named(&d, &parse.words);
        else
            show_listed(&d);
        admin_close(&d.admin);
        status = d.status;
    }
    cli_words_free(&parse.words);
    return status;
}
