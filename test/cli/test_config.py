# SPDX-License-Identifier: Apache-2.0
"""`klamm config` with good and bad arguments. Client metrics are in
test/clients/test_cli_against_kafka.py, as long as Klamm has no configs of theirs."""

import json

import pytest

from conftest import Cli, closed_port, until
from fake_broker import FakeBroker


def described(cli, *words):
    return json.loads(cli.good("config", "describe", "--json", *words).out)


def values(cli, *words):
    one, = described(cli, *words)
    return {c["name"]: (c["value"], c["source"]) for c in one["configs"]}


def value(cli, key, *words):
    """None: not set."""
    return values(cli, *words).get(key)


def rows(done):
    """The table without its head."""
    return [line.split() for line in done.lines[2:]]


# -- words ---------------------------------------------------------------

@pytest.mark.parametrize("words,told", [
    (["frob"], 'no command "frob"'),
    (["describe"], "what has the configs is missing"),
    (["describe", "topics"], 'nothing called "topics" has configs'),
    (["describe", "brokers", "x"], '"x" is one word too many'),
    (["describe", "broker", "x"], 'broker takes the number of a broker, not "x"'),
    (["describe", "broker", "1", "-7"], 'no option "-7"'),
    (["describe", "logger", "99999999999"], '"99999999999"'),
    (["describe", "topic", ""], "the name of a topic is empty"),
    (["describe", "topic", "t", "--why=1"], "--why takes no value"),
    (["set", "topic"], "the name of a topic is missing"),
    (["set", "group"], "the name of a group is missing"),
    (["set", "topic", "t"], "KEY=VALUE is missing"),
    (["set", "brokers"], "KEY=VALUE is missing"),
    (["set", "topic", "t", "x"], 'KEY=VALUE is wanted, not "x"'),
    (["set", "topic", "t", "=x"], 'KEY=VALUE is wanted, not "=x"'),
    (["set", "topic", "t", "+=x"], 'KEY=VALUE is wanted, not "+=x"'),
    (["set", "topic", "t", "a=1", "a+=2"], '"a" is named twice'),
    (["unset", "client-metrics"], "the name of a subscription is missing"),
    (["unset", "topic", "t"], "a key is missing"),
    (["unset", "topic", "t", "a=1"], 'a key is wanted, not "a=1"'),
    (["unset", "topic", "t", "a", "a"], '"a" is named twice'),
])
def test_wrong_words(cli, words, told):
    line = cli.failing("config", *words, code=2)
    assert told in line and "--help" in line


# -- topics --------------------------------------------------------------

def test_set_and_unset(any_cli, any_topic):
    of = ["topic", any_topic]
    done = any_cli.good("config", "set", *of, "retention.ms=60000", "cleanup.policy=compact")
    assert done.lines == [f"topic {any_topic}: retention.ms=60000",
                          f"topic {any_topic}: cleanup.policy=compact"]
    until(lambda: value(any_cli, "cleanup.policy", *of), ("compact", "topic"))
    shown = any_cli.good("config", "describe", *of)
    assert shown.lines[0] == f"topic {any_topic}"
    assert shown.lines[1].split() == ["key", "value", "from"]
    assert [r for r in rows(shown) if r[2] == "topic"] == [
        ["cleanup.policy", "compact", "topic"], ["retention.ms", "60000", "topic"]]

    done = any_cli.good("config", "unset", *of, "retention.ms")
    assert done.out == f"topic {any_topic}: retention.ms unset\n"
    until(lambda: value(any_cli, "retention.ms", *of), None)
    assert values(any_cli, *of, "--all")["retention.ms"] == ("604800000", "default")


def test_lists_grow_and_shrink(any_cli, any_topic):
    of = ["topic", any_topic]
    done = any_cli.good("config", "set", *of, "cleanup.policy+=compact", "--json")
    assert json.loads(done.out) == {
        "resource": "topic", "name": any_topic, "dry_run": False,
        "changes": [{"name": "cleanup.policy", "operation": "append", "value": "compact"}]}
    until(lambda: value(any_cli, "cleanup.policy", *of), ("delete,compact", "topic"))
    assert any_cli.good("config", "set", *of, "cleanup.policy-=delete").out == (
        f"topic {any_topic}: cleanup.policy-=delete\n")
    until(lambda: value(any_cli, "cleanup.policy", *of), ("compact", "topic"))
    assert "INVALID_CONFIG" in any_cli.failing("config", "set", *of, "retention.ms+=1")


