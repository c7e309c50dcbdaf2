# SPDX-License-Identifier: Apache-2.0
"""The command line of Kafka 4.4.0 (Maven's kafka-tools), as people type it, against a broker;
`--against kafka` shows that the same is expected of Kafka's."""

import base64
import json
import re
import time

import pytest

from kafka_tools import Tools, Verifiable

GROUPS = "consumer.group.ConsumerGroupCommand"
CONSOLE = "consumer.ConsoleConsumer"


@pytest.fixture
def tools(tool_process, broker):
    return Tools(tool_process, broker.bootstrap)


def printed(out, start):
    """The lines that begin so, without what a tool says about itself."""
    return [line for line in out.splitlines() if line.startswith(start)]


def test_version(tools):
    assert tools.call("TopicCommand", "--version").splitlines()[0] == "4.4.0"



def test_topics(tools, topic):
    assert "Created topic" in tools.run("TopicCommand", "--create", "--topic", topic,
                                        "--partitions", 2)
    assert "already exists" in tools.run("TopicCommand", "--create", "--topic", topic, code=1)
    assert topic in tools.run("TopicCommand", "--list").split()
    tools.run("TopicCommand", "--alter", "--topic", topic, "--partitions", 3)
    assert "PartitionCount: 3" in tools.run("TopicCommand", "--describe", "--topic", topic)
    at = ("--entity-type", "topics", "--entity-name", topic)
    tools.run("ConfigCommand", "--alter", *at, "--add-config", "retention.ms=123456789")
    assert "retention.ms=123456789" in tools.run("ConfigCommand", "--describe", *at)
    tools.run("TopicCommand", "--delete", "--topic", topic)
    assert topic not in tools.run("TopicCommand", "--list").split()


