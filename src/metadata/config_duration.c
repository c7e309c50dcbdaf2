// SPDX-License-Identifier: Apache-2.0
/*
 * config_duration: a span of time as Java's Duration reads it: "P1DT2H3M4.5S", in any case of
 * letters, with signs before the whole and before each number.
 *
 * Thread: any; constant.
 */
#include <string.h>

#include "metadata/config.h"

enum { FRACTION_DIGITS_MAX = 9 };

/* What is left to be read; the results. */
struct duration_reader {
    const char *at;
    const char *end;
    int64_t seconds[4];  /* of days, hours, minutes, seconds */
    int32_t nanoseconds; /* of the sign of the seconds' number */
    int parts;           /* read so far */
    bool is_bad;         /* does not fit into 64 bits */
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool take(struct duration_reader *r, char letter)
{
    if (r->at == r->end || lower(*r->at) != letter)
        return false;
    r->at++;
    return true;
}

static bool is_digit(const struct duration_reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* True: it is negative. There need not be one. */
static bool take_sign(struct duration_reader *r)
{
    if (take(r, '-'))
        return true;
    take(r, '+');
    return false;
}

/* Up to nine digits, as nanoseconds. */
static int32_t take_fraction(struct duration_reader *r)
{
    int32_t value = 0;
    for (int i = 0; i < FRACTION_DIGITS_MAX; i++)
        value = value * 10 + (is_digit(r) ? *r->at++ - '0' : 0);
    return value;
}

/* A number and the letter of this place; nothing is taken when it is another. */
static void take_part(struct duration_reader *r, int place)
{
    static const char letters[] = {'d', 'h', 'm', 's'};
    static const int64_t factors[] = {86400, 3600, 60, 1};
    char letter = letters[place];
    struct duration_reader after = *r;
    bool is_negative = take_sign(&after);
    int64_t value = 0;
    bool has_digits = is_digit(&after), is_too_large = false;
    for (; is_digit(&after); after.at++) {
        int64_t digit = *after.at - '0';
        is_too_large |= __builtin_mul_overflow(value, (int64_t)10, &value);
        is_too_large |= __builtin_add_overflow(value, is_negative ? -digit : digit, &value);
    }
    int32_t fraction = 0;
    if (letter == 's' && (take(&after, '.') || take(&after, ',')))
        fraction = take_fraction(&after);
    if (!has_digits || !take(&after, letter))
        return;
    r->at = after.at;
    r->parts++;
    r->nanoseconds = is_negative ? -fraction : fraction;
    r->is_bad |= is_too_large || __builtin_mul_overflow(value, factors[place], &r->seconds[place]);
}

bool config_duration_is_valid(const char *text, size_t len)
{
    struct duration_reader r = {.at = text, .end = text + len};
    bool is_negated = take_sign(&r);
    if (!take(&r, 'p'))
        return false;
    take_part(&r, 0);
    bool is_capital = r.at < r.end && *r.at == 'T';
    if (take(&r, 't')) {
        int before = r.parts;
        take_part(&r, 1);
        take_part(&r, 2);
        take_part(&r, 3);
        r.is_bad |= r.parts == before && is_capital; /* Java lets a small t stand alone */
    }
    /* Java adds from behind, and none of its sums may be too large. */
    int64_t seconds = r.seconds[3];
    for (int place = 2; place >= 0; place--)
        r.is_bad |= __builtin_add_overflow(r.seconds[place], seconds, &seconds);
    if (r.at != r.end || r.parts == 0 || r.is_bad || (is_negated && seconds == INT64_MIN))
        return false;
    bool is_below_zero = seconds < 0 || (seconds == 0 && r.nanoseconds < 0);
    bool is_zero = seconds == 0 && r.nanoseconds == 0;
    return is_zero || is_below_zero == is_negated;
}