def test_dry_run_changes_nothing(any_cli, any_topic):
    of = ["topic", any_topic]
    before = values(any_cli, *of)
    done = any_cli.good("config", "set", *of, "retention.ms=7", "--dry-run")
    assert done.lines == [f"topic {any_topic}: retention.ms=7", "dry run: nothing was changed"]
    done = any_cli.good("config", "set", *of, "retention.ms=7", "--dry-run", "--json")
    assert json.loads(done.out)["dry_run"] is True
    assert "INVALID_CONFIG" in any_cli.failing("config", "set", *of, "retention.ms=-9", "--dry-run")
    any_cli.good("config", "set", *of, "segment.ms=60000")
    until(lambda: value(any_cli, "segment.ms", *of), ("60000", "topic"))
    any_cli.good("config", "unset", *of, "segment.ms", "--dry-run")
    assert values(any_cli, *of) == {**before, "segment.ms": ("60000", "topic")}


def test_all_or_none(any_cli, any_topic):
    before = values(any_cli, "topic", any_topic)
    line = any_cli.failing("config", "set", "topic", any_topic, "retention.ms=7", "segment.ms=x")
    assert f'topic "{any_topic}": INVALID_CONFIG: ' in line and "segment.ms" in line
    assert values(any_cli, "topic", any_topic) == before


def test_the_nearest_key_is_named(any_cli, any_topic):
    of = ["topic", any_topic]
    line = any_cli.failing("config", "set", *of, "retention.mss=1")
    assert "INVALID_CONFIG: " in line and line.endswith(" is retention.ms")
    assert line.count("retention.ms") - line.count("retention.mss") == 1
    # A broker that takes it when nobody's key is unset is not asked.
    assert any_cli.failing("config", "unset", *of, "retention.mss") == (
        f'klamm: topic {any_topic} has no config "retention.mss"; '
        "the nearest known key is retention.ms")
    done = any_cli("config", "describe", *of, "--key", "retention.ms", "--key", "cleanup.polcy")
    assert done.code == 1 and done.line.endswith("the nearest known key is cleanup.policy")
    assert [r[0] for r in rows(done)] == ["retention.ms"]
    done = any_cli("config", "describe", *of, "--key", "something.else.altogether")
    assert done.out == "" and done.line.endswith('has no config "something.else.altogether"')


def test_unknown_topics(any_cli, any_topic):
    missing = 'topic "nothere": UNKNOWN_TOPIC_OR_PARTITION: '
    assert missing in any_cli.failing("config", "describe", "topic", "nothere")
    assert missing in any_cli.failing("config", "set", "topic", "nothere", "retention.ms=1")
    assert missing in any_cli.failing("config", "unset", "topic", "nothere", "retention.ms")
    done = any_cli("config", "describe", "topic", "nothere", any_topic, "--json")
    assert done.code == 1 and missing in done.line
    assert [one["name"] for one in json.loads(done.out)] == [any_topic]


def test_all_topics(any_cli, any_topic):
    any_cli.good("topic", "create", any_topic + "-set", "--config", "segment.ms=777")
    names = [one["name"] for one in described(any_cli, "topic")]
    assert names == sorted(names) and {any_topic, any_topic + "-set"} <= set(names)
    assert f"topic {any_topic}-set" in any_cli.good("config", "describe", "topic").lines


def test_why(any_cli, any_topic):
    of = ["topic", any_topic]
    any_cli.good("config", "set", "brokers", "log.segment.bytes=5000000")
    any_cli.good("config", "set", *of, "segment.bytes=6000000")
    try:
        until(lambda: value(any_cli, "segment.bytes", *of), ("6000000", "topic"))
        until(lambda: value(any_cli, "log.segment.bytes", "broker"), ("5000000", "brokers"))
        one, = described(any_cli, *of, "--key", "segment.bytes")
        config, = one["configs"]
        assert (config["value"], config["source"], config["type"]) == ("6000000", "topic", "int")
        assert [(c["name"], c["value"], c["source"]) for c in config["layers"]] == [
            ("segment.bytes", "6000000", "topic"), ("log.segment.bytes", "5000000", "brokers"),
            ("log.segment.bytes", "1073741824", "default")]
        lines = any_cli.good("config", "describe", *of, "--key", "segment.bytes", "--why").lines
        assert lines[0] == f"topic {any_topic}"
        assert [line.split() for line in lines[1:]] == [
            ["segment.bytes=6000000", "(topic)"], ["topic", "segment.bytes=6000000"],
            ["brokers", "log.segment.bytes=5000000"], ["default", "log.segment.bytes=1073741824"]]
        any_cli.good("config", "unset", *of, "segment.bytes")
        until(lambda: value(any_cli, "segment.bytes", *of), ("5000000", "brokers"))
    finally:
        any_cli.good("config", "unset", "brokers", "log.segment.bytes")