def test_records(tools, topic, tmp_path):
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 1)
    lines = [f"line {i}" for i in range(1000)]
    tools.run("ConsoleProducer", "--topic", topic, given="\n".join(lines) + "\n")
    got = tools.run(CONSOLE, "--topic", topic, "--from-beginning", "--max-messages", 1000,
                    "--timeout-ms", 60000)
    assert [line for line in got.splitlines() if line.startswith("line ")] == lines
    assert f"{topic}:0:1000" in tools.run("GetOffsetShell", "--topic", topic).splitlines()
    wanted = tmp_path / "delete.json"
    wanted.write_text(json.dumps({
        "version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 400}]}))
    assert "low_watermark: 400" in tools.run("DeleteRecordsCommand", "--offset-json-file", wanted)
    earliest = tools.run("GetOffsetShell", "--topic", topic, "--time", "earliest")
    assert f"{topic}:0:400" in earliest.splitlines()
    shown = tools.run("LogDirsCommand", "--describe", "--topic-list", topic)
    log_dir, = json.loads(shown.splitlines()[-1])["brokers"][0]["logDirs"]
    assert [p["partition"] for p in log_dir["partitions"]] == [f"{topic}-0"]


def test_groups(tools, topic):
    group = "of-" + topic
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 3)
    tools.run("ConsoleProducer", "--topic", topic, given="x\n" * 30)
    tools.run(CONSOLE, "--topic", topic, "--group", group, "--from-beginning",
              "--max-messages", 30, "--timeout-ms", 60000)
    assert group in tools.run(GROUPS, "--list").split()
    rows = tools.table(GROUPS, "--describe", "--group", group)
    assert sum(int(r["CURRENT-OFFSET"]) for r in rows) == 30
    assert [r["LAG"] for r in rows] == ["0"] * 3
    tools.run(GROUPS, "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest",
              "--execute")
    rows = tools.table(GROUPS, "--describe", "--group", group)
    assert sum(int(r["LAG"]) for r in rows) == 30
    state, = tools.table(GROUPS, "--describe", "--group", group, "--state")
    assert "Empty" in state.values()
    tools.run(GROUPS, "--delete-offsets", "--group", group, "--topic", f"{topic}:0")
    rows = tools.table(GROUPS, "--describe", "--group", group)
    assert {r["PARTITION"] for r in rows} == {"1", "2"}
    assert "successful" in tools.run(GROUPS, "--delete", "--group", group)
    assert group not in tools.run(GROUPS, "--list").split()
    assert "GroupIdNotFoundException" in tools.run(GROUPS, "--describe", "--group", group)


def test_configs_of_groups(tools, topic):
    """All groups that have any are found by ListConfigResources."""
    tools.run("ConfigCommand", "--alter", "--entity-type", "groups", "--entity-name", topic,
              "--add-config", "consumer.session.timeout.ms=50000")
    shown = tools.run("ConfigCommand", "--describe", "--entity-type", "groups")
    assert topic in shown and "consumer.session.timeout.ms=50000" in shown


def config_rows(out):
    """What kafka-configs --describe prints: the value and the sources, by key."""
    row = r"^  (\S+)=(.*?) sensitive=(?:true|false) synonyms=\{(.*)\}$"
    rows = re.findall(row, out, re.MULTILINE)
    return {key: (value, re.findall(r"(\w+):[^,]*", names)) for key, value, names in rows}


ALTER, DESCRIBE = ("ConfigCommand", "--alter"), ("ConfigCommand", "--describe")


def until_told(tools, args, is_told):
    """Kafka's broker may know it later than its controller."""
    deadline = time.monotonic() + 60
    while not is_told(rows := config_rows(tools.run(*DESCRIBE, *args))):
        assert time.monotonic() < deadline, rows
    return rows


def test_configs_of_brokers(tools):
    """One broker's, the default of all, each with its sources, and what is in force (--all)."""
    one = ("--entity-type", "brokers", "--entity-name", "1")
    everyone = ("--entity-type", "brokers", "--entity-default")
    key, file = "log.retention.bytes", "log.retention.check.interval.ms"
    tools.run(*ALTER, *everyone, "--add-config", f"{key}=7000000,log.roll.ms=800000000")
    tools.run(*ALTER, *one, "--add-config", f"{key}=6000000")
    sources = ["DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG", "DEFAULT_CONFIG"]
    rows = until_told(tools, one, lambda rows: key in rows)
    assert rows[key] == ("6000000", sources) and "log.roll.ms" not in rows
    rows = until_told(tools, everyone, lambda rows: "log.roll.ms" in rows)
    assert rows[key][0] == "7000000" and rows["log.roll.ms"][0] == "800000000"
    rows = until_told(tools, (*one, "--all"), lambda rows: rows["log.roll.ms"][0] == "800000000")
    assert rows[key] == ("6000000", sources)
    assert rows["log.roll.ms"][1] == ["DYNAMIC_DEFAULT_BROKER_CONFIG", "DEFAULT_CONFIG"]
    assert rows[file] == ("200", ["STATIC_BROKER_CONFIG", "DEFAULT_CONFIG"])
    assert rows["message.max.bytes"] == ("1048588", ["DEFAULT_CONFIG"])
    shown = tools.run(*DESCRIBE, "--entity-type", "brokers")  # all of them
    assert f"{key}=6000000" in shown and f"{key}=7000000" in shown
    for at, gone in ((one, key), (everyone, f"{key},log.roll.ms")):
        tools.run(*ALTER, *at, "--delete-config", gone)
    until_told(tools, one, lambda rows: key not in rows)
    until_told(tools, everyone, lambda rows: key not in rows and "log.roll.ms" not in rows)
    for wrong in (f"{key}=x", "log.dirs=/x", "broker.id=7"):
        tools.run(*ALTER, *one, "--add-config", wrong, code=1)


def test_configs_of_topics(tools, topic):
    tools.run("TopicCommand", "--create", "--topic", topic, "--config", "segment.ms=700000")
    at = ("--entity-type", "topics", "--entity-name", topic)
    rows = until_told(tools, (*at, "--all"), lambda rows: rows["segment.ms"][0] == "700000")
    assert rows["segment.ms"][1][0] == "DYNAMIC_TOPIC_CONFIG"
    assert rows["retention.ms"][0] == "604800000" and len(rows) > 25
    assert config_rows(tools.run(*DESCRIBE, *at)).keys() == {"segment.ms"}


def test_levels_of_loggers(tools, is_kafka):
    at = ("--entity-type", "broker-loggers", "--entity-name", "1")
    logger = "org.apache.kafka.server.logger.LoggingController" if is_kafka else "net"

    def level():
        return config_rows(tools.run(*DESCRIBE, *at))[logger][0]

    tools.run(*ALTER, *at, "--add-config", f"{logger}=DEBUG")
    assert level() == "DEBUG"
    tools.run(*ALTER, *at, "--delete-config", logger)  # as root again, whatever others made of that
    assert level() == config_rows(tools.run(*DESCRIBE, *at))["root"][0] != "DEBUG"
    tools.run(*ALTER, *at, "--add-config", f"{logger}=LOUD", code=1)
    tools.run(*ALTER, *at, "--add-config", "no.such.logger=DEBUG", code=1)


def test_reset_of_offsets(tools, topic, tmp_path):
    """Each way to say where to; nothing changes in a dry run; what is exported can be read back."""
    group = "of-" + topic
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 2)
    tools.run("ConsoleProducer", "--topic", topic, given="x\n" * 30)
    tools.run(GROUPS, "--reset-offsets", "--group", group, "--topic", topic, "--to-latest",
              "--execute")

    def committed(rows, column):
        return {int(r["PARTITION"]): int(r[column]) for r in rows}

    def now():
        return committed(tools.table(GROUPS, "--describe", "--group", group), "CURRENT-OFFSET")

    def reset(*how, scope=("--topic", topic)):
        rows = tools.table(GROUPS, "--reset-offsets", "--group", group, *scope, *how)
        return committed(rows, "NEW-OFFSET")

    end = now()
    assert sum(end.values()) == 30
    zero = {0: 0, 1: 0}
    assert reset("--to-earliest", "--dry-run") == zero and now() == end
    assert reset("--shift-by", "-1000", "--dry-run") == zero and now() == end
    assert reset("--to-datetime", "2001-01-01T00:00:00.000", "--dry-run") == zero
    assert reset("--to-datetime", "2101-01-01T00:00:00.000", "--dry-run") == end
    assert reset("--by-duration", "P1D", "--dry-run") == zero and now() == end
    assert reset("--to-datetime", "2001-01-01T00:00:00.000", "--execute") == zero == now()
    assert reset("--shift-by", "1", "--execute") == {p: min(1, e) for p, e in end.items()} == now()
    assert reset("--to-latest", "--execute") == end == now()
    assert reset("--to-offset", "1000", "--execute") == end == now()
    some = next(p for p, e in end.items() if e > 0)
    assert reset("--to-offset", "0", "--execute", scope=("--topic", f"{topic}:{some}")) == {some: 0}
    assert now() == {**end, some: 0}
    shown = tools.run(GROUPS, "--reset-offsets", "--group", group, "--topic", topic, "--to-current",
                      "--export", "--dry-run")
    lines = [line for line in shown.splitlines() if topic in line and line.count(",") == 2]
    assert len(lines) == 2, shown
    file = tmp_path / "offsets.csv"
    file.write_text("\n".join(lines) + "\n")
    reset("--to-latest", "--execute")
    assert now() == end
    assert reset("--from-file", file, "--execute", scope=()) == {**end, some: 0} == now()
    assert reset("--to-latest", "--dry-run", scope=("--all-topics",)) == end
    rows = tools.table(GROUPS, "--reset-offsets", "--all-groups", "--topic", topic, "--to-latest",
                       "--dry-run")
    assert committed([r for r in rows if r["GROUP"] == group], "NEW-OFFSET") == end
    tools.run(GROUPS, "--delete", "--group", group)


def test_members_of_groups(tools, java, topic):
    """--members --verbose of a group that lives, --all-groups, and what a living group refuses."""
    group = "of-" + topic
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 2)
    tools.run(GROUPS, "--reset-offsets", "--group", "empty-" + topic, "--topic", topic,
              "--to-latest", "--execute")
    with Verifiable(java, "Consumer", tools.bootstrap, "--topic", topic,
                    "--group-id", group) as member:
        member.until(lambda: any(e["partitions"] for e in member.events("partitions_assigned")))
        row, = tools.table(GROUPS, "--describe", "--group", group, "--members", "--verbose")
        assert (row["#PARTITIONS"], row["HOST"]) == ("2", "/127.0.0.1")
        assert f"{topic}:0,1" in row.values()
        row, = tools.table(GROUPS, "--describe", "--group", group, "--members")
        assert row["#PARTITIONS"] == "2" and f"{topic}:0,1" not in row.values()
        rows = tools.run(GROUPS, "--describe", "--all-groups", "--state")
        assert re.search(rf"^{group} .*Stable +1\s*$", rows, re.MULTILINE)
        assert re.search(rf"^empty-{topic} .*Empty +0\s*$", rows, re.MULTILINE)
        shown = tools.run(GROUPS, "--reset-offsets", "--group", group, "--topic", topic,
                          "--to-earliest", "--dry-run")
        assert "inactive, but the current state is Stable" in shown
        assert "GroupNotEmptyException" in tools.run(GROUPS, "--delete", "--group", group)
    tools.run(GROUPS, "--delete", "--group", "empty-" + topic)


