// SPDX-License-Identifier: Apache-2.0
/*
 * config_private: what is shared by the files that describe configs: of topics, brokers, groups.
 *
 * Thread: any.
 */
#ifndef METADATA_CONFIG_PRIVATE_H
#define METADATA_CONFIG_PRIVATE_H

#include "metadata/config_topic.h"

/* A value in force, before it is turned into the unit of the key that is described. */
struct config_found {
    const char *text; /* NULL: there is none */
    int64_t factor;
    enum config_source source;
};

void config_described_add(struct config_described *out, const char *name, const char *text,
                          enum config_source source);

/* Each layer's value of a broker key, strongest first. */
void config_described_add_layers(struct config_described *out, const struct config_layers *layers,
                                 int broker_key, bool with_default);

/* The value as clients are shown it, in the arena; NULL: there is none, or it is secret. */
enum err config_show(const struct config_def *def, const struct config_found *found,
                     struct arena *arena, const char **out) MUST_USE;

#endif
