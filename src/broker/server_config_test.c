// SPDX-License-Identifier: Apache-2.0
/* server_config_test: sources, refusals and typed values of the configuration. Thread: main. */
#include "broker/server_config.h"

#include <string.h>

#include "base/mem.h"
#include "base/testing.h"

static enum err load(const char *file, const char *const *environment, const char *const *sets,
                     struct strbuf *error, struct server_config **out)
{
    struct server_config_input in = {
        .file_name = file == NULL ? NULL : "f",
        .file_text = file,
        .file_size = file == NULL ? 0 : strlen(file),
        .environment = environment,
        .sets = sets,
    };
    return server_config_load(&in, error, out);
}

static struct server_config *load_good(const char *file)
{
    struct server_config *c = NULL;
    struct strbuf error;
    strbuf_init(&error);
    enum err e = load(file, NULL, NULL, &error, &c);
    if (e != ERR_OK)
        print_error("%s\n", strbuf_text(&error));
    CHECK(e == ERR_OK && error.len == 0);
    strbuf_deinit(&error);
    return c;
}

static void check_refused(const char *file, const char *expected)
{
    struct server_config *c = NULL;
    struct strbuf error;
    strbuf_init(&error);
    enum err e = load(file, NULL, NULL, &error, &c);
    CHECK_TEXT(strbuf_text(&error), expected);
    CHECK(e == ERR_INVALID && c == NULL);
    CHECK(strchr(strbuf_text(&error), '\n') == NULL);
    strbuf_deinit(&error);
}

TEST(server_config_needs_no_file)
{
    struct server_config *c = load_good(NULL);
    CHECK_EQUAL(c->listener_count, 1);
    CHECK_TEXT(c->listeners[0].name, "PLAINTEXT");
    CHECK_TEXT(c->listeners[0].host, "");
    CHECK_EQUAL(c->listeners[0].port, 9092);
    CHECK(c->advertised_count == 0 && c->inter_broker == 0 && c->admin == NULL);
    CHECK_EQUAL(c->log_dir_count, 1);
    CHECK_TEXT(c->log_dirs[0], "data");
    CHECK_EQUAL(c->node_id, -1);
    CHECK(c->rack == NULL && c->log_file == NULL && c->log_level == LOG_INFO);
    CHECK(c->reactors == 0 && c->disk_workers == 4 && c->recovery_threads == 2);
    CHECK_EQUAL(c->memory_bytes_max, 268435456);
    CHECK_EQUAL(c->request_bytes_max, 104857600);
    CHECK_EQUAL(c->fetch_bytes_max, 57671680);
    CHECK_EQUAL(c->connections_idle_ms, 600000);
    CHECK_EQUAL(c->connections_max, 2147483647);
    CHECK_EQUAL(c->connections_per_ip_max, 2147483647);
    CHECK_EQUAL(c->fetch_sessions_max, 1000);
    CHECK_EQUAL(c->retention_check_interval_ms, 300000);
    CHECK(c->num_partitions == 1 && c->replication_factor == 1);
    CHECK(c->auto_create_topics && c->delete_topics);
    CHECK(c->warnings.len == 0 && c->notes.len == 0);
    server_config_free(c);
}

/* The keys of the file that comes with Kafka 4. */
TEST(server_config_takes_a_file_made_for_kafka)
{
    struct server_config *c = load_good("process.roles=broker,controller\n"
                                        "node.id=1\n"
                                        "controller.quorum.bootstrap.servers=localhost:9093\n"
                                        "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
                                        "inter.broker.listener.name=PLAINTEXT\n"
                                        "advertised.listeners=PLAINTEXT://localhost:9092,"
                                        "CONTROLLER://localhost:9093\n"
                                        "controller.listener.names=CONTROLLER\n"
                                        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,"
                                        "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL\n"
                                        "num.network.threads=3\n"
                                        "num.io.threads=8\n"
                                        "socket.send.buffer.bytes=102400\n"
                                        "socket.receive.buffer.bytes=102400\n"
                                        "socket.request.max.bytes=104857600\n"
                                        "log.dirs=/tmp/x\n"
                                        "num.partitions=1\n"
                                        "num.recovery.threads.per.data.dir=1\n"
                                        "offsets.topic.replication.factor=1\n"
                                        "transaction.state.log.replication.factor=1\n"
                                        "transaction.state.log.min.isr=1\n"
                                        "log.retention.hours=168\n"
                                        "log.segment.bytes=1073741824\n"
                                        "log.retention.check.interval.ms=300000\n");
    CHECK_EQUAL(c->listener_count, 1);
    CHECK_EQUAL(c->advertised_count, 1);
    CHECK_TEXT(c->advertised[0].host, "localhost");
    CHECK(c->reactors == 3 && c->disk_workers == 8 && c->node_id == 1);
    CHECK(strstr(strbuf_text(&c->warnings),
                 "f:18: transaction.state.log.replication.factor has no") != NULL);
    CHECK(strstr(strbuf_text(&c->notes), "f:1: process.roles means nothing") != NULL);
    CHECK(strstr(strbuf_text(&c->notes), "CONTROLLER belongs to KRaft") != NULL);
    CHECK(strstr(strbuf_text(&c->notes), "socket.send.buffer") == NULL); /* it is the default */
    server_config_free(c);
}

