// SPDX-License-Identifier: Apache-2.0
/*
 * topic_name: what may be the name of a topic. See topic_name.h.
 *
 * Thread: any.
 */
#include "metadata/topic_name.h"

#include <string.h>

static bool is_legal_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

const char *topic_name_fault(const char *name, size_t len)
{
    if (len == 0)
        return "a topic name may not be empty";
    if (len > LIMIT_TOPIC_NAME_BYTES)
        return "a topic name has at most 249 characters";
    if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
        return "a topic name may not be \".\" or \"..\"";
    for (size_t i = 0; i < len; i++) {
        if (!is_legal_char(name[i]))
            return "a topic name has only ASCII letters, digits, '.', '_' and '-'";
    }
    return NULL;
}

bool topic_name_has_collision_chars(const char *name, size_t len)
{
    return memchr(name, '.', len) != NULL || memchr(name, '_', len) != NULL;
}

bool topic_names_collide(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    for (size_t i = 0; i < a_len; i++) {
        char x = a[i] == '.' ? '_' : a[i];
        char y = b[i] == '.' ? '_' : b[i];
        if (x != y)
            return false;
    }
    return true;
}

bool topic_name_is_internal(const char *name, size_t len)
{
    static const char *const names[] = {"__consumer_offsets", "__transaction_state",
                                        "__share_group_state"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return true;
    }
    return false;
}
