// SPDX-License-Identifier: Apache-2.0
/* group_print: see group_print.h. Thread: main. */
#include "cli/group_print.h"

#include <stdio.h>

#include "base/assert.h"
#include "cli/table.h"

static const struct table_column member_columns[] = {
    {"member", false},   {"client", false},     {"host", false},
    {"instance", false}, {"partitions", false},
};

static const struct table_column offset_columns[] = {
    {"topic", false}, {"partition", true}, {"committed", true}, {"end", true},     {"lag", true},
    {"epoch", true},  {"member", false},   {"metadata", false}, {"problem", false}};

/* ---- as text */

/* "t:0,1 u:2" */
static void add_assignment(struct table *table, const struct group_whole *view, int32_t member)
{
    const struct group_member_assignment *m = &view->assignments[member];
    struct strbuf text;
    strbuf_init(&text);
    for (int32_t t = 0; t < m->assignment.count; t++) {
        const struct group_assignment_topic *topic = &m->assignment.topics[t];
        if (t > 0)
            strbuf_putc(&text, ' ');
        strbuf_add(&text, topic->name.data, (size_t)topic->name.len);
        for (int32_t p = 0; p < topic->partitions.count; p++)
            strbuf_printf(&text, "%c%d", p == 0 ? ':' : ',', topic->partitions.items[p]);
    }
    int32_t size = view->group->members.items[member].member_assignment.len;
    if (!m->is_read && size > 0)
        strbuf_printf(&text, "(%d bytes that cannot be read)", size);
    table_add(table, (struct wire_str){strbuf_text(&text), (int32_t)MIN(text.len, INT32_MAX)});
    strbuf_deinit(&text);
}

static void print_members(const struct group_whole *view)
{
    struct table table;
    table_init(&table, member_columns, ARRAY_COUNT(member_columns));
    for (int32_t i = 0; i < view->group->members.count; i++) {
        const struct describe_groups_response_described_group_member *m =
            &view->group->members.items[i];
        table_add(&table, m->member_id);
        table_add(&table, m->client_id);
        table_add(&table, m->client_host);
        table_add(&table, m->group_instance_id);
        add_assignment(&table, view, i);
    }
    if (view->group->members.count > 0)
        table_print(&table, 2);
    table_deinit(&table);
}

static struct wire_str member_of(const struct group_whole *view, const struct group_offset *row)
{
    if (row->member == GROUP_NO_MEMBER)
        return wire_str_of(NULL);
    ASSERT(row->member < view->group->members.count);
    return view->group->members.items[row->member].member_id;
}

/* Never wraps: an offset is below 2^63, and there may be many. */
static int64_t total_lag(const struct group_offsets *offsets, int32_t *unknown)
{
    int64_t total = 0;
    *unknown = 0;
    for (int32_t i = 0; i < offsets->count; i++) {
        int64_t lag = group_offset_lag(&offsets->rows[i]);
        *unknown += lag == OFFSET_UNKNOWN;
        total += MIN(MAX(lag, 0), INT64_MAX - total);
    }
    return total;
}

static void print_total(const struct group_offsets *offsets)
{
    char lag[CLI_COUNT_SIZE], count[CLI_COUNT_SIZE];
    int32_t unknown = 0;
    int64_t total = total_lag(offsets, &unknown);
    printf("  total lag %s, %s partition%s", cli_count(total, lag),
           cli_count(offsets->count, count), offsets->count == 1 ? "" : "s");
    if (unknown > 0)
        printf("; of %s the lag is not known", cli_count(unknown, count));
    putchar('\n');
}

static bool has_problem(const struct group_offsets *offsets)
{
    for (int32_t i = 0; i < offsets->count; i++) {
        if (offsets->rows[i].problem != NULL)
            return true;
    }
    return false;
}

static void print_offsets(const struct group_whole *view)
{
    struct table table;
    bool is_wide = has_problem(&view->offsets); /* else there is no such column */
    table_init(&table, offset_columns, ARRAY_COUNT(offset_columns) - !is_wide);
    for (int32_t i = 0; i < view->offsets.count; i++) {
        const struct group_offset *row = &view->offsets.rows[i];
        table_add(&table, row->topic);
        table_add_number(&table, row->partition);
        table_add_number(&table, row->committed_offset);
        table_add_number(&table, row->end_offset);
        table_add_number(&table, group_offset_lag(row));
        table_add_number(&table, row->leader_epoch);
        table_add(&table, member_of(view, row));
        table_add(&table, row->metadata);
        if (is_wide)
            table_add(&table, wire_str_of(row->problem));
    }
    if (view->offsets.count > 0)
        table_print(&table, 2);
    table_deinit(&table);
    print_total(&view->offsets);
}

