// SPDX-License-Identifier: Apache-2.0
/*
 * group_subscription: looks into what Kafka's consumers say when they join (ConsumerProtocol's
 * subscription): a version, the topics, and things that only consumers read. To the coordinator it
 * is opaque but for this one question.
 *
 * Thread: any.
 */
#ifndef COORDINATOR_GROUP_SUBSCRIPTION_H
#define COORDINATOR_GROUP_SUBSCRIPTION_H

#include "wire/message.h"

enum group_subscription_answer {
    GROUP_SUBSCRIPTION_NO,
    GROUP_SUBSCRIPTION_YES,
    GROUP_SUBSCRIPTION_UNREADABLE,
};

enum group_subscription_answer group_subscription_has(struct wire_bytes metadata,
                                                      struct wire_str topic);

#endif