TEST(server_config_command_line_beats_environment_beats_file)
{
    static const char *const environment[] = {"KLAMM_BOOTSTRAP=h:1", /* for other commands */
                                              "HOME=/x",
                                              "KLAMM_NUM_PARTITIONS=3",
                                              "KLAMM_LOG_RETENTION_MS=77",
                                              "KLAMM_ACK=cache",
                                              "KLAMM_KLAMM_REACTORS=2",
                                              NULL};
    static const char *const sets[] = {"num.partitions=4", "klamm.disk.workers= 5", NULL};
    struct server_config *c = NULL;
    struct strbuf error;
    strbuf_init(&error);
    CHECK(load("num.partitions=2\nlog.retention.ms=1\nnode.id=9\nnode.id=8", environment, sets,
               &error, &c) == ERR_OK);
    CHECK(c->num_partitions == 4 && c->disk_workers == 5 && c->reactors == 2 && c->node_id == 8);
    struct topic_config topic;
    config_topic_compute(NULL, &c->layers, &topic);
    CHECK_EQUAL(topic.retention_ms, 77);
    CHECK(!topic.ack_disk);
    server_config_free(c);
    strbuf_deinit(&error);
}

TEST(server_config_names_the_nearest_key)
{
    check_refused("\nlog.retention.hour=1", "f:2: log.retention.hour is not a configuration key; "
                                            "the nearest is log.retention.hours");
    check_refused("xyzzy=1", "f:1: xyzzy is not a configuration key");
    check_refused("listener.name.a.nonsense=1",
                  "f:1: listener.name.a.nonsense is not a configuration key");
    static const char *const environment[] = {"KLAMM_LISTENER=a", NULL};
    static const char *const sets[] = {"listeners", NULL};
    static const char *const other_sets[] = {"klam.ack=disk", NULL};
    struct server_config *c = NULL;
    struct strbuf error;
    strbuf_init(&error);
    CHECK(load(NULL, environment, NULL, &error, &c) == ERR_INVALID);
    CHECK_TEXT(strbuf_text(&error), "KLAMM_LISTENER: listener is not a configuration key; "
                                    "the nearest is listeners");
    strbuf_clear(&error);
    CHECK(load(NULL, NULL, sets, &error, &c) == ERR_INVALID);
    CHECK_TEXT(strbuf_text(&error), "--set listeners: key=value is needed");
    strbuf_clear(&error);
    CHECK(load(NULL, NULL, other_sets, &error, &c) == ERR_INVALID);
    CHECK_TEXT(strbuf_text(&error),
               "--set: klam.ack is not a configuration key; the nearest is klamm.ack");
    strbuf_deinit(&error);
}

#define CANNOT_KEEP " is a security setting that this broker cannot keep; it does not start with it"

TEST(server_config_security_that_is_not_built_stops_the_start)
{
    check_refused("ssl.keystore.location=/k", "f:1: ssl.keystore.location" CANNOT_KEEP);
    check_refused("sasl.enabled.mechanisms=PLAIN", "f:1: sasl.enabled.mechanisms" CANNOT_KEEP);
    check_refused("authorizer.class.name=x.Y", "f:1: authorizer.class.name" CANNOT_KEEP);
    check_refused("super.users=User:a", "f:1: super.users" CANNOT_KEEP);
    check_refused("allow.everyone.if.no.acl.found=false",
                  "f:1: allow.everyone.if.no.acl.found" CANNOT_KEEP);
    check_refused("delegation.token.secret.key=s", "f:1: delegation.token.secret.key" CANNOT_KEEP);
    check_refused("ssl.new.in.kafka.5=1", "f:1: ssl.new.in.kafka.5" CANNOT_KEEP);
    check_refused("config.providers.vault.class=x",
                  "f:1: config.providers.vault.class" CANNOT_KEEP);
    check_refused("listener.name.a.ssl.keystore.location=/k",
                  "f:1: listener.name.a.ssl.keystore.location" CANNOT_KEEP);
    check_refused("listener.name.a.plain.sasl.jaas.config=x",
                  "f:1: listener.name.a.plain.sasl.jaas.config" CANNOT_KEEP);
    check_refused(
        "security.inter.broker.protocol=SSL",
        "security.inter.broker.protocol=SSL cannot be kept by this broker; only PLAINTEXT");
    check_refused("listeners=SASL_SSL://:9092",
                  "listeners: SASL_SSL is SASL_SSL, which this broker cannot keep; it opens "
                  "PLAINTEXT only");
    check_refused("listeners=IN://:9092\nlistener.security.protocol.map=IN:ssl",
                  "listeners: IN is SSL, which this broker cannot keep; it opens PLAINTEXT only");
}

