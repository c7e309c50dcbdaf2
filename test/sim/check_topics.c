// SPDX-License-Identifier: Apache-2.0
/*
 * check_topics: a topic whose creation was answered is there, with the same id and as many
 * partitions, until its deletion is asked for; one whose deletion was answered is not.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "topics stay as they were told"

void check_topics_on_seen(struct history *h, uint32_t topic,
                          const struct history_topic_answer *answer)
{
    const struct history_topic *t = &h->topics[topic];
    if (t->state == TOPIC_PRESENT && !answer->is_there)
        history_fail(h, CHECKER, "topic %s was created and is not there", t->name);
    else if (t->state == TOPIC_PRESENT && !uuid_equals(answer->id, t->id))
        history_fail(h, CHECKER, "topic %s has another id than when it was created", t->name);
    else if (t->state == TOPIC_PRESENT && answer->partitions != t->partitions)
        history_fail(h, CHECKER, "topic %s was created with %d partitions and has %d", t->name,
                     t->partitions, answer->partitions);
    else if (t->state == TOPIC_ABSENT && answer->is_there)
        history_fail(h, CHECKER, "topic %s is there, though nobody made it or it was deleted",
                     t->name);
}
