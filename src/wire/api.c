// SPDX-License-Identifier: Apache-2.0
/* api: finding a row of the generated table. See api.h. Thread: any. */
#include "wire/api.h"

enum { KEY_API_VERSIONS = 18 };

const struct wire_api *wire_api_find(int16_t key)
{
    uint16_t low = 0, high = wire_api_count;
    while (low < high) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (wire_apis[middle].key < key)
            low = (uint16_t)(middle + 1);
        else
            high = middle;
    }
    return low < wire_api_count && wire_apis[low].key == key ? &wire_apis[low] : NULL;
}

int16_t wire_api_version_max_stable(const struct wire_api *api)
{
    int16_t last = api->request->version_max;
    return api->is_latest_unstable ? (int16_t)(last - 1) : last;
}

int16_t wire_api_request_header_version(const struct wire_api *api, int16_t version)
{
    return wire_message_is_flexible(api->request, version) ? 2 : 1;
}

int16_t wire_api_response_header_version(const struct wire_api *api, int16_t version)
{
    if (api->key == KEY_API_VERSIONS)
        return 0;
    return wire_message_is_flexible(api->response, version) ? 1 : 0;
}