def test_docs(any_cli, any_topic):
    done = any_cli.good("config", "describe", "topic", any_topic, "--docs", "--key",
                        "retention.ms", "--key", "compression.type")
    text = " ".join(done.lines[2:])
    assert len(text) > 100 and "<" not in text
    assert all(len(line) <= 100 for line in done.lines)
    one, = described(any_cli, "topic", any_topic, "--key", "retention.ms")
    assert len(one["configs"][0]["documentation"]) > 30


# -- brokers -------------------------------------------------------------

def test_brokers(any_cli):
    assert any_cli.good("config", "set", "brokers", "log.retention.ms=3600000").out == (
        "brokers: log.retention.ms=3600000\n")
    def of(*words):
        return value(any_cli, "log.retention.ms", *words)

    try:
        until(lambda: of("brokers"), ("3600000", "brokers"))
        one, = described(any_cli, "brokers")
        assert (one["resource"], one["name"]) == ("brokers", None)
        until(lambda: of("broker", "1"), ("3600000", "brokers"))
        any_cli.good("config", "set", "broker", "1", "log.retention.ms=7200000")
        until(lambda: of("broker", "1"), ("7200000", "broker"))
        assert of("brokers") == ("3600000", "brokers")
        any_cli.good("config", "unset", "broker", "1", "log.retention.ms")
    finally:
        any_cli.good("config", "unset", "brokers", "log.retention.ms")
    until(lambda: of("broker", "1"), None)
    until(lambda: of("brokers"), None)
    done = any_cli.good("config", "describe", "brokers", "--key", "log.retention.ms")
    assert done.lines == ["brokers", "  nothing is set"]  # known, but not there
    assert any_cli.failing("config", "unset", "brokers", "log.retention.mss").endswith(
        "the nearest known key is log.retention.ms")


def test_what_a_broker_was_started_with(any_cli):
    one, = described(any_cli, "broker")
    assert one["name"] == "1"
    node, = [c for c in one["configs"] if c["name"] == "node.id"]
    assert (node["value"], node["source"], node["is_read_only"]) == ("1", "static", True)
    assert any_cli.good("config", "describe", "broker", "1", "--key", "node.id",
                        "--why").lines[1] == "  node.id=1  (static, fixed at the start)"
    assert "node.id" in any_cli.failing("config", "set", "broker", "1", "node.id=2")
    for command in (["describe", "broker", "77"], ["set", "broker", "77", "log.retention.ms=1"],
                    ["describe", "logger", "77"]):
        assert any_cli.failing("config", *command) == "klamm: there is no broker 77 in this cluster"


def test_what_a_broker_does_not_know(cli):
    line = cli.failing("config", "set", "brokers", "log.retention.mss=1")
    assert line == ("klamm: INVALID_REQUEST: log.retention.mss is not a config of brokers; "
                    "the nearest is log.retention.ms")  # it says so itself


# -- others --------------------------------------------------------------

def test_loggers(any_cli):
    level = values(any_cli, "logger", "1")["root"]
    assert level[1] == "logger"
    assert any_cli.good("config", "set", "logger", "1", "root=WARN").out == "logger 1: root=WARN\n"
    assert rows(any_cli.good("config", "describe", "logger", "--key", "root")) == [
        ["root", "WARN", "logger"]]
    any_cli.good("config", "set", "logger", "1", f"root={level[0]}")
    assert 'logger "1": INVALID_CONFIG: ' in any_cli.failing("config", "set", "logger", "1",
                                                             "root=SILLY")
    assert any_cli.failing("config", "set", "logger", "1", "roo=INFO").endswith(("root"))


