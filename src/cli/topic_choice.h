// SPDX-License-Identifier: Apache-2.0
/*
 * topic_choice: the partitions that words like "t" and "t:0,3" name, with their leaders.
 *
 * Thread: main.
 */
#ifndef CLI_TOPIC_CHOICE_H
#define CLI_TOPIC_CHOICE_H

#include "cli/options.h"
#include "cli/topic_view.h"

/* Leaders are asked about so many topics at once, so that no answer becomes too large. */
enum { TOPIC_CHOICE_CHUNK = 50 };

struct topic_choice {
    struct arena arena;
    struct client_result result;
    struct topic_view *views; /* partitions that were not named are not wanted */
    int32_t count;
    bool is_whole; /* all that was named is there */
};

/* CLI_GO_ON, or the exit status after it has been said that a word names no partitions. */
int topic_choice_check(const char *command, const struct cli_words *words);

/* All topics when there are no words, by name. False: Metadata was not answered, and it has been
 * said why. What is not there is told too, and *out is not whole then. */
bool topic_choice_ask(struct admin *a, const struct cli_words *words, struct topic_choice *out);
void topic_choice_deinit(struct topic_choice *choice);

/* NULL: it was not named. */
struct topic_view *topic_choice_find(const struct topic_choice *choice, struct wire_str name);

/* As topic_view_ask, for all of them. */
bool topic_choice_ask_offsets(struct admin *a, struct topic_choice *choice, int64_t timestamp);

/* "partition 3 of topic "t": ...", by its leader's error, or because it has no leader or its leader
 * did not say anything about it. */
void topic_choice_complain(struct admin *a, const struct topic_view *view,
                           const struct partition_view *partition);

#endif
