// SPDX-License-Identifier: Apache-2.0
/* Log directories: identity, lock, checkpoints, what is found in them. Thread: the test's. */
#include "log/log_dir.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "env/mem_env.h"
#include "log/checkpoint_file.h"
#include "log/leader_epochs.h"
#include "log/log_file.h"

static void put_file(struct mem_env *m, const char *path, const char *text)
{
    mem_env_put_file(m, path, text, strlen(text));
}

static const struct uuid some_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

TEST(a_new_directory_is_formatted_once)
{
    struct mem_env m;
    mem_env_init(&m);
    struct strbuf why;
    strbuf_init(&why);
    struct log_dir *dir;
    CHECK_EQUAL(log_dir_open(&m.env, "a/b", &why, &dir), ERR_OK);
    CHECK(log_dir_identity(dir)->is_new);
    CHECK_EQUAL(log_dir_format(dir, 5, "cluster-1", some_id), ERR_OK);
    CHECK(!log_dir_identity(dir)->is_new);
    CHECK(!log_dir_was_clean(dir));
    CHECK_EQUAL(log_dir_mark_clean(dir), ERR_OK);
    log_dir_close(dir);
    CHECK_EQUAL(log_dir_open(&m.env, "a/b", &why, &dir), ERR_OK);
    CHECK(!log_dir_identity(dir)->is_new);
    CHECK_EQUAL(log_dir_identity(dir)->node_id, 5);
    CHECK_TEXT(log_dir_identity(dir)->cluster_id, "cluster-1");
    CHECK(uuid_equals(log_dir_identity(dir)->directory_id, some_id));
    CHECK(log_dir_was_clean(dir));
    CHECK_EQUAL(log_dir_mark_dirty(dir), ERR_OK);
    CHECK(log_dir_was_clean(dir)); /* as it was at open */
    log_dir_close(dir);
    CHECK_EQUAL(log_dir_open(&m.env, "a/b", &why, &dir), ERR_OK);
    CHECK(!log_dir_was_clean(dir));
    log_dir_close(dir);
    strbuf_deinit(&why);
    mem_env_deinit(&m);
}

TEST(a_directory_in_use_or_of_others_is_refused)
{
    struct mem_env m;
    mem_env_init(&m);
    struct strbuf why;
    strbuf_init(&why);
    struct log_dir *dir;
    struct log_dir *second = NULL;
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &second), ERR_BUSY);
    CHECK(strstr(strbuf_text(&why), "in use by another process") != NULL);
    CHECK(second == NULL);
    log_dir_close(dir);
    CHECK_EQUAL(env_dir_make(&m.env, "d/lost+found"), ERR_OK);
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    log_dir_close(dir);
    put_file(&m, "d/letter.txt", "x");
    strbuf_clear(&why);
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_INVALID);
    CHECK(strstr(strbuf_text(&why), "letter.txt") != NULL);
    put_file(&m, "d/meta.properties", "version=0\nbroker.id=1\n");
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_CORRUPT);
    /* As Kafka writes it. */
    put_file(&m, "d/meta.properties",
             "#\n#Mon Nov 23 22:00:00 UTC 2026\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n"
             "directory.id=AQIDBAUGBwgJCgsMDQ4PEA\nnode.id=3\nversion=1\n");
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    CHECK_EQUAL(log_dir_identity(dir)->node_id, 3);
    CHECK(uuid_equals(log_dir_identity(dir)->directory_id, some_id));
    log_dir_close(dir);
    strbuf_deinit(&why);
    mem_env_deinit(&m);
}

static void check_text(struct mem_env *m, const char *path, const char *wanted)
{
    size_t size;
    const uint8_t *text = mem_env_file_bytes(m, path, &size);
    CHECK(text != NULL);
    CHECK_EQUAL(size, strlen(wanted));
    CHECK(memcmp(text, wanted, size) == 0);
}

