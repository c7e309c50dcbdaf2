// SPDX-License-Identifier: Apache-2.0
/* codec_dump: see codec_dump.h. Recursion is along the tables. Thread: any. */
#include "wire/codec_dump.h"

#include "wire/codec.h"

#include <inttypes.h>

static void dump_struct(const struct wire_struct *s, int16_t version, const uint8_t *in,
                        struct strbuf *out);

#define AT(type) (*(const type *)(const void *)in)

static void dump_str(struct wire_str s, struct strbuf *out)
{
    strbuf_putc(out, '"');
    for (int32_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            strbuf_printf(out, "\\u%04x", c);
        else
            strbuf_putc(out, (char)c);
    }
    strbuf_putc(out, '"');
}

static void dump_hex(struct wire_bytes b, struct strbuf *out)
{
    strbuf_putc(out, '"');
    for (int32_t i = 0; i < b.len; i++)
        strbuf_printf(out, "%02x", b.data[i]);
    strbuf_putc(out, '"');
}

/* Null is length -1 in all three. */
static void dump_sized(enum wire_kind kind, const uint8_t *in, struct strbuf *out)
{
    int32_t len = kind == WIRE_STR     ? AT(struct wire_str).len
                  : kind == WIRE_BYTES ? AT(struct wire_bytes).len
                                       : AT(struct wire_records).len;
    if (len < 0)
        strbuf_puts(out, "null");
    else if (kind == WIRE_STR)
        dump_str(AT(struct wire_str), out);
    else if (kind == WIRE_BYTES)
        dump_hex(AT(struct wire_bytes), out);
    else
        strbuf_printf(out, "\"<%" PRId32 " bytes>\"", len);
}

static void dump_value(const struct wire_field *f, int16_t version, const uint8_t *in,
                       struct strbuf *out)
{
    char text[UUID_TEXT_SIZE];
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
        strbuf_puts(out, AT(bool) ? "true" : "false");
        break;
    case WIRE_I8:
        strbuf_printf(out, "%d", AT(int8_t));
        break;
    case WIRE_I16:
        strbuf_printf(out, "%d", AT(int16_t));
        break;
    case WIRE_U16:
        strbuf_printf(out, "%u", AT(uint16_t));
        break;
    case WIRE_I32:
        strbuf_printf(out, "%" PRId32, AT(int32_t));
        break;
    case WIRE_U32:
        strbuf_printf(out, "%" PRIu32, AT(uint32_t));
        break;
    case WIRE_I64:
        strbuf_printf(out, "%" PRId64, AT(int64_t));
        break;
    case WIRE_F64:
        strbuf_printf(out, "%.17g", AT(double));
        break;
    case WIRE_UUID:
        strbuf_printf(out, "\"%s\"", uuid_format(AT(struct uuid), text));
        break;
    case WIRE_STR:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        dump_sized((enum wire_kind)f->kind, in, out);
        break;
    case WIRE_STRUCT:
        dump_struct(f->sub, version, in, out);
        break;
    }
}

static void dump_array(const struct wire_field *f, int16_t version, const uint8_t *in,
                       struct strbuf *out)
{
    struct wire_array array = wire_array_at(in);
    if (array.count < 0) {
        strbuf_puts(out, "null");
        return;
    }
    strbuf_putc(out, '[');
    const uint8_t *item = array.items;
    for (int32_t i = 0; i < array.count; i++, item += wire_value_size(f)) {
        if (i > 0)
            strbuf_puts(out, ", ");
        dump_value(f, version, item, out);
    }
    strbuf_putc(out, ']');
}

static void dump_struct(const struct wire_struct *s, int16_t version, const uint8_t *in,
                        struct strbuf *out)
{
    const char *comma = "";
    strbuf_putc(out, '{');
    for (uint16_t i = 0; i < s->field_count; i++) {
        const struct wire_field *f = &s->fields[i];
        const uint8_t *value = in + f->at;
        if (!wire_field_is_in(f, version))
            continue;
        if (f->tag != WIRE_NO_TAG && wire_field_is_default(s, f, in))
            continue;
        strbuf_printf(out, "%s\"%s\": ", comma, f->name);
        comma = ", ";
        if (f->flags & WIRE_POINTER)
            memcpy(&value, in + f->at, sizeof(value));
        if (f->flags & WIRE_ARRAY)
            dump_array(f, version, value, out);
        else if (value == NULL)
            strbuf_puts(out, "null");
        else
            dump_value(f, version, value, out);
    }
    strbuf_putc(out, '}');
}

void wire_dump(const struct wire_message *m, int16_t version, const void *in, struct strbuf *out)
{
    dump_struct(m->body, version, in, out);
}
