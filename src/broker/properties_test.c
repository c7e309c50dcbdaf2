// SPDX-License-Identifier: Apache-2.0
/* properties_test: what java.util.Properties makes of a text, we do too. Thread: main. */
#include "broker/properties.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/testing.h"

/* Shows the items as "line[key=value]...". */
static void check_parsed(const char *text, const char *expected)
{
    struct properties p;
    struct strbuf error, shown;
    strbuf_init(&error);
    strbuf_init(&shown);
    CHECK_EQUAL(properties_parse("f", text, strlen(text), &error, &p), ERR_OK);
    for (size_t i = 0; i < p.count; i++)
        strbuf_printf(&shown, "%d[%s=%s]", p.items[i].line, p.items[i].key, p.items[i].value);
    CHECK_TEXT(strbuf_text(&shown), expected);
    CHECK_EQUAL(error.len, 0);
    properties_deinit(&p);
    strbuf_deinit(&error);
    strbuf_deinit(&shown);
}

static void check_refused(const char *text, size_t size, enum err expected, const char *why)
{
    struct properties p;
    struct strbuf error;
    strbuf_init(&error);
    CHECK_EQUAL(properties_parse("f", text, size, &error, &p), expected);
    CHECK_TEXT(strbuf_text(&error), why);
    strbuf_deinit(&error);
}

TEST(properties_reads_keys_and_values)
{
    check_parsed("", "");
    check_parsed("a=b", "1[a=b]");
    check_parsed("a = b \n c: d\r\n\r\ne f=g\n", "1[a=b ]2[c=d]4[e=f=g]");
    check_parsed("# note\n ! note \\\na\n=b", "3[a=]4[=b]");
    check_parsed("a==b\na: =b\na b", "1[a==b]2[a==b]3[a=b]");
    check_parsed("a\tb\fc\\\n", "1[a=b\fc]");
    check_parsed("\xef\xbb\xbf"
                 "a=\xc3\xa4",
                 "1[a=\xc3\xa4]");
}

TEST(properties_goes_on_behind_a_backslash)
{
    check_parsed("a=b,\\\n   c,\\\r\n d\ne=f", "1[a=b,c,d]4[e=f]");
    check_parsed("a=b\\\\\nc=d", "1[a=b\\]2[c=d]");
    check_parsed("a=b\\\n\nc=d", "1[a=b]3[c=d]");
    check_parsed("\\\n#a=b\n\\\nc=d", "4[c=d]");
    check_parsed("\\\n\n", "");
    check_parsed("a=b\\", "1[a=b]");
}

TEST(properties_resolves_escapes)
{
    check_parsed("a\\ b\\=c=\\t\\n\\r\\f\\x\\\\", "1[a b=c=\t\n\r\fx\\]");
    check_parsed("a=\\u0041\\u00e4\\u20AC\\ud83d\\ude00",
                 "1[a=A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80]");
    check_refused("\na=\\u12g4", 9, ERR_INVALID, "f:2: \\u needs four hexadecimal digits");
    check_refused("a=\\u12", 6, ERR_INVALID, "f:1: \\u needs four hexadecimal digits");
    check_refused("a=\\ud83d", 8, ERR_INVALID, "f:1: \\u with half of a surrogate pair");
    check_refused("a=\\ude00", 8, ERR_INVALID, "f:1: \\u with half of a surrogate pair");
    check_refused("a=\\u0000", 8, ERR_INVALID, "f:1: \\u0000 has no place here");
    check_refused("a=b\0c", 5, ERR_INVALID, "f:1: there is a NUL in this line");
    check_refused("a=b\\\0c", 6, ERR_INVALID, "f:1: there is a NUL in this line");
}

TEST(properties_has_limits)
{
    size_t size = LIMIT_PROPERTIES_FILE_BYTES + 1;
    char *text = mem_alloc(size);
    memset(text, 'a', size);
    check_refused(text, size, ERR_TOO_LARGE, "f:1: the file is too large for a configuration");
    check_refused(text, size - 1, ERR_TOO_LARGE, "f:1: this line is too long");
    for (size_t i = 1; i < size; i += 2)
        text[i] = '\n';
    check_refused(text, size - 1, ERR_TOO_LARGE, "f:4097: there are too many keys in this file");
    mem_free(text);
}

TEST(properties_survives_each_allocation_failure)
{
    enum err e = ERR_NO_MEMORY;
    for (int n = 1; e != ERR_OK; n++) {
        struct properties p = {.count = 77};
        struct strbuf error;
        strbuf_init(&error);
        mem_fail_at(n);
        e = properties_parse("f", "a=b\nc=d\n", 8, &error, &p);
        mem_fail_at(0);
        CHECK(e == ERR_OK || e == ERR_NO_MEMORY);
        CHECK_EQUAL(p.count, e == ERR_OK ? 2 : 77);
        CHECK_EQUAL(error.len, 0);
        if (e == ERR_OK)
            properties_deinit(&p);
        strbuf_deinit(&error);
        CHECK(n < 20);
    }
}
