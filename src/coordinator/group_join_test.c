// SPDX-License-Identifier: Apache-2.0
/* group_join_test: rounds of joining: ids, the first delay, who is dropped, protocols, leaders,
 * repeated requests. Thread: main. */
#include <string.h>

#include "coordinator/group_fixture.h"

TEST(a_group_of_two_forms)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}
