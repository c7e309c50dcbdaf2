// SPDX-License-Identifier: Apache-2.0
/*
 * log_dir_meta: meta.properties, version 1: a Java properties file with version, node.id,
 * cluster.id and directory.id.
 *
 * Thread: see log_dir.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "log/log_dir_private.h"
#include "log/log_file.h"

struct meta_fields {
    const char *version;
    const char *node_id;
    const char *cluster_id;
    const char *directory_id;
};

static char *skip_blanks(char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\f')
        p++;
    return p;
}

static void trim_end(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\r'))
        text[--len] = '\0';
}

/* Java writes "\:" and "\=" for what would end a key. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        *out++ = *p;
    }
    *out = '\0';
}

static void parse_line(char *line, struct meta_fields *fields)
{
    char *key = skip_blanks(line);
    if (*key == '#' || *key == '!' || *key == '\0')
        return;
    char *sign = strpbrk(key, "=:");
    if (sign == NULL)
        return;
    *sign = '\0';
    trim_end(key);
    char *value = skip_blanks(sign + 1);
    trim_end(value);
    unescape(value);
    if (strcmp(key, "version") == 0)
        fields->version = value;
    else if (strcmp(key, "node.id") == 0)
        fields->node_id = value;
    else if (strcmp(key, "cluster.id") == 0)
        fields->cluster_id = value;
    else if (strcmp(key, "directory.id") == 0)
        fields->directory_id = value;
}

static bool parse_node_id(const char *text, int32_t *out)
{
    int64_t number = 0;
    if (*text == '\0')
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || number > INT32_MAX)
            return false;
        number = number * 10 + (*p - '0');
    }
    if (number > INT32_MAX)
        return false;
    *out = (int32_t)number;
    return true;
}

enum err log_dir_parse_meta(char *text, struct strbuf *why, struct log_dir_identity *out)
{
    struct meta_fields fields = {0};
    for (char *line = text, *rest; line != NULL; line = rest) {
        rest = strchr(line, '\n');
        if (rest != NULL)
            *rest++ = '\0';
        parse_line(line, &fields);
    }
    struct log_dir_identity read = {0};
    if (fields.version == NULL || strcmp(fields.version, "1") != 0) {
        strbuf_printf(why, "%s is of version %s, not 1", META_PROPERTIES_NAME,
                      fields.version != NULL ? fields.version : "(none)");
        return ERR_CORRUPT;
    }
    if (fields.node_id == NULL || !parse_node_id(fields.node_id, &read.node_id)) {
        strbuf_printf(why, "%s has no valid node.id", META_PROPERTIES_NAME);
        return ERR_CORRUPT;
    }
    if (fields.cluster_id == NULL || fields.cluster_id[0] == '\0' ||
        strlen(fields.cluster_id) >= sizeof(read.cluster_id)) {
        strbuf_printf(why, "%s has no valid cluster.id", META_PROPERTIES_NAME);
        return ERR_CORRUPT;
    }
    snprintf(read.cluster_id, sizeof(read.cluster_id), "%s", fields.cluster_id);
    if (fields.directory_id != NULL && !uuid_parse(fields.directory_id, &read.directory_id)) {
        strbuf_printf(why, "%s has no valid directory.id", META_PROPERTIES_NAME);
        return ERR_CORRUPT;
    }
    *out = read;
    return ERR_OK;
}

/* The directory may have been made by a process that was killed before it synced the name. Those
 * above it as well, or they are old and not ours: what cannot be synced there is left alone. */
static enum err sync_parents(struct log_dir *dir)
{
    char part[LOG_PATH_SIZE];
    size_t len = strlen(dir->path);
    ASSERT(len < sizeof(part));
    memcpy(part, dir->path, len + 1);
    enum err e = log_file_sync_parent(dir->env, part);
    for (size_t i = len; i > 1 && e == ERR_OK; i--) {
        if (part[i - 1] != '/')
            continue;
        part[i - 1] = '\0';
        if (log_file_sync_parent(dir->env, part) != ERR_OK)
            break;
    }
    return e;
}

enum err log_dir_format(struct log_dir *dir, int32_t node_id, const char *cluster_id,
                        struct uuid directory_id)
{
    ASSERT(node_id >= 0 && cluster_id[0] != '\0');
    ASSERT(dir->identity.is_new && dir->lock != NULL);
    ASSERT(strlen(cluster_id) < sizeof(dir->identity.cluster_id));
    char id[UUID_TEXT_SIZE];
    char text[256];
    int len = snprintf(text, sizeof(text),
                       "#\ncluster.id=%s\ndirectory.id=%s\nnode.id=%" PRId32 "\nversion=1\n",
                       cluster_id, uuid_format(directory_id, id), node_id);
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    enum err e = sync_parents(dir);
    if (e != ERR_OK)
        return e;
    e = log_file_replace_durably(dir->env, dir->path, META_PROPERTIES_NAME, text, (size_t)len);
    if (e != ERR_OK)
        return e;
    dir->identity.is_new = false;
    dir->identity.node_id = node_id;
    dir->identity.directory_id = directory_id;
    snprintf(dir->identity.cluster_id, sizeof(dir->identity.cluster_id), "%s", cluster_id);
    return ERR_OK;
}