def test_configs_of_groups(any_cli):
    assert any_cli.good("config", "describe", "group", "nobody").out == (
        "group nobody\n  nothing is set\n")
    key = "consumer.session.timeout.ms"
    any_cli.good("config", "set", "group", "some", key + "=46000")
    until(lambda: values(any_cli, "group", "some"), {key: ("46000", "group")})
    assert "some" in [one["name"] for one in described(any_cli, "group")]
    one, = described(any_cli, "group", "some")
    assert [(c["name"], c["source"]) for c in one["configs"][0]["layers"]] == [
        (key, "group"), ("group." + key, "default")]
    line = any_cli.failing("config", "set", "group", "some", "consumer.session.timeout=1")
    assert 'group "some": INVALID_CONFIG: ' in line and line.endswith(key)
    done = any_cli.good("config", "unset", "group", "some", key, "--json")
    assert json.loads(done.out) == {
        "resource": "group", "name": "some", "dry_run": False,
        "changes": [{"name": key, "operation": "unset", "value": None}]}
    until(lambda: values(any_cli, "group", "some"), {})
    assert any_cli.good("config", "unset", "group", "some", key).out == (
        f"group some: {key} unset\n")


def test_odd_names_are_shown_without_control_bytes(any_cli):
    odd = "a\x1b[2J\tb"
    done = any_cli.good("config", "set", "group", odd, "share.isolation.level=read_committed")
    assert done.out == "group a?[2J?b: share.isolation.level=read_committed\n"
    until(lambda: odd in [one["name"] for one in described(any_cli, "group")], True)
    assert "group a?[2J?b" in any_cli.good("config", "describe", "group").lines
    any_cli.good("config", "unset", "group", odd, "share.isolation.level")


def test_a_broker_that_is_older(binary):
    """Without documentation and types; secrets are never shown."""
    row = {"Name": "password", "Value": None, "IsSensitive": True, "ConfigSource": 4,
           "Synonyms": [{"Name": "password", "Value": None, "Source": 4}]}
    with FakeBroker({"DescribeConfigs": (1, 1)}, {"DescribeConfigs": [
            {"Results": [{"ErrorCode": 0, "ResourceType": 2, "ResourceName": "t",
                          "Configs": [row]}]}]}) as fake:
        old = Cli(binary, fake.bootstrap)
        assert old.good("config", "describe", "topic", "t", "--why", "--docs").lines[1:] == [
            "  password=(hidden)  (static)", "      static         password=(hidden)"]
        one, = described(old, "topic", "t")
        assert one["configs"][0]["type"] is None and one["configs"][0]["value"] is None
        line = old.failing("config", "set", "topic", "t", "a=1")
        assert line.startswith("klamm: IncrementalAlterConfigs of ") and "does not take it" in line


def test_a_broker_that_only_says_unknown(binary):
    """The nearest key is added to what it says, unless it has said it: as a whole word."""
    said = {}

    def refuse(_):
        return {"Responses": [{"ErrorCode": 40, "ErrorMessage": said["text"], "ResourceType": 2,
                               "ResourceName": "t"}]}

    known = {"Results": [{"ErrorCode": 0, "ResourceType": 2, "ResourceName": "t",
                          "Configs": [{"Name": "retention.ms", "Value": "1"}]}]}
    with FakeBroker({"DescribeConfigs": (1, 4), "IncrementalAlterConfigs": (0, 1)},
                    {"DescribeConfigs": [known], "IncrementalAlterConfigs": [refuse]}) as fake:
        cli = Cli(binary, fake.bootstrap)
        for text, more in [
                ("unknown: retention.mss", "; the known key nearest to retention.mss is retention.ms"),
                ("unknown: x.retention.ms", "; the known key nearest to retention.mss is retention.ms"),
                ("retention.ms is meant", ""), ("you mean \'retention.ms\'", "")]:
            said["text"] = text
            line = cli.failing("config", "set", "topic", "t", "retention.mss=1")
            assert line == f'klamm: topic "t": INVALID_CONFIG: {text}{more}'
        said["text"] = "too small"
        line = cli.failing("config", "set", "topic", "t", "retention.ms=1")
        assert line == 'klamm: topic "t": INVALID_CONFIG: too small'


