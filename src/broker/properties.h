// SPDX-License-Identifier: Apache-2.0
/*
 * properties: reads the text of a Java .properties file: "key=value", "key: value"
 * or "key value"; # and ! begin comments; a backslash at the end goes on in
 * the next line; \t \n \r \f and \uXXXX mean what they mean in Java. Bytes are
 * UTF-8 (Java would take them for Latin-1).
 *
 * Does not know files, nor which keys exist.
 *
 * Thread: any; a struct properties belongs to its owner.
 * Limits: PROPERTIES_FILE_BYTES, PROPERTIES_LINE_BYTES, PROPERTIES_COUNT.
 */
#ifndef BROKER_PROPERTIES_H
#define BROKER_PROPERTIES_H

#include <stddef.h>

#include "base/err.h"
#include "base/strbuf.h"

struct property {
    const char *key;
    const char *value;
    int line; /* where it begins, from 1 */
};

struct properties {
    struct property *items; /* in the order of the file; a key may stand there twice */
    size_t count;
    size_t capacity;
    char *texts; /* what the items point into */
};

/* ERR_INVALID, ERR_TOO_LARGE: `error` has gained one line, "<name>:<line>: <why>".
 * ERR_NO_MEMORY: nothing is added to it. On success *out is freed by properties_deinit. */
enum err properties_parse(const char *name, const char *text, size_t size, struct strbuf *error,
                          struct properties *out) MUST_USE;

void properties_deinit(struct properties *p);

#endif
