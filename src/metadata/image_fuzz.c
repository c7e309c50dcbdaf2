// SPDX-License-Identifier: Apache-2.0
/* Fuzz target: any bytes as an entry of the metadata log, and as a snapshot. Thread: any. */
#include "base/strbuf.h"
#include "metadata/image.h"

int fuzz_image(const uint8_t *data, size_t size);

int fuzz_image(const uint8_t *data, size_t size)
{
    struct image_entry entry = {data, size};
    struct strbuf why;
    strbuf_init(&why);
    struct image *empty = image_new_empty();
    struct image *image = NULL;
    if (image_apply(empty, &entry, 1, NULL, &why, &image) == ERR_OK)
        image_check(image);
    image_unref(image);
    image = NULL;
    if (image_from_snapshot(&entry, 1, &why, &image) == ERR_OK)
        image_check(image);
    image_unref(image);
    image_unref(empty);
    strbuf_deinit(&why);
    return 0;
}
