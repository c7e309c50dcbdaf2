// SPDX-License-Identifier: Apache-2.0
/* config: see config.h. Thread: any; constant. */
#include "metadata/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/nearest.h"

enum {
    NUMBER_TEXT_MAX = 64,  /* longer texts are no numbers */
    SHOWN_VALUE_MAX = 120, /* of a refused value */
};

/* ---- finding keys */

/* A peer may have put a NUL into the name: compare by length. */
static int compare_name(const char *known, const char *name, size_t len)
{
    size_t known_len = strlen(known);
    int order = memcmp(known, name, MIN(known_len, len));
    return order != 0 ? order : (known_len > len) - (known_len < len);
}

static int find_def(const struct config_def *defs, int count, const char *name, size_t len)
{
    int low = 0, high = count - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        int order = compare_name(defs[middle].name, name, len);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return -1;
}

int config_broker_find(const char *name, size_t len)
{
    return find_def(config_broker_defs, CONFIG_BROKER_COUNT, name, len);
}

int config_topic_find(const char *name, size_t len)
{
    return find_def(config_topic_defs, CONFIG_TOPIC_COUNT, name, len);
}

int config_group_find(const char *name, size_t len)
{
    return find_def(config_group_defs, CONFIG_GROUP_COUNT, name, len);
}

static const char *nearest_name(const struct config_def *defs, int count, const char *name)
{
    struct nearest nearest;
    nearest_init(&nearest, name, strlen(name));
    for (int i = 0; i < count; i++) {
        if (!defs[i].is_internal)
            nearest_offer(&nearest, defs[i].name, strlen(defs[i].name));
    }
    return nearest.best;
}

const char *config_broker_nearest(const char *name)
{
    return nearest_name(config_broker_defs, CONFIG_BROKER_COUNT, name);
}

const char *config_topic_nearest(const char *name)
{
    return nearest_name(config_topic_defs, CONFIG_TOPIC_COUNT, name);
}

const char *config_group_nearest(const char *name)
{
    return nearest_name(config_group_defs, CONFIG_GROUP_COUNT, name);
}

/* ---- reading values */

/* Java's idea of blanks: everything up to the space. */
static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_blank((*text)[0])) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*text)[*len - 1]))
        (*len)--;
}

static bool text_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool text_is_nocase(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

enum err config_parse_bool(const char *text, bool *out)
{
    size_t len = strlen(text);
    trim(&text, &len);
    if (text_is_nocase(text, len, "true"))
        *out = true;
    else if (text_is_nocase(text, len, "false"))
        *out = false;
    else
        return ERR_INVALID;
    return ERR_OK;
}

/* Copies a trimmed number that has only these characters. */
static bool number_text(const char *text, const char *allowed, char out[NUMBER_TEXT_MAX + 1])
{
    size_t len = strlen(text);
    trim(&text, &len);
    if (len == 0 || len > NUMBER_TEXT_MAX)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return strspn(out, allowed) == len;
}

enum err config_parse_long(const char *text, int64_t *out)
{
    char number[NUMBER_TEXT_MAX + 1];
    if (!number_text(text, "+-0123456789", number))
        return ERR_INVALID;
    char *end;
    errno = 0;
    long long value = strtoll(number, &end, 10);
    if (errno != 0 || end == number || *end != '\0')
        return ERR_INVALID;
    *out = value;
    return ERR_OK;
}

enum err config_parse_double(const char *text, double *out)
{
    char number[NUMBER_TEXT_MAX + 1];
    if (!number_text(text, "+-.0123456789eEdDfF", number))
        return ERR_INVALID;
    size_t len = strlen(number);
    if (len > 1 && strchr("dDfF", number[len - 1]) != NULL)
        number[len - 1] = '\0'; /* Java's type suffixes */
    char *end;
    double value = strtod(number, &end);
    if (end == number || *end != '\0' || !isfinite(value))
        return ERR_INVALID;
    *out = value;
    return ERR_OK;
}

#define LIST_END SIZE_MAX

bool config_list_next(const char *text, size_t *pos, const char **item, size_t *len)
{
    if (*pos == LIST_END || (*pos == 0 && text[strspn(text, " \t\r\n\f\v")] == '\0'))
        return false;
    *item = text + *pos;
    *len = strcspn(*item, ",");
    *pos = (*item)[*len] == ',' ? *pos + *len + 1 : LIST_END;
    trim(item, len);
    return true;
}

bool config_list_has(const char *text, const char *word)
{
    const char *item;
    size_t pos = 0, len, word_len = strlen(word);
    while (config_list_next(text, &pos, &item, &len)) {
        if (len == word_len && memcmp(item, word, len) == 0)
            return true;
    }
    return false;
}

/* ---- refusing values */

static void add_shown(struct strbuf *out, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len && i < SHOWN_VALUE_MAX; i++)
        strbuf_putc(out, is_blank(text[i]) ? ' ' : text[i]);
    if (len > SHOWN_VALUE_MAX)
        strbuf_puts(out, "...");
}

