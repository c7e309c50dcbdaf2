// SPDX-License-Identifier: Apache-2.0
/* options_test: words, numbers and counts of commands. Thread: main. */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/testing.h"
#include "cli/cli.h"
#include "cli/progress.h"

struct seen {
    bool flag;
    const char *text;
    int64_t number;
    struct cli_words texts;
    struct cli_words words;
};

/* `line` is cut at blanks; at most 16 words. */
static int parse(const char *line, struct seen *seen)
{
    static char copy[256];
    char *argv[16];
    int argc = 0;
    *seen = (struct seen){.number = -1};
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *at = copy; *at != '\0' && argc < 16;) {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    const struct cli_option options[] = {
        {"--flag", CLI_FLAG, &seen->flag, 0, 0},
        {"--text", CLI_TEXT, &seen->text, 0, 0},
        {"--texts", CLI_TEXTS, &seen->texts, 0, 0},
        {"--number", CLI_NUMBER, &seen->number, 0, 99},
    };
    struct cli_parse p = {.command = "test",
                          .help = "",
                          .options = options,
                          .option_count = ARRAY_COUNT(options),
                          .word_count_max = 2};
    int status = cli_parse(&p, argc, argv);
    seen->words = p.words;
    return status;
}

static void forget(struct seen *seen)
{
    cli_words_free(&seen->words);
    cli_words_free(&seen->texts);
}

TEST(options_and_words_may_be_mixed)
{
    struct seen seen;
    CHECK_EQUAL(parse("a --flag --text=x=y --texts 1 b --texts=2 --texts 3 --number 7", &seen),
                CLI_GO_ON);
    CHECK(seen.flag);
    CHECK_TEXT(seen.text, "x=y");
    CHECK_EQUAL(seen.number, 7);
    CHECK_EQUAL(seen.texts.count, 3);
    CHECK_TEXT(seen.texts.items[2], "3");
    CHECK_EQUAL(seen.words.count, 2);
    CHECK_TEXT(seen.words.items[1], "b");
    forget(&seen);

    CHECK_EQUAL(parse("--text --flag -- --number -", &seen), CLI_GO_ON);
    CHECK_TEXT(seen.text, "--flag");
    CHECK(!seen.flag);
    CHECK_EQUAL(seen.words.count, 2);
    CHECK_TEXT(seen.words.items[0], "--number");
    forget(&seen);
}

TEST(wrong_words_are_refused)
{
    static const char *const wrong[] = {
        "--flags",     "--fla",       "--flag=1",     "--text",    "--number x",
        "--number 1x", "--number -1", "--number 100", "--number=", "--number 99999999999999999999",
        "--number= 1", "a b c",       "-f",
    };
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct seen seen;
        CHECK_EQUAL(parse(wrong[i], &seen), CLI_USAGE);
        forget(&seen);
    }
}

TEST(help_beats_all_but_the_end_of_options)
{
    struct seen seen;
    CHECK_EQUAL(parse("a b c --help --nonsense", &seen), CLI_OK);
    forget(&seen);
    CHECK_EQUAL(parse("-- --help", &seen), CLI_GO_ON);
    CHECK_TEXT(seen.words.items[0], "--help");
    forget(&seen);
}

TEST(counts_have_commas)
{
    char out[CLI_COUNT_SIZE];
    CHECK_TEXT(cli_count(0, out), "0");
    CHECK_TEXT(cli_count(999, out), "999");
    CHECK_TEXT(cli_count(1000, out), "1,000");
    CHECK_TEXT(cli_count(1234567, out), "1,234,567");
    CHECK_TEXT(cli_count(-123, out), "-123");
    CHECK_TEXT(cli_count(-1234, out), "-1,234");
    CHECK_TEXT(cli_count(INT64_MAX, out), "9,223,372,036,854,775,807");
    CHECK_TEXT(cli_count(INT64_MIN, out), "-9,223,372,036,854,775,808");
}