TEST(checkpoints_survive_in_kafkas_files)
{
    struct mem_env m;
    mem_env_init(&m);
    struct strbuf why;
    strbuf_init(&why);
    struct log_dir *dir;
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    struct log_dir_checkpoint values = {.recovery_point = 7, .log_start = 0, .high_watermark = 9};
    log_dir_checkpoint_set(dir, "topic-a", 12, &values);
    values.log_start = 3;
    log_dir_checkpoint_set(dir, "b", 0, &values);
    log_dir_checkpoint_set(dir, "gone", 0, &values);
    log_dir_checkpoint_set_clean_end(dir, "gone", 0, 5);
    log_dir_checkpoint_set_clean_end(dir, "b", 0, 6);
    log_dir_checkpoint_drop(dir, "gone", 0);
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    check_text(&m, "d/log-start-offset-checkpoint", "0\n1\nb 0 3\n");
    check_text(&m, "d/cleaner-offset-checkpoint", "0\n1\nb 0 6\n");
    log_dir_close(dir);
    put_file(&m, "d/replication-offset-checkpoint", "0\n2\nb 0 9\nbroken\n");
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    values = log_dir_checkpoint_of(dir, "topic-a", 12);
    CHECK_EQUAL(values.recovery_point, 7);
    CHECK_EQUAL(values.high_watermark, 0); /* that file counts as empty */
    CHECK_EQUAL(log_dir_checkpoint_of(dir, "b", 0).log_start, 3);
    CHECK_EQUAL(log_dir_checkpoint_of(dir, "gone", 0).recovery_point, 0);
    CHECK_EQUAL(log_dir_checkpoint_clean_end(dir, "b", 0), 6);
    CHECK_EQUAL(log_dir_checkpoint_clean_end(dir, "gone", 0), 0);
    CHECK_EQUAL(log_dir_checkpoint_clean_end(dir, "topic-a", 12), 0);
    log_dir_close(dir);
    strbuf_deinit(&why);
    mem_env_deinit(&m);
}

static void note_partition(void *arg, const char *topic, int32_t partition)
{
    struct strbuf *out = arg;
    strbuf_printf(out, "%s/%d ", topic, partition);
}

TEST(partitions_are_found_and_others_left_alone)
{
    static const char *const names[] = {
        "d/a-b-3",         "d/t-0",      "d/t-1.x-stray",  "d/t-2.uvw-delete",
        "d/t-00",          "d/t-",       "d/-1",           "d/t-3.abc-future",
        "d/x-99999999999", "d/sp ace-1", "d/my.old-delete"};
    struct mem_env m;
    mem_env_init(&m);
    struct strbuf text;
    strbuf_init(&text);
    struct log_dir *dir;
    CHECK_EQUAL(log_dir_open(&m.env, "d", &text, &dir), ERR_OK);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        CHECK_EQUAL(env_dir_make(&m.env, names[i]), ERR_OK);
    put_file(&m, "d/t-2.uvw-delete/00000000000000000000.log", "x");
    put_file(&m, "d/my.old-delete/notes", "x");
    CHECK_EQUAL(log_dir_list(dir, note_partition, &text), ERR_OK);
    CHECK_TEXT(strbuf_text(&text), "a-b/3 t/0 ");
    CHECK_EQUAL(log_dir_sweep(dir), ERR_OK);
    CHECK_EQUAL(env_dir_make(&m.env, "d/t-2.uvw-delete"), ERR_OK); /* it was gone */
    check_text(&m, "d/my.old-delete/notes", "x");                  /* somebody else's */
    CHECK_EQUAL(log_dir_set_aside(dir, "t", 0), ERR_OK);
    strbuf_clear(&text);
    CHECK_EQUAL(log_dir_list(dir, note_partition, &text), ERR_OK);
    CHECK_TEXT(strbuf_text(&text), "a-b/3 ");
    log_dir_close(dir);
    strbuf_deinit(&text);
    mem_env_deinit(&m);
}

/* Its own directory's name leaves no room for more. */
TEST(the_longest_name_of_a_topic_can_be_deleted_and_set_aside)
{
    static const char *const suffixes[] = {"-delete", "-stray"};
    char topic[250];
    char path[LOG_PATH_SIZE];
    char to[LOG_PATH_SIZE];
    struct mem_env m;
    mem_env_init(&m);
    memset(topic, 'x', sizeof(topic) - 1);
    topic[sizeof(topic) - 1] = '\0';
    snprintf(path, sizeof(path), "/data/d/%s-12345", topic);
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        CHECK(log_file_suffixed(&m.env, path, suffixes[i], to));
        CHECK(memcmp(to, "/data/d/xxx", 11) == 0);
        CHECK_EQUAL(strlen(to), strlen("/data/d/") + LOG_DIR_NAME_MAX);
        CHECK(strstr(to, "x-12345.") != NULL && strstr(to, suffixes[i]) != NULL);
    }
    CHECK(log_file_suffixed(&m.env, "a-b-0", "-delete", to));
    CHECK(memcmp(to, "a-b-0.", 6) == 0);
    CHECK_EQUAL(strlen(to), 6 + UUID_TEXT_SIZE - 1 + strlen("-delete"));
    mem_env_deinit(&m);
}

