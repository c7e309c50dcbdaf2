// SPDX-License-Identifier: Apache-2.0
/* message_header: see message_header.h. Thread: any. */
#include "wire/message_header.h"

enum err wire_request_header_read(struct wire_reader *r, struct request_header *out,
                                  const struct wire_api **api)
{
    *out = (struct request_header){
        .request_api_key = wire_read_i16(r),
    };
    out->request_api_version = wire_read_i16(r);
    out->correlation_id = wire_read_i32(r);
    if (r->failed)
        return ERR_CORRUPT;
    const struct wire_api *found = wire_api_find(out->request_api_key);
    if (found == NULL)
        return ERR_UNSUPPORTED;
    out->client_id = wire_read_str(r, false, true);
    if (wire_api_request_header_version(found, out->request_api_version) == 2)
        wire_skip_tagged(r);
    if (r->failed)
        return ERR_CORRUPT;
    *api = found;
    return ERR_OK;
}

enum err wire_response_header_read(struct wire_reader *r, const struct wire_api *api,
                                   int16_t version, int32_t *correlation_id)
{
    int32_t id = wire_read_i32(r);
    if (wire_api_response_header_version(api, version) == 1)
        wire_skip_tagged(r);
    if (r->failed)
        return ERR_CORRUPT;
    *correlation_id = id;
    return ERR_OK;
}

struct wire_mark wire_response_begin(struct wire_writer *w, const struct wire_api *api,
                                     int16_t version, int32_t correlation_id)
{
    struct wire_mark mark = wire_write_size_begin(w);
    wire_write_i32(w, correlation_id);
    if (wire_api_response_header_version(api, version) == 1)
        wire_write_uvarint(w, 0); /* no tagged fields */
    return mark;
}

struct wire_mark wire_request_begin(struct wire_writer *w, const struct wire_api *api,
                                    const struct request_header *header)
{
    struct wire_mark mark = wire_write_size_begin(w);
    wire_write_i16(w, api->key);
    wire_write_i16(w, header->request_api_version);
    wire_write_i32(w, header->correlation_id);
    wire_write_str(w, header->client_id, false);
    if (wire_api_request_header_version(api, header->request_api_version) == 2)
        wire_write_uvarint(w, 0); /* no tagged fields */
    return mark;
}
