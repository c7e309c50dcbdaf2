# SPDX-License-Identifier: Apache-2.0
"""Committed offsets that expire, on a broker that looks for them all the time. There, a group without
members and offsets may go at any moment, so that nothing else is tested with it.
"""

import pytest

from conftest import one_broker
from groups import NAMES, SETTINGS, GroupPeer, Talk, codes, rows, subscription
from test_against_kafka import until

UNKNOWN_MEMBER = 25


@pytest.fixture(scope="module")
def sweeping(request, tmp_path_factory):
    settings = {**SETTINGS, "offsets.retention.check.interval.ms": "200"}
    with one_broker(request, tmp_path_factory.mktemp("sweeping") / "broker", settings) as broker:
        yield GroupPeer(broker.bootstrap)


@pytest.fixture
def talk(sweeping):
    with Talk(sweeping, f"expiry-{next(NAMES)}") as talk:
        yield talk


def committed(talk):
    answer = talk.ask("OffsetFetch", 7, GroupId=talk.group, Topics=None)
    return {t["Name"] for t in answer["Topics"]}


def until_only(talk, *names):
    until(lambda: committed(talk) <= set(names), lambda: committed(talk))
    assert committed(talk) == set(names)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_commit_that_says_when_it_expires(talk, version):
    """Only these versions can. The group that made it goes with its last offset."""
    topics = [rows("one", 0), rows("two", 0)]
    assert set(codes(talk.commit(topics, version, RetentionTimeMs=3600000)).values()) == {0}
    talk.commit(topics[:1], version, RetentionTimeMs=1)
    until_only(talk, "two")
    assert talk.state() == "Empty"
    talk.commit(topics[1:], version, RetentionTimeMs=1)
    until_only(talk)
    until(lambda: talk.state() == "Dead", talk.state)


def keep(talk):
    """An empty group without offsets would go before its first member has joined."""
    talk.commit([rows("one", 0)], 2, RetentionTimeMs=3600000)


def test_a_commit_without_a_time_stays(talk):
    """For offsets.retention.minutes. Another one of the group goes, so that it was looked at."""
    talk.commit([rows("one", 0)], 2, RetentionTimeMs=-1)
    talk.commit([rows("two", 0)], 2, RetentionTimeMs=1)
    until_only(talk, "one")


def test_what_is_subscribed_does_not_expire(talk):
    keep(talk)
    member = talk.member("a", protocols=[("range", subscription("one"))])
    talk.stable(member)
    for topic in ("one", "two"):
        member.commit([rows(topic, 0)], 2, RetentionTimeMs=1)
    until_only(talk, "one")
    assert member.heartbeat()["ErrorCode"] == 0
    member.leave()
    until_only(talk)
    until(lambda: talk.state() == "Dead", talk.state)
    assert member.heartbeat()["ErrorCode"] == UNKNOWN_MEMBER


def test_a_group_that_was_left_goes(talk):
    keep(talk)
    member = talk.member("a")
    talk.stable(member)
    member.commit([rows("one", 0)], 2, RetentionTimeMs=1)
    member.leave()
    until(lambda: talk.state() == "Dead", talk.state)