TEST(meta_properties_are_read_as_java_would_and_strictly)
{
    const struct {
        const char *text;
        int32_t node_id; /* -1: it is refused */
        const char *says;
    } cases[] = {
        {"version=1\nnode.id=3\ncluster.id=c\n", 3, ""},
        {" version : 1\r\n\tnode.id = 2147483647 \r\n!x\ncluster.id=a\\=b\\:c", INT32_MAX, ""},
        {"version=1\nnode.id=3\nnode.id=4\ncluster.id=c\nother\nmore=1\n", 4, ""},
        {"", -1, "version (none)"},
        {"version=2\nnode.id=3\ncluster.id=c\n", -1, "version 2"},
        {"version=1\ncluster.id=c\n", -1, "node.id"},
        {"version=1\nnode.id=\ncluster.id=c\n", -1, "node.id"},
        {"version=1\nnode.id=-1\ncluster.id=c\n", -1, "node.id"},
        {"version=1\nnode.id=2147483648\ncluster.id=c\n", -1, "node.id"},
        {"version=1\nnode.id=99999999999999999999\ncluster.id=c\n", -1, "node.id"},
        {"version=1\nnode.id=3\n", -1, "cluster.id"},
        {"version=1\nnode.id=3\ncluster.id=\n", -1, "cluster.id"},
        {"version=1\nnode.id=3\ncluster.id=c\ndirectory.id=no\n", -1, "directory.id"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct mem_env m;
        mem_env_init(&m);
        struct strbuf why;
        strbuf_init(&why);
        struct log_dir *dir = NULL;
        CHECK_EQUAL(env_dir_make(&m.env, "d"), ERR_OK);
        put_file(&m, "d/meta.properties", cases[i].text);
        enum err e = log_dir_open(&m.env, "d", &why, &dir);
        CHECK_EQUAL(e, cases[i].node_id >= 0 ? ERR_OK : ERR_CORRUPT);
        CHECK(strstr(strbuf_text(&why), cases[i].says) != NULL);
        if (e == ERR_OK)
            CHECK_EQUAL(log_dir_identity(dir)->node_id, cases[i].node_id);
        if (i == 1)
            CHECK_TEXT(log_dir_identity(dir)->cluster_id, "a=b:c");
        log_dir_close(dir);
        strbuf_deinit(&why);
        mem_env_deinit(&m);
    }
}

TEST(a_directory_that_could_not_be_opened_has_its_name_and_no_more)
{
    struct mem_env m;
    mem_env_init(&m);
    m.fail_at = 1; /* it asks for nothing */
    struct log_dir *dir = log_dir_new_failed(&m.env, "gone/d");
    CHECK(log_dir_has_failed(dir) && log_dir_journal(dir) == NULL && !log_dir_was_clean(dir));
    CHECK_TEXT(log_dir_path(dir), "gone/d");
    struct log_dir_checkpoint at = log_dir_checkpoint_of(dir, "t", 0);
    CHECK(at.recovery_point == 0 && at.log_start == 0);
    log_dir_close(dir);
    CHECK_EQUAL(m.io_calls, 0);
    mem_env_deinit(&m);
}

TEST(a_log_directory_survives_each_io_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct mem_env m;
        mem_env_init(&m);
        struct strbuf why;
        strbuf_init(&why);
        struct log_dir *dir = NULL;
        struct log_dir_checkpoint values = {.recovery_point = 1};
        m.fail_at = n;
        enum err e = log_dir_open(&m.env, "d", &why, &dir);
        CHECK((e == ERR_OK) == (dir != NULL));
        CHECK(e == ERR_OK || why.len > 0);
        if (e == ERR_OK)
            e = log_dir_format(dir, 1, "c", some_id);
        if (e == ERR_OK) { /* and once more, with what is there now */
            log_dir_close(dir);
            dir = NULL;
            e = log_dir_open(&m.env, "d", &why, &dir);
        }
        if (e == ERR_OK) {
            log_dir_checkpoint_set(dir, "t", 0, &values);
            e = log_dir_checkpoint_write(dir);
        }
        if (e == ERR_OK)
            e = log_dir_mark_clean(dir);
        if (e == ERR_OK)
            e = log_dir_mark_dirty(dir);
        failed = m.fail_at == 0;
        CHECK(failed == (e != ERR_OK));
        log_dir_close(dir);
        CHECK_EQUAL(m.open_fds, 0);
        strbuf_deinit(&why);
        mem_env_deinit(&m);
    }
}

/* ---- the text formats */

