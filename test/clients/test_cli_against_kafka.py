# SPDX-License-Identifier: Apache-2.0
"""Klamm's command line against a real Kafka 4.4.0: what Klamm's own broker does not serve yet. All
else of it is tested in test/cli, which has `--against kafka` as well."""

import json
import os
import subprocess
import time

import pytest

LIMIT_S = 60


class Cli:
    def __init__(self, binary, bootstrap):
        self.binary = binary
        self.environment = {**os.environ, "KLAMM_BOOTSTRAP": bootstrap}

    def run(self, *words):
        return subprocess.run([self.binary, *words], capture_output=True, text=True, check=False,
                              timeout=LIMIT_S, env=self.environment)

    def good(self, *words):
        done = self.run(*words)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout

    def failing(self, *words):
        done = self.run(*words)
        assert done.returncode == 1
        return done.stderr.rstrip("\n")


@pytest.fixture
def cli(binary, both):
    _, kafka = both
    return Cli(binary, kafka.bootstrap)


def described(cli, *words):
    return json.loads(cli.good("config", "describe", "--json", *words))


def values(cli, *words):
    one, = described(cli, *words)
    return {c["name"]: (c["value"], c["source"]) for c in one["configs"]}


def until(look, wanted):
    """What a Kafka was told it tells a little later."""
    end = time.monotonic() + LIMIT_S
    while (seen := look()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert seen == wanted


def test_subscriptions_of_client_metrics(cli):
    cli.good("config", "set", "client-metrics", "watch", "interval.ms=1000",
             "metrics=org.apache.kafka.producer.")
    until(lambda: values(cli, "client-metrics", "watch"), {
        "interval.ms": ("1000", "client-metrics"),
        "metrics": ("org.apache.kafka.producer.", "client-metrics")})
    assert "watch" in [one["name"] for one in described(cli, "client-metrics")]
    line = cli.failing("config", "set", "client-metrics", "watch", "intervals.ms=1")
    assert "INVALID_REQUEST: Unknown client metrics configuration: intervals.ms; " in line
    assert line.endswith(" is interval.ms")
    cli.good("config", "unset", "client-metrics", "watch", "interval.ms", "metrics")


def test_a_key_that_the_broker_calls_unknown(cli, topic):
    cli.good("topic", "create", topic)
    line = cli.failing("config", "set", "topic", topic, "retention.mss=1")
    assert line == (f'klamm: topic "{topic}": INVALID_CONFIG: Unknown topic config name: '
                    "retention.mss; the known key nearest to retention.mss is retention.ms")


def test_features(cli):
    cluster = json.loads(cli.good("cluster", "describe", "--json"))
    features = {f["name"]: f for f in cluster["features"]}
    version = features["metadata.version"]
    assert version["supported_min"] < version["level"] == version["supported_max"]
    assert features["kraft.version"]["supported_min"] == 0 and cluster["features_epoch"] > 0
    row, = [line.split() for line in cli.good("cluster", "describe").splitlines()
            if "metadata.version" in line]
    assert row == ["metadata.version", str(version["level"]), str(version["supported_min"]), "to",
                   str(version["supported_max"])]
