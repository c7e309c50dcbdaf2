// SPDX-License-Identifier: Apache-2.0
/* record_out_test: records as text and as JSON. Thread: main. */
#include "cli/record_out.h"

#include <stdio.h>
#include <string.h>

#include "base/testing.h"

static const struct record_header headers[] = {{"a", "1", 1}, {"b", NULL, 0}};

static const struct record_fields full = {
    .topic = "t",
    .partition = 3,
    .offset = 42,
    .timestamp_ms = 1700000000000,
    .key = "key",
    .key_len = 3,
    .value = "a value",
    .value_len = 7,
    .headers = headers,
    .header_count = 2,
};

static const struct record_fields empty = {.topic = "t", .timestamp_ms = -1};

static void check_text(const char *format, const struct record_fields *record, const char *wanted)
{
    struct strbuf out;
    strbuf_init(&out);
    CHECK(record_out_check(format) == NULL);
    record_out_text(format, record, &out);
    CHECK_TEXT(strbuf_text(&out), wanted);
    strbuf_deinit(&out);
}

static void check_json(const struct record_fields *record, const char *wanted)
{
    struct strbuf out;
    strbuf_init(&out);
    record_out_json(record, &out);
    CHECK_TEXT(strbuf_text(&out), wanted);
    strbuf_deinit(&out);
}

TEST(formats_name_the_fields)
{
    check_text("%v", &full, "a value\n");
    check_text("%t-%p-%o-%T-%k-%v-%h-%K-%V-%%", &full,
               "t-3-42-1700000000000-key-a value-a=1,b=-3-7-%\n");
    check_text("a\\tb\\n\\\\\\r", &full, "a\tb\n\\\r\n");
    check_text("%k|%v|%h|%K|%V|%T", &empty, "|||-1|-1|-1\n");
    check_text("", &full, "\n");
}

TEST(formats_that_make_no_sense_are_found)
{
    CHECK_TEXT(record_out_check("%v %x"), "%x");
    CHECK_TEXT(record_out_check("50%"), "%");
    CHECK_TEXT(record_out_check("\\q"), "\\q");
    CHECK_TEXT(record_out_check("a\\"), "\\");
    CHECK(record_out_check("%%x \\\\q") == NULL);
}

TEST(zero_bytes_pass)
{
    struct strbuf out;
    struct record_fields record = full;
    record.value = "a\0b";
    record.value_len = 3;
    strbuf_init(&out);
    record_out_text("%v\\0", &record, &out);
    CHECK_EQUAL(out.len, 5);
    CHECK(memcmp(strbuf_text(&out), "a\0b\0\n", 5) == 0);
    strbuf_deinit(&out);
    check_json(&record,
               "{\"topic\":\"t\",\"partition\":3,\"offset\":42,\"timestamp\":1700000000000,"
               "\"key\":\"key\",\"value\":\"a\\u0000b\",\"headers\":[{\"key\":\"a\","
               "\"value\":\"1\"},{\"key\":\"b\",\"value\":null}]}\n");
}

TEST(bytes_that_are_no_text_are_base64)
{
    static const uint8_t bytes[] = {0xff, 0xfe, 0x00, 0x10, 0x80};
    static const char *const wanted[] = {"/w==", "//4=", "//4A", "//4AEA==", "//4AEIA="};
    for (size_t len = 1; len <= sizeof(bytes); len++) {
        struct record_fields record = empty;
        record.value = bytes;
        record.value_len = len;
        char line[200];
        snprintf(line, sizeof(line),
                 "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"timestamp\":null,\"key\":null,"
                 "\"value_base64\":\"%s\",\"headers\":[]}\n",
                 wanted[len - 1]);
        check_json(&record, line);
    }
}
