// SPDX-License-Identifier: Apache-2.0
/*
 * log: `klamm log ...`: the files of a log, looked at without a broker. What log_*.c share.
 *
 * Thread: main.
 */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include "base/strbuf.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/log_scan.h"
#include "wire/message.h"

cli_command_fn cli_log_dump;
cli_command_fn cli_log_verify;
cli_command_fn cli_log_flatten;
cli_command_fn cli_log_import;

/* An env for one command; NULL: a line said why not. */
struct real_env *log_env_new(void);

/* ---- fields for people and as JSON: log_print.c */

/* "name: value name: value" */
void log_print_fields(struct strbuf *out, const struct log_field *fields, size_t count);

/* Names become snake_case. */
void log_json_fields(json_t *object, const struct log_field *fields, size_t count);

/* Bytes with what a terminal would obey as \xNN. */
void log_print_bytes(struct strbuf *out, const void *data, size_t len);

/* ---- what known topics hold: log_decode.c */

enum log_decoder {
    LOG_DECODE_NONE,
    LOG_DECODE_OFFSETS, /* __consumer_offsets */
    LOG_DECODE_KRAFT,   /* __cluster_metadata */
};

/* The record's key and value as JSON; false: not such a record, and nothing was written. */
bool log_decode(enum log_decoder decoder, const struct record *record, struct strbuf *key,
                struct strbuf *value);

/* Of a record of __cluster_metadata; NULL: one that is of no use here. */
const struct wire_message *log_kraft_message(uint32_t type);

#endif
