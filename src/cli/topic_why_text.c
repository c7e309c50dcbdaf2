// SPDX-License-Identifier: Apache-2.0
/* topic_why_text: the sentences and the JSON of `klamm topic why`. See topic_why.h. Thread: any. */
#include <inttypes.h>

#include "base/assert.h"
#include "cli/group_why.h"
#include "cli/table.h"
#include "cli/topic_why.h"
#include "wire/kerr.h"
#include "wire/partition_reason.h"

/* What is being written. */
struct telling {
    struct wire_str topic;
    int32_t index;
    const struct describe_log_dirs_response_explained_partition *x;
    const struct describe_log_dirs_response_describe_log_dirs_result *dir; /* NULL: none */
    int64_t now_ms;
    struct strbuf *out;
};

/* ---- words */

static void add_age(const struct telling *t, int64_t since_ms)
{
    char text[CLI_DURATION_SIZE];
    strbuf_puts(t->out, cli_duration(group_why_between(since_ms, t->now_ms), text));
}

/* "5 min 3 s ago: ", or nothing. */
static void add_ago(const struct telling *t, int64_t at_ms)
{
    if (at_ms < 0)
        return;
    add_age(t, at_ms);
    strbuf_puts(t->out, " ago");
}

static void add_count(const struct telling *t, int64_t count, const char *noun)
{
    char text[CLI_COUNT_SIZE];
    strbuf_printf(t->out, "%s %s%s", cli_count(count, text), noun, count == 1 ? "" : "s");
}

static void add_text(const struct telling *t, const char *before, struct wire_str text)
{
    if (text.len <= 0)
        return;
    strbuf_puts(t->out, before);
    table_text(t->out, text);
}

static const char *const steps[PARTITION_REASON_STEP_COUNT] = {
    [PARTITION_AT_UNKNOWN] = "the disk",    [PARTITION_AT_WRITE] = "a write",
    [PARTITION_AT_SYNC] = "a sync",         [PARTITION_AT_DELETE] = "the deletion of old segments",
    [PARTITION_AT_JOURNAL] = "the journal",
};

static const char *step_of(const struct describe_log_dirs_response_reason *r)
{
    bool is_known = r->step > 0 && r->step < PARTITION_REASON_STEP_COUNT;
    return steps[is_known ? r->step : PARTITION_AT_UNKNOWN];
}

/* ---- reasons, a function each */

static void tell_dir_offline(const struct telling *t,
                             const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "Its log directory");
    if (t->dir != NULL)
        add_text(t, " ", t->dir->log_dir);
    strbuf_puts(t->out, " went offline");
    if (r->since_ms >= 0)
        strbuf_putc(t->out, ' ');
    add_ago(t, r->since_ms);
    add_text(t, ": at ", r->detail);
    if (r->error.len > 0)
        strbuf_printf(t->out, "%s %s failed (%.*s)", r->detail.len > 0 ? "" : ":", step_of(r),
                      ADMIN_STR(r->error));
    strbuf_puts(t->out, ". Nothing there is tried again, since what was not written may be lost "
                        "without a word: see to the disk, then start the broker again.\n");
}

static void tell_failed(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    strbuf_printf(t->out, "The last failure here: %s", step_of(r));
    add_text(t, ", ", r->error);
    add_text(t, ", at ", r->file);
    if (r->position >= 0)
        strbuf_printf(t->out, " from position %" PRId64 " on", r->position);
    if (r->since_ms >= 0)
        strbuf_puts(t->out, ", ");
    add_ago(t, r->since_ms);
    strbuf_puts(t->out, ".\n");
}

static void add_unopened(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "Its log could not be opened");
    if (r->since_ms >= 0)
        strbuf_putc(t->out, ' ');
    add_ago(t, r->since_ms);
    add_text(t, ": ", r->error);
    add_text(t, ": ", r->detail);
}

static void tell_unopened(const struct telling *t,
                          const struct describe_log_dirs_response_reason *r)
{
    add_unopened(t, r);
    strbuf_puts(t->out,
                ". Its files were left as they are. Put sound ones in their place and start "
                "the broker again, or delete the topic; the others serve.\n");
}

static void tell_retried(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    add_unopened(t, r);
    strbuf_puts(t->out,
                ". It is tried again by itself, at latest after half a minute: there has to "
                "be room on the disk, memory, and file descriptors.\n");
}

