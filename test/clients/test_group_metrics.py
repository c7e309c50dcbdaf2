# SPDX-License-Identifier: Apache-2.0
"""What /metrics says of groups while they come, rebalance, commit and go, and after restarts. What was
counted, and the number of offsets, is what the group-coordinator-metrics of a real Kafka 4.4.0 gave for
the same scenario; its groups by state are a minute old.
"""

import re

import pytest

from groups import NAMES, SETTINGS, GroupPeer, Talk, rows
from test_against_kafka import until

STATES = ["Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"]


def figures(klamm):
    """Of all groups: how many in each state, offsets, then what was counted."""
    page = klamm.page("/metrics")

    def value(name):
        return int(float(re.search(rf"^{re.escape(name)} (\S+)$", page, re.M)[1]))
    groups = {s: value(f'klamm_groups{{state="{s}"}}') for s in STATES}
    return {**{s: n for s, n in groups.items() if n}, "offsets": value("klamm_group_offsets"), **{
        name: value(f"klamm_group_{name}_total")
        for name in ("offsets_committed", "offsets_expired", "offsets_deleted", "rebalances")}}


def scenario(talk, says):
    """Each step with what is there afterwards, and what was counted so far."""
    a, b = talk.member("a"), talk.member("b")
    says(offsets=0)
    talk.commit([rows("one", 0, 1, 2), rows("two", 0)])
    says(Empty=1, offsets=4, offsets_committed=4)
    a.join()
    says(CompletingRebalance=1, offsets=4)
    a.sync({a: b"all"})
    says(Stable=1, offsets=4, rebalances=1)
    b.begin_join()
    a.until_rebalance()
    says(PreparingRebalance=1, offsets=4)
    a.begin_join()
    a.end_join()
    b.end_join()
    says(CompletingRebalance=1, offsets=4)
    leader, other = (a, b) if a.is_leader() else (b, a)
    leader.sync({a: b"1", b: b"2"})
    other.sync()
    says(Stable=1, offsets=4, rebalances=2)
    a.commit([rows("one", 0), rows("two", 1, 2)])
    says(Stable=1, offsets=6, offsets_committed=7)
    a.commit([rows("one", 0)], GenerationIdOrMemberEpoch=77)  # refused
    says(Stable=1, offsets=6)
    a.leave()
    b.leave()
    says(Empty=1, offsets=6)
    talk.ask("OffsetDelete", 0, GroupId=talk.group, Topics=[
        {"Name": "one", "Partitions": [{"PartitionIndex": 0}, {"PartitionIndex": 1}]},
        {"Name": "two", "Partitions": [{"PartitionIndex": 0}]}])
    says(Empty=1, offsets=3, offsets_deleted=3)


@pytest.fixture
def broker(server):
    klamm = server(klamm__admin__listener="127.0.0.1:0")
    for key, value in {**SETTINGS, "offsets.retention.check.interval.ms": "200"}.items():
        klamm.set(key, value)
    return klamm.start()



def test_groups_are_counted_as_they_change(broker):
    counted = dict.fromkeys(("offsets_committed", "offsets_expired", "offsets_deleted", "rebalances"), 0)

    def says(**expected):
        counted.update((k, v) for k, v in expected.items() if k in counted)
        want = {**expected, **counted}
        until(lambda: figures(broker) == want, lambda: (want, figures(broker)))

    with Talk(GroupPeer(broker.bootstrap), f"metrics-{next(NAMES)}") as talk:
        scenario(talk, says)
        assert broker.metric("klamm_group_load_seconds_count") == 3
        for end in (broker.stop, broker.kill):
            end()
            broker.start()
            talk.peer = GroupPeer(broker.bootstrap)
            counted = dict.fromkeys(counted, 0)  # since the start
            says(Empty=1, offsets=3)
        assert [line for line in broker.page("/metrics").splitlines() if "group_partitions{" in line] == [
            'klamm_group_partitions{state="loading"} 0', 'klamm_group_partitions{state="active"} 3',
            'klamm_group_partitions{state="failed"} 0']
        talk.commit([rows("one", 0)], 2, RetentionTimeMs=1)  # with those of no time of their own
        says(Empty=1, offsets=3, offsets_committed=1, offsets_expired=1)
        talk.ask("DeleteGroups", 2, GroupsNames=[talk.group])
        says(offsets=0)