# What both brokers serve, with the versions that Kafka's own clients of 4.4 may use.
SERVED = {
    "Produce": (0, 13), "Fetch": (4, 18), "ListOffsets": (1, 11), "Metadata": (0, 13),
    "OffsetCommit": (2, 10), "OffsetFetch": (1, 10), "FindCoordinator": (0, 6), "JoinGroup": (0, 9),
    "Heartbeat": (0, 4), "LeaveGroup": (0, 5), "SyncGroup": (0, 5), "DescribeGroups": (0, 6),
    "ListGroups": (0, 5), "ApiVersions": (0, 5), "CreateTopics": (2, 7), "DeleteTopics": (1, 6),
    "DeleteRecords": (0, 2), "InitProducerId": (0, 5), "OffsetForLeaderEpoch": (2, 4),
    "DescribeConfigs": (1, 4), "AlterConfigs": (0, 2), "DescribeLogDirs": (1, 5),
    "AlterReplicaLogDirs": (1, 2), "CreatePartitions": (0, 3), "DeleteGroups": (0, 3), "IncrementalAlterConfigs": (0, 1),
    "OffsetDelete": (0, 0), "DescribeCluster": (0, 2), "DescribeTopicPartitions": (0, 0),
    "ListConfigResources": (0, 1),
}


