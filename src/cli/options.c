// SPDX-License-Identifier: Apache-2.0
/* options: see options.h. Thread: main. */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/cli.h"

/* ---- complaints */

static void print_line(const struct strbuf *text)
{
    fputs("klamm: ", stderr);
    for (const char *at = strbuf_text(text); *at != '\0'; at++)
        fputc(iscntrl((unsigned char)*at) ? '?' : *at, stderr);
    fputc('\n', stderr);
}

int cli_complain(const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text);
    va_start(args, format);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    print_line(&text);
    strbuf_deinit(&text);
    return CLI_FAILED;
}

int cli_complain_usage(const char *command, const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text);
    strbuf_printf(&text, "%s: ", command);
    va_start(args, format);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    strbuf_printf(&text, "; see klamm %s --help", command);
    print_line(&text);
    strbuf_deinit(&text);
    return CLI_USAGE;
}

bool cli_output_is_lost(void)
{
    errno = 0;
    return fflush(stdout) != 0 || ferror(stdout) != 0;
}

int cli_complain_output(const char *more)
{
    static bool is_told;
    if (!is_told)
        cli_complain("standard output cannot be written%s%s%s", errno != 0 ? ": " : "",
                     errno != 0 ? strerror(errno) : "", more);
    is_told = true;
    return CLI_FAILED;
}

/* ---- words */

void cli_words_add(struct cli_words *words, const char *word)
{
    bool is_full = (words->count & (words->count - 1)) == 0; /* sizes are powers of two */
    if (is_full) {
        size_t capacity = words->count == 0 ? 1 : (size_t)words->count * 2;
        words->items = mem_realloc(words->items, capacity * sizeof(*words->items));
    }
    words->items[words->count++] = word;
}

void cli_words_free(struct cli_words *words)
{
    mem_free(words->items);
    *words = (struct cli_words){0};
}

bool cli_number_parse(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool is_number = end != text && *end == '\0' && errno == 0 && !isspace((unsigned char)*text);
    if (is_number)
        *out = number;
    return is_number;
}

/* ---- options */

/* The option that `word` names, alone or with "=value" behind it. */
static const struct cli_option *find_option(const struct cli_parse *p, const char *word)
{
    size_t len = strcspn(word, "=");
    for (int i = 0; i < p->option_count; i++) {
        const char *name = p->options[i].name;
        if (strlen(name) == len && strncmp(word, name, len) == 0)
            return &p->options[i];
    }
    return NULL;
}

static int take_number(const struct cli_parse *p, const struct cli_option *option,
                       const char *value)
{
    int64_t number = 0;
    if (!cli_number_parse(value, &number) || number < option->min || number > option->max) {
        if (option->max == INT64_MAX)
            return cli_complain_usage(p->command, "%s takes a number from %lld on, not \"%.100s\"",
                                      option->name, (long long)option->min, value);
        return cli_complain_usage(p->command, "%s takes a number from %lld to %lld, not \"%.100s\"",
                                  option->name, (long long)option->min, (long long)option->max,
                                  value);
    }
    *(int64_t *)option->out = number;
    return CLI_GO_ON;
}

static int take_value(const struct cli_parse *p, const struct cli_option *option, const char *value)
{
    switch (option->kind) {
    case CLI_FLAG:
        break;
    case CLI_TEXT:
        *(const char **)option->out = value;
        return CLI_GO_ON;
    case CLI_TEXTS:
        cli_words_add(option->out, value);
        return CLI_GO_ON;
    case CLI_NUMBER:
        return take_number(p, option, value);
    }
    ASSERT(option->kind == CLI_FLAG);
    return cli_complain_usage(p->command, "%s takes no value", option->name);
}

/* *at is moved past what is taken. */
static int take_option(const struct cli_parse *p, int argc, char **argv, int *at)
{
    const char *word = argv[(*at)++];
    const struct cli_option *option = find_option(p, word);
    if (option == NULL)
        return cli_complain_usage(p->command, "there is no option \"%.100s\"", word);
    const char *equals = strchr(word, '=');
    if (equals != NULL)
        return take_value(p, option, equals + 1);
    if (option->kind == CLI_FLAG) {
        *(bool *)option->out = true;
        return CLI_GO_ON;
    }
    if (*at == argc)
        return cli_complain_usage(p->command, "%s needs a value", option->name);
    return take_value(p, option, argv[(*at)++]);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

int cli_parse(struct cli_parse *p, int argc, char **argv)
{
    if (wants_help(argc, argv)) {
        fputs(p->help, stdout);
        return CLI_OK;
    }
    bool is_word = false; /* behind "--" */
    int status = CLI_GO_ON;
    for (int i = 0; i < argc && status == CLI_GO_ON;) {
        if (is_word || argv[i][0] != '-' || argv[i][1] == '\0') {
            cli_words_add(&p->words, argv[i++]);
        } else if (strcmp(argv[i], "--") == 0) {
            is_word = true;
            i++;
        } else {
            status = take_option(p, argc, argv, &i);
        }
    }
    if (status != CLI_GO_ON)
        return status;
    if (p->words.count < p->word_count_min)
        return cli_complain_usage(p->command, "%s is missing",
                                  p->word_name != NULL ? p->word_name : "the name of a topic");
    if (p->words.count > p->word_count_max)
        return cli_complain_usage(p->command, "\"%.100s\" is one word too many",
                                  p->words.items[p->word_count_max]);
    return CLI_GO_ON;
}
