# SPDX-License-Identifier: Apache-2.0
"""Klamm's own tagged field in DescribeLogDirs, byte for byte beside a real Kafka 4.4.0: Kafka passes over it
and answers as ever, and so does Klamm to who does not set it."""

import os
import subprocess
import time

import pytest

from wire import decode_response, encode_request

TAG = b"\x90\x4e"  # 10000 as a varint
TOPIC = "why-partitions"


class Raw:
    """One topic on one of the brokers, asked by frames."""

    def __init__(self, peer):
        self.peer = peer
        made = peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            {"Name": TOPIC, "NumPartitions": 2, "ReplicationFactor": 1}]})["Topics"][0]["ErrorCode"]
        assert made in (0, 36)
        end = time.monotonic() + 60
        while self.partitions() != {0, 1}:  # Kafka's controller answers before they are made
            assert time.monotonic() < end
            time.sleep(0.05)

    def partitions(self):
        _, answer = decode_response("DescribeLogDirs", 5, self.ask(5))
        return {p["PartitionIndex"] for one in answer["Results"] for t in one["Topics"] for p in t["Partitions"]}

    def ask(self, version, **fields):
        topics = [{"Topic": TOPIC, "Partitions": [0, 1, 7]}]
        self.peer.wire.send(encode_request("DescribeLogDirs", version, 1, {"Topics": topics, **fields}))
        return self.peer.wire.receive()


@pytest.fixture
def raw(both):
    return [Raw(peer) for peer in both]


def shape(frame, version):
    """All but the names of directories, the room on the disk, and the order of partitions."""
    _, answer = decode_response("DescribeLogDirs", version, frame)
    for one in answer["Results"]:
        for varying in ("LogDir", "TotalBytes", "UsableBytes"):
            one.pop(varying, None)
        for topic in one["Topics"]:
            topic["Partitions"].sort(key=lambda p: p["PartitionIndex"])
    return answer


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_who_does_not_ask_gets_kafkas_answer(raw, version):
    ours, kafkas = [r.ask(version) for r in raw]
    assert shape(ours, version) == shape(kafkas, version)
    assert TAG not in ours


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_kafka_passes_over_the_question(raw, version):
    assert shape(raw[1].ask(version, IncludeExplanation=True), version) == shape(raw[1].ask(version), version)


@pytest.mark.parametrize("version", [2, 5])
def test_klamm_adds_one_field_and_nothing_else(raw, version, is_kafka):
    plain = shape(raw[0].ask(version), version)
    explained = shape(raw[0].ask(version, IncludeExplanation=True), version)
    told = explained.pop("Explanation", None)
    plain.pop("Explanation", None)
    assert explained == plain
    if not is_kafka:
        assert [(p["TopicName"], p["PartitionIndex"], p["State"]) for p in told["Partitions"]] == [
            (TOPIC, 0, 1), (TOPIC, 1, 1)]


def test_the_command_says_that_kafka_does_not_explain(raw, binary):
    environment = {**os.environ, "KLAMM_BOOTSTRAP": raw[1].peer.bootstrap}
    done = subprocess.run([binary, "topic", "why", TOPIC], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("klamm: a broker does not explain how its partitions are: it is no Klamm, or an "
                           "older one\n")
    described = subprocess.run([binary, "topic", "describe", TOPIC], env=environment, capture_output=True,
                               text=True, timeout=60, check=False)
    assert (described.returncode, described.stderr) == (0, "")
    assert described.stdout.splitlines()[-1].split()[-2:] == ["-", "-"]  # written, durable
