// SPDX-License-Identifier: Apache-2.0
/*
 * check_producer_ids: no producer id is given twice, whatever happened in between: two
 * producers with one id would take each other's records for repeats.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "producer ids are given once"

void check_producer_ids_on_given(struct history *h, int64_t producer_id, int16_t epoch)
{
    if (producer_id < 0 || epoch < 0)
        history_fail(h, CHECKER, "producer id %lld with epoch %d", (long long)producer_id, epoch);
    for (uint32_t i = 0; i < h->producer_id_count; i++) {
        if (h->producer_ids[i] == ((producer_id << 16) | epoch))
            history_fail(h, CHECKER, "producer id %lld with epoch %d was given before",
                         (long long)producer_id, epoch);
    }
}
