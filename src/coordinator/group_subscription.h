// SPDX-License-Identifier: Apache-2.0
/*
 * group_subscription: looks into what Kafka's consumers say when they join (ConsumerProtocol's
 * subscription): a version, the topics, and things that only consumers read. To the coordinator it
 * is opaque but for the topics.
 *
 * Thread: any.
 */
#ifndef COORDINATOR_GROUP_SUBSCRIPTION_H
#define COORDINATOR_GROUP_SUBSCRIPTION_H

#include "wire/message.h"

/* Tells every topic in it, once for each time that it is there. False: it cannot be read; some may
 * have been told. Names point into the metadata. */
bool group_subscription_walk(struct wire_bytes metadata,
                             void (*each)(void *arg, struct wire_str topic), void *arg);

#endif