def test_broker_api_versions(tools):
    shown = tools.run("BrokerApiVersionsCommand")
    assert "UNKNOWN" not in shown
    assert shown.startswith(f"{tools.bootstrap} (id: 1 rack: null isFenced: false) -> (")
    rows = re.findall(r"(\w+)\(\d+\): (\d+)(?: to (\d+))? \[usable: (\d+)\]", shown)
    ranges = {name: (int(low), int(high or low)) for name, low, high, _ in rows}
    assert {name: ranges.get(name) for name in SERVED} == SERVED
    assert all(usable == (high or low) for _, low, high, usable in rows)


def test_cluster(tools, is_kafka):
    shown = tools.run("ClusterTool", "cluster-id")
    assert re.fullmatch(r"Cluster ID: \S{22}", shown.strip())
    assert tools.run("ClusterTool", "cluster-id") == shown
    host, port = tools.bootstrap.split(":")
    rows = [line.split() for line in tools.run("ClusterTool", "list-endpoints").splitlines()]
    assert rows == [["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"],
                    ["1", host, port, "null", "unfenced", "broker"]]
    # No feature has a level here, so that no client uses what depends on one.
    features = tools.call("FeatureCommand", "--bootstrap-server", tools.bootstrap, "describe")
    assert ("Feature: group.version" in features) == is_kafka
    assert is_kafka or features.strip() == ""


