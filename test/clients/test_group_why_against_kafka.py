# SPDX-License-Identifier: Apache-2.0
"""Klamm's own tagged field in DescribeGroups, byte for byte beside a real Kafka 4.4.0: Kafka passes over it
and answers as ever, and so does Klamm to who does not set it. `klamm group why` tells the two apart."""

import itertools
import os
import subprocess

import pytest

from groups import rows
from wire import decode_response, encode_request

NAMES = itertools.count()
TAG = b"\x90\x4e"  # 10000 as a varint


class Raw:
    """One group on one of the brokers, asked by frames."""

    def __init__(self, peer, group):
        self.peer = peer
        self.group = group
        peer.ready(group)

    def ask(self, version, **fields):
        """The bytes of the answer."""
        wire = self.peer.wire
        wire.send(encode_request("DescribeGroups", version, 1, {"Groups": [self.group], **fields}))
        return wire.receive()

    def explanation(self, version, **fields):
        return decode_response("DescribeGroups", version,
                               self.ask(version, **fields))[1]["Groups"][0]["Explanation"]


@pytest.fixture
def raw(both):
    """A group without members and with an offset, by the same name on both."""
    group = f"why-{next(NAMES)}"
    for peer in both:
        peer.ready(group)
        answer = peer.ask("OffsetCommit", 9, {"GroupId": group, "GenerationIdOrMemberEpoch": -1,
                                              "Topics": [rows("one", 0)]})
        assert answer["Topics"][0]["Partitions"][0]["ErrorCode"] == 0
    return [Raw(peer, group) for peer in both]


@pytest.mark.parametrize("version", [5, 6])
def test_who_does_not_ask_gets_kafkas_bytes(raw, version):
    ours, kafkas = [r.ask(version) for r in raw]
    assert ours == kafkas
    assert TAG not in ours
    ours, kafkas = [r.ask(version, IncludeExplanation=False) for r in raw]
    assert ours == kafkas == raw[0].ask(version)


@pytest.mark.parametrize("version", [5, 6])
def test_kafka_passes_over_the_question(raw, version):
    kafka = raw[1]
    assert kafka.ask(version, IncludeExplanation=True) == kafka.ask(version)
    both = {"IncludeAuthorizedOperations": True}
    assert kafka.ask(version, IncludeExplanation=True, **both) == kafka.ask(version, **both)


@pytest.mark.parametrize("version", [5, 6])
def test_klamm_adds_one_field_and_nothing_else(raw, version, is_kafka):
    plain = raw[0].ask(version)
    explained = raw[0].ask(version, IncludeExplanation=True)
    if is_kafka:
        assert explained == plain
        return
    # The group's tagged fields are the last but one thing in the answer: none, then one.
    front, end = plain[:-2], plain[-2:]
    assert end == b"\0\0"
    assert explained.startswith(front + b"\x01" + TAG) and explained.endswith(b"\0")
    told = raw[0].explanation(version, IncludeExplanation=True)
    assert (told["OffsetCount"], told["Members"], told["Begun"]) == (1, [], None)
    assert 0 < told["KnownSinceMs"] <= told["NowMs"]


def why(binary, raw, *words):
    environment = {**os.environ, "KLAMM_BOOTSTRAP": raw.peer.bootstrap}
    return subprocess.run([binary, "group", "why", *words], env=environment, capture_output=True,
                          text=True, timeout=60, check=False)


def test_the_command_says_that_kafka_does_not_explain(raw, binary):
    done = why(binary, raw[1], raw[1].group)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f'klamm: group "{raw[1].group}" is Empty; this broker does not explain why: it is '
                           "no Klamm, or an older one\n")


def test_the_command_knows_who_is_not_in_kafka(raw, binary):
    done = why(binary, raw[1], raw[1].group + "x", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f'klamm: no such group "{raw[1].group}x"; did you mean "why-')


def test_the_command_explains_ours(raw, binary, is_kafka):
    done = why(binary, raw[0], raw[0].group)
    assert done.returncode == (1 if is_kafka else 0)
    assert is_kafka or done.stdout.startswith(f"{raw[0].group} is Empty for ")