static void tell_no_dir(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    if (r->detail.len <= 0) {
        strbuf_puts(t->out, "No log directory is in service that could hold it: see to the disks, "
                            "then start the broker again.\n");
        return;
    }
    strbuf_puts(t->out, "It is in none of the log directories, and of those that there were at an "
                        "earlier start this is missing");
    add_text(t, ": ", r->detail);
    strbuf_puts(t->out, ". Mount its disk, or name it in log.dirs again, and start the broker "
                        "again; or, to give up what was in it, delete the topic.\n");
}

static void tell_full(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "The disk is full");
    if (r->amount >= 0) {
        strbuf_puts(t->out, " (");
        add_count(t, r->amount, "byte");
        strbuf_puts(t->out, " left)");
    }
    if (r->since_ms >= 0) {
        strbuf_puts(t->out, ", for ");
        add_age(t, r->since_ms);
    }
    strbuf_puts(t->out, ": producers are refused, consumers are served. It takes records again by "
                        "itself when there is room: delete records or topics, lower retention, or "
                        "make the disk larger.\n");
}

static void tell_reserve(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "The disk of its log directory is nearly full");
    if (r->amount >= 0) {
        strbuf_puts(t->out, ": ");
        add_count(t, r->amount, "byte");
        strbuf_printf(t->out, " %s left", r->amount == 1 ? "is" : "are");
    }
    if (r->position >= 0) {
        strbuf_puts(t->out, ", and ");
        add_count(t, r->position, "byte");
        strbuf_printf(t->out, " %s kept back (klamm.log.dir.reserve.bytes)",
                      r->position == 1 ? "is" : "are");
    }
    if (r->since_ms >= 0) {
        strbuf_puts(t->out, ". So it is for ");
        add_age(t, r->since_ms);
    }
    strbuf_puts(t->out,
                ". Producers are refused, but for internal topics; consumers are served. It "
                "takes records again by itself when there is room: delete records or "
                "topics, lower retention, or make the disk larger.\n");
}

static void tell_sync_slow(const struct telling *t,
                           const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "A sync has been under way");
    if (r->since_ms >= 0) {
        strbuf_puts(t->out, " for ");
        add_age(t, r->since_ms);
    }
    if (r->amount > 0) {
        strbuf_puts(t->out, ", and ");
        add_count(t, r->amount, "record");
        strbuf_printf(t->out, " wait%s for it", r->amount == 1 ? "s" : "");
    }
    strbuf_puts(t->out, ": the disk is slow, or hangs.\n");
}

static void tell_unsynced(const struct telling *t,
                          const struct describe_log_dirs_response_reason *r)
{
    add_count(t, MAX(r->amount, (int64_t)0), "record");
    strbuf_printf(t->out, " %s written and not synced yet", r->amount == 1 ? "is" : "are");
    if (r->since_ms >= 0) {
        strbuf_puts(t->out, ", the oldest for ");
        add_age(t, r->since_ms);
    }
    if (t->x->ack_disk)
        strbuf_puts(t->out, "; the next sync takes them.\n");
    else
        strbuf_puts(t->out, ": with klamm.ack=cache that is left to the kernel, flush.ms and "
                            "flush.messages. A power cut would take them, a crash of the broker "
                            "would not.\n");
}

/* " ... when it was opened 3.0 s ago: where" */
static void add_opening(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, " when it was opened");
    if (r->since_ms >= 0)
        strbuf_putc(t->out, ' ');
    add_ago(t, r->since_ms);
    add_text(t, ": ", r->detail);
}

static void tell_cut(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    add_count(t, MAX(r->amount, (int64_t)0), "byte");
    strbuf_printf(t->out, " behind its last whole batch %s cut off",
                  r->amount == 1 ? "was" : "were");
    add_opening(t, r);
    strbuf_puts(t->out,
                ". A write that a crash cut short leaves such; so does a disk that lost what "
                "it had synced.\n");
}

static void tell_rot(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    add_count(t, MAX(r->amount, (int64_t)0), "byte");
    strbuf_printf(t->out, " %s found damaged", r->amount == 1 ? "was" : "were");
    add_opening(t, r);
    strbuf_puts(t->out,
                ". What was damaged was cut off and kept in a side file, and sound records may "
                "be in it: records may be missing here. See to the disk.\n");
}

