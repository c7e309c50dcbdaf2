// SPDX-License-Identifier: Apache-2.0
/*
 * json_out: what commands print as JSON, over jansson. Building it cannot fail but for memory,
 * which ends the process as everywhere for sizes of our own.
 *
 * Thread: main.
 */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <jansson.h>

#include "wire/message.h"

/* Both take `value` over. */
void json_out_set(json_t *object, const char *key, json_t *value);
void json_out_append(json_t *array, json_t *value);

/* Null for null. Names and values of a broker are UTF-8; what is not becomes Latin-1's letters. */
json_t *json_out_str(struct wire_str text);

/* Sets `name` to the text, null where `data` is NULL; what is no UTF-8 stands in base64 under
 * NAME_base64. */
void json_out_bytes(json_t *object, const char *name, const void *data, size_t len);

/* Null where there is none: below 0, as offsets, times, sizes and numbers of brokers are. */
json_t *json_out_number(int64_t number);

/* Kafka's code: its name, null for NONE; a code that is newer than this program stays a number. */
json_t *json_out_error(int16_t error_code);

json_t *json_out_numbers(const struct wire_i32_array *numbers);

/* Prints it on stdout with a newline and drops it; CLI_OK. */
int json_out_print(json_t *take_value);

/* The same on one line, for one of many; CLI_FAILED: it could not be written. */
int json_out_print_line(json_t *take_value);

#endif