static void start_refusal(const struct config_def *def, const char *text, struct strbuf *why)
{
    strbuf_printf(why, "%s=", def->name);
    add_shown(why, config_is_sensitive(def) ? "(hidden)" : text);
}

static enum err refuse(const struct config_def *def, const char *text, struct strbuf *why,
                       const char *reason)
{
    if (why != NULL) {
        start_refusal(def, text, why);
        strbuf_printf(why, " %s", reason);
    }
    return ERR_INVALID;
}

static enum err refuse_word(const struct config_def *def, const char *text, struct strbuf *why)
{
    if (why != NULL) {
        start_refusal(def, text, why);
        strbuf_puts(why,
                    def->rule == CONFIG_RULE_EACH ? " is not a list of: " : " is not one of: ");
        for (const char *const *word = def->words; *word != NULL; word++)
            strbuf_printf(why, "%s%s", word == def->words ? "" : ", ", *word);
    }
    return ERR_INVALID;
}

static enum err refuse_whole(const struct config_def *def, const char *text, struct strbuf *why)
{
    if (why == NULL)
        return ERR_INVALID;
    start_refusal(def, text, why);
    if (def->max == INT32_MAX || def->max == INT64_MAX)
        strbuf_printf(why, " is below %lld or too large", (long long)def->min);
    else
        strbuf_printf(why, " is not from %lld to %lld", (long long)def->min, (long long)def->max);
    if (def->also != def->min)
        strbuf_printf(why, ", nor %lld", (long long)def->also);
    return ERR_INVALID;
}

/* ---- checking values */

static enum err check_whole(const struct config_def *def, const char *text, struct strbuf *why)
{
    int64_t value;
    if (config_parse_long(text, &value) != ERR_OK)
        return refuse(def, text, why, "is not a whole number of 64 bits");
    if ((value < def->min || value > def->max) && value != def->also)
        return refuse_whole(def, text, why);
    return ERR_OK;
}

static enum err check_double(const struct config_def *def, const char *text, struct strbuf *why)
{
    double value;
    if (config_parse_double(text, &value) != ERR_OK)
        return refuse(def, text, why, "is not a number");
    if (value >= def->real_min && value <= def->real_max)
        return ERR_OK;
    if (why != NULL) {
        start_refusal(def, text, why);
        strbuf_printf(why, " is not from %g to %g", def->real_min, def->real_max);
    }
    return ERR_INVALID;
}

static bool word_is_known(const struct config_def *def, const char *text, size_t len)
{
    for (const char *const *word = def->words; *word != NULL; word++) {
        if (def->rule == CONFIG_RULE_ONE_NOCASE ? text_is_nocase(text, len, *word)
                                                : text_is(text, len, *word))
            return true;
    }
    return false;
}

/* Where a group begins that has no offset yet (KIP-932, KIP-1106). */
static bool is_reset(const char *text, size_t len)
{
    static const char by_duration[] = "by_duration:";
    size_t head = sizeof(by_duration) - 1;
    if (text_is(text, len, "latest") || text_is(text, len, "earliest"))
        return true;
    return len > head && memcmp(text, by_duration, head) == 0 &&
           config_duration_is_valid(text + head, len - head);
}