static void tell_lost(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "Records are missing");
    add_opening(t, r);
    strbuf_puts(t->out, ". What is gone had been synced: files were removed, or the disk lost what "
                        "it had promised. New records take the offsets of the lost ones.\n");
}

static void tell_uncleanable(const struct telling *t,
                             const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "It is not compacted any more");
    if (r->since_ms >= 0) {
        strbuf_puts(t->out, ", for ");
        add_age(t, r->since_ms);
    }
    add_text(t, ": ", r->detail);
    strbuf_puts(t->out,
                ". It takes records and gives them, and grows. The next start of the broker "
                "tries again.\n");
}

static void tell_scrub(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    strbuf_puts(t->out, "The scrub found ");
    add_count(t, MAX(r->amount, (int64_t)0), "damaged byte");
    if (r->since_ms >= 0)
        strbuf_putc(t->out, ' ');
    add_ago(t, r->since_ms);
    add_text(t, ": ", r->file);
    if (r->position >= 0)
        strbuf_printf(t->out, " from position %" PRId64 " on", r->position);
    add_text(t, " (", r->error);
    strbuf_puts(t->out, r->error.len > 0 ? ")." : ".");
    if (r->offset >= 0 && r->end_offset > r->offset) {
        strbuf_printf(t->out,
                      " Offsets %" PRId64 " to %" PRId64
                      " cannot be read (CORRUPT_MESSAGE), all others can. There is no other copy "
                      "here to repair them from: let consumers seek to %" PRId64
                      ", or give up what lies before it (klamm topic delete-records ",
                      r->offset, r->end_offset - 1, r->end_offset);
        table_text(t->out, t->topic);
        strbuf_printf(t->out, ":%d --before %" PRId64 "), and see to the disk.", t->index,
                      r->end_offset);
    }
    add_text(t, " And ", r->detail);
    strbuf_puts(t->out, r->detail.len > 0 ? ".\n" : "\n");
}

static const struct reason_words {
    const char *word; /* in JSON */
    void (*tell)(const struct telling *t, const struct describe_log_dirs_response_reason *r);
} reasons[PARTITION_REASON_COUNT] = {
    [PARTITION_REASON_DIR_OFFLINE] = {"log_dir_offline", tell_dir_offline},
    [PARTITION_REASON_FAILED] = {"failed", tell_failed},
    [PARTITION_REASON_UNOPENED] = {"not_opened", tell_unopened},
    [PARTITION_REASON_NO_DIR] = {"no_log_dir", tell_no_dir},
    [PARTITION_REASON_FULL] = {"disk_full", tell_full},
    [PARTITION_REASON_SYNC_SLOW] = {"sync_slow", tell_sync_slow},
    [PARTITION_REASON_UNSYNCED] = {"unsynced", tell_unsynced},
    [PARTITION_REASON_CUT] = {"tail_cut", tell_cut},
    [PARTITION_REASON_ROT] = {"damaged", tell_rot},
    [PARTITION_REASON_RESERVE] = {"reserve", tell_reserve},
    [PARTITION_REASON_RETRIED] = {"tried_again", tell_retried},
    [PARTITION_REASON_UNCLEANABLE] = {"uncleanable", tell_uncleanable},
    [PARTITION_REASON_LOST] = {"records_lost", tell_lost},
    [PARTITION_REASON_SCRUB] = {"scrub", tell_scrub},
};

static const struct reason_words *words_of(const struct describe_log_dirs_response_reason *r)
{
    bool is_known = r->kind > 0 && r->kind < PARTITION_REASON_COUNT;
    return is_known && reasons[r->kind].tell != NULL ? &reasons[r->kind] : NULL;
}

static void tell_reason(const struct telling *t, const struct describe_log_dirs_response_reason *r)
{
    const struct reason_words *words = words_of(r);
    if (words != NULL) {
        words->tell(t, r);
        return;
    }
    strbuf_printf(t->out, "Reason %d, which this command is too old to know", r->kind);
    add_text(t, ": ", r->error);
    add_text(t, ": ", r->detail);
    strbuf_puts(t->out, ".\n");
}

/* ---- the state itself */

static void add_name(const struct telling *t)
{
    table_text(t->out, t->topic);
    strbuf_printf(t->out, "-%d", t->index);
}

