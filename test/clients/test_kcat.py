# SPDX-License-Identifier: Apache-2.0
"""kcat (librdkafka as Debian has it): create, produce, read back, also after kill -9."""

import json
import subprocess

import pytest


def kcat(klamm, *args, stdin=None):
    return subprocess.run(["kcat", "-b", klamm.bootstrap, *args], input=stdin, text=True,
                          capture_output=True, timeout=60, check=True).stdout


def consume(klamm, topic, *args):
    return kcat(klamm, "-C", "-q", "-e", "-o", "beginning", "-t", topic, *args).splitlines()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_round_trip(klamm, codec):
    lines = [f"key{i}:value {i}" for i in range(1000)]
    kcat(klamm, "-P", "-t", "t", "-K:", "-z", codec, "-X", "acks=all", stdin="\n".join(lines) + "\n")
    assert consume(klamm, "t", "-K:") == lines


def test_idempotent_producer(klamm):
    lines = [f"{i}" for i in range(5000)]
    kcat(klamm, "-P", "-t", "t", "-X", "enable.idempotence=true", stdin="\n".join(lines) + "\n")
    assert consume(klamm, "t") == lines


def test_acknowledged_records_survive_kill_9(klamm):
    written = []
    for generation in range(5):
        lines = [f"{generation}-{i}" for i in range(500)]
        kcat(klamm, "-P", "-t", "t", "-X", "acks=all", stdin="\n".join(lines) + "\n")
        written += lines
        klamm.kill()
        klamm.start()
        assert consume(klamm, "t") == written


def test_metadata_listing(klamm):
    kcat(klamm, "-P", "-t", "made", stdin="x\n")
    listing = json.loads(kcat(klamm, "-L", "-J"))
    assert [b["name"] for b in listing["brokers"]] == [klamm.bootstrap]
    topic = next(t for t in listing["topics"] if t["topic"] == "made")
    assert [p["leader"] for p in topic["partitions"]] == [1]


def test_tail_and_offsets(klamm):
    kcat(klamm, "-P", "-t", "t", stdin="".join(f"{i}\n" for i in range(100)))
    assert kcat(klamm, "-C", "-q", "-e", "-o", "-10", "-t", "t").split() == [
        str(i) for i in range(90, 100)]
    assert kcat(klamm, "-C", "-q", "-e", "-o", "42", "-c", "1", "-t", "t").split() == ["42"]
    assert kcat(klamm, "-Q", "-t", "t:0:-1").split() == ["t", "[0]", "offset", "100"]
