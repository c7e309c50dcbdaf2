// SPDX-License-Identifier: Apache-2.0
/* log_dirs: see log_dirs.h; docs/formats.md has the format. Thread: any; blocks. */
#include "log/log_dirs.h"

#include <string.h>

#include "base/mem.h"
#include "log/log_file.h"

/* A list is filled up to LIST_BYTES, so that one more line needs no room on the disk. */
enum { LIST_BYTES_MAX = 1 << 20, LIST_BYTES = 4096 };

static const char head[] = "version: 0\n";

void log_dirs_add(struct log_dirs *list, struct uuid id, const char *path)
{
    list->entries = mem_realloc(list->entries, (list->count + 1) * sizeof(*list->entries));
    list->entries[list->count++] = (struct log_dirs_entry){id, mem_strdup(path)};
}

const struct log_dirs_entry *log_dirs_find(const struct log_dirs *list, struct uuid id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (uuid_equals(list->entries[i].id, id))
            return &list->entries[i];
    }
    return NULL;
}

void log_dirs_free(struct log_dirs *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->entries[i].path);
    mem_free(list->entries);
    *list = (struct log_dirs){0};
}

/* "id path", the path to the line's end. */
static bool parse_line(char *line, struct log_dirs *out)
{
    struct uuid id;
    char *space = strchr(line, ' ');
    if (space == NULL || space[1] == '\0')
        return false;
    *space = '\0';
    if (!uuid_parse(line, &id) || log_dirs_find(out, id) != NULL)
        return false;
    log_dirs_add(out, id, space + 1);
    return true;
}

static bool parse_lines(char *text, struct log_dirs *out)
{
    char *line = text + strlen(head);
    for (char *end; *line != '\0' && *line != '\n'; line = end + 1) {
        end = strchr(line, '\n');
        if (end == NULL)
            return false;
        *end = '\0';
        if (!parse_line(line, out))
            return false;
    }
    return out->count > 0 && strspn(line, "\n") == strlen(line);
}

bool log_dirs_parse(char *text, size_t size, struct log_dirs *out)
{
    bool is_fine =
        strlen(text) == size && strncmp(text, head, strlen(head)) == 0 && parse_lines(text, out);
    if (!is_fine)
        log_dirs_free(out);
    return is_fine;
}

enum err log_dirs_read(struct env *env, const char *dir, struct log_dirs *out)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(env, dir, LOG_DIRS_NAME, LIST_BYTES_MAX, &data, &size);
    if (e == ERR_TOO_LARGE || (e == ERR_OK && !log_dirs_parse((char *)data, size, out)))
        e = ERR_CORRUPT;
    mem_free(data);
    return e;
}

enum err log_dirs_add_known(struct env *env, const char *dir, struct log_dirs *list)
{
    struct log_dirs known = {0};
    enum err e = log_dirs_read(env, dir, &known);
    for (size_t i = 0; i < known.count; i++) {
        if (log_dirs_find(list, known.entries[i].id) == NULL)
            log_dirs_add(list, known.entries[i].id, known.entries[i].path);
    }
    log_dirs_free(&known);
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
}

static bool says_so(struct env *env, const char *dir, const struct strbuf *text)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(env, dir, LOG_DIRS_NAME, LIST_BYTES_MAX, &data, &size);
    bool is_same = e == ERR_OK && size == text->len && memcmp(data, strbuf_text(text), size) == 0;
    mem_free(data);
    return is_same;
}

/* On a full disk. It is one page, and what is added to it lies behind what was there. */
static enum err write_over(struct env *env, const char *dir, const struct strbuf *text)
{
    char path[LOG_PATH_SIZE];
    struct env_file *file = NULL;
    struct iovec iov = {(void *)(uintptr_t)strbuf_text(text), text->len};
    int64_t size = 0;
    if (!log_file_path(path, dir, LOG_DIRS_NAME))
        return ERR_TOO_LARGE;
    enum err e = env_file_open(env, path, ENV_READ | ENV_WRITE, &file);
    if (e == ERR_OK)
        e = env_file_size(file, &size);
    if (e == ERR_OK && size != (int64_t)text->len)
        e = ERR_NO_SPACE;
    if (e == ERR_OK)
        e = env_file_write(file, &iov, 1, 0);
    if (e == ERR_OK)
        e = env_file_sync(file);
    env_file_unref(file);
    return e == ERR_NOT_FOUND ? ERR_NO_SPACE : e;
}

static enum err write_text(struct env *env, const char *dir, const struct strbuf *text)
{
    if (says_so(env, dir, text))
        return ERR_OK;
    enum err e = log_file_replace_durably(env, dir, LOG_DIRS_NAME, strbuf_text(text), text->len);
    return e == ERR_NO_SPACE ? write_over(env, dir, text) : e;
}

enum err log_dirs_write(struct env *env, const char *dir, const struct log_dirs *list)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_puts(&text, head);
    for (size_t i = 0; i < list->count; i++) {
        char id[UUID_TEXT_SIZE];
        strbuf_printf(&text, "%s %s\n", uuid_format(list->entries[i].id, id),
                      list->entries[i].path);
    }
    while (text.len < LIST_BYTES)
        strbuf_putc(&text, '\n');
    enum err e = write_text(env, dir, &text);
    strbuf_deinit(&text);
    return e;
}
