// SPDX-License-Identifier: Apache-2.0
/* log_window: see log_window.h. Thread: main. */
#include "cli/log_window.h"

#include "base/assert.h"
#include "base/mem.h"

enum { WINDOW_BYTES = 1 << 18 };

enum err log_window_open(struct env *env, const char *path, struct log_window *out)
{
    struct log_window w = {0};
    enum err e = env_file_open(env, path, ENV_READ, &w.file);
    if (e == ERR_OK)
        e = env_file_size(w.file, &w.size);
    if (e == ERR_OK)
        *out = w;
    else
        env_file_unref(w.file);
    return e;
}

void log_window_close(struct log_window *w)
{
    env_file_unref(w->file);
    mem_free(w->data);
    *w = (struct log_window){0};
}

static enum err refill(struct log_window *w, int64_t pos, size_t len)
{
    size_t want = (size_t)MIN((int64_t)MAX(len, (size_t)WINDOW_BYTES), w->size - pos);
    if (want > w->capacity) {
        uint8_t *data = mem_try_realloc(w->data, want);
        if (data == NULL)
            return ERR_NO_MEMORY;
        w->data = data;
        w->capacity = want;
    }
    w->len = 0;
    w->pos = pos;
    return env_file_read(w->file, w->data, want, pos, ENV_WAIT, &w->len);
}

enum err log_window_get(struct log_window *w, int64_t pos, size_t len, const uint8_t **out)
{
    ASSERT(w->file != NULL && pos >= 0);
    if (pos > w->size || len > (uint64_t)(w->size - pos))
        return ERR_RANGE;
    bool is_there =
        pos >= w->pos && pos - w->pos <= (int64_t)w->len && len <= w->len - (size_t)(pos - w->pos);
    if (!is_there) {
        enum err e = refill(w, pos, len);
        if (e != ERR_OK)
            return e;
        if (w->len < len) /* cut short since it was opened */
            return ERR_RANGE;
    }
    *out = w->data + (pos - w->pos);
    return ERR_OK;
}