def test_performance(tools, topic):
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 3)
    at = ("--topic", topic, "--num-records")
    for config in ("acks=all", "acks=1"):
        shown = tools.run("ProducerPerformance", *at, 2000, "--record-size", 100,
                          "--throughput", -1, "--command-property", config, "compression.type=lz4")
        assert "2000 records sent" in shown and "99.9th" in shown
    shown = tools.run("ProducerPerformance", *at, 2000, "--throughput", 100000,
                      "--payload-monotonic")
    assert "2000 records sent" in shown
    shown = tools.run("ConsumerPerformance", *at, 6000, "--timeout", 60000,
                      "--group", "perf-" + topic)
    names, values = ([word.strip() for word in line.split(",")] for line in shown.splitlines()[-2:])
    row = dict(zip(names, values))
    assert row["data.consumed.in.nMsg"] == "6000"
    assert float(row["data.consumed.in.MB"]) >= 4000 * 100 / 2**20
    rows = tools.table(GROUPS, "--describe", "--group", "perf-" + topic)
    assert sum(int(r["CURRENT-OFFSET"]) for r in rows) == 6000
    shown = tools.call("EndToEndLatency", "--bootstrap-server", tools.bootstrap, "--topic", topic,
                       "--num-records", 20, "--producer-acks", "all", "--record-size", 20)
    assert "Percentiles: 50th = " in shown


def test_list_of_groups(tools, topic):
    tools.run("TopicCommand", "--create", "--topic", topic)
    group = "listed-" + topic
    tools.run(GROUPS, "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest",
              "--execute")
    member = "member-" + topic
    tools.run("ConsoleProducer", "--topic", topic, given="x\n")
    tools.run(CONSOLE, "--topic", topic, "--group", member, "--from-beginning", "--max-messages", 1)

    def listed(*args):
        rows = [line.split() for line in tools.run("GroupsCommand", "--list", *args).splitlines()]
        return {row[0]: row[1:] for row in rows if len(row) > 1}

    assert listed()[member] == ["Classic", "consumer"]
    assert listed()[group] == ["Classic"]
    assert listed("--group-type", "classic")[member] == ["Classic", "consumer"]
    assert member in listed("--consumer")
    assert member not in listed("--protocol", "connect")
    assert member not in listed("--group-type", "consumer")
    assert member not in listed("--share")


def test_console_formats(tools, topic):
    """Keys, headers, nulls, codecs and acks on the way in; keys, headers and places on the way
    out."""
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 1)
    to = ("--topic", topic, "--request-required-acks")
    tools.run("ConsoleProducer", *to, "all", "--compression-codec", "zstd",
              "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true",
              given="h:1,g:2\tk1\tv1\nh:3\tk2\tv2\n")
    tools.run("ConsoleProducer", *to, "1", "--compression-codec", "lz4", "--batch-size", 1,
              "--property", "parse.key=true", "--property", "key.separator=:",
              "--property", "null.marker=NULL", given="k3:v3\nk3:NULL\n")
    for codec in ("gzip", "snappy", "none"):
        tools.run("ConsoleProducer", *to, "0", "--sync", "--timeout", 10,
                  "--compression-codec", codec, given=codec + "\n")
    show = [word for name in ("key", "timestamp", "headers", "offset", "partition")
            for word in ("--formatter-property", f"print.{name}=true")]
    out = tools.run(CONSOLE, "--topic", topic, "--from-beginning", "--max-messages", 7, *show)
    rows = [line.split("\t")[1:] for line in printed(out, "CreateTime:")]
    none = "NO_HEADERS"
    assert rows == [["Partition:0", f"Offset:{i}", *words] for i, words in enumerate((
        ("h:1,g:2", "k1", "v1"), ("h:3", "k2", "v2"), (none, "k3", "v3"), (none, "k3", "null"),
        (none, "null", "gzip"), (none, "null", "snappy"), (none, "null", "none")))]
    assert "Processed a total of 7 messages" in out
    out = tools.run(CONSOLE, "--topic", topic, "--partition", 0, "--offset", 1, "--max-messages", 2,
                    "--isolation-level", "read_committed",
                    "--property", "print.key=true", "--property", "key.separator==")
    assert [line for line in out.splitlines() if "=v" in line] == ["k2=v2", "k3=v3"]
    out = tools.run(CONSOLE, "--topic", topic, "--partition", 0, "--offset", "latest",
                    "--timeout-ms", 200)
    assert "TimeoutException" in out and "Processed a total of 0 messages" in out