TEST(server_config_harmless_security_values_pass)
{
    struct server_config *c = load_good("security.inter.broker.protocol=PLAINTEXT\n"
                                        "sasl.enabled.mechanisms=GSSAPI\n"
                                        "ssl.client.auth=none\n"
                                        "authorizer.class.name=\n"
                                        "ssl.keystore.location=\n"
                                        "allow.everyone.if.no.acl.found=true\n"
                                        "connections.max.reauth.ms= 0\n");
    CHECK(c->warnings.len == 0 && c->notes.len == 0);
    server_config_free(c);
}

TEST(server_config_reads_listeners)
{
    struct server_config *c =
        load_good("listeners = in://10.0.0.1:9092 , OUT://[::1]:0,V6://[2001:db8::1]:9092,B://:0\n"
                  "listener.security.protocol.map = IN:PLAINTEXT, out : PLAINTEXT ,V6:PLAINTEXT,"
                  "B:PLAINTEXT\n"
                  "advertised.listeners=OUT://broker-1.example:1234,IN://10.0.0.1:0\n"
                  "inter.broker.listener.name=out\n"
                  "klamm.admin.listener=127.0.0.1:8080\n");
    CHECK_EQUAL(c->listener_count, 4);
    CHECK_TEXT(c->listeners[0].name, "IN");
    CHECK_TEXT(c->listeners[0].host, "10.0.0.1");
    CHECK_TEXT(c->listeners[1].host, "::1");
    CHECK_EQUAL(c->listeners[1].port, 0);
    CHECK_TEXT(c->listeners[2].host, "2001:db8::1");
    CHECK_EQUAL(c->advertised_count, 2);
    CHECK_TEXT(c->advertised[0].host, "broker-1.example");
    CHECK_EQUAL(c->advertised[0].port, 1234);
    CHECK_EQUAL(c->inter_broker, 1);
    CHECK_TEXT(c->admin->host, "127.0.0.1");
    CHECK_EQUAL(c->admin->port, 8080);
    server_config_free(c);
}

