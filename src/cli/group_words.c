// SPDX-License-Identifier: Apache-2.0
/* group_words: see group_words.h. Thread: any. */
#include "cli/group_words.h"

#include <ctype.h>
#include <string.h>

#include "base/assert.h"
#include "cli/options.h"

enum { DIGITS_MAX = 10, DAY_MS = 24 * 60 * 60 * 1000 };

/* ---- partitions */

static bool parse_partition(const char *text, size_t len, int32_t *out)
{
    char digits[DIGITS_MAX + 1] = {0};
    int64_t number = 0;
    if (len == 0 || len > DIGITS_MAX || !isdigit((unsigned char)*text))
        return false;
    memcpy(digits, text, len);
    if (!cli_number_parse(digits, &number) || number > INT32_MAX)
        return false;
    *out = (int32_t)number;
    return true;
}

static bool parse_partitions(const char *text, struct arena *arena, struct partition_choice *choice)
{
    int32_t *partitions = arena_alloc_array(arena, strlen(text) + 1, sizeof(*partitions));
    ASSERT(partitions != NULL);
    choice->partitions = partitions;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        if (!parse_partition(at, len, &partitions[choice->count++]))
            return false;
        at += len;
        if (*at == '\0')
            return true;
    }
}

bool partition_choice_parse(const char *text, struct arena *arena, struct partition_choice *out)
{
    size_t len = strcspn(text, ":"); /* no topic has one in its name */
    if (len == 0)
        return false;
    struct partition_choice choice = {.topic = arena_copy_text(arena, text, len)};
    ASSERT(choice.topic != NULL);
    if (text[len] == ':' && !parse_partitions(text + len + 1, arena, &choice))
        return false;
    *out = choice;
    return true;
}

/* ---- times */

/* Exactly `digits` of them, from `min` to `max`; *at is moved behind them. */
static bool take_number(const char **at, int digits, int64_t min, int64_t max, int64_t *out)
{
    int64_t number = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        number = number * 10 + (**at - '0');
    }
    *out = number;
    return number >= min && number <= max;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

/* Since 1970-01-01, in the Gregorian calendar. */
static int64_t days_before(int64_t year, int64_t month)
{
    int64_t y = year - 1; /* whole years, from year 1 on */
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
    for (int64_t m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days;
}

static bool take_date(const char **at, int64_t *ms)
{
    int64_t year = 0, month = 0, day = 0;
    if (!take_number(at, 4, 1970, 9999, &year) || !take_char(at, '-') ||
        !take_number(at, 2, 1, 12, &month) || !take_char(at, '-') ||
        !take_number(at, 2, 1, days_of_month(year, month), &day))
        return false;
    *ms = (days_before(year, month) + day - 1) * DAY_MS;
    return true;
}

/* "23:59", "23:59:59", "23:59:59.1" to "23:59:59.123" */
static bool take_clock(const char **at, int64_t *ms)
{
    int64_t hour = 0, minute = 0, second = 0, fraction_ms = 0;
    if (!take_number(at, 2, 0, 23, &hour) || !take_char(at, ':') ||
        !take_number(at, 2, 0, 59, &minute))
        return false;
    if (take_char(at, ':')) {
        if (!take_number(at, 2, 0, 59, &second))
            return false;
        if (take_char(at, '.')) {
            static const int64_t factors[] = {0, 100, 10, 1};
            size_t digits = strspn(*at, "0123456789");
            if (digits < 1 || digits > 3 || !take_number(at, (int)digits, 0, 999, &fraction_ms))
                return false;
            fraction_ms *= factors[digits];
        }
    }
    *ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms;
    return true;
}

static bool parse_time(const char *text, int64_t *out)
{
    int64_t date_ms = 0, clock_ms = 0;
    const char *at = text;
    if (!take_date(&at, &date_ms))
        return false;
    if (take_char(&at, 'T')) {
        if (!take_clock(&at, &clock_ms))
            return false;
        take_char(&at, 'Z');
    }
    if (*at != '\0')
        return false;
    *out = date_ms + clock_ms;
    return true;
}

bool offset_goal_parse(const char *text, struct offset_goal *out)
{
    struct offset_goal goal = {.kind = GOAL_OFFSET};
    if (strcmp(text, "beginning") == 0)
        goal.kind = GOAL_BEGINNING;
    else if (strcmp(text, "end") == 0)
        goal.kind = GOAL_END;
    else if (text[0] == '@' && isdigit((unsigned char)text[1]) &&
             cli_number_parse(text + 1, &goal.number))
        goal.kind = GOAL_TIME;
    else if (parse_time(text, &goal.number))
        goal.kind = GOAL_TIME;
    else if (!isdigit((unsigned char)text[0]) || !cli_number_parse(text, &goal.number))
        return false;
    *out = goal;
    return true;
}
