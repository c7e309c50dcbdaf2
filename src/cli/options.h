// SPDX-License-Identifier: Apache-2.0
/*
 * options: the words behind a command's name, by a table of what it takes.
 *
 * "--name value", "--name=value", "--flag", other words in between; all behind "--" are words.
 *
 * Thread: main.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum cli_option_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char * */
    CLI_TEXTS,  /* struct cli_words: may be given several times */
    CLI_NUMBER, /* int64_t, from min to max */
};

/* Borrowed from argv. */
struct cli_words {
    const char **items;
    int count;
};

struct cli_option {
    const char *name; /* "--partitions" */
    enum cli_option_kind kind;
    void *out;
    int64_t min, max;
};

struct cli_parse {
    const char *command; /* "topic create", for complaints */
    const char *help;
    const struct cli_option *options;
    int option_count;
    int word_count_min, word_count_max;
    const char *word_name;  /* "the name of a group"; NULL: of a topic */
    struct cli_words words; /* out */
};

enum { CLI_GO_ON = -1 };

/* CLI_GO_ON, or the exit status when help was asked for (and printed) or the words make no
 * sense (and one line said so). The arrays of the words live until cli_words_free. */
int cli_parse(struct cli_parse *p, int argc, char **argv);

/* For what cli_parse cannot see: says that the command was called wrongly; CLI_USAGE. */
int cli_complain_usage(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* One line "klamm: ..." on stderr; CLI_FAILED. Control bytes in it are shown as '?'. */
int cli_complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* Writes what is buffered for stdout. True: some of what was printed did not arrive; errno says why
 * when it was just now, and is 0 when it was earlier. */
bool cli_output_is_lost(void);

/* "standard output cannot be written: why" with `more` behind it, by errno; CLI_FAILED. Once in a
 * process: later calls print nothing. */
int cli_complain_output(const char *more);

void cli_words_add(struct cli_words *words, const char *word);
void cli_words_free(struct cli_words *words);

/* A whole number and nothing else. */
bool cli_number_parse(const char *text, int64_t *out);

#endif