static enum err check_text(const struct config_def *def, const char *text, struct strbuf *why)
{
    const char *trimmed = text;
    size_t len = strlen(text);
    trim(&trimmed, &len);
    if (def->rule == CONFIG_RULE_NONEMPTY && len == 0)
        return refuse(def, text, why, "must not be empty");
    if (def->rule == CONFIG_RULE_RESET && !is_reset(trimmed, len))
        return refuse(def, text, why, "is neither latest, earliest nor by_duration:PnDTnHnMn.nS");
    if (def->words != NULL && !word_is_known(def, trimmed, len))
        return refuse_word(def, text, why);
    return ERR_OK;
}

/* "12:3" */
static bool is_throttled_replica(const char *item, size_t len)
{
    const char *colon = memchr(item, ':', len);
    if (colon == NULL || colon == item || colon == item + len - 1)
        return false;
    for (const char *c = item; c < item + len; c++) {
        if (c != colon && (*c < '0' || *c > '9'))
            return false;
    }
    return true;
}

/* "*" alone, or replicas; Kafka does not mind empty elements in between. */
static enum err check_throttled(const struct config_def *def, const char *text, struct strbuf *why)
{
    const char *item;
    size_t pos = 0, len, stars = 0, replicas = 0;
    while (config_list_next(text, &pos, &item, &len)) {
        if (text_is(item, len, "*"))
            stars++;
        else if (is_throttled_replica(item, len))
            replicas++;
        else if (len > 0)
            return refuse(def, text, why, "is neither * nor a list of partition:broker");
    }
    if (stars > 1 || (stars == 1 && replicas > 0))
        return refuse(def, text, why, "has more than the *");
    return ERR_OK;
}

static enum err check_list(const struct config_def *def, const char *text, struct strbuf *why)
{
    const char *item;
    size_t pos = 0, len;
    if (def->rule == CONFIG_RULE_THROTTLED)
        return check_throttled(def, text, why);
    while (config_list_next(text, &pos, &item, &len)) {
        if (len == 0)
            return refuse(def, text, why, "has an empty element");
        if (def->rule == CONFIG_RULE_EACH && !word_is_known(def, item, len))
            return refuse_word(def, text, why);
    }
    return ERR_OK;
}

enum err config_check(const struct config_def *def, const char *text, struct strbuf *why)
{
    ASSERT(def != NULL && text != NULL);
    bool ignored;
    switch (def->type) {
    case CONFIG_BOOLEAN:
        if (config_parse_bool(text, &ignored) != ERR_OK)
            return refuse(def, text, why, "is neither true nor false");
        return ERR_OK;
    case CONFIG_INT:
    case CONFIG_SHORT:
    case CONFIG_LONG:
        return check_whole(def, text, why);
    case CONFIG_DOUBLE:
        return check_double(def, text, why);
    case CONFIG_LIST:
        return check_list(def, text, why);
    case CONFIG_STRING:
    case CONFIG_CLASS:
    case CONFIG_PASSWORD:
        return check_text(def, text, why);
    }
    ASSERT(!"a type that the table does not have");
    return ERR_INVALID;
}

/* ---- showing values */

/* As Java shows a double: the fewest digits that read back the same, at least one behind the
 * point, an exponent below 1/1000 and from ten million on. */
static void add_double(struct strbuf *out, double value)
{
    char digits[40];
    int precision = 0;
    do {
        snprintf(digits, sizeof(digits), "%.*e", precision, value);
        precision++;
    } while (strtod(digits, NULL) != value && precision < 17);
    char *exponent_text = strchr(digits, 'e');
    ASSERT(exponent_text != NULL);
    long exponent = strtol(exponent_text + 1, NULL, 10);
    if (value != 0 && (exponent < -3 || exponent >= 7)) {
        *exponent_text = '\0';
        strbuf_printf(out, "%s%sE%ld", digits, strchr(digits, '.') == NULL ? ".0" : "", exponent);
        return;
    }
    int behind_point = MAX(precision - 1 - (int)exponent, 1);
    strbuf_printf(out, "%.*f", behind_point, value);
}

struct list_word {
    const char *at;
    size_t len;
    bool is_repeat;
};

