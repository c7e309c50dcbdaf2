// SPDX-License-Identifier: Apache-2.0
/*
 * server_config_private: what the files of server_config share. A load goes
 * through them in this order: source (collect and judge keys), listeners,
 * values (typed, and do they go together).
 *
 * Thread: any.
 */
#ifndef BROKER_SERVER_CONFIG_PRIVATE_H
#define BROKER_SERVER_CONFIG_PRIVATE_H

#include "broker/server_config.h"

struct server_config_loader {
    struct server_config *config;
    struct strbuf *error;
    const char *origins[CONFIG_BROKER_COUNT]; /* "server.properties:7"; NULL: not given */
};

/* Adds one line to the error and returns ERR_INVALID. */
enum err server_config_refuse(struct server_config_loader *loader, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* A copy in the config's arena; NULL when that is full. */
const char *server_config_copy(struct server_config_loader *loader, const char *text, size_t len);

/* Was the key given anywhere? */
bool server_config_is_given(const struct server_config_loader *loader, enum config_broker_key key);

/* The value in force, or NULL. */
const char *server_config_text(const struct server_config_loader *loader,
                               enum config_broker_key key);

/* Fills layers.fixed, warnings and notes. */
enum err server_config_collect(struct server_config_loader *loader,
                               const struct server_config_input *in) MUST_USE;

/* Fills listeners, advertised, inter_broker and admin. */
enum err server_config_read_listeners(struct server_config_loader *loader) MUST_USE;

#endif