static void print_head(const struct describe_groups_response_described_group *group,
                       int32_t coordinator)
{
    struct strbuf text;
    strbuf_init(&text);
    group_name_add(&text, group->group_id);
    strbuf_puts(&text, "  state ");
    table_text(&text, group->group_state);
    strbuf_printf(&text, "  coordinator %d", coordinator);
    if (group->protocol_type.len > 0) {
        strbuf_puts(&text, "  protocol ");
        table_text(&text, group->protocol_type);
    }
    if (group->protocol_data.len > 0) {
        strbuf_putc(&text, '/');
        table_text(&text, group->protocol_data);
    }
    printf("%s  members %d\n", strbuf_text(&text), MAX(group->members.count, 0));
    strbuf_deinit(&text);
}

void group_print_text(const struct group_print_options *options, const struct group_whole *view,
                      bool is_first)
{
    if (!is_first)
        putchar('\n');
    print_head(view->group, view->coordinator);
    if (options->has_members)
        print_members(view);
    if (options->has_offsets)
        print_offsets(view);
}

/* ---- as JSON */

/* Empty is none, for what has a name. */
static json_t *name_json(struct wire_str name)
{
    return name.len > 0 ? json_out_str(name) : json_null();
}

static json_t *assignment_json(const struct group_member_assignment *m)
{
    if (!m->is_read)
        return json_null();
    json_t *array = json_array();
    for (int32_t i = 0; i < m->assignment.count; i++) {
        json_t *object = json_object();
        json_out_set(object, "topic", json_out_str(m->assignment.topics[i].name));
        json_out_set(object, "partitions", json_out_numbers(&m->assignment.topics[i].partitions));
        json_out_append(array, object);
    }
    return array;
}

static json_t *members_json(const struct group_whole *view)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < view->group->members.count; i++) {
        const struct describe_groups_response_described_group_member *m =
            &view->group->members.items[i];
        json_t *object = json_object();
        json_out_set(object, "member", json_out_str(m->member_id));
        json_out_set(object, "client_id", json_out_str(m->client_id));
        json_out_set(object, "host", json_out_str(m->client_host));
        json_out_set(object, "instance", json_out_str(m->group_instance_id));
        json_out_set(object, "assignment", assignment_json(&view->assignments[i]));
        json_out_set(object, "assignment_bytes", json_integer(MAX(m->member_assignment.len, 0)));
        json_out_append(array, object);
    }
    return array;
}

static json_t *offsets_json(const struct group_whole *view)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < view->offsets.count; i++) {
        const struct group_offset *row = &view->offsets.rows[i];
        json_t *object = json_object();
        json_out_set(object, "topic", json_out_str(row->topic));
        json_out_set(object, "partition", json_integer(row->partition));
        json_out_set(object, "committed_offset", json_out_number(row->committed_offset));
        json_out_set(object, "end_offset", json_out_number(row->end_offset));
        json_out_set(object, "lag", json_out_number(group_offset_lag(row)));
        json_out_set(object, "leader_epoch", json_out_number(row->leader_epoch));
        json_out_set(object, "metadata", json_out_str(row->metadata));
        json_out_set(object, "member", json_out_str(member_of(view, row)));
        json_out_set(object, "problem", json_out_str(wire_str_of(row->problem)));
        json_out_append(array, object);
    }
    return array;
}

json_t *group_print_json(const struct group_print_options *options, const struct group_whole *view)
{
    const struct describe_groups_response_described_group *group = view->group;
    json_t *object = json_object();
    json_out_set(object, "name", json_out_str(group->group_id));
    json_out_set(object, "state", json_out_str(group->group_state));
    json_out_set(object, "coordinator", json_integer(view->coordinator));
    json_out_set(object, "protocol_type", name_json(group->protocol_type));
    json_out_set(object, "protocol", name_json(group->protocol_data));
    if (options->has_members)
        json_out_set(object, "members", members_json(view));
    if (options->has_offsets) {
        int32_t unknown = 0;
        json_out_set(object, "offsets", offsets_json(view));
        json_out_set(object, "total_lag", json_integer(total_lag(&view->offsets, &unknown)));
        json_out_set(object, "lags_unknown", json_integer(unknown));
    }
    return object;
}