class FakeCluster:
    """Brokers that are said to be 1, which is down, and 2, which may be; those that answer do as
    broker 2."""

    def __init__(self, rows, is_up=True, topics=()):
        self.fake = FakeBroker(
            {"Metadata": (0, 9), "DescribeConfigs": (1, 4), "IncrementalAlterConfigs": (0, 1)},
            {"Metadata": [self.metadata], "DescribeConfigs": [self.describe],
             "IncrementalAlterConfigs": [self.alter]})
        self.rows, self.is_up, self.topics, self.closed = rows, is_up, topics, closed_port()

    def metadata(self, _):
        ports = [(1, self.closed), (2, self.fake.port if self.is_up else self.closed)]
        return {"Brokers": [{"NodeId": i, "Host": "127.0.0.1", "Port": p} for i, p in ports],
                "Topics": [{"ErrorCode": 0, "Name": t} for t in self.topics]}

    def describe(self, request):
        one, = request["Resources"]
        # Of all brokers together what is set alone.
        rows = [] if one["ResourceName"] == "" else self.rows
        return {"Results": [{"ErrorCode": 0, "ResourceType": one["ResourceType"],
                             "ResourceName": one["ResourceName"], "Configs": rows}]}

    @staticmethod
    def alter(request):
        one, = request["Resources"]
        return {"Responses": [{"ErrorCode": 0, "ResourceType": one["ResourceType"],
                               "ResourceName": one["ResourceName"]}]}

    def asked(self, name):
        return [request for of, request in self.fake.asked if of == name]


@pytest.mark.parametrize("of", [["broker", "2"], ["brokers"]])
def test_secrets_are_not_shown_when_they_are_set(binary, of):
    password = 9
    cluster = FakeCluster([
        {"Name": "ssl.keystore.password", "Value": None, "IsSensitive": True},
        {"Name": "other.password", "Value": None, "ConfigType": password},
        {"Name": "log.retention.ms", "Value": "1"}])
    words = ["ssl.keystore.password=hush1", "other.password=hush2", "unknown.key=hush3",
             "log.retention.ms=7"]
    with cluster.fake as fake:
        cli = Cli(binary, fake.bootstrap)
        done = cli.good("config", "set", *of, *words)
        assert [line.split(": ")[1] for line in done.lines] == [
            "ssl.keystore.password=(hidden)", "other.password=(hidden)", "unknown.key=(hidden)",
            "log.retention.ms=7"]
        done = cli.good("config", "set", *of, *words, "--json")
        assert [c["value"] for c in json.loads(done.out)["changes"]] == [None, None, None, "7"]
        sent, = cluster.asked("IncrementalAlterConfigs")[-1]["Resources"]
        assert [c["Value"] for c in sent["Configs"]] == ["hush1", "hush2", "hush3", "7"]


def test_a_value_that_nobody_tells_of_is_not_shown(binary):
    cluster = FakeCluster([], is_up=False)
    with cluster.fake as fake:
        done = Cli(binary, fake.bootstrap).good("config", "set", "brokers", "log.retention.ms=7")
    assert done.out == "brokers: log.retention.ms=(hidden)\n"


def test_any_broker_tells_which_keys_there_are(binary):
    """The first one is down."""
    cluster = FakeCluster([{"Name": "log.retention.ms", "Value": "1"}])
    with cluster.fake as fake:
        cli = Cli(binary, fake.bootstrap)
        assert cli.failing("config", "unset", "brokers", "log.retention.mss").endswith(
            'has no config "log.retention.mss"; the nearest known key is log.retention.ms')
        assert cluster.asked("IncrementalAlterConfigs") == []
        cli.good("config", "unset", "brokers", "log.retention.ms")
        assert len(cluster.asked("IncrementalAlterConfigs")) == 1


@pytest.mark.parametrize("rows,is_up,why", [
    ([{"Name": "log.retention.ms", "Value": "1"}], False, "no broker at 127.0.0.1:"),
    ([], True, "broker 2 does not tell its configs"),
])
def test_what_nobody_knows_is_not_unset(binary, rows, is_up, why):
    cluster = FakeCluster(rows, is_up)
    with cluster.fake as fake:
        line = Cli(binary, fake.bootstrap).failing("config", "unset", "brokers", "typo", "another")
        assert line.startswith('klamm: whether there is a config "typo" nobody tells: ' + why)
    assert cluster.asked("IncrementalAlterConfigs") == []


def test_a_key_that_no_topic_has_is_told_once(binary):
    topics = [f"t{i:03}" for i in range(200)]
    cluster = FakeCluster([{"Name": "retention.ms", "Value": "1"}], topics=topics)
    with cluster.fake as fake:
        cli = Cli(binary, fake.bootstrap)
        line = cli.failing("config", "describe", "topic", "--key", "retention.mss")
        assert line == ('klamm: topic t000 has no config "retention.mss"; '
                        "the nearest known key is retention.ms")
        done = cli("config", "describe", "topic", "--key", "a", "--key", "retention.ms", "--key",
                   "b", "--json")
    assert done.code == 1 and len(done.err.splitlines()) == 2
    assert [one["name"] for one in json.loads(done.out)] == topics