/* By its letters; of equal ones the first in the list comes first. */
static int compare_words(const void *a, const void *b)
{
    const struct list_word *x = *(const struct list_word *const *)a;
    const struct list_word *y = *(const struct list_word *const *)b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    int order = memcmp(x->at, y->at, x->len);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* The words of a list, those marked that are in it before: it may be long, and a client's. Freed by
 * mem_free; `text` has to stay. */
static struct list_word *list_words(const char *text, size_t *count, bool *has_repeat)
{
    const char *at;
    size_t pos = 0, len, n = 0;
    while (config_list_next(text, &pos, &at, &len))
        n++;
    struct list_word *words = mem_alloc((n + 1) * sizeof(*words));
    struct list_word **sorted = mem_alloc((n + 1) * sizeof(struct list_word *));
    *count = n;
    *has_repeat = false;
    pos = 0;
    for (size_t i = 0; i < n && config_list_next(text, &pos, &at, &len); i++) {
        words[i] = (struct list_word){.at = at, .len = len};
        sorted[i] = &words[i];
    }
    qsort(sorted, n, sizeof(struct list_word *), compare_words);
    for (size_t i = 1; i < n; i++) {
        const struct list_word *before = sorted[i - 1];
        sorted[i]->is_repeat =
            sorted[i]->len == before->len && memcmp(sorted[i]->at, before->at, before->len) == 0;
        *has_repeat = *has_repeat || sorted[i]->is_repeat;
    }
    mem_free(sorted);
    return words;
}

bool config_list_has_repeat(const char *text)
{
    size_t count;
    bool has_repeat;
    mem_free(list_words(text, &count, &has_repeat));
    return has_repeat;
}

static void add_list(struct strbuf *out, const struct config_def *def, const char *text)
{
    size_t count, added = 0;
    bool has_repeat;
    struct list_word *words = list_words(text, &count, &has_repeat);
    for (size_t i = 0; i < count; i++) {
        if (def->rule != CONFIG_RULE_THROTTLED && words[i].is_repeat)
            continue;
        if (added++ > 0)
            strbuf_putc(out, ',');
        strbuf_add(out, words[i].at, words[i].len);
    }
    mem_free(words);
}

void config_canonical(const struct config_def *def, const char *text, struct strbuf *out)
{
    bool claim = false;
    int64_t whole = 0;
    double real = 0;
    size_t len = strlen(text);
    enum err e = ERR_OK;
    switch (def->type) {
    case CONFIG_BOOLEAN:
        e = config_parse_bool(text, &claim);
        strbuf_puts(out, claim ? "true" : "false");
        break;
    case CONFIG_INT:
    case CONFIG_SHORT:
    case CONFIG_LONG:
        e = config_parse_long(text, &whole);
        strbuf_printf(out, "%lld", (long long)whole);
        break;
    case CONFIG_DOUBLE:
        e = config_parse_double(text, &real);
        add_double(out, real);
        break;
    case CONFIG_LIST:
        add_list(out, def, text);
        break;
    case CONFIG_STRING:
    case CONFIG_CLASS:
    case CONFIG_PASSWORD:
        trim(&text, &len);
        strbuf_add(out, text, len);
        break;
    }
    ASSERT(e == ERR_OK);
}

bool config_is_default(const struct config_def *def, const char *text)
{
    if (def->default_text == NULL)
        return false;
    struct strbuf shown;
    strbuf_init(&shown);
    config_canonical(def, text, &shown);
    bool is_same = strcmp(strbuf_text(&shown), def->default_text) == 0;
    strbuf_deinit(&shown);
    return is_same;
}

bool config_is_sensitive(const struct config_def *def)
{
    return def->type == CONFIG_PASSWORD;
}

enum err config_refuse_name(const char *name, size_t len, const char *what,
                            const char *(*nearest)(const char *name), struct strbuf *why)
{
    struct strbuf text;
    strbuf_init(&text);
    size_t shown = MIN(len, (size_t)LIMIT_TOPIC_NAME_BYTES);
    for (size_t i = 0; i < shown; i++)
        strbuf_putc(&text, (unsigned char)name[i] < ' ' ? '?' : name[i]);
    const char *known = nearest(strbuf_text(&text));
    strbuf_printf(why, "%s is not %s", strbuf_text(&text), what);
    if (known != NULL)
        strbuf_printf(why, "; the nearest is %s", known);
    strbuf_deinit(&text);
    return ERR_INVALID;
}