static enum err read_epochs(const char *text)
{
    struct leader_epochs epochs;
    leader_epochs_init(&epochs);
    enum err e = leader_epochs_read(&epochs, text, strlen(text));
    leader_epochs_deinit(&epochs);
    return e;
}

TEST(checkpoint_texts_are_read_strictly)
{
    CHECK_EQUAL(read_epochs("0\n0\n"), ERR_OK);
    CHECK_EQUAL(read_epochs("0\n2\n1 0\n3 10\n"), ERR_OK);
    CHECK_EQUAL(read_epochs("0\n2\n1 0\n3 10"), ERR_OK);
    CHECK_EQUAL(read_epochs(""), ERR_CORRUPT);
    CHECK_EQUAL(read_epochs("1\n0\n"), ERR_CORRUPT);
    CHECK_EQUAL(read_epochs("0\n2\n1 0\n"), ERR_CORRUPT);
    CHECK_EQUAL(read_epochs("0\n1\n1 0\n2 5\n"), ERR_CORRUPT);
    CHECK_EQUAL(read_epochs("0\n2\n1 5\n2 5\n"), ERR_CORRUPT);
    CHECK_EQUAL(read_epochs("0\n1\n-1 5\n"), ERR_CORRUPT);
    CHECK_EQUAL(read_epochs("0\n1\n1 99999999999999999999\n"), ERR_CORRUPT);
    CHECK_EQUAL(read_epochs("0\n1\n1 5 6\n"), ERR_CORRUPT);
}

TEST(epochs_end_where_the_next_begins)
{
    struct leader_epochs epochs;
    leader_epochs_init(&epochs);
    int32_t found;
    int64_t end;
    leader_epochs_end_of(&epochs, 0, 100, &found, &end);
    CHECK_EQUAL(found, -1);
    leader_epochs_begin(&epochs, 2, 10);
    leader_epochs_begin(&epochs, 4, 20);
    leader_epochs_begin(&epochs, 5, 20); /* epoch 4 got no record */
    leader_epochs_begin(&epochs, 5, 30); /* not above */
    CHECK_EQUAL(epochs.count, 2);
    leader_epochs_end_of(&epochs, 5, 100, &found, &end);
    CHECK_EQUAL(found, 5);
    CHECK_EQUAL(end, 100);
    leader_epochs_end_of(&epochs, 4, 100, &found, &end);
    CHECK_EQUAL(found, 2);
    CHECK_EQUAL(end, 20);
    leader_epochs_end_of(&epochs, 1, 100, &found, &end);
    CHECK_EQUAL(found, 1);
    CHECK_EQUAL(end, 10);
    leader_epochs_end_of(&epochs, 6, 100, &found, &end);
    CHECK_EQUAL(found, -1);
    leader_epochs_cut_start(&epochs, 15);
    CHECK_EQUAL(epochs.entries[0].start_offset, 15);
    leader_epochs_cut_start(&epochs, 20);
    CHECK_EQUAL(epochs.count, 1);
    leader_epochs_begin(&epochs, 9, 50);
    leader_epochs_lower(&epochs, 40);
    CHECK_EQUAL(epochs.entries[1].start_offset, 40);
    leader_epochs_lower(&epochs, 18);
    CHECK_EQUAL(epochs.count, 1);
    CHECK_EQUAL(leader_epochs_last(&epochs), 9);
    leader_epochs_cut_end(&epochs, 18);
    CHECK_EQUAL(leader_epochs_last(&epochs), -1);
    leader_epochs_deinit(&epochs);
}

static void count_change(void *arg)
{
    (*(int *)arg)++;
}

