// SPDX-License-Identifier: Apache-2.0
/* json_out_test: numbers and errors as JSON. Thread: main. */
#include "cli/json_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/testing.h"
#include "wire/kerr.h"

static bool is_printed_as(json_t *take_value, const char *wanted)
{
    char *text = json_dumps(take_value, JSON_ENCODE_ANY);
    bool is_same = text != NULL && strcmp(text, wanted) == 0;
    free(text);
    json_decref(take_value);
    return is_same;
}

TEST(a_number_below_zero_is_none)
{
    CHECK(is_printed_as(json_out_number(-1), "null"));
    CHECK(is_printed_as(json_out_number(0), "0"));
    CHECK(is_printed_as(json_out_number(INT64_MAX), "9223372036854775807"));
}

TEST(an_error_is_named_and_a_new_one_stays_a_number)
{
    CHECK(is_printed_as(json_out_error(KERR_NONE), "null"));
    CHECK(is_printed_as(json_out_error(KERR_UNKNOWN_SERVER_ERROR), "\"UNKNOWN_SERVER_ERROR\""));
    CHECK(is_printed_as(json_out_error(KERR_STALE_BROKER_EPOCH), "\"STALE_BROKER_EPOCH\""));
    CHECK(is_printed_as(json_out_error(32000), "32000"));
}
