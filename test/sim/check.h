// SPDX-License-Identifier: Apache-2.0
/*
 * check: the promises, one checker a file. A checker sees the history change, and calls
 * history_fail when a promise is broken.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_CHECK_H
#define TEST_SIM_CHECK_H

#include "history.h"

/* check_acked: an acknowledged record is never lost, and lies where the answer said. */
void check_acked_on_ack(struct history *h, uint32_t record);
void check_acked_on_read(struct history *h, uint32_t partition, int64_t offset, int32_t record);
void check_acked_at_end(struct history *h);

/* check_order: of an idempotent producer every record is there at most once, an acknowledged
 * one exactly once, and all in the order of sending. Nothing is there that nobody sent. */
void check_order_at_end(struct history *h);

/* check_offsets: offsets are dense; high watermark, log start and leader epoch never go back; the
 * leader epoch rises with every start of a broker. */
void check_offsets_on_read(struct history *h, uint32_t partition, int64_t expected, int64_t offset);
void check_offsets_on_told(struct history *h, uint32_t partition, const struct history_floor *floor,
                           const struct history_offsets *offsets);
void check_offsets_at_end(struct history *h);

/* check_stable: what a consumer has seen is never different or gone later. */
void check_stable_on_read(struct history *h, uint32_t partition, int64_t offset, int32_t record);
void check_stable_at_end(struct history *h);

/* check_compacted: compaction takes no record that is the last of its key, but for a tombstone
 * after its time; so who reads from the start on sees no key as it was before. */
void check_compacted_on_pass(struct history *h, uint32_t partition, int64_t now_ns, int64_t end,
                             const struct history_pass *pass);

/* The same file, of what was compacted together: of each key there is one record, the last of those
 * there, and no tombstone whose time has come. `before`: where another of its key lies; -1: none.
 */
void check_clean_on_found(struct history *h, uint32_t record, int64_t offset, int64_t before);
void check_clean_on_pass(struct history *h, uint32_t partition, const struct history_pass *pass);

/* check_topics: a created topic is there, with its id, until it is deleted, and then it is gone. */
void check_topics_on_seen(struct history *h, uint32_t topic,
                          const struct history_topic_answer *answer);

/* check_producer_ids: no producer id is given twice, whatever happened in between. */
void check_producer_ids_on_given(struct history *h, int64_t producer_id, int16_t epoch);

/* check_latency: a lone record is acknowledged within a round trip and two syncs. */
void check_latency_on_lone_ack(struct history *h, int64_t took_ns, int64_t bound_ns);

/* check_retention: what retention wants to keep is kept, and what it wants gone is gone in the end.
 */
void check_retention_on_told(struct history *h, uint32_t partition, int64_t log_start);
void check_retention_at_end(struct history *h);
void check_retention_on_files(struct history *h, uint32_t partition,
                              const struct history_files *files);

/* check_scrub: what is damaged in segments that are scrubbed is found, and nothing else is; it
 * alone cannot be read. `end` and so on as the broker says. */
void check_scrub_on_found(struct history *h, const struct history_flip *found);
void check_scrub_on_missing(struct history *h, const struct history_flip *flip);
/* Who asked for `offset` was told that it is damaged: the offset where he may go on. */
int64_t check_scrub_on_refused(struct history *h, uint32_t partition, int64_t offset);

/* check_owner: in one generation of a group a partition has one owner. */
void check_owner_on_assigned(struct history *h, uint32_t group,
                             const struct history_generation *told,
                             const struct history_assignment *assignment);

/* check_generation: the generation of a group never goes back, and an old one is refused. */
void check_generation_on_told(struct history *h, uint32_t group,
                              const struct history_group_view *view, int32_t generation);

/* check_committed: an acknowledged commit is never lost, and committed offsets change by commits
 * only. `number`: the commit that was seen; -1: none that was sent. */
void check_committed_on_seen(struct history *h, const struct history_committed *seen,
                             int64_t number);

/* check_converged: all live members hold all partitions, in one generation. */
bool check_converged_is(const struct history *h, const struct history_holder *holders,
                        uint32_t count);
void check_converged_at_end(struct history *h, uint32_t group, const struct history_holder *holders,
                            uint32_t count);
void check_converged_is_empty(struct history *h, uint32_t group, bool has_members);

/* check_replay: a group looks the same after a restart. */
void check_replay_on_restarted(struct history *h, uint32_t group, const char *before,
                               const char *after);

#endif
