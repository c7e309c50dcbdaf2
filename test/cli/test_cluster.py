# SPDX-License-Identifier: Apache-2.0
"""`klamm cluster` with good and bad arguments. Features, which Klamm has none of, are in
test/clients/test_cli_against_kafka.py."""

import json
import re

import pytest

from conftest import Cli, closed_port
from fake_broker import FakeBroker

STORAGE_ERROR = 56


@pytest.mark.parametrize("words,told", [
    (["frob"], 'no command "frob"'),
    (["describe", "x"], '"x" is one word too many'),
    (["apis", "x"], 'the number of a broker is wanted, not "x"'),
    (["logdirs", "1", ""], 'the number of a broker is wanted, not ""'),
    (["logdirs", "--topic"], "--topic needs a value"),
])
def test_wrong_words(cli, words, told):
    line = cli.failing("cluster", *words, code=2)
    assert told in line and "--help" in line


def test_describe(any_cli):
    port = int(any_cli.environment["KLAMM_BOOTSTRAP"].rpartition(":")[2])
    cluster = json.loads(any_cli.good("cluster", "describe", "--json").out)
    assert cluster["controller"] == 1
    assert cluster["brokers"] == [{"broker": 1, "host": "127.0.0.1", "port": port, "rack": None,
                                   "is_fenced": False}]
    lines = any_cli.good("cluster", "describe").lines
    assert lines[0] == (f"cluster {cluster['cluster_id']}  controller 1  brokers 1  "
                        f"apis {cluster['apis']}")
    assert [line.split() for line in lines[1:3]] == [
        ["broker", "host", "port", "rack", "state"],
        ["1", "127.0.0.1", str(port), "-", "controller"]]


def test_apis(any_cli):
    one, = json.loads(any_cli.good("cluster", "apis", "--json").out)
    assert one["broker"] == 1
    apis = {a["name"]: a for a in one["apis"]}
    assert apis["Produce"] == {"key": 0, "name": "Produce", "min_version": 0, "max_version": 13}
    done = any_cli.good("cluster", "apis", 1, 1)
    assert re.fullmatch(r"broker 1 at 127\.0\.0\.1:\d+", done.lines[0])
    assert [line.split() for line in done.lines[2:]] == [
        [str(a["key"]), a["name"] or "-", str(a["min_version"]), str(a["max_version"])]
        for a in one["apis"]]
    assert "there is no broker 7 in this cluster" in any_cli.failing("cluster", "apis", 7)


def test_logdirs(any_cli, any_topic):
    any_cli.good("topic", "create", any_topic + "-other")
    any_cli.good("produce", any_topic, "--partition", 1, stdin="some bytes\n")
    one, = json.loads(any_cli.good("cluster", "logdirs", "--topic", any_topic, "--json").out)
    assert one["broker"] == 1
    directory, = one["log_dirs"]
    assert directory["error"] is None and directory["is_cordoned"] is False
    assert 0 < directory["usable_bytes"] <= directory["total_bytes"]
    rows = [(p["topic"], p["partition"], p["offset_lag"], p["is_future"])
            for p in directory["partitions"]]
    assert rows == [(any_topic, i, 0, False) for i in range(3)]
    sizes = [p["size_bytes"] for p in directory["partitions"]]
    assert sizes[0] == sizes[2] == 0 and sizes[1] == directory["size_bytes"] > 60
    lines = any_cli.good("cluster", "logdirs", 1, "--topic", any_topic).lines
    assert lines[0].startswith(f"broker 1  {directory['log_dir']}  {sizes[1]} bytes in 3 partitions")
    assert [line.split() for line in lines[2:]] == [
        [any_topic, str(i), str(sizes[i]), "0", "-"] for i in range(3)]
    done = any_cli("cluster", "logdirs", "--topic", any_topic, "--topic", "nothere")
    assert done.code == 1 and 'has topic "nothere"' in done.line and len(done.lines) == 5


def test_of_several_brokers_some_do_not_answer(binary):
    at = {}
    versions = {"DescribeCluster": (0, 2), "DescribeLogDirs": (1, 3)}

    def cluster(_):
        return {"ClusterId": "c", "ControllerId": -1, "Brokers": [
            {"BrokerId": 9, "Host": "127.0.0.1", "Port": at["closed"], "IsFenced": True},
            {"BrokerId": 2, "Host": "127.0.0.1", "Port": at["port"], "Rack": "r1"}]}

    dirs = {"Results": [{"ErrorCode": STORAGE_ERROR, "LogDir": "/broken"},
                        {"ErrorCode": 0, "LogDir": "/good", "Topics": [{"Name": "t", "Partitions": [
                            {"PartitionIndex": 3, "PartitionSize": 1234, "OffsetLag": 5,
                             "IsFutureKey": True}]}]}]}
    with FakeBroker(versions, {"DescribeCluster": [cluster], "DescribeLogDirs": [dirs]}) as fake:
        at.update(port=fake.port, closed=closed_port())
        cli = Cli(binary, fake.bootstrap)
        lines = cli.good("cluster", "describe").lines
        assert fake.asked[0][1]["IncludeFencedBrokers"] is True
        assert lines[0] == "cluster c  brokers 2  apis 3"
        assert [line.split()[0::3] for line in lines[2:]] == [["2", "r1"], ["9", "-"]]
        assert lines[2].split()[-1] == "-" and lines[3].split()[-1] == "fenced"
        assert json.loads(cli.good("cluster", "describe", "--json").out)["controller"] is None

        done = cli("cluster", "apis", "--json")
        assert done.code == 1 and f"no broker at 127.0.0.1:{at['closed']}" in done.line
        assert [one["broker"] for one in json.loads(done.out)] == [2]
        assert cli.good("cluster", "apis", 2).code == 0

        done = cli("cluster", "logdirs", 2)
        assert done.code == 1
        assert done.line.startswith('klamm: log directory "/broken": KAFKA_STORAGE_ERROR: ')
        assert done.lines[0] == "broker 2  /broken" and done.lines[2].startswith("broker 2  /good")
        assert done.lines[-1].split() == ["t", "3", "1234", "5", "coming"]
        broken, good = json.loads(cli("cluster", "logdirs", 2, "--json").out)[0]["log_dirs"]
        assert broken["error"] == "KAFKA_STORAGE_ERROR" and good["total_bytes"] is None
        assert good["partitions"][0]["is_future"] is True