static void tell_condition(const struct telling *t)
{
    add_name(t);
    switch (t->x->state) {
    case PARTITION_IS_OPENING:
        strbuf_puts(t->out, " is being opened; it serves as soon as its log has been read.\n");
        break;
    case PARTITION_IS_SERVING:
        strbuf_puts(t->out, " serves: ");
        add_count(t, MAX(t->x->high_watermark - t->x->log_start_offset, (int64_t)0), "offset");
        strbuf_printf(t->out, " from %" PRId64 " to %" PRId64 ", ", t->x->log_start_offset,
                      t->x->high_watermark);
        add_count(t, t->x->size_bytes, "byte");
        strbuf_puts(t->out, " in ");
        add_count(t, t->x->segment_count, "segment");
        strbuf_puts(t->out, ".\n");
        break;
    case PARTITION_IS_CLOSING:
        strbuf_puts(t->out, " is being closed: it is deleted, or its broker stops.\n");
        break;
    case PARTITION_IS_OFFLINE:
    case PARTITION_IS_UNOPENED:
        strbuf_puts(t->out, " is offline: it takes no records and gives none.\n");
        break;
    default:
        strbuf_printf(t->out, " is in state %d, which this command is too old to know.\n",
                      t->x->state);
        break;
    }
}

static bool has_offsets(const struct telling *t)
{
    return t->x->written_offset >= 0;
}

/* "Written to 100, durable to 90, high watermark 90; the last sync ended 0.2 s ago." */
static void tell_offsets(const struct telling *t)
{
    if (!has_offsets(t))
        return;
    if (t->x->durable_offset == t->x->written_offset &&
        t->x->high_watermark == t->x->written_offset)
        strbuf_printf(t->out, "All is synced, up to offset %" PRId64, t->x->durable_offset);
    else
        strbuf_printf(t->out,
                      "It is written up to offset %" PRId64 ", durable up to %" PRId64
                      ", and consumers read up to %" PRId64,
                      t->x->written_offset, t->x->durable_offset, t->x->high_watermark);
    if (t->x->synced_ms >= 0) {
        strbuf_puts(t->out, "; the last sync ended ");
        add_ago(t, t->x->synced_ms);
    }
    strbuf_puts(t->out, ".\n");
}

static void tell_dir(const struct telling *t)
{
    if (t->dir == NULL)
        return;
    strbuf_puts(t->out, "It is in ");
    table_text(t->out, t->dir->log_dir);
    if (t->dir->usable_bytes >= 0 && t->dir->total_bytes >= 0) {
        char all[CLI_COUNT_SIZE], usable[CLI_COUNT_SIZE];
        strbuf_printf(t->out, ", whose disk has %s of %s bytes free",
                      cli_count(t->dir->usable_bytes, usable), cli_count(t->dir->total_bytes, all));
    }
    strbuf_puts(t->out, ".\n");
}

static struct telling telling_of(const struct topic_why *why, struct strbuf *out)
{
    return (struct telling){
        .topic = why->topic,
        .index = why->partition->partition->partition_index,
        .x = why->partition->state,
        .dir = topic_state_dir(why->partition),
        .now_ms = why->partition->told_by->explanation->now_ms,
        .out = out,
    };
}

void topic_why_sentences(const struct topic_why *why, struct strbuf *out)
{
    struct telling t = telling_of(why, out);
    tell_condition(&t);
    for (int32_t i = 0; i < t.x->reasons.count; i++)
        tell_reason(&t, &t.x->reasons.items[i]);
    tell_offsets(&t);
    tell_dir(&t);
}

bool topic_why_is_troubled(const struct topic_why *why)
{
    const struct describe_log_dirs_response_explained_partition *x = why->partition->state;
    bool is_troubled = x->state != PARTITION_IS_SERVING;
    for (int32_t i = 0; i < x->reasons.count; i++)
        is_troubled |= x->reasons.items[i].kind != PARTITION_REASON_UNSYNCED;
    return is_troubled;
}

/* ---- JSON */

static json_t *state_json(int8_t state)
{
    static const char *const names[PARTITION_CONDITION_COUNT] = {
        [PARTITION_IS_OPENING] = "opening",  [PARTITION_IS_SERVING] = "serving",
        [PARTITION_IS_CLOSING] = "closing",  [PARTITION_IS_OFFLINE] = "offline",
        [PARTITION_IS_UNOPENED] = "offline",
    };
    bool is_known = state >= 0 && state < PARTITION_CONDITION_COUNT;
    return is_known ? json_string(names[state]) : json_integer(state);
}

