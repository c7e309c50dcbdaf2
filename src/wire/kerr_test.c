// SPDX-License-Identifier: Apache-2.0
/* kerr_test: codes, names, and the way from our errors to Kafka's. Thread: main. */
#include "wire/kerr.h"

#include <string.h>

#include "base/testing.h"

TEST(kerr_names_belong_to_their_codes)
{
    CHECK_TEXT(kerr_name(KERR_UNKNOWN_SERVER_ERROR), "UNKNOWN_SERVER_ERROR");
    CHECK_TEXT(kerr_name(KERR_NONE), "NONE");
    CHECK_EQUAL(KERR_NOT_LEADER_OR_FOLLOWER, 6);
    CHECK_TEXT(kerr_name(KERR_NOT_LEADER_OR_FOLLOWER), "NOT_LEADER_OR_FOLLOWER");
    CHECK_EQUAL(KERR_LAST, 136);
    CHECK_TEXT(kerr_name(KERR_LAST), "CONTROLLER_ID_NOT_REGISTERED");
    CHECK(kerr_is_retriable(KERR_KAFKA_STORAGE_ERROR));
    CHECK(!kerr_is_retriable(KERR_INVALID_RECORD));
}

TEST(kerr_takes_codes_that_a_peer_made_up)
{
    CHECK(kerr_is_known(-1) && kerr_is_known(136));
    CHECK(!kerr_is_known(-2) && !kerr_is_known(137) && !kerr_is_known(INT16_MIN));
    CHECK_TEXT(kerr_name((enum kerr)30000), "UNKNOWN");
    CHECK(kerr_message((enum kerr) - 30000) != NULL);
}

TEST(kerr_messages_are_single_lines)
{
    for (int code = KERR_FIRST; code <= KERR_LAST; code++) {
        const char *message = kerr_message((enum kerr)code);
        CHECK(strlen(message) > 0 && strlen(message) < 120);
        CHECK(strpbrk(message, "\r\n\t") == NULL);
    }
}

TEST(kerr_from_err_has_an_answer_for_every_err)
{
    for (int e = ERR_OK; e < ERR_COUNT; e++) {
        enum kerr k = kerr_from_err((enum err)e);
        CHECK((k == KERR_NONE) == (e == ERR_OK));
        CHECK(k != KERR_UNKNOWN_SERVER_ERROR);
    }
    CHECK_EQUAL(kerr_from_err(ERR_NO_SPACE), KERR_KAFKA_STORAGE_ERROR);
    CHECK_EQUAL(kerr_from_err(ERR_RANGE), KERR_OFFSET_OUT_OF_RANGE);
    CHECK(kerr_is_retriable(kerr_from_err(ERR_FULL)));
}
