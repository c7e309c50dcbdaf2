// SPDX-License-Identifier: Apache-2.0
/*
 * topic_why: what `klamm topic why` says of a partition: a broker's explanation (docs/decisions/
 * 015-explaining-a-partition.md) as sentences and as JSON.
 *
 * Ages are reckoned from the broker's own clock, which is in the explanation. Numbers that are
 * newer than this program are shown as numbers.
 *
 * Thread: any; printing: main.
 */
#ifndef CLI_TOPIC_WHY_H
#define CLI_TOPIC_WHY_H

#include "base/strbuf.h"
#include "cli/json_out.h"
#include "cli/topic_state.h"

struct topic_why {
    struct wire_str topic;
    const struct partition_view *partition; /* its state is set */
};

/* Is something the matter with it, that is: does it not serve, or is there a reason other than that
 * it syncs when its topic wants that? */
bool topic_why_is_troubled(const struct topic_why *why);

/* Sentences, each a line with a newline behind it. */
void topic_why_sentences(const struct topic_why *why, struct strbuf *out);

/* All of it. `text`: the sentences. */
json_t *topic_why_json(const struct topic_why *why, const char *text);

#endif