def test_console_group(tools, topic):
    """What a group has seen it is not shown again, and a pattern finds topics."""
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 3)
    lines = [f"line {i}" for i in range(30)]
    tools.run("ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true",
              given="".join(f"{i}\t{line}\n" for i, line in enumerate(lines)))
    who = ("--include", topic[:-1] + "[" + topic[-1] + "]", "--group", "console-" + topic,
           "--from-beginning")
    first = printed(tools.run(CONSOLE, *who, "--max-messages", 13), "line ")
    second = printed(tools.run(CONSOLE, *who, "--max-messages", 17), "line ")
    assert (len(first), len(second)) == (13, 17)
    assert sorted(first + second) == sorted(lines)


def test_formatters_of_the_offsets_topic(tools, topic):
    group = "formatted-" + topic
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 2)
    tools.run("ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true",
              given="".join(f"{i}\tx\n" for i in range(20)))
    tools.run(CONSOLE, "--topic", topic, "--group", group, "--from-beginning", "--max-messages", 20)
    rows = tools.table(GROUPS, "--describe", "--group", group)
    committed = {int(r["PARTITION"]): int(r["CURRENT-OFFSET"]) for r in rows}
    assert sum(committed.values()) == 20

    # Where the group's records are is the hash of its id; the formatters see all that is there.
    hashed = 0
    for byte in group.encode():
        hashed = (31 * hashed + byte) & 0xFFFFFFFF
    partition = min(hashed, 2**32 - hashed) % 3  # of the 32 bits as a signed number, its size
    ends = [int(tools.run("GetOffsetShell", "--topic-partitions", f"__consumer_offsets:{partition}",
                          "--time", time).split(":")[-1]) for time in ("earliest", "latest")]

    def read(formatter):
        name = f"org.apache.kafka.tools.consumer.{formatter}MessageFormatter"
        out = tools.run(CONSOLE, "--topic", "__consumer_offsets", "--partition", partition,
                        "--offset", "earliest", "--max-messages", ends[1] - ends[0],
                        "--formatter", name)
        at, found = out.index("{") if "{" in out else len(out), []
        while out[at:at + 1] == "{":
            record, at = json.JSONDecoder().raw_decode(out, at)
            if record["key"]["data"]["group"] == group:
                found.append(record)
        return found

    offsets = read("Offsets")
    assert {r["key"]["type"] for r in offsets} == {1}
    assert {r["value"]["version"] for r in offsets} == {4}
    last = {r["key"]["data"]["partition"]: r["value"]["data"] for r in offsets}
    assert {p: data["offset"] for p, data in last.items()} == committed
    assert {(data["metadata"], data["leaderEpoch"]) for data in last.values()} == {("", 0)}
    shown = re.search(r"TopicId: (\S+)", tools.run("TopicCommand", "--describe", "--topic", topic))
    assert {data["topicId"] for data in last.values()} == {shown.group(1)}

    states = [r["value"]["data"] for r in read("GroupMetadata")]
    seen = [(s["generation"], s["protocolType"], s["protocol"], len(s["members"])) for s in states]
    assert seen == [(0, "", None, 0), (1, "consumer", "range", 1), (2, "consumer", None, 0)]
    member, = states[1]["members"]
    assert states[1]["leader"] == member["memberId"]
    assert (member["clientId"], member["clientHost"]) == ("console-consumer", "/127.0.0.1")
    assert topic.encode() in base64.b64decode(member["subscription"])
    assert topic.encode() in base64.b64decode(member["assignment"])