static json_t *step_json(int8_t step)
{
    static const char *const names[PARTITION_REASON_STEP_COUNT] = {[PARTITION_AT_WRITE] = "write",
                                                                   [PARTITION_AT_SYNC] = "sync",
                                                                   [PARTITION_AT_DELETE] = "delete",
                                                                   [PARTITION_AT_JOURNAL] =
                                                                       "journal"};
    if (step == PARTITION_AT_UNKNOWN)
        return json_null();
    bool is_known = step > 0 && step < PARTITION_REASON_STEP_COUNT;
    return is_known ? json_string(names[step]) : json_integer(step);
}

static json_t *reason_json(const struct describe_log_dirs_response_reason *r)
{
    const struct reason_words *words = words_of(r);
    json_t *object = json_object();
    json_out_set(object, "kind", words != NULL ? json_string(words->word) : json_integer(r->kind));
    json_out_set(object, "since_ms", json_out_number(r->since_ms));
    json_out_set(object, "step", step_json(r->step));
    json_out_set(object, "error", json_out_str(r->error));
    json_out_set(object, "file", json_out_str(r->file));
    json_out_set(object, "position", json_out_number(r->position));
    json_out_set(object, "amount", json_out_number(r->amount));
    json_out_set(object, "detail", json_out_str(r->detail));
    json_out_set(object, "offset", json_out_number(r->offset));
    json_out_set(object, "end_offset", json_out_number(r->end_offset));
    return object;
}

static json_t *dir_json(const struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    if (dir == NULL)
        return json_null();
    json_t *object = json_object();
    json_out_set(object, "path", json_out_str(dir->log_dir));
    json_out_set(object, "error", json_out_error(dir->error_code));
    json_out_set(object, "total_bytes", json_out_number(dir->total_bytes));
    json_out_set(object, "usable_bytes", json_out_number(dir->usable_bytes));
    return object;
}

json_t *topic_why_json(const struct topic_why *why, const char *text)
{
    struct telling t = telling_of(why, NULL);
    json_t *object = json_object(), *array = json_array();
    for (int32_t i = 0; i < t.x->reasons.count; i++)
        json_out_append(array, reason_json(&t.x->reasons.items[i]));
    json_out_set(object, "topic", json_out_str(t.topic));
    json_out_set(object, "partition", json_integer(t.index));
    json_out_set(object, "broker", json_integer(why->partition->told_node));
    json_out_set(object, "state", state_json(t.x->state));
    json_out_set(object, "is_well", json_boolean(!topic_why_is_troubled(why)));
    json_out_set(object, "text", json_out_str(wire_str_of(text)));
    json_out_set(object, "reasons", array);
    json_out_set(object, "now_ms", json_out_number(t.now_ms));
    json_out_set(object, "opened_ms", json_out_number(t.x->opened_ms));
    json_out_set(object, "leader_epoch", json_out_number(t.x->leader_epoch));
    json_out_set(object, "ack", json_string(t.x->ack_disk ? "disk" : "cache"));
    json_out_set(object, "flush_ms", json_out_number(t.x->flush_ms));
    json_out_set(object, "flush_messages", json_out_number(t.x->flush_messages));
    json_out_set(object, "log_start_offset", json_out_number(t.x->log_start_offset));
    json_out_set(object, "recovery_point", json_out_number(t.x->recovery_point));
    json_out_set(object, "durable_offset", json_out_number(t.x->durable_offset));
    json_out_set(object, "high_watermark", json_out_number(t.x->high_watermark));
    json_out_set(object, "written_offset", json_out_number(t.x->written_offset));
    json_out_set(object, "assigned_offset", json_out_number(t.x->assigned_offset));
    json_out_set(object, "size_bytes", json_out_number(t.x->size_bytes));
    json_out_set(object, "segments", json_integer(t.x->segment_count));
    json_out_set(object, "unsynced_since_ms", json_out_number(t.x->unsynced_since_ms));
    json_out_set(object, "synced_ms", json_out_number(t.x->synced_ms));
    json_out_set(object, "log_dir", dir_json(t.dir));
    return object;
}
