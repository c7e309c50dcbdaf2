// SPDX-License-Identifier: Apache-2.0
/*
 * client_versions: which version each API is called in.
 *
 * ApiVersions is asked in the newest version that we have. A broker that is older answers
 * UNSUPPORTED_VERSION in the form of version 0, with the range that it has: then it is asked again.
 *
 * Thread: the connection's loop.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "client/client_private.h"
#include "wire/api_versions.h"
#include "wire/codec.h"
#include "wire/kerr.h"

enum { API_VERSIONS_KEY = 18 };

static void on_versions(struct client_call *call, enum err e, const struct client_answer *answer);

static size_t place_of(const struct wire_api *api)
{
    ASSERT(api >= wire_apis && api < wire_apis + wire_api_count);
    return (size_t)(api - wire_apis);
}

int16_t client_conn_version(const struct client_conn *conn, int16_t api_key)
{
    const struct wire_api *api = wire_api_find(api_key);
    if (api == NULL || conn->versions == NULL)
        return -1;
    return conn->versions[place_of(api)];
}

static int16_t common_version(const struct wire_api *api, int16_t served_min, int16_t served_max)
{
    int16_t low = MAX(served_min, api->request->version_min);
    int16_t high = MIN(served_max, wire_api_version_max_stable(api));
    return low <= high ? high : -1;
}

static void ask(struct client_conn *conn, int16_t version)
{
    struct api_versions_request request;
    wire_defaults(&api_versions_request_layout, &request);
    request.client_software_name = wire_str_of("klamm");
    request.client_software_version = wire_str_of(conn->options.version_text);
    conn->handshake.api = wire_api_find(API_VERSIONS_KEY);
    conn->handshake.done = on_versions;
    enum err e = client_conn_send(conn, &conn->handshake, version, &request);
    if (e != ERR_OK)
        client_conn_end(conn, e);
}

void client_versions_ask(struct client_conn *conn)
{
    ASSERT(conn->versions == NULL);
    ask(conn, wire_api_version_max_stable(wire_api_find(API_VERSIONS_KEY)));
}

int16_t client_versions_answered(int16_t asked, const uint8_t *body, size_t size)
{
    /* The error code comes first in every version. */
    bool is_refused = size >= 2 && (int16_t)bytes_load_u16(body) == KERR_UNSUPPORTED_VERSION;
    return is_refused ? 0 : asked;
}

static void take_versions(struct client_conn *conn, const struct api_versions_response *response)
{
    conn->versions = mem_alloc(wire_api_count * sizeof(*conn->versions));
    for (size_t i = 0; i < wire_api_count; i++)
        conn->versions[i] = -1;
    for (int32_t i = 0; i < response->api_keys.count; i++) {
        const struct api_versions_response_api_version *served = &response->api_keys.items[i];
        const struct wire_api *api = wire_api_find(served->api_key);
        if (api != NULL)
            conn->versions[place_of(api)] =
                common_version(api, served->min_version, served->max_version);
    }
}

/* Asked for less each time, so this ends. */
static enum err ask_again(struct client_conn *conn, const struct api_versions_response *response)
{
    int16_t version = 0; /* a broker that names no range has this one */
    for (int32_t i = 0; i < response->api_keys.count; i++) {
        const struct api_versions_response_api_version *served = &response->api_keys.items[i];
        if (served->api_key == API_VERSIONS_KEY)
            version = common_version(conn->handshake.api, served->min_version, served->max_version);
    }
    if (version < 0 || version >= conn->handshake.version)
        return ERR_UNSUPPORTED;
    ask(conn, version);
    return ERR_OK;
}

static void on_versions(struct client_call *call, enum err e, const struct client_answer *answer)
{
    struct client_conn *conn = call->conn;
    ASSERT(e == ERR_OK); /* failures of the handshake are told by `closed` alone */
    const struct api_versions_response *response = answer->body;
    if (response->error_code == KERR_UNSUPPORTED_VERSION) {
        e = ask_again(conn, response);
    } else if (response->error_code != KERR_NONE) {
        e = ERR_UNSUPPORTED;
    } else {
        take_versions(conn, response);
        client_conn_become_ready(conn);
    }
    if (e != ERR_OK)
        client_conn_end(conn, e);
}