def test_verifiable_clients(tools, java, topic, tmp_path):
    """One consumer's place is taken by another when it is killed, from what it has committed."""
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 4)
    quick = tmp_path / "consumer.properties"
    quick.write_text("heartbeat.interval.ms=100\n")
    group = "verified-" + topic
    described = (GROUPS, "--describe", "--group", group)
    consumer = (java, "Consumer", tools.bootstrap, "--topic", topic, "--group-id", group,
                "--session-timeout", 4000, "--reset-policy", "earliest", "--command-config", quick)

    def consumed(*clients):
        return sum(e["count"] for client in clients for e in client.events("records_consumed"))

    def committed(*clients):
        offsets = {}
        for event in (e for client in clients for e in client.events("offsets_committed")):
            for row in event["offsets"]:
                offsets[row["partition"]] = max(row["offset"], offsets.get(row["partition"], 0))
        return sum(offsets.values())

    def owned(client):
        assigned = client.events("partitions_assigned")
        return len(assigned[-1]["partitions"]) if assigned else None

    with Verifiable(*consumer) as first, Verifiable(*consumer) as second:
        first.until(lambda: (owned(first), owned(second)) == (2, 2))
        with Verifiable(java, "Producer", tools.bootstrap, "--topic", topic, "--max-messages", 100,
                        "--acks", -1, "--repeating-keys", 20) as producer:
            producer.until(lambda: producer.events("tool_data"))
        sent = producer.events("producer_send_success")
        assert sorted(int(e["value"]) for e in sent) == list(range(100))
        assert producer.events("tool_data")[-1]["acked"] == 100
        first.until(lambda: committed(first, second) == 100)
        assert consumed(first, second) >= 100
        first.kill()
        second.until(lambda: owned(second) == 4)
        before = consumed(second)
        tools.run("ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true",
                  given="".join(f"{i}\tx\n" for i in range(40)))
        second.until(lambda: consumed(second) >= before + 40)
        second.until(lambda: {r["LAG"] for r in tools.table(*described)} == {"0"})
        second.terminate()
        second.until(lambda: second.events("shutdown_complete"))
        assert consumed(second) == before + 40


# Tools of what this broker does not serve, with what each is told.
UNSERVED = (
    ("does not support ELECT_LEADERS", "LeaderElectionCommand", "--election-type", "preferred",
     "--all-topic-partitions"),
    ("does not support LIST_PARTITION_REASSIGNMENTS", "reassign.ReassignPartitionsCommand",
     "--list"),
    ("does not support DESCRIBE_ACLS", "AclCommand", "--list"),
    ("does not support SHARE_GROUP_DESCRIBE", "consumer.group.ShareGroupCommand", "--describe",
     "--group", "g"),
    ("does not support STREAMS_GROUP_DESCRIBE", "streams.StreamsGroupCommand", "--describe",
     "--group", "g"),
    ("does not support the broker unregistration API", "ClusterTool", "unregister", "--id", 9),
)
UNSERVED_ADDRESS_FIRST = (
    ("does not support LIST_TRANSACTIONS", "TransactionsCommand", "list"),
    ("does not support DESCRIBE_QUORUM", "MetadataQuorumCommand", "describe", "--status"),
    ("does not support UPDATE_FEATURES", "FeatureCommand", "upgrade", "--feature",
     "group.version=1"),
)


def test_what_is_not_served(tool_process, klamm):
    """Each says so, instead of waiting for an answer."""
    at = ("--bootstrap-server", klamm.bootstrap)
    for told, name, *args in UNSERVED:
        assert told in tool_process.run(name, (*args, *at), "")[1]
    for told, name, *args in UNSERVED_ADDRESS_FIRST:
        assert told in tool_process.run(name, (*at, *args), "")[1]
