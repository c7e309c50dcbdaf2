// SPDX-License-Identifier: Apache-2.0
/* json_out: see json_out.h. Thread: main. */
#include "cli/json_out.h"

#include "base/assert.h"
#include "base/strbuf.h"
#include "cli/cli.h"
#include "wire/kerr.h"

void json_out_set(json_t *object, const char *key, json_t *value)
{
    int failed = json_object_set_new(object, key, value);
    ASSERT(failed == 0);
}

void json_out_append(json_t *array, json_t *value)
{
    int failed = json_array_append_new(array, value);
    ASSERT(failed == 0);
}

json_t *json_out_str(struct wire_str text)
{
    if (wire_str_is_null(text))
        return json_null();
    json_t *value = json_stringn(text.len > 0 ? text.data : "", (size_t)text.len);
    if (value != NULL)
        return value;
    struct strbuf latin;
    strbuf_init(&latin);
    for (int32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80)
            strbuf_putc(&latin, (char)(0xc0 | c >> 6));
        strbuf_putc(&latin, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
    }
    value = json_stringn(strbuf_text(&latin), latin.len);
    strbuf_deinit(&latin);
    return value;
}

static json_t *base64(const uint8_t *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct strbuf text;
    strbuf_init(&text);
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)data[i + 2] : 0;
        strbuf_putc(&text, digits[bits >> 18]);
        strbuf_putc(&text, digits[bits >> 12 & 63]);
        strbuf_putc(&text, left > 1 ? digits[bits >> 6 & 63] : '=');
        strbuf_putc(&text, left > 2 ? digits[bits & 63] : '=');
    }
    json_t *value = json_stringn(strbuf_text(&text), text.len);
    strbuf_deinit(&text);
    return value;
}

void json_out_bytes(json_t *object, const char *name, const void *data, size_t len)
{
    json_t *text = data == NULL ? json_null() : json_stringn(len > 0 ? data : "", len);
    if (text != NULL) {
        json_out_set(object, name, text);
        return;
    }
    char other_name[80];
    snprintf(other_name, sizeof(other_name), "%s_base64", name);
    json_out_set(object, other_name, base64(data, len));
}

json_t *json_out_number(int64_t number)
{
    return number < 0 ? json_null() : json_integer(number);
}

json_t *json_out_error(int16_t error_code)
{
    if (error_code == KERR_NONE)
        return json_null();
    return kerr_is_known(error_code) ? json_string(kerr_name((enum kerr)error_code))
                                     : json_integer(error_code);
}

json_t *json_out_numbers(const struct wire_i32_array *numbers)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < numbers->count; i++)
        json_out_append(array, json_integer(numbers->items[i]));
    return array;
}

static int print(json_t *take_value, size_t flags)
{
    int failed = json_dumpf(take_value, stdout, flags | JSON_ENCODE_ANY);
    json_decref(take_value);
    return failed == 0 && putchar('\n') != EOF ? CLI_OK : CLI_FAILED;
}

int json_out_print(json_t *take_value)
{
    return print(take_value, JSON_INDENT(2));
}

int json_out_print_line(json_t *take_value)
{
    return print(take_value, JSON_COMPACT);
}
