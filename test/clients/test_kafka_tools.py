# SPDX-License-Identifier: Apache-2.0
"""Kafka's own command line, as people type it, against a broker; `--against kafka` shows that the same is
expected of Kafka's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "kafka"))
import kafka_server  # noqa: E402

TOOLS = "org.apache.kafka.tools."


class Tools:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def run(self, name, *args, given="", code=0):
        """What the tool prints. Most tools end with 1 when they fail."""
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                   "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", kafka_server.classpath(),
                   TOOLS + name, "--bootstrap-server", self.bootstrap, *map(str, args)]
        done = subprocess.run(command, input=given, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == code, done.stdout
        return done.stdout

    def table(self, *args):
        """The rows of kafka-consumer-groups --describe, by the names in its head."""
        lines = [line.split() for line in self.run(*args).splitlines() if line.strip()]
        at = next(i for i, line in enumerate(lines) if line[0] == "GROUP")
        return [dict(zip(lines[at], line)) for line in lines[at + 1:]]


@pytest.fixture
def tools(broker):
    return Tools(broker.bootstrap)


GROUPS = "consumer.group.ConsumerGroupCommand"


def test_topics(tools, topic):
    assert "Created topic" in tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 2)
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
    got = tools.run("consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", 1000,
                    "--timeout-ms", 60000)
    assert [line for line in got.splitlines() if line.startswith("line ")] == lines
    assert f"{topic}:0:1000" in tools.run("GetOffsetShell", "--topic", topic).splitlines()
    wanted = tmp_path / "delete.json"
    wanted.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 400}]}))
    assert "low_watermark: 400" in tools.run("DeleteRecordsCommand", "--offset-json-file", wanted)
    assert f"{topic}:0:400" in tools.run("GetOffsetShell", "--topic", topic, "--time", "earliest").splitlines()
    dirs = json.loads(tools.run("LogDirsCommand", "--describe", "--topic-list", topic).splitlines()[-1])
    assert [p["partition"] for p in dirs["brokers"][0]["logDirs"][0]["partitions"]] == [f"{topic}-0"]


def test_groups(tools, topic):
    group = "of-" + topic
    tools.run("TopicCommand", "--create", "--topic", topic, "--partitions", 3)
    tools.run("ConsoleProducer", "--topic", topic, given="x\n" * 30)
    tools.run("consumer.ConsoleConsumer", "--topic", topic, "--group", group, "--from-beginning",
              "--max-messages", 30, "--timeout-ms", 60000)
    assert group in tools.run(GROUPS, "--list").split()
    rows = tools.table(GROUPS, "--describe", "--group", group)
    assert sum(int(r["CURRENT-OFFSET"]) for r in rows) == 30
    assert [r["LAG"] for r in rows] == ["0"] * 3
    tools.run(GROUPS, "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute")
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


def test_what_the_broker_serves(tools):
    shown = tools.run("BrokerApiVersionsCommand")
    for name in ("Produce(0)", "Fetch(1)", "JoinGroup(11)", "OffsetCommit(8)"):
        assert name in shown
    assert "UNKNOWN" not in shown
