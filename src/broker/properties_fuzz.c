// SPDX-License-Identifier: Apache-2.0
/* properties_fuzz: any bytes as a configuration file. Thread: main. */
#include "broker/properties.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"

int fuzz_properties(const uint8_t *data, size_t size);

int fuzz_properties(const uint8_t *data, size_t size)
{
    struct properties p;
    struct strbuf error;
    strbuf_init(&error);
    enum err e = properties_parse("fuzz", (const char *)data, size, &error, &p);
    ASSERT((e == ERR_OK) == (error.len == 0) || e == ERR_NO_MEMORY);
    if (e == ERR_OK) {
        size_t total = 0;
        for (size_t i = 0; i < p.count; i++)
            total += strlen(p.items[i].key) + strlen(p.items[i].value);
        ASSERT(total <= 2 * size);
        properties_deinit(&p);
    }
    strbuf_deinit(&error);
    return 0;
}
