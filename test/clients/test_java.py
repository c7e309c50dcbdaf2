# SPDX-License-Identifier: Apache-2.0
"""kafka-clients 4.4.0: the programs of java/, whose steps are the tests."""

import itertools
import re

import pytest

from confluent import create, produce_all
from group_scenarios import Crew, play_group_of_three
from kafka_tools import Tools


def words(text):
    return re.findall(r"[\w-]+", text)


def passed(results, least):
    assert {k: v for k, v in results.items() if v != "ok"} == {}
    assert len(results) >= least


def test_admin(java, broker):
    passed(java.run("Admin", broker.bootstrap), 12)


def test_upkeep(java, broker):
    passed(java.run("Upkeep", broker.bootstrap), 7)


def test_records(java, broker):
    passed(java.run("Records", broker.bootstrap), 12)


def test_groups(java, own_broker):
    """One of the steps asks for a kill of the broker."""
    def restart(_):
        own_broker.kill()
        own_broker.start()

    passed(java.run("Groups", own_broker.bootstrap, on_ask=restart), 10)


@pytest.fixture
def crew(java):
    def member(told):
        names = ("bootstrap", "topic", "group", "session_ms")
        return [*java.command, "Member", *(told[name] for name in names)]

    crew = Crew("kafka-clients", member)
    yield crew
    crew.end()


def test_a_group_of_three(broker, topic, crew):
    """Their records come from another client."""
    def produce(_, topic, records):
        produce_all(broker, topic, [{"partition": p, "value": v} for p, v, _ in records])

    play_group_of_three(broker, topic, topic + "-group", crew, produce)


def test_restarts(java, own_broker, is_long):
    """SIGKILL and SIGTERM by turns, in the middle of what is sent."""
    create(own_broker, "restarts")
    turns = itertools.count()

    def restart(_):
        if next(turns) % 3 == 2:
            own_broker.stop()
        else:
            own_broker.kill()
        own_broker.start()

    rounds = 30 if is_long else 4
    passed(java.run("Restarts", own_broker.bootstrap, rounds, on_ask=restart, limit_s=300), 1)
    assert next(turns) == rounds


def test_streams(java, own_broker, tool_process, tmp_path):
    """Kafka Streams 4.4.0; its application is reset by Kafka's tool."""
    tools = Tools(tool_process, own_broker.bootstrap)
    reset = ("StreamsResetter", "--application-id", "word-count", "--input-topics", "lines")
    internal = [f"word-count-{name}" for name in ("by-word-repartition", "counts-changelog",
                                                  "days-changelog", "places-changelog")]

    def on_ask(word):
        if word == "restart":
            own_broker.kill()
            own_broker.start()
        elif word == "reset refused":
            assert "is still active" in tools.run(*reset, code=1)
        else:
            assert set(internal) <= set(words(tools.run(*reset, "--force", "--dry-run")))
            assert set(internal) <= set(tools.run("TopicCommand", "--list").split())
            assert set(internal) <= set(words(tools.run(*reset, "--force")))
            left = tools.run("TopicCommand", "--list").split()
            assert left == ["__consumer_offsets", "counts", "lines"]

    state = tmp_path / "state"
    passed(java.run("Streams", own_broker.bootstrap, state, on_ask=on_ask, limit_s=600), 11)


def test_what_is_not_served(java, klamm):
    passed(java.run("Unserved", klamm.bootstrap), 4)