TEST(server_config_refuses_listeners_that_kafka_refuses)
{
    check_refused("listeners=", "listeners: there is none that clients could use");
    check_refused("listeners=:9092", "listeners: :9092 is not of the form NAME://HOST:PORT");
    check_refused("listeners=PLAINTEXT://x", "listeners: PLAINTEXT://x has no valid HOST:PORT");
    check_refused("listeners=PLAINTEXT://x:65536",
                  "listeners: PLAINTEXT://x:65536 has no valid HOST:PORT");
    check_refused("listeners=PLAINTEXT://a b:1",
                  "listeners: PLAINTEXT://a b:1 has no valid HOST:PORT");
    check_refused("listeners=PLAINTEXT://:1,plaintext://:2",
                  "listeners: PLAINTEXT stands there twice");
    check_refused("listeners=PLAINTEXT://:1,X://:1\nlistener.security.protocol.map="
                  "X:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                  "listeners: PLAINTEXT and X share port 1");
    check_refused("listeners=PLAINTEXT://a.b:1,X://[::1]:1\nlistener.security.protocol.map="
                  "X:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                  "listeners: PLAINTEXT and X share port 1");
    check_refused("listeners=CLIENT://:1", "listeners: CLIENT has no security protocol in "
                                           "listener.security.protocol.map");
    check_refused("listener.security.protocol.map=PLAINTEXT",
                  "listener.security.protocol.map: PLAINTEXT is not of the form NAME:PROTOCOL");
    check_refused("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PLAINTEXT:SSL",
                  "listener.security.protocol.map: PLAINTEXT stands there twice");
    check_refused(
        "advertised.listeners=PLAINTEXT://0.0.0.0:9092",
        "advertised.listeners: PLAINTEXT is told 0.0.0.0, which no client can connect to");
    check_refused("advertised.listeners=OTHER://h:9092",
                  "advertised.listeners: OTHER is not in listeners");
    check_refused("inter.broker.listener.name=OTHER",
                  "inter.broker.listener.name: OTHER is not in listeners");
    check_refused(
        "inter.broker.listener.name=PLAINTEXT\nsecurity.inter.broker.protocol=PLAINTEXT",
        "inter.broker.listener.name and security.inter.broker.protocol exclude each other");
    check_refused("klamm.admin.listener=8080",
                  "klamm.admin.listener: 8080 is not of the form HOST:PORT");
}

TEST(server_config_refuses_values_that_do_not_go_together)
{
    check_refused("node.id=1\nbroker.id=2", "node.id=1 and broker.id=2 differ");
    check_refused("broker.id=-2", "broker.id=-2 is negative");
    check_refused("process.roles=controller", "process.roles=controller has no broker in it");
    check_refused("log.dirs=/a, /a/b ,/a\nnode.id=x",
                  "f:2: node.id=x is not a whole number of 64 bits");
    check_refused("log.dirs=", "log.dirs: there is none");
    check_refused("log.retention.hours=0",
                  "log.retention.hours=0 would keep nothing; -1 keeps all");
    check_refused("log.roll.ms=0", "log.roll.ms must be at least 1");
    check_refused("max.connections.per.ip=0", "max.connections.per.ip=0 would let nobody in");
    check_refused("log.cleaner.min.compaction.lag.ms=9\nlog.cleaner.max.compaction.lag.ms=8",
                  "topic defaults: min.compaction.lag.ms=9 is above max.compaction.lag.ms=8");
    check_refused("log.cleaner.threads=4\nlog.cleaner.dedupe.buffer.size=4194304",
                  "log.cleaner.dedupe.buffer.size=4194304 is not more than 1 MiB for each of "
                  "log.cleaner.threads=4");
    check_refused("klamm.ack=maybe", "f:1: klamm.ack=maybe is not one of: disk, cache");
    check_refused("a=\\u12", "f:1: \\u needs four hexadecimal digits");
}

TEST(server_config_an_invalid_value_may_be_overridden)
{
    static const char *const sets[] = {"num.partitions=2", "ssl.client.auth=none", NULL};
    struct server_config *c = NULL;
    struct strbuf error;
    strbuf_init(&error);
    CHECK(load("num.partitions=many\nssl.client.auth=required", NULL, sets, &error, &c) == ERR_OK);
    CHECK_EQUAL(c->num_partitions, 2);
    server_config_free(c);
    strbuf_deinit(&error);
}

TEST(server_config_bounds_requests_by_memory)
{
    struct server_config *c = load_good("klamm.memory.max=16777216\nbroker.id=3\nlog.dir=/a,/b,/a\n"
                                        "log.retention.minutes=0\nlog.retention.ms=5");
    CHECK_EQUAL(c->request_bytes_max, 16777216);
    CHECK_EQUAL(c->warnings.len, 0);
    CHECK_EQUAL(c->node_id, 3);
    CHECK_EQUAL(c->log_dir_count, 2);
    CHECK_TEXT(c->log_dirs[1], "/b");
    server_config_free(c);
    c = load_good("klamm.memory.max=16777216\nsocket.request.max.bytes=20000000\n"
                  "connections.max.idle.ms=-7\nbroker.rack= r1 \nklamm.log.level=DEBUG");
    CHECK_EQUAL(c->request_bytes_max, 16777216);
    CHECK(strstr(strbuf_text(&c->warnings), "socket.request.max.bytes") != NULL);
    CHECK_EQUAL(c->connections_idle_ms, -1);
    CHECK_TEXT(c->rack, "r1");
    CHECK_EQUAL(c->log_level, LOG_DEBUG);
    server_config_free(c);
}

TEST(server_config_survives_each_allocation_failure)
{
    static const char *const sets[] = {"num.partitions=2", NULL};
    enum err e = ERR_NO_MEMORY;
    for (int n = 1; e != ERR_OK; n++) {
        struct server_config *c = NULL;
        struct strbuf error;
        strbuf_init(&error);
        mem_fail_at(n);
        e = load("listeners=PLAINTEXT://:1\nadvertised.listeners=PLAINTEXT://h:2\nbroker.rack=a",
                 NULL, sets, &error, &c);
        mem_fail_at(0);
        CHECK(e == ERR_OK || e == ERR_NO_MEMORY);
        CHECK((e == ERR_OK) == (c != NULL));
        CHECK((e == ERR_OK) == (error.len == 0));
        server_config_free(c);
        strbuf_deinit(&error);
        CHECK(n < 200);
    }
}

TEST(server_config_help_names_every_key)
{
    struct strbuf help;
    strbuf_init(&help);
    server_config_print_help(&help);
    for (int i = 0; i < CONFIG_BROKER_COUNT; i++) {
        if (!config_broker_defs[i].is_internal)
            CHECK(strstr(strbuf_text(&help), config_broker_defs[i].name) != NULL);
    }
    const char *line = strbuf_text(&help);
    for (const char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
        CHECK(end - line <= 120); /* a long default is not broken */
        line = end + 1;
    }
    CHECK(line[0] == '\0');
    strbuf_deinit(&help);
}