TEST(checkpoints_are_written_when_something_changed)
{
    static const int calls_of_one_file = 5; /* open, write, sync, rename; the directory's sync */
    struct mem_env m;
    struct strbuf why;
    struct log_dir *dir = NULL;
    int changes = 0;
    mem_env_init(&m);
    strbuf_init(&why);
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    log_dir_watch_checkpoints(dir, count_change, &changes);
    struct log_dir_checkpoint first = {.high_watermark = 1};
    log_dir_checkpoint_set(dir, "first", 0, &first);
    CHECK_EQUAL(changes, 1); /* though no file is there yet */
    changes = 0;
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    int calls = m.io_calls;
    struct log_dir_checkpoint zeros = {0};
    log_dir_checkpoint_set(dir, "t", 0, &zeros);
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    CHECK_EQUAL(m.io_calls, calls);
    CHECK_EQUAL(changes, 0);
    struct log_dir_checkpoint values = {.recovery_point = 5, .high_watermark = 5};
    log_dir_checkpoint_set(dir, "t", 0, &values);
    log_dir_checkpoint_set(dir, "t", 1, &values);
    CHECK_EQUAL(changes, 1); /* once for each writing */
    m.fail_at = 1;
    CHECK(log_dir_checkpoint_write(dir) != ERR_OK);
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK); /* still to be written */
    calls = m.io_calls;
    log_dir_checkpoint_set(dir, "t", 0, &values);
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    CHECK_EQUAL(m.io_calls, calls);
    log_dir_checkpoint_set_clean_end(dir, "t", 0, 3);
    CHECK_EQUAL(changes, 2);
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    CHECK_EQUAL(m.io_calls, calls + calls_of_one_file); /* the other three say what they did */
    log_dir_checkpoint_drop(dir, "t", 0);
    CHECK_EQUAL(changes, 3);
    log_dir_close(dir);
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    CHECK_EQUAL(log_dir_checkpoint_of(dir, "t", 0).recovery_point,
                5); /* the drop was not written */
    calls = m.io_calls;
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    CHECK_EQUAL(m.io_calls, calls);
    log_dir_close(dir);
    strbuf_deinit(&why);
    mem_env_deinit(&m);
}

static bool is_of_a(void *arg, const char *topic, int32_t partition)
{
    return strcmp(topic, "a") == 0;
}

TEST(what_the_checkpoints_may_name_still_is_stale_until_they_are_written)
{
    struct mem_env m;
    struct strbuf why;
    struct log_dir *dir = NULL;
    mem_env_init(&m);
    strbuf_init(&why);
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    struct log_dir_checkpoint values = {.recovery_point = 5, .high_watermark = 5};
    log_dir_checkpoint_set(dir, "a", 0, &values);
    log_dir_checkpoint_drop(dir, "a", 0);
    CHECK(!log_dir_checkpoint_is_stale(dir, "a", 0)); /* it was in no file */
    log_dir_checkpoint_set(dir, "a", 0, &values);
    log_dir_checkpoint_set(dir, "b", 0, &values);
    log_dir_checkpoint_set(dir, "b", 1, &values);
    log_dir_checkpoint_set_clean_end(dir, "c", 0, 4); /* nothing else is known of it */
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    log_dir_checkpoint_drop(dir, "b", 0);
    log_dir_checkpoint_drop(dir, "b", 0);
    log_dir_checkpoint_drop(dir, "c", 0);
    CHECK(log_dir_checkpoint_is_stale(dir, "b", 0));
    CHECK(!log_dir_checkpoint_is_stale(dir, "b", 1));
    CHECK(log_dir_checkpoint_is_stale(dir, "c", 0));
    CHECK_EQUAL(log_dir_checkpoint_clean_end(dir, "c", 0), 0);
    CHECK_EQUAL(log_dir_checkpoint_of(dir, "b", 0).recovery_point, 0);
    int nth = 1;
    for (m.fail_at = nth; log_dir_checkpoint_write(dir) != ERR_OK; m.fail_at = ++nth) {
        CHECK(log_dir_checkpoint_is_stale(dir, "b", 0)); /* how far it came nobody knows */
        CHECK(log_dir_checkpoint_is_stale(dir, "c", 0));
    }
    m.fail_at = 0;
    CHECK(nth > 4 * 4); /* each call with each of the four files */
    CHECK(!log_dir_checkpoint_is_stale(dir, "b", 0));
    CHECK(!log_dir_checkpoint_is_stale(dir, "c", 0));
    check_text(&m, "d/cleaner-offset-checkpoint", "0\n0\n");
    log_dir_checkpoint_drop(dir, "b", 1);
    log_dir_checkpoint_set(dir, "b", 1, &values); /* it is here again */
    CHECK(!log_dir_checkpoint_is_stale(dir, "b", 1));
    CHECK_EQUAL(log_dir_checkpoint_write(dir), ERR_OK);
    CHECK_EQUAL(log_dir_checkpoint_of(dir, "b", 1).recovery_point, 5);
    log_dir_close(dir);
    CHECK_EQUAL(log_dir_open(&m.env, "d", &why, &dir), ERR_OK);
    log_dir_checkpoint_keep_only(dir, is_of_a, NULL);
    CHECK(!log_dir_checkpoint_is_stale(dir, "a", 0));
    CHECK(log_dir_checkpoint_is_stale(dir, "b", 1));
    CHECK_EQUAL(log_dir_checkpoint_of(dir, "a", 0).recovery_point, 5);
    log_dir_close(dir);
    strbuf_deinit(&why);
    mem_env_deinit(&m);
}
