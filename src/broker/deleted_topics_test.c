// SPDX-License-Identifier: Apache-2.0
/* deleted_topics_test: what is left on disk of a topic that was deleted, and for how long. Thread:
 * main.
 */
#include <string.h>

#include "broker/broker_fixture.h"
#include "wire/incremental_alter_configs.h"
#include "wire/kerr.h"

enum { INCREMENTAL_ALTER_CONFIGS = 44, MINUTE_MS = 60000, BROKER = 4 };

static int doomed_dirs(struct broker_fixture *f)
{
    mem_env_run_until_idle(&f->m);
    return fixture_count_names(f, "data", "-delete");
}

static void set_delay(struct broker_fixture *f, const char *ms)
{
    struct incremental_alter_configs_request_alterable_config config = {
        .name = wire_str_of("log.segment.delete.delay.ms"), .value = wire_str_of(ms)};
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        .resource_type = BROKER, .resource_name = wire_str_of(""), .configs = {&config, 1}};
    struct incremental_alter_configs_request request = {.resources = {&resource, 1}};
    CHECK(fixture_ask(f, INCREMENTAL_ALTER_CONFIGS, 1, &request) != NULL);
}

TEST(a_deleted_topics_files_go_after_a_minute)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "a", 3);
    fixture_create(&f, "b", 2);
    CHECK_EQUAL(fixture_delete(&f, "a"), KERR_NONE);
    CHECK_EQUAL(doomed_dirs(&f), 3);
    fixture_create(&f, "a", 1); /* its name is free */
    mem_env_advance_ms(&f.m, MINUTE_MS / 2);
    CHECK_EQUAL(fixture_delete(&f, "b"), KERR_NONE);
    CHECK_EQUAL(doomed_dirs(&f), 5);
    mem_env_advance_ms(&f.m, MINUTE_MS / 2 - 1);
    CHECK_EQUAL(doomed_dirs(&f), 5);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(doomed_dirs(&f), 2);
    mem_env_advance_ms(&f.m, MINUTE_MS / 2);
    CHECK_EQUAL(doomed_dirs(&f), 0);
    fixture_stop(&f);
}

TEST(the_delay_may_change_while_deleted_topics_wait)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "a", 3);
    CHECK_EQUAL(fixture_delete(&f, "a"), KERR_NONE);
    set_delay(&f, "100000");
    mem_env_advance_ms(&f.m, MINUTE_MS);
    CHECK_EQUAL(doomed_dirs(&f), 3);
    set_delay(&f, "61000");
    CHECK_EQUAL(doomed_dirs(&f), 3);
    mem_env_advance_ms(&f.m, 1000);
    CHECK_EQUAL(doomed_dirs(&f), 0);
    fixture_stop(&f);
}

static void write_ballast(struct broker_fixture *f)
{
    static uint8_t bytes[40000];
    struct iovec iov = {bytes, sizeof(bytes)};
    struct env_file *file = NULL;
    CHECK_EQUAL(env_file_open(&f->m.env, "ballast", ENV_WRITE | ENV_CREATE, &file), ERR_OK);
    CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    env_file_unref(file);
}

TEST(a_deleted_topics_files_go_at_once_where_room_is_short)
{
    struct broker_fixture f;
    int64_t free_bytes = 0, all = 0;
    fixture_start(&f, NULL);
    fixture_create(&f, "a", 3);
    write_ballast(&f);
    CHECK_EQUAL(env_disk_space(&f.m.env, "data", &free_bytes, &all), ERR_OK);
    f.m.space_bytes = all - free_bytes + 1000;
    CHECK_EQUAL(fixture_delete(&f, "a"), KERR_NONE);
    CHECK_EQUAL(doomed_dirs(&f), 0);
    fixture_stop(&f);
}
